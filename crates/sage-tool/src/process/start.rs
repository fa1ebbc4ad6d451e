//! Starting children in groups of their own, and ending those groups.
//!
//! One thread starts every child and lives as long as the process. It has to: the kernel's "kill
//! me when my parent dies" means the *thread* that forked, and the threads of an async runtime come
//! and go. The same thread kills groups whose grace is over, so that a dropped future needs no task.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::TERM_GRACE;
use super::watch::Watch;

/// How long [`shutdown`] waits for the starting thread.
const SHUTDOWN_WAIT: Duration = Duration::from_millis(500);

enum Job {
    Start { command: Box<Command>, runtime: Handle, reply: oneshot::Sender<io::Result<Started>> },
    KillLater { group: i32, at: Instant },
    Ended { group: i32 },
    Shutdown { done: mpsc::Sender<()> },
}

struct Started {
    child: Child,
    group: Group,
}

/// The groups that are alive, so that [`kill_all`] works from a signal handler's thread at any time.
static LIVE: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn live() -> MutexGuard<'static, BTreeSet<i32>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills every process that was started here and is still running. For the way out, when there is no
/// time to ask nicely.
pub fn kill_all() {
    for group in live().iter() {
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
}

/// Kills every process, the watching shell included, so that none outlives an orderly exit.
pub fn shutdown() {
    kill_all();
    let (done, wait) = mpsc::channel();
    if let Some(Ok(jobs)) = STARTER.get()
        && jobs.send(Job::Shutdown { done }).is_ok()
    {
        // When the thread is stuck in a start, the kernel's own rule ends that child with us.
        let _ = wait.recv_timeout(SHUTDOWN_WAIT);
    }
}

/// A live process group; killed when dropped.
#[derive(Debug)]
pub(crate) struct Group {
    id: i32,
    ended: bool,
}

impl Group {
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        // Nobody left in the group is as good as killed.
        let _ = killpg(Pid::from_raw(self.id), signal);
    }

    /// Says that the leader was waited for and the rest was killed.
    pub(crate) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            live().remove(&self.id);
            send(Job::Ended { group: self.id });
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.terminate();
            send(Job::KillLater { group: self.id, at: Instant::now() + TERM_GRACE });
        }
    }
}

/// Starts a child as the leader of a new group, from the thread that outlives every runtime.
pub(crate) async fn in_own_group(mut command: Command) -> io::Result<(Child, Group)> {
    command.process_group(0);
    die_with_parent(&mut command);
    let (reply, answer) = oneshot::channel();
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    starter()?
        .send(Job::Start { command: Box::new(command), runtime, reply })
        .map_err(|_| io::Error::other("the starting thread has ended"))?;
    let started = answer.await.map_err(|_| io::Error::other("the starting thread has ended"))??;
    Ok((started.child, started.group))
}

static STARTER: OnceLock<Result<mpsc::Sender<Job>, io::ErrorKind>> = OnceLock::new();

fn starter() -> io::Result<mpsc::Sender<Job>> {
    let start = || {
        let (jobs, queue) = mpsc::channel();
        std::thread::Builder::new()
            .name("sage-starter".to_owned())
            .spawn(move || work(&queue))
            .map(|_| jobs)
            .map_err(|error| error.kind())
    };
    STARTER.get_or_init(start).clone().map_err(io::Error::from)
}

fn send(job: Job) {
    if let Some(Ok(jobs)) = STARTER.get() {
        // The thread ends only with the process.
        let _ = jobs.send(job);
    }
}

/// The starting thread. The queue is as long as there are callers waiting, as each waits for its reply.
fn work(queue: &mpsc::Receiver<Job>) {
    let mut watch = Watch::default();
    let mut doomed: Vec<(Instant, i32)> = Vec::new();
    loop {
        let next = doomed.iter().map(|(at, _)| *at).min();
        let job = match next {
            Some(at) => queue.recv_timeout(at.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match job {
            Ok(Job::Start { mut command, runtime, reply }) => {
                let _in_runtime = runtime.enter();
                let started = command.spawn().map(|child| {
                    let group = Group { id: id_of(&child), ended: false };
                    live().insert(group.id);
                    let all = live().clone();
                    watch.add(group.id, &all);
                    Started { child, group }
                });
                // Nobody waiting any more: the value comes back and dropping it kills the group.
                drop(reply.send(started));
            }
            Ok(Job::KillLater { group, at }) => doomed.push((at, group)),
            Ok(Job::Ended { group }) => watch.remove(group),
            Ok(Job::Shutdown { done }) => {
                watch.end();
                let _ = done.send(());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        for (_, group) in doomed.extract_if(.., |(at, _)| *at <= now) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            live().remove(&group);
            watch.remove(group);
        }
    }
}

fn id_of(child: &Child) -> i32 {
    // A child that was not waited for has an id, and ids fit.
    child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(i32::MAX)
}

/// Lets the kernel kill the child when the starting thread, and so this process, dies.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "nothing safe runs code between fork and exec")]
fn die_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: between fork and exec only async-signal-safe functions may be called. `prctl` and
    // `getppid` are plain system calls; nothing here allocates, locks or panics.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // We may have died before the request was made.
            if nix::unistd::getppid() != parent {
                return Err(io::Error::from_raw_os_error(nix::errno::Errno::ESRCH as i32));
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
