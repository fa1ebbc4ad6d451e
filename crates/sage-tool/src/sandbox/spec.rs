//! What the launcher is told: all of a jail, as one line of JSON in its arguments.
//!
//! Invariant: it holds paths, numbers and choices, never a secret and never a command; it is made and
//! read by the same binary, so it has no version.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The word in the place of a subcommand that makes the binary a launcher.
pub const LAUNCHER_WORD: &str = "__jail";
/// The word before the command.
pub(crate) const COMMAND_WORD: &str = "--";
/// The word that asks which layers work.
pub(crate) const PROBE_WORD: &str = "probe";

/// What a command may reach over the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nothing but its own loopback.
    #[default]
    Off,
    /// These hosts over HTTP and HTTPS, through a proxy. Without namespaces nothing can hold a command to
    /// them: it then gets nothing, and is told.
    Hosts(Vec<String>),
    /// Everything the machine reaches.
    All,
}

/// Bounds that the kernel enforces for a command and all it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailLimits {
    /// Processes and threads at a time.
    pub processes: u64,
    /// The largest file, in bytes.
    pub file_bytes: u64,
    /// What fits into the private temporary folder, in bytes.
    pub temp_bytes: u64,
    /// What may be written to the disk of the work tree, in bytes.
    pub disk_bytes: u64,
    /// Data of one process, in bytes.
    pub memory_bytes: u64,
}

const MIB: u64 = 1 << 20;

impl Default for JailLimits {
    fn default() -> Self {
        Self {
            processes: 2048,
            file_bytes: 4096 * MIB,
            temp_bytes: 1024 * MIB,
            disk_bytes: 8192 * MIB,
            memory_bytes: 16_384 * MIB,
        }
    }
}

/// How a place is made visible inside. The order is that of precedence for the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// An empty folder of its own, gone afterwards.
    Fresh,
    /// To read.
    Read,
    /// To read; what is written lands in a layer of its own and is gone afterwards.
    Overlay,
    /// To write.
    Write,
    /// To read, inside of something to write.
    Protected,
    /// As if empty.
    Hidden,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub path: PathBuf,
    pub access: Access,
}

/// Which layers to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Namespaces of its own for users, mounts, processes, network and IPC.
    pub namespaces: bool,
    /// Version of the Landlock interface; 0 without.
    pub landlock: u32,
    /// Whether system calls are filtered.
    pub seccomp: bool,
}

/// A jail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JailSpec {
    pub layers: Layers,
    /// The working folder of the command, for the bound on the disk too.
    pub cwd: PathBuf,
    /// Absolute, sorted so that parents come first, each path once.
    pub places: Vec<Place>,
    /// Where temporary files go inside.
    pub temp: PathBuf,
    /// Whether the machine's network is shared.
    pub shares_network: bool,
    pub limits: JailLimits,
    /// Descriptor on which the launcher reports, see [`super::status`].
    pub status_fd: i32,
    /// Descriptor over which it hands out a listening socket, where hosts are reached through a proxy.
    pub proxy_fd: Option<i32>,
}

impl JailSpec {
    /// A jail in which there is nothing, for trying.
    pub(crate) fn empty() -> Self {
        Self {
            layers: Layers::default(),
            cwd: PathBuf::from("/"),
            places: Vec::new(),
            temp: PathBuf::from("/tmp"),
            shares_network: false,
            limits: JailLimits::default(),
            status_fd: -1,
            proxy_fd: None,
        }
    }
}
