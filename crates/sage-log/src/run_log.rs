//! The one writer of a run: appends events, stores payloads, and knows what earlier processes left.
//!
//! Invariants: one event is one `write` of one whole line, so what is appended survives the death of
//! the process; sequence numbers have no gaps and times never go back; nothing reaches the disk before
//! its secrets are redacted; after a failed write the log is given up and every further append fails.
//! What listeners and [`RunLog::events`] get is the event as it reads back from its line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sage_core::{
    BlobRef, CallId, Clock, Event, EventKind, Past, Progress, ProgressSink, RecordError, Recorder,
    RunId, Seq,
};

use crate::blobs::Blobs;
use crate::lock::Lock;
use crate::past::PastCalls;
use crate::read::{self, MAX_LINE_BYTES};
use crate::{Error, Loaded, Manifest, Redactor, Result, TornTail, read_run};

/// What a log is opened with.
pub struct LogOptions {
    /// Tells the time of each event.
    pub clock: Arc<dyn Clock>,
    /// Takes secrets out of events and payloads.
    pub redactor: Redactor,
    /// Is handed each event after it was appended, in order. Must not call back into the log.
    pub progress: Arc<dyn ProgressSink>,
    /// Fault injection for crash tests: the process kills itself (SIGKILL) as soon as the event with
    /// this number is appended, before anybody hears of it.
    pub kill_after: Option<Seq>,
}

/// A run that is being written. Clones are handles of the same log; the run stays locked until the
/// last one is dropped.
#[derive(Clone)]
pub struct RunLog(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    manifest: Manifest,
    options: LogOptions,
    blobs: Blobs,
    past: PastCalls,
    file: File,
    tail: Mutex<Tail>,
    /// The last event that is known to be durable. Held while syncing, so that callers who come
    /// together pay once.
    durable: Mutex<Seq>,
    _lock: Lock,
}

/// The end of the log.
struct Tail {
    events: Vec<Event>,
    /// Why the log was given up, if it was.
    poisoned: Option<String>,
}

impl RunLog {
    /// Creates the run's folder `dir` and everything in it; refuses one that exists.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Io`].
    pub fn create(dir: &Path, manifest: Manifest, options: LogOptions) -> Result<Self> {
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent).map_err(Error::io("creating", parent))?;
        }
        match fs::create_dir(dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Exists { path: dir.to_owned() });
            }
            Err(source) => return Err(Error::Io { doing: "creating", path: dir.into(), source }),
        }
        let lock = Lock::take(dir)?;
        let blobs = Blobs::open(dir)?;
        let file = open(dir, true)?;
        let goal = options.redactor.redact(&manifest.goal).into_owned();
        let manifest = Manifest { goal, ..manifest };
        // Last, so that a folder with a manifest is a whole run.
        manifest.write(dir)?;
        if let Some(parent) = dir.parent() {
            File::open(parent)
                .and_then(|folder| folder.sync_all())
                .map_err(Error::io("making durable", parent))?;
        }
        Ok(Self::new(dir, manifest, options, Vec::new(), file, blobs, lock))
    }

    /// Takes up the run in `dir` again: locks it, reads it, cuts off a torn last line, and continues
    /// after the last event.
    ///
    /// # Errors
    /// As [`read_run`], and [`Error::Locked`]. Nothing but a torn tail is ever changed.
    pub fn reopen(dir: &Path, options: LogOptions) -> Result<(Self, Loaded)> {
        let lock = Lock::take(dir)?;
        let loaded = read_run(dir)?;
        let file = open(dir, false)?;
        if let Some(torn) = loaded.torn_tail {
            cut_tail(&file, torn)
                .map_err(Error::io("cutting the torn end off", &dir.join(read::FILE_NAME)))?;
        }
        let (manifest, events) = (loaded.manifest.clone(), loaded.events.clone());
        let log = Self::new(dir, manifest, options, events, file, Blobs::open(dir)?, lock);
        Ok((log, loaded))
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.0.manifest.run
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Every event so far, in order, those of earlier processes included.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.0.tail().events.clone()
    }

    fn new(
        dir: &Path,
        manifest: Manifest,
        options: LogOptions,
        events: Vec<Event>,
        file: File,
        blobs: Blobs,
        lock: Lock,
    ) -> Self {
        Self(Arc::new(Inner {
            blobs,
            past: PastCalls::of(&events),
            // What an earlier process appended last may not be durable yet.
            durable: Mutex::new(Seq(0)),
            dir: dir.to_owned(),
            manifest,
            options,
            file,
            tail: Mutex::new(Tail { events, poisoned: None }),
            _lock: lock,
        }))
    }
}

impl Recorder for RunLog {
    fn put(&self, bytes: &[u8]) -> std::result::Result<BlobRef, RecordError> {
        Ok(self.0.blobs.put(&self.0.options.redactor.redact_bytes(bytes))?)
    }

    fn get(&self, blob: &BlobRef) -> std::result::Result<Vec<u8>, RecordError> {
        Ok(self.0.blobs.get(blob)?)
    }

    fn emit(&self, kind: EventKind) -> std::result::Result<Seq, RecordError> {
        Ok(self.0.append(kind)?)
    }

    fn sync(&self) -> std::result::Result<(), RecordError> {
        Ok(self.0.sync()?)
    }

    fn past(&self, call: &CallId) -> Past {
        self.0.past.get(call, |blob| self.0.blobs.adopt(blob))
    }
}

impl Inner {
    fn append(&self, mut kind: EventKind) -> Result<Seq> {
        self.options.redactor.redact_event(&mut kind);
        let mut tail = self.tail();
        self.refuse_if_poisoned(&tail)?;
        let last = tail.events.last();
        let seq = Seq(last.map_or(0, |event| event.seq.0) + 1);
        let at_ms = self.options.clock.now_ms().max(last.map_or(0, |event| event.at_ms));
        let event = Event { seq, at_ms, run: self.manifest.run.clone(), kind };
        let appended = line_of(&event).and_then(|(line, event)| {
            self.write(&line)?;
            Ok(event)
        });
        let event = match appended {
            Ok(event) => event,
            Err(error) => {
                tail.poisoned = Some(reason_of(&error));
                return Err(error);
            }
        };
        if self.options.kill_after == Some(seq) {
            kill_self();
        }
        tail.events.push(event.clone());
        // Told while the end of the log is held, so that listeners hear events in order.
        self.options.progress.progress(Progress::Logged(event));
        Ok(seq)
    }

    /// Hands the whole line to the system in one call: it is in the file entirely, or torn at its end.
    fn write(&self, line: &[u8]) -> Result<()> {
        let failed = |source| Error::Io { doing: "appending to", path: self.path(), source };
        let n_written = (&self.file).write(line).map_err(failed)?;
        if n_written < line.len() {
            let text = format!("only {n_written} of {} bytes were taken", line.len());
            return Err(failed(io::Error::new(io::ErrorKind::WriteZero, text)));
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let last = {
            let tail = self.tail();
            self.refuse_if_poisoned(&tail)?;
            tail.events.last().map_or(Seq(0), |event| event.seq)
        };
        let synced = self.blobs.sync().and_then(|()| {
            if last > *durable {
                self.file.sync_data().map_err(Error::io("making durable", &self.path()))?;
            }
            Ok(())
        });
        match synced {
            Ok(()) => {
                *durable = last;
                Ok(())
            }
            Err(error) => {
                // After a failed sync the system may have dropped the data and say nothing next time.
                self.tail().poisoned = Some(reason_of(&error));
                Err(error)
            }
        }
    }

    fn refuse_if_poisoned(&self, tail: &Tail) -> Result<()> {
        match &tail.poisoned {
            Some(reason) => Err(Error::Poisoned { path: self.path(), reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(read::FILE_NAME)
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        // Every change under this lock is a single step; a panic elsewhere leaves it whole.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event's line, newline included, and the event as a reader will see it.
fn line_of(event: &Event) -> Result<(Vec<u8>, Event)> {
    let unloggable = |reason: String| Error::Unloggable { name: event.kind.type_name(), reason };
    let mut line = serde_json::to_vec(event).map_err(|error| unloggable(error.to_string()))?;
    line.push(b'\n');
    if line.len() > MAX_LINE_BYTES {
        let reason = format!("{} bytes are too long for a line", line.len());
        return Err(unloggable(reason));
    }
    // A line that its reader would refuse must not be written: it would cost the whole run.
    let read_back = serde_json::from_slice(&line).map_err(|error| unloggable(error.to_string()))?;
    Ok((line, read_back))
}

pub(crate) fn reason_of(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn open(dir: &Path, create_new: bool) -> Result<File> {
    let path = dir.join(read::FILE_NAME);
    File::options()
        .append(true)
        .create_new(create_new)
        .open(&path)
        .map_err(Error::io("opening", &path))
}

fn cut_tail(file: &File, torn: TornTail) -> io::Result<()> {
    let len = file.metadata()?.len();
    file.set_len(len.saturating_sub(torn.bytes))?;
    file.sync_all()
}

/// Dies as abruptly as a crash test wants it.
fn kill_self() {
    use nix::sys::signal::{Signal, kill};
    if kill(nix::unistd::getpid(), Signal::SIGKILL).is_err() {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests;
