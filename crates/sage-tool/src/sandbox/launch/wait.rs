//! Starting the command inside and waiting for it: signals are handed on, bounds that the kernel does
//! not know are watched, and nothing that it started is left.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::process::Command;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::statvfs::statvfs;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::sys;
use super::{Doing, Failed};
use crate::sandbox::spec::JailSpec;
use crate::sandbox::status::Status;

/// How often the disk and the number of processes are looked at.
const LOOK_EVERY_MS: u16 = 100;
/// A disk with less than this is full, if it was not before.
const LEAST_FREE_BYTES: u64 = 64 << 20;
/// Rounds of killing what is left, where no namespace does it at once.
const MAX_KILL_ROUNDS: usize = 1000;

/// The exit code of a command that was ended by a signal, as shells have it.
const SIGNAL_BASE: i32 = 128;
/// The exit code when the program cannot be started.
const NOT_STARTED: u8 = 127;

/// Signals that are handed on to the command instead of ending the launcher.
const HANDED_ON: &[Signal] = &[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

fn held() -> SigSet {
    let mut held: SigSet = HANDED_ON.iter().copied().collect();
    held.add(Signal::SIGCHLD);
    held
}

/// Lets signals wait until they are read.
pub(super) fn hold_signals() -> io::Result<()> {
    Ok(held().thread_block()?)
}

/// Whether the other end of a pipe is closed.
pub(super) fn has_ended(pipe: &io::PipeReader) -> bool {
    let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    let is_ready = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|n| n > 0);
    is_ready && fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// Starts the command and waits for its end. Returns its exit code.
pub(super) fn start_and_wait(
    spec: &JailSpec,
    command: &[OsString],
    status: &mut File,
) -> Result<u8, Failed> {
    let signals = SignalFd::with_flags(&held(), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .doing("listening to signals")?;
    let mut watch = Bounds::new(spec);
    let child = match start(spec, command) {
        Ok(child) => child,
        Err(error) => {
            let code = error.raw_os_error().unwrap_or(Errno::EIO as i32);
            Status::NotStarted(code).write(status).doing("reporting")?;
            return Ok(NOT_STARTED);
        }
    };
    Status::Ready.write(status).doing("reporting")?;
    let code = loop {
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(LOOK_EVERY_MS)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).doing("waiting for signals"),
        }
        while let Ok(Some(signal)) = signals.read_signal() {
            let handed_on = HANDED_ON.iter().find(|known| **known as u32 == signal.ssi_signo);
            if let Some(signal) = handed_on {
                end_all(spec, child, *signal);
            }
        }
        if let Some(ended) = reap(child) {
            break match ended {
                WaitStatus::Signaled(_, signal, _) => {
                    Status::Signal(signal as i32).write(status).doing("reporting")?;
                    SIGNAL_BASE + signal as i32
                }
                WaitStatus::Exited(_, code) => code,
                _ => i32::from(NOT_STARTED),
            };
        }
        if let Some(what) = watch.exceeded() {
            Status::OverLimit(what).write(status).doing("reporting")?;
            end_all(spec, child, Signal::SIGKILL);
        }
    };
    if !spec.layers.namespaces {
        kill_the_rest();
    }
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the launcher is the jail's own starter of processes"
)]
fn start(spec: &JailSpec, command: &[OsString]) -> io::Result<Pid> {
    let (program, args) =
        command.split_first().ok_or_else(|| io::Error::from_raw_os_error(Errno::ENOENT as i32))?;
    let mut command = Command::new(program);
    command.args(args).current_dir(&spec.cwd);
    sys::in_own_session(&mut command);
    let child = command.spawn()?;
    let id = i32::try_from(child.id()).unwrap_or(i32::MAX);
    Ok(Pid::from_raw(id))
}

/// Waits for everything that has ended; returns how the command did, if it is among it.
fn reap(child: Pid) -> Option<WaitStatus> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return None,
            Ok(status) if status.pid() == Some(child) => return Some(status),
            Ok(_) => {}
        }
    }
}

/// Sends a signal to the command and what it started.
fn end_all(spec: &JailSpec, child: Pid, signal: Signal) {
    if spec.layers.namespaces {
        // Everything in the namespace but number 1.
        let _ = kill(Pid::from_raw(-1), signal);
    } else {
        let _ = kill(Pid::from_raw(-child.as_raw()), signal);
        if signal == Signal::SIGKILL {
            kill_the_rest();
        }
    }
}

/// Kills every descendant: what is orphaned comes to us, so each round finds what the last one freed.
fn kill_the_rest() {
    for _ in 0..MAX_KILL_ROUNDS {
        let found = descendants();
        if found.is_empty() {
            return;
        }
        for pid in found {
            let _ = kill(pid, Signal::SIGKILL);
        }
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
    }
}

/// Living processes below this one.
fn descendants() -> Vec<Pid> {
    let parents: Vec<(i32, i32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let state = fields.next()?;
            let parent = fields.next()?.parse().ok()?;
            (state != "Z").then_some((pid, parent))
        })
        .collect();
    let mut found = vec![std::process::id() as i32];
    let mut n = 0;
    while n < found.len() {
        let above = found[n];
        found.extend(parents.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid));
        n += 1;
    }
    found.into_iter().skip(1).map(Pid::from_raw).collect()
}

/// Bounds that the kernel does not hold by itself.
struct Bounds<'a> {
    spec: &'a JailSpec,
    free_at_first: Option<u64>,
    /// Whether `/proc` shows the processes of this jail and no others.
    sees_own: bool,
}

impl<'a> Bounds<'a> {
    fn new(spec: &'a JailSpec) -> Self {
        let sees_own = fs::read_link("/proc/self").is_ok_and(|id| id.as_os_str() == "1");
        Self { spec, free_at_first: free_bytes(spec), sees_own }
    }

    /// Which bound the command went over, if it did.
    fn exceeded(&mut self) -> Option<String> {
        let limits = &self.spec.limits;
        if let (Some(first), Some(now)) = (self.free_at_first, free_bytes(self.spec)) {
            if first.saturating_sub(now) > limits.disk_bytes {
                return Some(format!(
                    "more than {} MiB written to the disk",
                    limits.disk_bytes >> 20
                ));
            }
            if now < LEAST_FREE_BYTES && first > 2 * LEAST_FREE_BYTES {
                return Some("the disk is full".to_owned());
            }
        }
        let n_processes = if self.sees_own { count_processes() } else { 0 };
        (n_processes > limits.processes)
            .then(|| format!("more than {} processes", limits.processes))
    }
}

fn free_bytes(spec: &JailSpec) -> Option<u64> {
    let stat = statvfs(&spec.cwd).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// Processes of the namespace. Asked only every [`LOOK_EVERY_MS`].
fn count_processes() -> u64 {
    let is_process = |name: &std::ffi::OsStr| {
        name.to_str().is_some_and(|name| name.starts_with(|c: char| c.is_ascii_digit()))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter(|entry| is_process(&entry.file_name())).count() as u64
}
