//! Starting programs: the only place where the product does so.
//!
//! Invariants: every child leads a process group of its own, reads nothing, gets exactly the
//! environment it is given, and ends (with its whole group) on time-out, on cancel, when the caller's
//! future is dropped, when it floods us with output, and when we die, however we die. What it
//! leaves running in its group when it ends is killed too: commands cannot leave daemons behind.
//!
//! How children die with us: on Linux the kernel kills the direct child; a small watching shell, which
//! notices that our end of a pipe has closed, kills the rest of each group. A process that leaves its
//! group (`setsid`) escapes both, unless it is in a jail ([`crate::Sandbox`]): then the child is the
//! jail's launcher, and everything inside, in whatever group or session, ends with it.

mod capture;
mod jailed;
mod start;
mod watch;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::sandbox::{Guard, Jail};

use capture::{Capture, Decoder};
use start::Group;

pub use start::{kill_all, shutdown};

/// From asking a group to end at its time limit to killing it.
pub const TERM_GRACE: Duration = Duration::from_millis(200);
/// The same after a cancel, for which a person waits.
pub const CANCEL_GRACE: Duration = Duration::from_millis(50);
/// How long output is awaited after the command itself has ended, when something it started still
/// holds the pipe.
pub const DRAIN_GRACE: Duration = Duration::from_millis(150);
/// How long the rest of a pipe is read after everybody who could write to it was killed.
const LAST_READ: Duration = Duration::from_millis(50);
/// A command that writes more than this is stopped.
pub const MAX_FLOOD_BYTES: u64 = 256 * 1024 * 1024;
/// The longest time limit; anything above means this.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Bounds for the commands of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Time limit where a command asks for none.
    pub timeout: Duration,
    /// The longest time limit that a model may ask for.
    pub max_timeout: Duration,
    /// Output kept per command, in bytes: 40 % from the head, the rest from the tail.
    pub max_output_bytes: usize,
}

impl Default for ProcessLimits {
    /// 2 minutes unless asked for more, 10 minutes at most, 48 KiB of output.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            max_timeout: Duration::from_secs(600),
            max_output_bytes: 48 * 1024,
        }
    }
}

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

/// A program to run to its end.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// What.
    pub line: Line,
    /// Its working folder.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// What it can reach; without one, whatever the person can.
    pub jail: Option<Jail>,
    /// Its time limit.
    pub timeout: Duration,
    /// How much of its output is kept, in bytes.
    pub max_output_bytes: usize,
}

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessOutcome {
    /// Its exit code; absent when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// stdout and stderr as they came, decoded with replacement characters, head and tail.
    pub output: String,
    /// Whether something of the output was left out.
    pub truncated: bool,
    /// Bytes of output altogether.
    pub output_bytes: u64,
    /// Whether it was stopped at its time limit.
    pub timed_out: bool,
    /// Whether it was stopped because the caller cancelled.
    pub cancelled: bool,
    /// Whether it was stopped because of [`MAX_FLOOD_BYTES`].
    pub flooded: bool,
    /// Which bound of its jail it went over and was stopped for.
    pub over_limit: Option<String>,
    /// Whether it ran in a jail.
    pub sandboxed: bool,
    /// What of its doings was put back, one line each.
    pub notes: Vec<String>,
    /// From start to end.
    pub duration_ms: u64,
}

impl ProcessOutcome {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.exit_code == Some(0) && self.ended_by_itself()
    }

    /// Whether nothing stopped it.
    #[must_use]
    pub fn ended_by_itself(&self) -> bool {
        !self.timed_out && !self.cancelled && !self.flooded && self.over_limit.is_none()
    }
}

enum End {
    Exited(std::process::ExitStatus),
    TimedOut,
    Cancelled,
    Flooded,
}

/// Runs a program to its end, handing each piece of output to `on_output` as it comes.
///
/// Returns within [`TERM_GRACE`] and a little more after the time limit or a cancel. Dropping the
/// future stops the program in the same way. Errors: the program cannot be started.
pub async fn run(
    spec: &ProcessSpec,
    cancel: &CancellationToken,
    on_output: &(dyn Fn(&str) + Send + Sync),
) -> Result<ProcessOutcome> {
    let started = Instant::now();
    let fail = |source| Error::Spawn { program: program_of(&spec.line), source };
    if cancel.is_cancelled() {
        return Ok(ProcessOutcome { cancelled: true, ..ProcessOutcome::default() });
    }
    let (reader, writer) = std::io::pipe().map_err(fail)?;
    let guard = spec.jail.as_ref().map(Jail::guard);
    let (mut command, jailed) = match &spec.jail {
        None => (command(&spec.line, &spec.cwd, &spec.env)?, None),
        Some(jail) => jailed::command(jail, &spec.line).map(|(it, jailed)| (it, Some(jailed)))?,
    };
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(fail)?).stderr(writer);
    let (child, group) = start::in_own_group(command).await.map_err(fail)?;
    let pipe = pipe::Receiver::from_owned_fd(reader.into()).map_err(fail)?;
    let mut running = Running {
        child,
        group,
        pipe: Some(pipe),
        chunk: vec![0; 64 * 1024],
        capture: Capture::new(spec.max_output_bytes),
        decoder: Decoder::default(),
        on_output,
    };
    let end = tokio::select! {
        biased;
        end = running.until_end(spec.timeout.min(MAX_TIMEOUT), cancel) => end.map_err(fail)?,
        never = jailed::serve(jailed.as_ref()) => match never {},
    };
    let mut outcome = ProcessOutcome {
        timed_out: matches!(end, End::TimedOut),
        cancelled: matches!(end, End::Cancelled),
        flooded: matches!(end, End::Flooded),
        ..ProcessOutcome::default()
    };
    let status = match end {
        End::Exited(status) => Some(status),
        End::Cancelled => running.stop(CANCEL_GRACE).await,
        End::TimedOut | End::Flooded => running.stop(TERM_GRACE).await,
    };
    running.drain().await;
    running.group.end();
    (outcome.exit_code, outcome.signal) = status.map_or((None, None), code_and_signal);
    outcome.truncated = running.capture.is_truncated();
    outcome.output_bytes = running.capture.total();
    outcome.output = running.capture.into_text();
    outcome.notes = guard.map(Guard::after).unwrap_or_default();
    outcome.notes.extend(spec.jail.iter().filter_map(Jail::remark).map(str::to_owned));
    if let Some(jailed) = jailed {
        jailed.tell(&spec.line, &mut outcome)?;
    }
    outcome.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(outcome)
}

/// A child with the reading end of its output. The group is killed when this is dropped.
struct Running<'a> {
    child: Child,
    group: Group,
    pipe: Option<pipe::Receiver>,
    chunk: Vec<u8>,
    capture: Capture,
    decoder: Decoder,
    on_output: &'a (dyn Fn(&str) + Send + Sync),
}

impl Running<'_> {
    async fn until_end(
        &mut self,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> std::io::Result<End> {
        let deadline = tokio::time::sleep(timeout);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(End::Cancelled),
                () = &mut deadline => return Ok(End::TimedOut),
                status = self.child.wait() => return Ok(End::Exited(status?)),
                read = read(&mut self.pipe, &mut self.chunk) => self.take(read),
            }
            if self.capture.total() > MAX_FLOOD_BYTES {
                return Ok(End::Flooded);
            }
        }
    }

    /// Asks the group to end, waits, and kills it.
    async fn stop(&mut self, grace: Duration) -> Option<std::process::ExitStatus> {
        self.group.terminate();
        let grace = tokio::time::sleep(grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                biased;
                () = &mut grace => break,
                status = self.child.wait() => {
                    // Others in the group may need the rest of the grace; nobody waits for them.
                    self.group.kill();
                    return status.ok();
                }
                read = read(&mut self.pipe, &mut self.chunk) => self.take(read),
            }
        }
        self.group.kill();
        // The child cannot survive SIGKILL, but it may be stuck in the kernel.
        match tokio::time::timeout(TERM_GRACE, self.child.wait()).await {
            Ok(Ok(status)) => Some(status),
            _ => None,
        }
    }

    /// Reads what is left once the command has ended; something in its group may still write.
    async fn drain(&mut self) {
        let grace = tokio::time::Instant::now() + DRAIN_GRACE;
        while self.pipe.is_some()
            && let Ok(result) =
                tokio::time::timeout_at(grace, read(&mut self.pipe, &mut self.chunk)).await
        {
            self.take(result);
        }
        self.group.kill();
        let last = tokio::time::Instant::now() + LAST_READ;
        while self.pipe.is_some()
            && let Ok(result) =
                tokio::time::timeout_at(last, read(&mut self.pipe, &mut self.chunk)).await
        {
            self.take(result);
        }
        let rest = self.decoder.finish();
        if !rest.is_empty() {
            (self.on_output)(&rest);
        }
    }

    fn take(&mut self, read: std::io::Result<usize>) {
        match read {
            Ok(n) if n > 0 => {
                let bytes = &self.chunk[..n];
                self.capture.push(bytes);
                let text = self.decoder.push(bytes);
                if !text.is_empty() {
                    (self.on_output)(&text);
                }
            }
            // The end, or an error after which nothing more comes.
            _ => self.pipe = None,
        }
    }
}

/// Reads a piece; waits for ever once the pipe has ended.
async fn read(pipe: &mut Option<pipe::Receiver>, chunk: &mut [u8]) -> std::io::Result<usize> {
    match pipe {
        Some(pipe) => pipe.read(chunk).await,
        None => std::future::pending().await,
    }
}

/// What a short program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; absent when a signal or the time limit ended it.
    pub exit_code: Option<i32>,
    /// stdout and stderr, decoded with replacement characters.
    pub text: String,
}

/// Runs a short program, such as `git --version`, and returns what it printed. A failing or missing
/// program is an ordinary answer of the machine: the caller decides what it means.
pub async fn output(
    argv: &[&str],
    cwd: &Path,
    env: &[(String, String)],
    timeout: Duration,
) -> Result<Output> {
    output_in(None, argv, cwd, env, timeout).await
}

/// The same in a jail, if there is one: for programs that belong to the project.
pub async fn output_in(
    jail: Option<Jail>,
    argv: &[&str],
    cwd: &Path,
    env: &[(String, String)],
    timeout: Duration,
) -> Result<Output> {
    let spec = ProcessSpec {
        line: Line::Argv(argv.iter().map(|&arg| arg.to_owned()).collect()),
        cwd: cwd.to_owned(),
        env: env.to_vec(),
        jail,
        timeout,
        max_output_bytes: 1024 * 1024,
    };
    let outcome = run(&spec, &CancellationToken::new(), &|_| {}).await?;
    let exit_code = if outcome.timed_out { None } else { outcome.exit_code };
    Ok(Output { exit_code, text: outcome.output })
}

/// Runs a program such as an editor on the caller's own terminal, in the caller's process group, until
/// it ends. Returns its exit code.
pub async fn run_interactive(
    argv: &[String],
    cwd: &Path,
    env: &[(String, String)],
) -> Result<Option<i32>> {
    let line = Line::Argv(argv.to_vec());
    let fail = |source| Error::Spawn { program: program_of(&line), source };
    let mut command = command(&line, cwd, env)?;
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(fail)?;
    let status = child.wait().await.map_err(fail)?;
    Ok(status.code())
}

/// Prepares a child: the one place that every program passes on its way to being started.
#[expect(clippy::disallowed_methods, reason = "the owner of starting processes")]
fn command(line: &Line, cwd: &Path, env: &[(String, String)]) -> Result<Command> {
    let mut command = match line {
        Line::Shell(line) => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(line);
            command
        }
        Line::Argv(argv) => {
            let Some((program, args)) = argv.split_first() else {
                let source = std::io::Error::other("no program is named");
                return Err(Error::Spawn { program: String::new(), source });
            };
            let mut command = Command::new(program);
            command.args(args);
            command
        }
    };
    command.current_dir(cwd).env_clear();
    for (name, value) in env {
        // A name that the system cannot hold would make the whole start fail.
        if !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0') {
            command.env(name, value);
        }
    }
    Ok(command)
}

fn program_of(line: &Line) -> String {
    match line {
        Line::Shell(_) => "/bin/sh".to_owned(),
        Line::Argv(argv) => argv.first().cloned().unwrap_or_default(),
    }
}

fn code_and_signal(status: std::process::ExitStatus) -> (Option<i32>, Option<i32>) {
    use std::os::unix::process::ExitStatusExt;
    (status.code(), status.signal())
}

#[cfg(test)]
mod tests;
