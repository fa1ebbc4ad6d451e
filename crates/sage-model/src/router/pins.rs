//! Which model a conversation has. Each change is kept with the call at which it was made, so that a call
//! which is asked again (by a resumed run) sees the model that it saw the first time.

use std::collections::BTreeMap;

use sage_core::{AgentRole, CallId, NodeId, RouteFeatures};

/// Whose model it is: one conversation's. A repair begins a new conversation with one failure more,
/// which is when a trigger on failures may choose another model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    node: NodeId,
    attempt: u32,
    role: AgentRole,
    failures: u32,
}

impl Slot {
    pub(crate) fn of(call: &CallId, role: AgentRole, features: &RouteFeatures) -> Self {
        let failures = features.failure_count;
        Self { node: call.node.clone(), attempt: call.attempt, role, failures }
    }
}

/// The choices made so far; one or two per conversation.
#[derive(Debug, Default)]
pub(crate) struct Pins(BTreeMap<Slot, Vec<(u32, String)>>);

impl Pins {
    /// Notes that the call with this index chose `model`.
    pub(crate) fn put(&mut self, slot: Slot, index: u32, model: &str) {
        self.0.entry(slot).or_default().push((index, model.to_owned()));
    }

    /// The model that the call with this index begins with: the last choice of an earlier call, else the
    /// first that this call made itself.
    pub(crate) fn get(&self, slot: &Slot, index: u32) -> Option<String> {
        let choices = self.0.get(slot)?;
        let earlier = choices.iter().rev().find(|(at, _)| *at < index);
        let own = || choices.iter().find(|(at, _)| *at == index);
        earlier.or_else(own).map(|(_, model)| model.clone())
    }

    /// The model that the call with this index ended with.
    pub(crate) fn latest(&self, slot: &Slot, index: u32) -> Option<String> {
        let choices = self.0.get(slot)?;
        choices.iter().rev().find(|(at, _)| *at <= index).map(|(_, model)| model.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_sees_the_model_that_it_saw_the_first_time() {
        let call = CallId { node: NodeId::plan(), attempt: 1, index: 1 };
        let first = RouteFeatures::default();
        let slot = Slot::of(&call, AgentRole::Coder, &first);
        let mut pins = Pins::default();
        assert_eq!(pins.get(&slot, 1), None);
        pins.put(slot.clone(), 1, "primary");
        pins.put(slot.clone(), 4, "fallback");
        for (index, begins, ends) in [
            (1, "primary", "primary"),
            (3, "primary", "primary"),
            (4, "primary", "fallback"),
            (5, "fallback", "fallback"),
        ] {
            assert_eq!(pins.get(&slot, index).as_deref(), Some(begins), "{index}");
            assert_eq!(pins.latest(&slot, index).as_deref(), Some(ends), "{index}");
        }
        assert_eq!(pins.get(&Slot::of(&call, AgentRole::Reviewer, &first), 1), None);
        let repair = RouteFeatures { failure_count: 1, ..first };
        assert_eq!(pins.get(&Slot::of(&call, AgentRole::Coder, &repair), 6), None);
    }
}
