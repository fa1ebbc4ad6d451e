//! The append-only log of a run, its payloads, and the views made from it.
//!
//! A run is a folder: `manifest.json`, `events.jsonl`, `blobs/` (`docs/formats.md` describes them field
//! by field). [`RunLog`] is its one writer, [`read_run`] reads it at any time without a lock, [`Runs`]
//! finds runs, and everything that can be known about a run is a [`Projection`] over its events.
//! Secrets are taken out by the [`Redactor`] before anything is written. Deliberately not here: the
//! contents of the user's files, which undo needs exact and which therefore live elsewhere.

mod blobs;
mod describe;
mod error;
mod lock;
mod manifest;
mod pack;
mod past;
mod projection;
mod read;
mod redactor;
mod run_log;
mod runs;

pub use blobs::Payloads;
pub use describe::describe;
pub use error::{Error, Result};
pub use manifest::Manifest;
pub use projection::{
    Bill, ChangeKind, ChangedFile, Check, Compared, Decision, Decisions, Evidence, Files,
    FilesView, Flag, Handoff, HandoffView, Metrics, MetricsView, NodeState, NodeStatus, Outcome,
    Projection, Refusal, Refusals, RunOutcomeView, RunPhase, RunStatus, RunStatusView, Spending,
    SpendingView, StateSnapshot, SystemState, SystemStateView, TaskCounts, TestsWorth,
    TestsWorthView, TokenCounts, Verification, Weighed, project, project_with,
};
pub use read::{Loaded, TornTail, read_run};
pub use redactor::Redactor;
pub use run_log::{LogOptions, RunLog};
pub use runs::{RunSummary, Runs};
