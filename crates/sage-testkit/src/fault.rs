//! The ways in which a provider can fail, and when it does.

use std::time::Duration;

/// What goes wrong with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The request is taken and nothing ever comes back.
    Silent,
    /// The first token comes, then nothing, with the connection open.
    SilentAfterFirstToken,
    /// The connection is reset before an answer.
    Reset,
    /// The connection is reset in the middle of the answer.
    ResetMidStream,
    /// The connection is closed in the middle of the answer, without the last chunk.
    CutMidStream,
    /// An HTTP status with the provider's own form of error body.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RetryAfter(u64),
    /// 429 with `Retry-After` as an HTTP date so far in the future.
    RetryAfterDate(Duration),
    /// Lines that are neither valid events nor JSON.
    Garbage,
    /// A web page with status 200.
    Html,
    /// A well-formed answer that holds no message.
    EmptyChoices,
    /// A well-formed answer without text and without tool calls.
    EmptyMessage,
    /// The answer's end has a reason that no client knows.
    UnknownFinish,
    /// The stream ends in order in the middle of the answer: no reason, no end mark.
    Truncated,
    /// Everything is there but the end mark (`[DONE]`, `done: true`).
    NoEndMark,
    /// Every frame comes this late.
    SlowDrip(Duration),
    /// One line of so many bytes without an end in sight.
    GiantLine(usize),
    /// A whole JSON answer where a stream was asked for.
    JsonInsteadOfStream,
    /// Every tool call has the same id.
    DuplicateCallIds,
    /// No figures.
    NoUsage,
    /// The provider's error object in the middle of a stream that began with 200.
    ErrorMidStream,
}

impl Fault {
    /// 401 with the provider's own form of error body.
    pub const UNAUTHORISED: Self = Self::Status(401);
    /// 404 with the provider's own form of error body.
    pub const NOT_FOUND: Self = Self::Status(404);
    /// 500 with the provider's own form of error body.
    pub const SERVER_ERROR: Self = Self::Status(500);
}

/// Which model calls of a server go wrong, by their index from 0.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    rules: Vec<(std::ops::Range<usize>, Fault)>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every call goes wrong.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self::default().between(0..usize::MAX, fault)
    }

    /// The first `n_calls` calls go wrong.
    #[must_use]
    pub fn first(n_calls: usize, fault: Fault) -> Self {
        Self::default().between(0..n_calls, fault)
    }

    /// One call goes wrong.
    #[must_use]
    pub fn on(self, index: usize, fault: Fault) -> Self {
        self.between(index..index + 1, fault)
    }

    /// The calls of a range go wrong. The first rule that covers a call counts.
    #[must_use]
    pub fn between(mut self, calls: std::ops::Range<usize>, fault: Fault) -> Self {
        self.rules.push((calls, fault));
        self
    }

    pub(crate) fn fault(&self, index: usize) -> Option<Fault> {
        let rule = self.rules.iter().find(|(calls, _)| calls.contains(&index));
        rule.map(|(_, fault)| fault.clone())
    }
}
