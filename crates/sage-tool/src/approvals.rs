//! What people decided in this run, so that they are not asked twice.
//!
//! Filled from the log when a run is taken up, and from each answer as it is given. An approval for the
//! run or for always counts wherever the same keys come up again; any answer counts for the very call
//! that it was given to, whose process may have died before it acted on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use sage_core::{ApprovalScope, CallId, Event, EventKind, HumanEvent};

/// The answers of a run. Shared by all its tasks.
#[derive(Debug, Default)]
pub struct Approvals {
    known: Mutex<Known>,
    /// Held while a person is asked, so that parallel tasks do not put the same question twice.
    pub(crate) asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// Approved until the run ends, or for longer.
    lasting: BTreeSet<String>,
    by_call: BTreeMap<CallId, Vec<Answer>>,
}

#[derive(Debug)]
struct Answer {
    keys: Vec<String>,
    allowed: bool,
}

impl Approvals {
    /// The answers on record.
    #[must_use]
    pub fn of_events(events: &[Event]) -> Self {
        let approvals = Self::default();
        for event in events {
            if let EventKind::Human(event) = &event.kind {
                approvals.note(event);
            }
        }
        approvals
    }

    /// Takes note of an answer.
    pub fn note(&self, event: &HumanEvent) {
        let HumanEvent::ToolReviewed { allowed, call, scope, keys, .. } = event else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *allowed && *scope != ApprovalScope::Once {
            known.lasting.extend(keys.iter().cloned());
        }
        if let Some(call) = call {
            let answer = Answer { keys: keys.clone(), allowed: *allowed };
            known.by_call.entry(call.clone()).or_default().push(answer);
        }
    }

    /// What was answered about exactly these keys, if it was: for the run, or for this very call.
    #[must_use]
    pub fn answer(&self, call: Option<&CallId>, keys: &[String]) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.is_empty() && keys.iter().all(|key| known.lasting.contains(key)) {
            return Some(true);
        }
        let answers = known.by_call.get(call?)?;
        answers.iter().find(|answer| answer.keys == keys).map(|answer| answer.allowed)
    }
}

#[cfg(test)]
mod tests {
    use sage_core::{Decider, NodeId};

    use super::*;

    fn call(index: u32) -> CallId {
        CallId { node: NodeId::new("task_001").unwrap(), attempt: 1, index }
    }

    fn reviewed(index: u32, key: &str, allowed: bool, scope: ApprovalScope) -> HumanEvent {
        HumanEvent::ToolReviewed {
            node: call(index).node,
            tool: "run".into(),
            what: key.into(),
            allowed,
            by: Decider::Person,
            call: Some(call(index)),
            rule: String::new(),
            scope,
            keys: vec![key.into()],
        }
    }

    #[test]
    fn an_answer_counts_for_its_call_and_an_approval_for_its_scope() {
        let approvals = Approvals::default();
        approvals.note(&reviewed(1, "command:a", true, ApprovalScope::Once));
        approvals.note(&reviewed(2, "command:b", true, ApprovalScope::Run));
        approvals.note(&reviewed(3, "command:c", false, ApprovalScope::Once));
        let answer = |index, keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|&key| key.into()).collect();
            approvals.answer(Some(&call(index)), &keys)
        };
        assert_eq!(answer(1, &["command:a"]), Some(true));
        assert_eq!(answer(9, &["command:a"]), None);
        assert_eq!(answer(9, &["command:b"]), Some(true));
        assert_eq!(answer(9, &["command:b", "command:a"]), None);
        assert_eq!(answer(3, &["command:c"]), Some(false));
        assert_eq!(answer(9, &["command:c"]), None, "a refusal is about one call");
        assert_eq!(answer(9, &[]), None);
    }
}
