//! How any layer appends facts to the run's log, and finds what an earlier process recorded.

use crate::{BlobRef, CallId, ErrorKind, EventKind, FileState, Seq, Usage};

/// Why the log could not be written or read. A failed append ends the run.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct RecordError {
    /// What was being done, to what.
    pub doing: String,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RecordError {
    /// Always the environment: a full disk, a missing permission, a damaged file.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Environment
    }
}

/// The run's log as the layers below the coder see it.
///
/// Order of an effect: `emit` that it starts, `sync`, perform, `emit` that it finished. An effect
/// that started and never finished has an unknown outcome, which [`Recorder::past`] tells.
pub trait Recorder: Send + Sync {
    /// Stores a payload and returns its address. Secrets are redacted before it reaches the disk,
    /// so the address is that of the redacted bytes.
    fn put(&self, bytes: &[u8]) -> Result<BlobRef, RecordError>;

    /// Reads a payload back.
    fn get(&self, blob: &BlobRef) -> Result<Vec<u8>, RecordError>;

    /// Appends a fact. It survives the death of this process, not yet that of the machine.
    fn emit(&self, kind: EventKind) -> Result<Seq, RecordError>;

    /// Makes all that was appended durable (`fdatasync`); free when nothing is new.
    fn sync(&self) -> Result<(), RecordError>;

    /// What an earlier process recorded about this call; [`Past::Nothing`] in a fresh run.
    fn past(&self, call: &CallId) -> Past;
}

/// What an earlier process left about one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Past {
    /// The call was never started.
    Nothing,
    /// A model call that started; whether the provider saw it is unknown.
    ModelUnknown,
    /// A model call that was answered and paid for.
    Model {
        /// The request as it was recorded.
        request: BlobRef,
        /// The answer, as recorded by the model layer.
        response: BlobRef,
        /// Its tokens.
        usage: Usage,
        /// Its cost in US dollars.
        usd: f64,
    },
    /// A tool call, finished or not.
    Tool(ToolPast),
}

/// What an earlier process left about one tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolPast {
    /// The arguments as recorded.
    pub args: BlobRef,
    /// The files it was about to change, in order.
    pub changes: Vec<PastChange>,
    /// Its result and whether it was an error for the model to read; absent when the outcome is unknown.
    pub result: Option<(BlobRef, bool)>,
}

/// A change of one file that a tool call had announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// Path relative to the work tree, `/`-separated.
    pub path: String,
    /// The file before, absent if it did not exist.
    pub before: Option<FileState>,
    /// The file after, absent if it was deleted.
    pub after: Option<FileState>,
}
