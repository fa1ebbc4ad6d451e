//! What can go wrong with logs on disk.

use std::io;
use std::path::{Path, PathBuf};

use sage_core::{ErrorKind, RecordError, RunId};

/// A failure to find, open, read or write a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("{doing} {path}")]
    Io {
        /// What was being done, such as `reading`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of the run holds something that cannot have been written by this program.
    #[error("{path} is damaged at line {line}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The log holds no complete event: the process died before the run began.
    #[error("{path} holds no event")]
    Empty {
        /// The log.
        path: PathBuf,
    },
    /// The run was written by a newer version of the program.
    #[error("{path} has format version {found}, this program reads up to {supported}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is understood.
        supported: u32,
    },
    /// Another process is writing to the run.
    #[error("run {run} is in use by another process")]
    Locked {
        /// The run.
        run: String,
    },
    /// A run with this id exists already.
    #[error("{path} exists already")]
    Exists {
        /// The run's folder.
        path: PathBuf,
    },
    /// No run has this id, or an id that begins so.
    #[error("no run matches {wanted:?}{}", listed("; there are ", .known))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Some runs that exist, newest first.
        known: Vec<RunId>,
    },
    /// Several runs have ids that begin so.
    #[error("{wanted:?} matches several runs{}", listed(": ", .candidates))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The runs that match, newest first.
        candidates: Vec<RunId>,
    },
    /// A payload is not in the store.
    #[error("payload {blob} is missing from {path}")]
    BlobMissing {
        /// Its address.
        blob: String,
        /// The store.
        path: PathBuf,
    },
    /// An event would not fit on one line of the log, or could not be read back.
    #[error("event {name} cannot be logged: {reason}")]
    Unloggable {
        /// The event's type.
        name: String,
        /// Why.
        reason: String,
    },
    /// An earlier append failed, so the end of the log is unknown and nothing more is written to it.
    #[error("the log {path} was given up after a failed write: {reason}")]
    Poisoned {
        /// The log.
        path: PathBuf,
        /// The failure.
        reason: String,
    },
}

/// The result of an operation on a run.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown { .. } | Self::Ambiguous { .. } => ErrorKind::Usage,
            Self::Unloggable { .. } => ErrorKind::Internal,
            Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Empty { .. }
            | Self::Newer { .. }
            | Self::Locked { .. }
            | Self::Exists { .. }
            | Self::BlobMissing { .. }
            | Self::Poisoned { .. } => ErrorKind::Environment,
        }
    }

    /// Wraps a failure of the system, for `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

impl From<Error> for RecordError {
    fn from(error: Error) -> Self {
        Self { doing: "recording the run".to_owned(), source: Some(Box::new(error)) }
    }
}

/// The runs' ids after `lead`, shortened, or nothing when there are none.
fn listed(lead: &str, runs: &[RunId]) -> String {
    const SHOWN: usize = 5;
    if runs.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = runs.iter().take(SHOWN).map(RunId::as_str).collect();
    let more = if runs.len() > SHOWN { ", ..." } else { "" };
    format!("{lead}{}{more}", names.join(", "))
}
