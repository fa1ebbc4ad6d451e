//! Views of a run: each is a fold over its events and nothing else, so deleting every view loses
//! nothing and a live display, a finished run and a resumed one are read by the same code.
//!
//! A view's numbers are exactly what the events say; what the log does not know stays absent. A task
//! that is taken up again after a crash runs from its start, so some events may come twice: views count
//! the thing that happened (a call, a repair round), not the times it was written down.

use sage_core::Event;

pub use decisions::{Decision, Decisions};
pub use evidence::{Check, Evidence};
pub use files::{ChangeKind, ChangedFile, Files, FilesView};
pub use handoff::{Handoff, HandoffView, StateSnapshot};
pub use metrics::{Metrics, MetricsView, TaskCounts, TokenCounts, Verification};
pub use outcome::{Outcome, RunOutcomeView};
pub use refusals::{Refusal, Refusals};
pub use spending::{Bill, Spending, SpendingView};
pub use status::{NodeState, NodeStatus, RunPhase, RunStatus, RunStatusView};
pub use system_state::{SystemState, SystemStateView};
pub use tests_worth::{Compared, Flag, TestsWorth, TestsWorthView, Weighed};

mod decisions;
mod evidence;
mod files;
mod handoff;
mod metrics;
mod outcome;
mod plan_tasks;
mod refusals;
mod spending;
mod status;
mod system_state;
mod tests_worth;

/// Folds a run's events into a view.
pub trait Projection: Default {
    /// What comes out.
    type View;

    /// Takes the next event. Events come in the order of the log.
    fn apply(&mut self, event: &Event);

    /// The view of everything applied so far.
    fn view(&self) -> Self::View;
}

/// The view of a whole list of events.
pub fn project<'a, P: Projection>(events: impl IntoIterator<Item = &'a Event>) -> P::View {
    project_with(P::default(), events)
}

/// The view of a whole list of events by a projection that was told something beforehand.
pub fn project_with<'a, P: Projection>(
    mut projection: P,
    events: impl IntoIterator<Item = &'a Event>,
) -> P::View {
    for event in events {
        projection.apply(event);
    }
    projection.view()
}

/// A time of the log as RFC 3339 in UTC; absent when it lies outside the calendar.
fn utc(at_ms: u64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
    Some(time.to_string())
}

#[cfg(test)]
mod tests;
