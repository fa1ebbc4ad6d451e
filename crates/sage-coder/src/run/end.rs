//! How a run ended: from what stopped it to its outcome, its exit code and its reason.

use sage_core::{ErrorKind, Event, EventKind, NodeEvent, Recorder, RunOutcome};
use sage_engine::GraphOutcome;

use crate::context::RunCx;
use crate::error::Error;
use crate::report;

/// Whether a run that ended so can be taken up again.
pub(crate) fn is_resumable(outcome: RunOutcome) -> bool {
    matches!(
        outcome,
        RunOutcome::Interrupted | RunOutcome::OutOfBudget | RunOutcome::ModelUnavailable
    )
}

/// What stopped the tasks that could go on if they were taken up again, if there are any: the latest
/// of their ends says it. A task that failed beside them does not stop a run.
pub(super) fn stopped_by(events: &[Event], outcome: &GraphOutcome) -> Option<RunOutcome> {
    if outcome.interrupted.is_empty() {
        return None;
    }
    let kind = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Node(NodeEvent::Finished { node, error, .. })
            if outcome.interrupted.contains(node) =>
        {
            Some(*error)
        }
        _ => None,
    });
    Some(match kind.flatten() {
        Some(ErrorKind::ModelUnavailable) => RunOutcome::ModelUnavailable,
        Some(ErrorKind::Budget) => RunOutcome::OutOfBudget,
        Some(ErrorKind::Internal) => RunOutcome::Errored,
        _ => RunOutcome::Interrupted,
    })
}

pub(super) fn outcome_of(error: &Error) -> RunOutcome {
    match error.kind() {
        ErrorKind::ModelUnavailable => RunOutcome::ModelUnavailable,
        ErrorKind::Budget => RunOutcome::OutOfBudget,
        ErrorKind::Rejected => RunOutcome::Rejected,
        ErrorKind::Interrupted => RunOutcome::Interrupted,
        ErrorKind::ModelAnswer | ErrorKind::Tool => RunOutcome::Failed,
        ErrorKind::Usage | ErrorKind::Config | ErrorKind::Environment | ErrorKind::Internal => {
            RunOutcome::Errored
        }
    }
}

/// The documented exit code of a run's end.
#[must_use]
pub fn exit_code(outcome: RunOutcome, kind: Option<ErrorKind>) -> u8 {
    match outcome {
        RunOutcome::Succeeded | RunOutcome::Planned => 0,
        RunOutcome::Failed => 1,
        RunOutcome::Rejected => 3,
        RunOutcome::ModelUnavailable => 5,
        RunOutcome::OutOfBudget => 6,
        RunOutcome::Interrupted => 130,
        RunOutcome::Errored => match kind {
            Some(ErrorKind::Usage) => 2,
            Some(ErrorKind::Config | ErrorKind::Environment) => 4,
            _ => 70,
        },
    }
}

/// Why the run ended as it did, in one line; empty on success.
pub(super) fn reason(cx: &RunCx, outcome: RunOutcome, error: Option<&Error>) -> String {
    if let Some(error) = error {
        return one_line(error);
    }
    match outcome {
        RunOutcome::Succeeded | RunOutcome::Planned => String::new(),
        _ => report::failures_line(&cx.log.events(), &|blob| cx.log.get(blob).ok()),
    }
}

pub(super) fn one_line(error: &Error) -> String {
    error.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
