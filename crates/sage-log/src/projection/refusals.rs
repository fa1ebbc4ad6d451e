//! What the program did not let happen.

use sage_core::{CallId, Event, EventKind, Seq, ToolEvent};
use serde::Serialize;

use super::Projection;

/// Collects the refused tool calls of a run, in order. A call that was taken up again counts once.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Vec<Refusal>);

/// One refused call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// Its event.
    pub seq: Seq,
    /// When.
    pub at_ms: u64,
    /// The call; its node is the task that wanted it.
    pub call: CallId,
    /// The tool.
    pub tool: String,
    /// What it wanted, in one short line.
    pub summary: String,
    /// Which rule of the contract or policy said no, and why.
    pub reason: String,
}

impl Projection for Refusals {
    type View = Vec<Refusal>;

    fn apply(&mut self, event: &Event) {
        let EventKind::Tool(ToolEvent::Refused { call, tool, summary, reason, .. }) = &event.kind
        else {
            return;
        };
        if self.0.iter().any(|earlier| earlier.call == *call) {
            return;
        }
        self.0.push(Refusal {
            seq: event.seq,
            at_ms: event.at_ms,
            call: call.clone(),
            tool: tool.clone(),
            summary: summary.clone(),
            reason: reason.clone(),
        });
    }

    fn view(&self) -> Vec<Refusal> {
        self.0.clone()
    }
}
