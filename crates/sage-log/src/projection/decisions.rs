//! What people (or the modes that stand for them) were asked, and what they said.

use sage_core::{Event, EventKind, HumanEvent, Seq};
use serde::Serialize;

use super::Projection;

/// Collects the decisions of a run, in order.
#[derive(Debug, Clone, Default)]
pub struct Decisions(Vec<Decision>);

/// One question or decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Its event.
    pub seq: Seq,
    /// When.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: HumanEvent,
}

impl Projection for Decisions {
    type View = Vec<Decision>;

    fn apply(&mut self, event: &Event) {
        if let EventKind::Human(what) = &event.kind {
            self.0.push(Decision { seq: event.seq, at_ms: event.at_ms, what: what.clone() });
        }
    }

    fn view(&self) -> Vec<Decision> {
        self.0.clone()
    }
}
