//! What the figures were measured on, and the binary that they are about.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// What the figures were measured on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The day, as `YYYY-MM-DD`.
    pub date: String,
    /// The commit that the repository is at.
    pub commit: String,
    /// Processors, as many as a program may use at once.
    pub n_cores: usize,
    /// The processor's name.
    pub processor: String,
    /// The system's name and release.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// Programs that wanted a processor, on average over the last minute, before the start.
    pub load: String,
}

impl Machine {
    /// Looks at this machine.
    pub fn look(root: &Path) -> anyhow::Result<Self> {
        let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let named =
            processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            date: answer(root, "date", &["-u", "+%Y-%m-%d"])?,
            commit: answer(root, "git", &["rev-parse", "--short", "HEAD"])?,
            n_cores: std::thread::available_parallelism()?.get(),
            processor: named.map_or("unknown", |(_, name)| name).to_owned(),
            kernel: answer(root, "uname", &["-srm"])?,
            rustc: answer(root, "rustc", &["--version"])?,
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

/// Builds the release binary and says where it is.
pub fn build_release(root: &Path) -> anyhow::Result<PathBuf> {
    let mut build = command("cargo");
    build.current_dir(root).args(["build", "--release", "--locked", "--bin", "sage"]);
    let status = build.status().context("starting cargo")?;
    ensure!(status.success(), "the release build failed");
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("asking where the build went")?;
    Ok(metadata.target_directory.join("release/sage").into_std_path_buf())
}

fn answer(root: &Path, program: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = command(program).args(args).current_dir(root).output();
    let output = output.with_context(|| format!("starting {program}"))?;
    ensure!(output.status.success(), "{program} failed");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "asks the tools of a development machine")]
fn command(program: &str) -> Command {
    Command::new(program)
}
