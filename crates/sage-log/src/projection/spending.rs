//! What model calls cost: in total, by role, by model and by node.
//!
//! Only answered calls are counted; a call that is answered from the log on resume leaves no event and
//! so costs nothing here, as it does nothing to the bill.

use std::collections::BTreeMap;

use sage_core::{AgentRole, Event, EventKind, ModelEvent, NodeId, Usage};
use serde::Serialize;

use super::Projection;

/// Adds up the model calls of a run.
#[derive(Debug, Clone, Default)]
pub struct Spending(SpendingView);

/// The model calls of a run, added up.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SpendingView {
    /// All of them.
    pub total: Bill,
    /// By role.
    pub by_role: BTreeMap<AgentRole, Bill>,
    /// By the model that answered.
    pub by_model: BTreeMap<String, Bill>,
    /// By node; the planner's calls are those of `@plan`.
    pub by_node: BTreeMap<NodeId, Bill>,
    /// Tries that failed, whether or not a later one was answered.
    pub n_failed_tries: u64,
    /// Calls that failed for good.
    pub n_failed_calls: u64,
}

/// Answered calls, added up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Bill {
    /// Number of calls.
    pub calls: u64,
    /// Those answered by a local model.
    pub local_calls: u64,
    /// Those answered from a script.
    pub scripted_calls: u64,
    /// Tokens.
    pub usage: Usage,
    /// US dollars.
    pub usd: f64,
    /// Time spent waiting for answers, retries included. Calls that ran side by side both count.
    pub latency_ms: u64,
}

impl Projection for Spending {
    type View = SpendingView;

    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Model(ModelEvent::Answered {
                call,
                role,
                model,
                local,
                scripted,
                usage,
                usd,
                latency_ms,
                ..
            }) => {
                let bill = Bill {
                    calls: 1,
                    local_calls: u64::from(*local),
                    scripted_calls: u64::from(*scripted),
                    usage: *usage,
                    usd: *usd,
                    latency_ms: *latency_ms,
                };
                let SpendingView { total, by_role, by_model, by_node, .. } = &mut self.0;
                total.add(&bill);
                by_role.entry(*role).or_default().add(&bill);
                by_model.entry(model.clone()).or_default().add(&bill);
                by_node.entry(call.node.clone()).or_default().add(&bill);
            }
            EventKind::Model(ModelEvent::TryFailed { .. }) => self.0.n_failed_tries += 1,
            EventKind::Model(ModelEvent::Failed { .. }) => self.0.n_failed_calls += 1,
            _ => {}
        }
    }

    fn view(&self) -> SpendingView {
        self.0.clone()
    }
}

impl Bill {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.local_calls += other.local_calls;
        self.scripted_calls += other.scripted_calls;
        self.usage += other.usage;
        self.usd += other.usd;
        self.latency_ms = self.latency_ms.saturating_add(other.latency_ms);
    }
}
