//! Starting the launcher of a jail in the place of the command, and reading what it reports.

use std::convert::Infallible;
use std::io::PipeReader;

use tokio::process::Command;

use super::{Line, ProcessOutcome, program_of};
use crate::error::{Error, Result};
use crate::sandbox::status::{Status, read_all};
use crate::sandbox::{Jail, Proxy};

/// What there is of a jail outside of it.
pub(super) struct Jailed {
    report: PipeReader,
    proxy: Option<(Proxy, tokio::net::UnixStream)>,
}

/// Prepares the launcher.
pub(super) fn command(jail: &Jail, line: &Line) -> Result<(Command, Jailed)> {
    let fail = |source| Error::Spawn { program: program_of(line), source };
    let mut inherited = Inherited::default();
    let (report, writer) = std::io::pipe().map_err(fail)?;
    let status_fd = inherited.add(writer);
    let (proxy_fd, proxy) = match jail.proxy() {
        None => (None, None),
        Some(proxy) => {
            let (outside, inside) = pair().map_err(fail)?;
            (Some(inherited.add(inside)), Some((proxy, outside)))
        }
    };
    let mut argv = vec![jail.launcher().to_string_lossy().into_owned()];
    argv.extend(jail.args(status_fd, proxy_fd)?);
    match line {
        Line::Shell(line) => argv.extend(["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]),
        Line::Argv(line) if line.is_empty() => {
            return Err(fail(std::io::Error::other("no program is named")));
        }
        Line::Argv(line) => argv.extend(line.iter().cloned()),
    }
    let mut command = super::command(&Line::Argv(argv), "/".as_ref(), jail.env())?;
    inherited.pass_on(&mut command);
    Ok((command, Jailed { report, proxy }))
}

/// Serves what the jail needs from outside, for as long as it is asked to.
pub(super) async fn serve(jailed: Option<&Jailed>) -> Infallible {
    #[cfg(target_os = "linux")]
    if let Some((proxy, outside)) = jailed.and_then(|jailed| jailed.proxy.as_ref())
        // Without a listener there is no way out, which the command sees for itself.
        && let Ok(listener) = crate::sandbox::handover::receive(outside).await
    {
        proxy.serve(listener).await;
    }
    #[cfg(not(target_os = "linux"))]
    drop(jailed);
    std::future::pending().await
}

impl Jailed {
    /// Adds what the launcher reported. Errors: the command did not start.
    pub(super) fn tell(self, line: &Line, outcome: &mut ProcessOutcome) -> Result<()> {
        outcome.sandboxed = true;
        outcome.notes.extend(self.proxy.iter().flat_map(|(proxy, _)| proxy.remarks()));
        let mut is_ready = false;
        for status in read_all(self.report) {
            match status {
                Status::NoJail(why) => return Err(Error::Sandbox(why)),
                Status::NotStarted(code) => {
                    let source = std::io::Error::from_raw_os_error(code);
                    return Err(Error::Spawn { program: program_of(line), source });
                }
                Status::Ready => is_ready = true,
                Status::OverLimit(what) => outcome.over_limit = Some(what),
                Status::Signal(signal) => {
                    (outcome.exit_code, outcome.signal) = (None, Some(signal));
                }
            }
        }
        // One that was stopped while the jail was built says nothing; anything else must have begun.
        if !is_ready && outcome.ended_by_itself() && outcome.signal.is_none() {
            return Err(Error::Sandbox("the launcher ended without a word".to_owned()));
        }
        Ok(())
    }
}

fn pair() -> std::io::Result<(tokio::net::UnixStream, std::os::unix::net::UnixStream)> {
    let (outside, inside) = std::os::unix::net::UnixStream::pair()?;
    outside.set_nonblocking(true)?;
    Ok((tokio::net::UnixStream::from_std(outside)?, inside))
}

/// Descriptors that a child inherits. Ours are closed when the command is dropped.
#[derive(Default)]
struct Inherited(Vec<std::os::fd::OwnedFd>);

impl Inherited {
    /// Adds one; returns the number that it has on both sides.
    fn add(&mut self, fd: impl Into<std::os::fd::OwnedFd>) -> i32 {
        use std::os::fd::AsRawFd;
        let fd = fd.into();
        let number = fd.as_raw_fd();
        self.0.push(fd);
        number
    }

    #[expect(unsafe_code, reason = "nothing safe runs code between fork and exec")]
    fn pass_on(self, command: &mut Command) {
        use nix::fcntl::{FcntlArg, FdFlag, fcntl};
        // SAFETY: between fork and exec only async-signal-safe functions may be called: `fcntl` is a
        // plain system call; nothing here allocates, locks or panics.
        unsafe {
            command.pre_exec(move || {
                for fd in &self.0 {
                    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
                }
                Ok(())
            });
        }
    }
}
