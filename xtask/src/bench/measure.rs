//! Runs one program and says what it took: wall time, processor time, memory.
//!
//! The measuring is done by a process of its own, `xtask measure FILE PROGRAM ARGUMENTS...`: what the
//! system reports is about all children that a process ever had, and a child's memory figure starts
//! at that of the process that started it. A fresh small parent makes both figures the child's own.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};

/// What a program took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Took {
    /// From just before its start to its end.
    pub wall: Duration,
    /// Processor time of it and of everything that it started and waited for.
    pub cpu: Duration,
    /// The most memory that it, or one process that it started, held at one time.
    pub peak_bytes: u64,
}

impl Took {
    /// Reads what [`measure`] wrote.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).context("reading what was measured")?;
        let value: Value = serde_json::from_str(&text).context("reading what was measured")?;
        let number = |name: &str| value[name].as_u64().with_context(|| format!("no {name}"));
        Ok(Self {
            wall: Duration::from_nanos(number("wall_ns")?),
            cpu: Duration::from_micros(number("cpu_us")?),
            peak_bytes: number("peak_bytes")?,
        })
    }
}

/// Runs `args[1]` with the arguments after it, writes what it took to the file `args[0]`, and ends
/// with its exit code.
pub fn measure(args: &[String]) -> anyhow::Result<ExitCode> {
    let [file, program, args @ ..] = args else { anyhow::bail!("measure FILE PROGRAM ...") };
    #[expect(clippy::disallowed_methods, reason = "starts what is measured")]
    let mut command = Command::new(program);
    command.args(args);
    let started = Instant::now();
    let status = command.status().with_context(|| format!("starting {program}"))?;
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("asking what a child used")?;
    let cpu_us = (usage.user_time() + usage.system_time()).num_microseconds();
    let wall_ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
    let took =
        json!({ "wall_ns": wall_ns, "cpu_us": cpu_us, "peak_bytes": usage.max_rss() * 1024 });
    std::fs::write(file, took.to_string()).with_context(|| format!("writing {file}"))?;
    // A death by a signal is reported as shells do it.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or_default();
    let code = status.code().unwrap_or(128 + signal);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
