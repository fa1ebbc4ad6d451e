//! The launcher: this binary, started again, puts itself into a jail and starts the command there.
//!
//! With namespaces there are two processes: the launcher proper, which waits outside, and its child,
//! number 1 of the new process namespace, which builds the jail, starts the command, and waits for it.
//! When number 1 ends, for whatever reason, the kernel kills everything that is left inside; it dies
//! with the launcher, and the launcher with the program that started it. Without namespaces the launcher
//! restricts itself, adopts what the command orphans, and kills it at the end.
//!
//! Invariants: one thread; nothing is read but the arguments; the command starts only in a jail that
//! stands completely.

mod limits;
mod mounts;
mod rules;
mod seccomp;
mod sys;
mod wait;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, getegid, geteuid};

use super::handover;
use super::proxy::PROXY_PORT;
use super::spec::{COMMAND_WORD, JailSpec, Layers, PROBE_WORD};
use super::status::Status;

/// The launcher's exit code when there is no jail; the reason is in its report.
const NO_JAIL: u8 = 125;

/// What failed, and why.
#[derive(Debug)]
struct Failed {
    doing: String,
    source: io::Error,
}

/// Names a step for [`Failed`].
trait Doing<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, Failed>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Into<String>) -> Result<T, Failed> {
        self.map_err(|source| Failed { doing: what.into(), source: source.into() })
    }
}

/// Runs the launcher with the arguments after its word.
pub(super) fn launch(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(first) = args.next() else { return ExitCode::from(NO_JAIL) };
    if first == PROBE_WORD {
        return probe();
    }
    let spec = first.to_str().and_then(|text| serde_json::from_str::<JailSpec>(text).ok());
    let Some(spec) = spec else { return ExitCode::from(NO_JAIL) };
    if args.next().is_none_or(|word| word != COMMAND_WORD) {
        return ExitCode::from(NO_JAIL);
    }
    let command: Vec<OsString> = args.collect();
    let Ok(mut status) = sys::take_fd(spec.status_fd) else { return ExitCode::from(NO_JAIL) };
    let proxy = match spec.proxy_fd.map(sys::take_fd).transpose() {
        Ok(proxy) => proxy,
        Err(_) => return ExitCode::from(NO_JAIL),
    };
    let keep: Vec<i32> = [Some(spec.status_fd), spec.proxy_fd].into_iter().flatten().collect();
    let result = sys::close_others(&keep).doing("closing descriptors").and_then(|()| {
        if spec.layers.namespaces {
            in_namespaces(&spec, &command, &mut status, proxy)
        } else {
            without_namespaces(&spec, &command, &mut status)
        }
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failed) => {
            let report = Status::NoJail(format!("{}: {}", failed.doing, failed.source));
            // Nobody listening any more: there is nobody to tell.
            let _ = report.write(&mut status);
            ExitCode::from(NO_JAIL)
        }
    }
}

fn in_namespaces(
    spec: &JailSpec,
    command: &[OsString],
    status: &mut File,
    proxy: Option<File>,
) -> Result<u8, Failed> {
    wait::hold_signals().doing("holding signals")?;
    new_namespaces(spec.shares_network).doing("making namespaces")?;
    // The child sees the end of this pipe when we die before its own request to die with us.
    let (alive, we_live) = io::pipe().doing("making a pipe")?;
    match sys::fork().doing("starting the first process")? {
        ForkResult::Child => {
            drop(we_live);
            let code = as_first(spec, command, status, proxy, &alive).unwrap_or_else(|failed| {
                let report = Status::NoJail(format!("{}: {}", failed.doing, failed.source));
                let _ = report.write(status);
                NO_JAIL
            });
            Ok(code)
        }
        ForkResult::Parent { child } => loop {
            return match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, code)) => Ok(u8::try_from(code).unwrap_or(NO_JAIL)),
                Ok(_) => Ok(NO_JAIL),
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => Err(error).doing("waiting for the first process"),
            };
        },
    }
}

fn new_namespaces(shares_network: bool) -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if !shares_network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// Process 1 of the jail. Its exit code is that of the command.
fn as_first(
    spec: &JailSpec,
    command: &[OsString],
    status: &mut File,
    proxy: Option<File>,
    alive: &io::PipeReader,
) -> Result<u8, Failed> {
    prctl::set_pdeathsig(Signal::SIGKILL).doing("tying processes together")?;
    if wait::has_ended(alive) {
        return Ok(NO_JAIL);
    }
    mounts::enter(spec)?;
    mounts::close_proc(spec);
    if !spec.shares_network {
        sys::loopback_up().doing("turning loopback on")?;
    }
    if let Some(proxy) = proxy {
        let doing = "opening the way to the proxy";
        let listener = TcpListener::bind(("127.0.0.1", PROXY_PORT)).doing(doing)?;
        handover::send(&proxy, listener.as_raw_fd()).doing(doing)?;
    }
    restrict(spec, seccomp::Sockets::All)?;
    wait::start_and_wait(spec, command, status)
}

fn without_namespaces(
    spec: &JailSpec,
    command: &[OsString],
    status: &mut File,
) -> Result<u8, Failed> {
    wait::hold_signals().doing("holding signals")?;
    prctl::set_child_subreaper(true).doing("adopting orphans")?;
    let sockets = match spec.shares_network {
        true => seccomp::Sockets::NotLocal,
        false => seccomp::Sockets::None,
    };
    restrict(spec, sockets)?;
    wait::start_and_wait(spec, command, status)
}

/// Gives up what the command must not have. There is no way back.
fn restrict(spec: &JailSpec, sockets: seccomp::Sockets) -> Result<(), Failed> {
    limits::apply(&spec.limits).doing("setting limits")?;
    sys::drop_capabilities().doing("dropping capabilities")?;
    prctl::set_no_new_privs().doing("giving up new privileges")?;
    if spec.layers.landlock > 0 {
        rules::apply(spec, spec.layers.namespaces).doing("restricting files")?;
    }
    // Nothing inside may look into the process that holds the report and waits for the command.
    prctl::set_dumpable(false).doing("closing the launcher")?;
    if spec.layers.seccomp {
        seccomp::apply(sockets).doing("filtering system calls")?;
    }
    Ok(())
}

/// Tries each layer in a process of its own, and prints what works as JSON.
fn probe() -> ExitCode {
    let works = |layer: &dyn Fn() -> bool| match sys::fork() {
        Ok(ForkResult::Child) => {
            let code = if layer() { 0 } else { 1 };
            sys::exit_child(code)
        }
        Ok(ForkResult::Parent { child }) => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
        }
        Err(_) => false,
    };
    let layers = Layers {
        namespaces: works(&try_namespaces),
        landlock: rules::version(),
        seccomp: works(&|| {
            prctl::set_no_new_privs().is_ok() && seccomp::apply(seccomp::Sockets::All).is_ok()
        }),
    };
    use io::Write;
    match serde_json::to_writer(io::stdout(), &layers) {
        Ok(()) if io::stdout().flush().is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::from(NO_JAIL),
    }
}

/// Whether a jail of namespaces can be built: all of it, as the pieces may be forbidden one by one.
fn try_namespaces() -> bool {
    if new_namespaces(false).is_err() {
        return false;
    }
    let first = || {
        let spec = JailSpec::empty();
        mounts::enter(&spec).is_ok() && sys::loopback_up().is_ok()
    };
    match sys::fork() {
        Ok(ForkResult::Child) => sys::exit_child(if first() { 0 } else { 1 }),
        Ok(ForkResult::Parent { child }) => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
        }
        Err(_) => false,
    }
}
