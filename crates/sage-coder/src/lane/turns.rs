//! Merging is a turn that tasks take one after another: from comparing with the tree until what was
//! merged is verified, or taken back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sage_core::{Event, EventKind, NodeEvent, NodeId, NodeOutcome, ToolEvent, WorkspaceEvent};
use sage_tool::LAND;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long a step waits for the steps that came before it in the run that is replayed. A replay that
/// has gone another way must not wait for ever.
const MAX_ORDER_WAIT: Duration = Duration::from_secs(60);

/// A moment at which a lane and the work tree meet. Their order decides what a task finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneStep {
    /// An attempt's lane is made from the tree.
    Opened(NodeId, u32),
    /// It is merged into the tree, or fails to be, after so many repairs.
    Merged(NodeId, u32, u32),
}

impl LaneStep {
    /// The steps of a recorded run, in order.
    pub(crate) fn of(events: &[Event]) -> Vec<Self> {
        let step = |event: &Event| match &event.kind {
            EventKind::Workspace(WorkspaceEvent::LaneOpened { node, attempt, .. }) => {
                Some(Self::Opened(node.clone(), *attempt))
            }
            EventKind::Workspace(WorkspaceEvent::LaneMerged { node, attempt, round, .. }) => {
                Some(Self::Merged(node.clone(), *attempt, *round))
            }
            _ => None,
        };
        events.iter().filter_map(step).collect()
    }

    fn is_of(&self, who: &Who) -> bool {
        let (Self::Opened(node, attempt) | Self::Merged(node, attempt, _)) = self;
        (node, attempt) == (&who.0, &who.1)
    }
}

/// An attempt of a task.
type Who = (NodeId, u32);

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Turns {
    one: Arc<Semaphore>,
    /// Whoever was in the middle of its turn when an earlier process ended goes first.
    reserved: Mutex<Option<Who>>,
    /// The order of a run that is replayed, and which of its steps are done.
    order: Mutex<Vec<(LaneStep, bool)>>,
    freed: Notify,
}

/// The right to merge; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Turns {
    /// Goes on where the log ends, in this order if there is one to follow.
    pub(crate) fn after(past: &[Event], order: &[LaneStep]) -> Self {
        let mut reserved = None;
        for event in past {
            match &event.kind {
                EventKind::Tool(ToolEvent::Called { call, tool, .. }) if tool == LAND => {
                    reserved = Some((call.node.clone(), call.attempt));
                }
                EventKind::Workspace(WorkspaceEvent::LaneRebased { .. })
                | EventKind::Workspace(WorkspaceEvent::LaneMerged { merged: true, .. }) => {
                    reserved = None;
                }
                // Whoever is not taken up again leaves its turn to the others.
                EventKind::Node(NodeEvent::Finished { node, outcome, error, .. })
                    if *outcome != NodeOutcome::Interrupted
                        && !sage_engine::can_be_taken_up(*error)
                        && reserved.as_ref().is_some_and(|(of, _)| of == node) =>
                {
                    reserved = None;
                }
                _ => {}
            }
        }
        let one = Arc::new(Semaphore::new(1));
        let order = Mutex::new(order.iter().map(|step| (step.clone(), false)).collect());
        Self { one, reserved: Mutex::new(reserved), order, freed: Notify::new() }
    }

    /// Waits until every step before this one is done; at once where there is no order, or where it
    /// does not know this step.
    pub(crate) async fn in_order(&self, step: &LaneStep) {
        let wait = async {
            loop {
                let freed = self.freed.notified();
                if self.is_next(step) {
                    return;
                }
                freed.await;
            }
        };
        // Out of time, the replay goes its own way and says where it differs.
        let _ = tokio::time::timeout(MAX_ORDER_WAIT, wait).await;
    }

    fn is_next(&self, step: &LaneStep) -> bool {
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = order.iter().position(|(known, _)| known == step) else { return true };
        order[..at].iter().all(|(_, is_done)| *is_done)
    }

    /// Says that steps are done.
    pub(crate) fn done(&self, is_done: impl Fn(&LaneStep) -> bool) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.iter_mut().filter(|(step, _)| is_done(step)).for_each(|(_, done)| *done = true);
        drop(order);
        self.freed.notify_waiters();
    }

    /// Waits for a turn; `None` when cancelled.
    pub(crate) async fn take(&self, who: &Who, cancel: &CancellationToken) -> Option<Turn> {
        let wait = async {
            loop {
                // Listening begins before looking, so that no word is missed.
                let freed = self.freed.notified();
                if self.reserved().as_ref().is_none_or(|reserved| reserved == who) {
                    break;
                }
                freed.await;
            }
            self.one.clone().acquire_owned().await.ok()
        };
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => return None,
            permit = wait => permit?,
        };
        Some(Turn { _permit: permit })
    }

    /// Says that an attempt has ended, or is past its turn: others need not wait for it any more.
    pub(crate) fn pass(&self, who: &Who) {
        let mut reserved = self.reserved();
        if reserved.as_ref() == Some(who) {
            *reserved = None;
            drop(reserved);
            self.freed.notify_waiters();
        }
    }

    /// Says that an attempt has ended, with every step that it did not get to.
    pub(crate) fn end(&self, who: &Who) {
        self.pass(who);
        self.done(|step| step.is_of(who));
    }

    fn reserved(&self) -> std::sync::MutexGuard<'_, Option<Who>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(node: &str) -> Who {
        (NodeId::new(node).unwrap(), 1)
    }

    #[tokio::test]
    async fn whoever_was_at_it_when_the_process_ended_goes_first() {
        let turns = Turns::after(&[], &[]);
        *turns.reserved() = Some(who("a"));
        let cancel = CancellationToken::new();
        let soon = std::time::Duration::from_millis(50);
        let other = tokio::time::timeout(soon, turns.take(&who("b"), &cancel)).await;
        assert!(other.is_err(), "b waits");
        let turn = turns.take(&who("a"), &cancel).await;
        turns.pass(&who("a"));
        let other = tokio::time::timeout(soon, turns.take(&who("b"), &cancel)).await;
        assert!(other.is_err(), "b waits for the turn itself");
        drop(turn);
        assert!(turns.take(&who("b"), &cancel).await.is_some());
        cancel.cancel();
        assert!(turns.take(&who("c"), &cancel).await.is_none());
    }

    #[tokio::test]
    async fn a_replay_follows_the_order_of_the_record() {
        let step = |node: &str| LaneStep::Opened(who(node).0, 1);
        let turns = Turns::after(&[], &[step("a"), step("b")]);
        let soon = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, turns.in_order(&step("b"))).await.is_err());
        turns.in_order(&step("a")).await;
        turns.in_order(&step("of_no_record")).await;
        turns.end(&who("a"));
        turns.in_order(&step("b")).await;
    }
}
