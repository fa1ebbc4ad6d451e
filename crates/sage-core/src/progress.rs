//! What only matters now: live hints for a display, lossy by contract. A fact that somebody may ask
//! about tomorrow is an [`crate::Event`] instead.

use crate::{CallId, Event, NodeId};

/// A live hint, or a copy of an event as it is appended.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// An event was appended to the log.
    Logged(Event),
    /// The model is writing.
    Text {
        /// The call that streams.
        call: CallId,
        /// The next piece of text.
        delta: String,
    },
    /// A child process wrote output.
    Output {
        /// The tool call that runs it.
        call: CallId,
        /// The next piece, decoded with replacement characters.
        delta: String,
    },
    /// A plan that nobody is asked about is about to be carried out.
    Plan {
        /// The plan drawn for a terminal.
        drawing: String,
        /// The most that it can cost, in words.
        worst_case: String,
    },
    /// Something worth telling that is not a fact of the run, such as a wait before a retry.
    Notice {
        /// The node concerned, if one is.
        node: Option<NodeId>,
        /// The text, one line.
        text: String,
    },
}

/// Takes progress. Must not block: a slow listener drops.
pub trait ProgressSink: Send + Sync {
    /// Takes one hint.
    fn progress(&self, progress: Progress);
}

/// Drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl ProgressSink for NoProgress {
    fn progress(&self, _: Progress) {}
}
