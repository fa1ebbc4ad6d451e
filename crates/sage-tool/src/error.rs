//! What can go wrong in this crate, in two sorts: [`Error`] ends the run, [`ToolError`] is told to the
//! model, which may do better. A tool decides which of the two its failure is.

use std::io;
use std::path::PathBuf;

use sage_core::{CallId, ErrorKind, RecordError};

use crate::path::PathError;

/// What ends a run or a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log could not be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The caller's token was cancelled; the effect may have happened in part.
    #[error("cancelled")]
    Cancelled,
    /// The code asks for something else than an earlier process recorded under the same id.
    #[error("call {call} asks for {wanted}, but the log holds {recorded}")]
    Diverged {
        /// The call.
        call: CallId,
        /// What is asked for now.
        wanted: String,
        /// What was recorded.
        recorded: String,
    },
    /// The work tree's root cannot be used.
    #[error("opening the work tree {path}")]
    OpenWorkspace {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("{doing} {path}")]
    Io {
        /// `reading`, `writing` and so on.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A path that tools may not use.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A glob of a grant that cannot be used.
    #[error("the path pattern {pattern:?} {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// `policy.json` is not valid.
    #[error("{path}: {problem}")]
    Policy {
        /// The file.
        path: PathBuf,
        /// Key and problem.
        problem: String,
    },
    /// A program could not be started.
    #[error("starting {program}")]
    Spawn {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// There is no sandbox where there must be one; nothing was started.
    #[error("the sandbox: {0}")]
    Sandbox(String),
    /// A step of the program itself failed, now or in the process that recorded it.
    #[error("{name}: {message}")]
    Gather {
        /// The step.
        name: String,
        /// What went wrong.
        message: String,
    },
    /// A saved state is gone or not what it was.
    #[error("snapshot {what}: {problem}")]
    Snapshot {
        /// Its address.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// Files cannot be restored because somebody changed them since.
    #[error("changed since by somebody else: {}", .paths.join(", "))]
    ChangedSince {
        /// The files.
        paths: Vec<String>,
    },
    /// What the store holds cannot be sorted out while somebody uses it.
    #[error("the snapshots are locked: another sage uses them")]
    StoreInUse,
    /// Our own fault.
    #[error("internal: {0}")]
    Internal(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Who can do something about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Record(error) => error.kind(),
            Self::Cancelled => ErrorKind::Interrupted,
            Self::OpenWorkspace { .. }
            | Self::Io { .. }
            | Self::Spawn { .. }
            | Self::Sandbox(_)
            | Self::Snapshot { .. }
            | Self::StoreInUse => ErrorKind::Environment,
            Self::Path(_) | Self::Pattern { .. } => ErrorKind::Usage,
            Self::Policy { .. } => ErrorKind::Config,
            Self::Gather { .. } => ErrorKind::Tool,
            Self::ChangedSince { .. } => ErrorKind::Rejected,
            Self::Diverged { .. } | Self::Internal(_) => ErrorKind::Internal,
        }
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }
}

/// Why a tool call did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The model should read this and try something else.
    #[error("{0}")]
    Told(String),
    /// A rule of the contract or of the policy said no; logged as `tool.refused`.
    #[error("{reason}")]
    Refused {
        /// Which rule, and why.
        reason: String,
    },
    /// The run cannot go on.
    #[error(transparent)]
    Ends(#[from] Error),
}

impl ToolError {
    pub(crate) fn told(text: impl Into<String>) -> Self {
        Self::Told(text.into())
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// A failed file operation: what a model can work around is told, what makes all work
    /// pointless (a full or failing disk) ends the run.
    pub(crate) fn of_io(doing: &'static str, path: &str, source: io::Error) -> Self {
        use io::ErrorKind as K;
        match source.kind() {
            K::StorageFull | K::QuotaExceeded | K::ReadOnlyFilesystem => {
                Self::Ends(Error::io(doing, path, source))
            }
            // EIO and EMFILE have no stable kind of their own.
            _ if matches!(source.raw_os_error(), Some(5 | 23 | 24)) => {
                Self::Ends(Error::io(doing, path, source))
            }
            _ => Self::Told(format!("{doing} {path}: {source}")),
        }
    }
}

impl From<RecordError> for ToolError {
    fn from(error: RecordError) -> Self {
        Self::Ends(error.into())
    }
}

impl From<PathError> for ToolError {
    fn from(error: PathError) -> Self {
        if error.is_escape() {
            Self::refused(error.to_string())
        } else {
            Self::told(error.to_string())
        }
    }
}
