//! The sandbox: what a command that a task runs can reach, enforced by the kernel.
//!
//! [`Sandbox`] says what there is on this machine and what the person allows; it makes a [`Jail`] for
//! each command from the command's work tree, environment and network grant. A jail travels to the
//! launcher (this binary, started again with [`LAUNCHER_WORD`]), which builds it around itself and
//! starts the command inside; see `launch`.
//!
//! Invariants: a jail is a function of what is handed in; a command that should be jailed and cannot be
//! does not start; without any layer the caller has decided so, and says why. Layers and what each
//! holds are described in `docs/sandbox.md`.

mod guard;
mod places;
mod probe;
mod proxy;
mod spec;
pub(crate) mod status;

#[cfg(target_os = "linux")]
pub(crate) mod handover;
#[cfg(target_os = "linux")]
mod launch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::error::{Error, Result};

pub(crate) use guard::Guard;
pub use probe::probe;
use proxy::PROXY_PORT;
pub(crate) use proxy::Proxy;
use spec::{Access, COMMAND_WORD, JailSpec, Place};
pub use spec::{JailLimits, LAUNCHER_WORD, Layers, Network};

/// The temporary folder inside, where it is a file system of its own.
const PRIVATE_TEMP: &str = "/tmp";

/// What the person and the machine say about jails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxSettings {
    /// The program that is started as launcher.
    pub launcher: PathBuf,
    /// The person's home, whose toolchains are shown and whose rest is not.
    pub home: Option<PathBuf>,
    /// Further folders to read.
    pub read: Vec<PathBuf>,
    /// Further folders to write.
    pub write: Vec<PathBuf>,
    /// Further files and folders to hide, wherever they are.
    pub hidden: Vec<PathBuf>,
    /// A folder for the caches of this project's commands.
    pub cache: Option<PathBuf>,
    /// Where a private temporary folder is made, if it cannot be a file system of its own.
    pub temp: PathBuf,
    /// Bounds.
    pub limits: JailLimits,
}

/// Whether and how commands are confined.
#[derive(Debug, Clone)]
pub struct Sandbox {
    state: State,
    /// Repositories inside of work trees, looked for once per tree: that takes longer than the rest.
    nested: Arc<Mutex<BTreeMap<PathBuf, Vec<PathBuf>>>>,
}

#[derive(Debug, Clone)]
enum State {
    On { layers: Layers, settings: Box<SandboxSettings> },
    Off { why: String },
}

impl Sandbox {
    /// Commands are confined by these layers. Errors: none of them holds files.
    pub fn on(layers: Layers, settings: SandboxSettings) -> Result<Self> {
        match layers.can_confine() {
            true => Ok(Self::of(State::On { layers, settings: Box::new(settings) })),
            false => Err(Error::Sandbox("the kernel offers no layer that holds files".to_owned())),
        }
    }

    /// Commands run unconfined, because somebody decided so: `why` goes to the log and the report.
    #[must_use]
    pub fn off(why: impl Into<String>) -> Self {
        Self::of(State::Off { why: why.into() })
    }

    fn of(state: State) -> Self {
        Self { state, nested: Arc::default() }
    }

    fn nested(&self, root: &Path) -> Vec<PathBuf> {
        let mut known = self.nested.lock().unwrap_or_else(PoisonError::into_inner);
        let found =
            known.entry(root.to_owned()).or_insert_with(|| places::nested_repositories(root));
        found.clone()
    }

    /// The same, with further folders to read: what a copy of the project links to.
    #[must_use]
    pub fn also_reading(&self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut sandbox = self.clone();
        if let State::On { settings, .. } = &mut sandbox.state {
            settings.read.extend(folders);
        }
        sandbox
    }

    /// The same, with the folder that outlives commands elsewhere: for work that leaves no trace.
    #[must_use]
    pub fn caching_in(&self, folder: PathBuf) -> Self {
        let mut sandbox = self.clone();
        if let State::On { settings, .. } = &mut sandbox.state {
            settings.cache = Some(folder);
        }
        sandbox
    }

    /// Whether commands are confined.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        matches!(self.state, State::On { .. })
    }

    /// The layers in use, if any.
    #[must_use]
    pub const fn layers(&self) -> Option<Layers> {
        match &self.state {
            State::On { layers, .. } => Some(*layers),
            State::Off { .. } => None,
        }
    }

    /// One line for people: which layers hold, or why none does.
    #[must_use]
    pub fn in_words(&self) -> String {
        match &self.state {
            State::On { layers, .. } => layers.in_words(),
            State::Off { why } => why.clone(),
        }
    }

    /// A jail for one command; `None` where commands are not confined.
    pub fn jail(
        &self,
        root: &Path,
        env: &[(String, String)],
        network: &Network,
    ) -> Result<Option<Jail>> {
        let State::On { layers, settings } = &self.state else { return Ok(None) };
        if let Some(cache) = &settings.cache {
            std::fs::create_dir_all(cache).map_err(|error| Error::io("creating", cache, error))?;
        }
        let shares_network = *network == Network::All;
        let own_temp =
            match layers.namespaces {
                true => None,
                false => {
                    let folder =
                        tempfile::Builder::new().prefix("sage-command-").tempdir_in(&settings.temp);
                    Some(Arc::new(folder.map_err(|error| {
                        Error::io("creating a folder in", &settings.temp, error)
                    })?))
                }
            };
        let temp = own_temp.as_ref().map_or(Path::new(PRIVATE_TEMP), |folder| folder.path());
        let mut places = places::places(settings, root, &self.nested(root), env, shares_network);
        if !layers.namespaces {
            places = without_holes(places);
        }
        let spec = JailSpec {
            layers: *layers,
            cwd: root.to_owned(),
            places,
            temp: temp.to_owned(),
            shares_network,
            limits: settings.limits,
            status_fd: -1,
            proxy_fd: None,
        };
        let (hosts, remark) = match network {
            Network::Hosts(hosts) if layers.namespaces => (hosts.clone(), None),
            Network::Hosts(hosts) => (Vec::new(), Some(without_proxy(hosts))),
            Network::Off | Network::All => (Vec::new(), None),
        };
        let mut env = changed_env(env, &spec, settings.cache.as_deref());
        if !hosts.is_empty() {
            through_proxy(&mut env);
        }
        let launcher = settings.launcher.clone();
        Ok(Some(Jail { launcher, spec, env, hosts, remark, _own_temp: own_temp }))
    }
}

impl Layers {
    /// Whether these layers hold a command's files: the least that is called a sandbox.
    #[must_use]
    pub const fn can_confine(&self) -> bool {
        self.seccomp && (self.namespaces || self.landlock > 0)
    }

    /// One line for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = Vec::new();
        if self.namespaces {
            words.push("namespaces".to_owned());
        }
        if self.landlock > 0 {
            words.push(format!("Landlock {}", self.landlock));
        }
        if self.seccomp {
            words.push("seccomp".to_owned());
        }
        match words.as_slice() {
            [] => "nothing".to_owned(),
            words => words.join(", "),
        }
    }
}

/// A command's jail. Cheap to clone; its temporary folder is removed with the last one.
#[derive(Debug, Clone)]
pub struct Jail {
    launcher: PathBuf,
    spec: JailSpec,
    env: Vec<(String, String)>,
    /// Hosts that are reached through a proxy.
    hosts: Vec<String>,
    /// What of the grant it cannot keep.
    remark: Option<String>,
    /// Held for its drop.
    _own_temp: Option<Arc<tempfile::TempDir>>,
}

impl Jail {
    pub(crate) fn launcher(&self) -> &Path {
        &self.launcher
    }

    /// The whole environment inside.
    pub(crate) fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// The proxy that this jail needs, if it needs one.
    pub(crate) fn proxy(&self) -> Option<Proxy> {
        (!self.hosts.is_empty()).then(|| Proxy::new(&self.hosts))
    }

    /// What of the grant the jail cannot keep.
    pub(crate) fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// Notes what the jail itself cannot keep as it is, before the command starts.
    pub(crate) fn guard(&self) -> Guard {
        Guard::before(&self.spec.cwd, self.spec.layers.namespaces)
    }

    /// The launcher's arguments before the command.
    pub(crate) fn args(&self, status_fd: i32, proxy_fd: Option<i32>) -> Result<[String; 3]> {
        let spec = JailSpec { status_fd, proxy_fd, ..self.spec.clone() };
        let spec = serde_json::to_string(&spec)
            .map_err(|error| Error::Sandbox(format!("describing the jail: {error}")))?;
        Ok([LAUNCHER_WORD.to_owned(), spec, COMMAND_WORD.to_owned()])
    }

    /// What is enforced, for people and programs.
    #[must_use]
    pub fn describe(&self) -> Value {
        let of = |access: Access| -> Vec<&Path> {
            let places = self.spec.places.iter().filter(|place| place.access == access);
            places.map(|place| place.path.as_path()).collect()
        };
        json!({
            "layers": self.spec.layers,
            "network": match (self.spec.shares_network, self.hosts.as_slice()) {
                (true, _) => json!("all"),
                (false, []) => json!("off"),
                (false, hosts) => json!(hosts),
            },
            "temp": self.spec.temp,
            "write": of(Access::Write),
            "read": of(Access::Read),
            "read_and_forget_writes": of(Access::Overlay),
            "protected": of(Access::Protected),
            "hidden": of(Access::Hidden),
            "fresh": of(Access::Fresh),
            "limits": self.spec.limits,
        })
    }
}

fn without_proxy(hosts: &[String]) -> String {
    format!(
        "the task was granted {}; without namespaces single hosts cannot be enforced, so the network is off",
        hosts.join(", ")
    )
}

/// Tells programs where the proxy is.
fn through_proxy(env: &mut Vec<(String, String)>) {
    const NAMES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let address = format!("http://127.0.0.1:{PROXY_PORT}");
    let both = |name: &str| [name.to_owned(), name.to_ascii_lowercase()];
    let mut set: Vec<(String, String)> =
        NAMES.iter().flat_map(|name| both(name)).map(|name| (name, address.clone())).collect();
    set.extend(both("NO_PROXY").map(|name| (name, "localhost,127.0.0.1,::1".to_owned())));
    env.retain(|(name, _)| !set.iter().any(|(known, _)| known == name));
    env.extend(set);
}

/// The environment inside: temporary files and caches go where they may be written.
fn changed_env(
    env: &[(String, String)],
    spec: &JailSpec,
    cache: Option<&Path>,
) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let temp = text(&spec.temp);
    let mut set = vec![
        ("TMPDIR", temp.clone()),
        ("TMP", temp.clone()),
        ("TEMP", temp),
        // Reading a repository must not try to write its index.
        ("GIT_OPTIONAL_LOCKS", "0".to_owned()),
    ];
    if !spec.layers.namespaces {
        // The person's own is there and refused, which git takes for an error.
        set.push(("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()));
    }
    if let Some(cache) = cache {
        let folders = [
            ("XDG_CACHE_HOME", "xdg"),
            ("GOCACHE", "go-build"),
            ("npm_config_cache", "npm"),
            ("PIP_CACHE_DIR", "pip"),
        ];
        let may_be_written = |path: &str| {
            let is_below = |place: &&Place| Path::new(path).starts_with(&place.path);
            spec.places
                .iter()
                .rev()
                .find(is_below)
                .is_some_and(|place| place.access == Access::Write)
        };
        for (name, folder) in folders {
            let known = env.iter().find(|(known, _)| known == name);
            if !known.is_some_and(|(_, value)| may_be_written(value)) {
                set.push((name, text(&cache.join(folder))));
            }
        }
    }
    let is_set = |name: &str| set.iter().any(|(known, _)| *known == name);
    let kept = env.iter().filter(|(name, _)| !is_set(name) && name != "XDG_RUNTIME_DIR").cloned();
    let kept: Vec<(String, String)> = kept.collect();
    kept.into_iter().chain(set.into_iter().map(|(name, value)| (name.to_owned(), value))).collect()
}

/// For Landlock, which can only add: a place to read with something hidden inside becomes its entries
/// without that one. What is protected inside of what may be written cannot be expressed; see [`Guard`].
fn without_holes(places: Vec<Place>) -> Vec<Place> {
    let hidden: Vec<PathBuf> = places
        .iter()
        .filter(|place| place.access == Access::Hidden)
        .map(|place| place.path.clone())
        .collect();
    let mut kept = Vec::new();
    for place in places {
        let holes =
            hidden.iter().filter(|path| path.starts_with(&place.path) && **path != place.path);
        let is_read = matches!(place.access, Access::Read | Access::Overlay);
        if !is_read || holes.clone().next().is_none() {
            kept.push(place);
            continue;
        }
        let holes: Vec<&PathBuf> = holes.collect();
        let mut pending = vec![place.path];
        while let Some(folder) = pending.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if holes.contains(&&path) {
                    continue;
                }
                if holes.iter().any(|hole| hole.starts_with(&path)) {
                    pending.push(path);
                } else {
                    kept.push(Place { path, access: Access::Read });
                }
            }
        }
    }
    kept
}

/// Runs this process as the launcher; `args` follow [`LAUNCHER_WORD`]. To be called before anything
/// else is started or read.
#[must_use]
pub fn launch(args: impl Iterator<Item = OsString>) -> ExitCode {
    #[cfg(target_os = "linux")]
    return launch::launch(args);
    #[cfg(not(target_os = "linux"))]
    {
        drop(args);
        ExitCode::FAILURE
    }
}
