//! A process of the program under test: its output as it comes, signals, an end within a time, and
//! what it may have left running.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The most that is kept of an output.
const MAX_OUTPUT_BYTES: usize = 64 * 1024 * 1024;
/// How often a process is looked at while it is waited for.
const POLL: Duration = Duration::from_millis(2);

/// How a process ended and what it said.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit code; absent when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// From its start to its end.
    pub duration: Duration,
    /// Whether it had to be killed because it took too long.
    pub timed_out: bool,
    /// The most memory that it held at one time, in bytes, without its children's; sampled.
    pub peak_memory_bytes: u64,
}

impl Output {
    /// Panics with everything that was said unless the exit code is this one.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert!(self.code == Some(code), "expected exit code {code}, got {self}");
        self
    }

    /// Both outputs, standard output first.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Panics with everything that was said unless one of the outputs contains the text.
    #[track_caller]
    pub fn expect_text(&self, text: &str) -> &Self {
        let found = self.all().to_lowercase().contains(&text.to_lowercase());
        assert!(found, "expected {text:?} in the output, got {self}");
        self
    }

    /// The standard output as lines of JSON.
    #[track_caller]
    #[must_use]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in line {line:?} of {self}"))
        };
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, signal, stdout, stderr, duration, timed_out, .. } = self;
        write!(f, "code {code:?}, signal {signal:?} after {duration:?}")?;
        if *timed_out {
            write!(f, ", killed because it took too long")?;
        }
        write!(f, "\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// Output that grows while a thread reads it.
#[derive(Clone, Default)]
pub(crate) struct Growing {
    text: Arc<(Mutex<Vec<u8>>, Condvar)>,
}

impl Growing {
    pub(crate) fn read_from(&self, mut source: impl Read + Send + 'static) -> JoinHandle<()> {
        let to = self.clone();
        thread::spawn(move || {
            let mut piece = [0; 16 * 1024];
            // A pseudo terminal reports its end as an error.
            while let Ok(n_bytes @ 1..) = source.read(&mut piece) {
                let mut bytes = to.text.0.lock().unwrap();
                let room = MAX_OUTPUT_BYTES - bytes.len();
                bytes.extend_from_slice(&piece[..n_bytes.min(room)]);
                to.text.1.notify_all();
            }
        })
    }

    pub(crate) fn so_far(&self) -> Vec<u8> {
        self.text.0.lock().unwrap().clone()
    }

    /// Waits until the output satisfies `found`, and returns what that gives.
    pub(crate) fn wait_for<T>(
        &self,
        timeout: Duration,
        found: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let until = Instant::now() + timeout;
        let mut bytes = self.text.0.lock().unwrap();
        loop {
            if let Some(result) = found(&bytes) {
                return Some(result);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            bytes = self.text.1.wait_timeout(bytes, left).unwrap().0;
        }
    }
}

/// A running process; killed with its process group when dropped.
pub struct Live {
    child: Child,
    started: Instant,
    stdout: Growing,
    stderr: Growing,
    readers: Vec<JoinHandle<()>>,
    ended: Option<ExitStatus>,
    peak_memory_bytes: u64,
}

impl Live {
    /// Takes over a child that leads its own process group and whose outputs are piped.
    pub(crate) fn new(mut child: Child, started: Instant) -> Self {
        let (stdout, stderr) = (Growing::default(), Growing::default());
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(stdout.read_from(pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(stderr.read_from(pipe));
        }
        Self { child, started, stdout, stderr, readers, ended: None, peak_memory_bytes: 0 }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid()), signal);
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            let now = peak_memory_bytes(self.pid()).unwrap_or(0);
            self.peak_memory_bytes = self.peak_memory_bytes.max(now);
            self.ended = self.child.try_wait().expect("a child to wait for");
        }
        self.ended.is_none()
    }

    /// The standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.so_far()).into_owned()
    }

    /// The standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.so_far()).into_owned()
    }

    /// Waits until a condition holds, the process ended, or the time is over; whether it holds.
    pub fn wait_until(&mut self, timeout: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + timeout;
        loop {
            if holds(self) {
                return true;
            }
            if Instant::now() > until || !self.is_running() {
                return holds(self);
            }
            thread::sleep(POLL);
        }
    }

    /// Waits for the end; kills the process group when it takes longer than `timeout`.
    #[must_use]
    pub fn wait(mut self, timeout: Duration) -> Output {
        let until = Instant::now() + timeout;
        let mut timed_out = false;
        while self.is_running() {
            if Instant::now() > until {
                timed_out = true;
                let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
                self.ended = Some(self.child.wait().expect("a child to wait for"));
                break;
            }
            thread::sleep(POLL);
        }
        let duration = self.started.elapsed();
        // A process that it left behind may hold the pipes open; what matters was written before.
        let until = Instant::now() + Duration::from_secs(2);
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < until {
            thread::sleep(POLL);
        }
        let status = self.ended.expect("it has ended");
        Output {
            code: status.code(),
            signal: std::os::unix::process::ExitStatusExt::signal(&status),
            stdout: self.stdout(),
            stderr: self.stderr(),
            duration,
            timed_out,
            peak_memory_bytes: self.peak_memory_bytes,
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// A process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// Its command line.
    pub command: String,
}

/// Living processes that belong to a folder: they work in it, or their environment or command line
/// names it. Dead ones that nobody has waited for do not count.
#[must_use]
pub fn processes_in(folder: &Path) -> Vec<Process> {
    let name = folder.to_string_lossy().into_owned();
    let me = std::process::id().cast_signed();
    let mentions = |file: &Path| {
        let bytes = fs::read(file).unwrap_or_default();
        bytes.windows(name.len()).any(|window| window == name.as_bytes())
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let folder_of = entry.path();
        let works_here =
            fs::read_link(folder_of.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let belongs = works_here
            || mentions(&folder_of.join("environ"))
            || mentions(&folder_of.join("cmdline"));
        if pid == me || !belongs {
            continue;
        }
        let Some((state, parent)) = state_and_parent(&folder_of) else { continue };
        if matches!(state, 'Z' | 'X') {
            continue;
        }
        let command = fs::read(folder_of.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned();
        found.push(Process { pid, parent, command });
    }
    found
}

/// The high-water mark that the kernel keeps for a process.
fn peak_memory_bytes(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let n_kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(n_kib * 1024)
}

fn state_and_parent(folder: &Path) -> Option<(char, i32)> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The command's name stands in parentheses and may hold anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
