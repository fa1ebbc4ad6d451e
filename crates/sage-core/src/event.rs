//! The facts of a run: what is appended to `events.jsonl`, and all that any view is made from.
//!
//! Events are small and permanent: ids, numbers, short texts, and a [`BlobRef`] for anything long.
//! On disk one event is one JSON object per line with `seq`, `at_ms`, `run`, `type` and the fields of
//! its variant; `docs/formats.md` lists them. Adding a variant means reading each projection that
//! matches its group.

mod evidence;
mod human;
mod model;
mod node;
mod run;
mod tool;
mod workspace;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{NodeId, RunId, Seq};

pub use evidence::{Severity, TamperKind, Tampering, TestWorth};
pub use human::{ApprovalScope, Decider, HumanEvent, PlanDecision};
pub use model::{Candidate, Finish, ModelEvent, RouteFeatures};
pub use node::{NodeEvent, NodeOutcome, NodePhase};
pub use run::{RunEvent, RunOutcome};
pub use tool::{Effect, RepeatGrade, ToolEvent};
pub use workspace::{CheckKind, FileState, LaneBase, WorkspaceEvent};

/// Version of the event format; a reader refuses a newer one.
pub const EVENT_FORMAT_VERSION: u32 = 1;

/// The attempt of [`NodeId::run`] under which checks are of the state before the run, whenever they are
/// made; those of higher attempts are of the state after it.
pub const ATTEMPT_BEFORE: u32 = 1;

/// One fact of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Position in the log, from 1.
    pub seq: Seq,
    /// When it was appended, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The run.
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened, in six groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// The run as a whole.
    Run(RunEvent),
    /// One node of its graph.
    Node(NodeEvent),
    /// A model call.
    Model(ModelEvent),
    /// A tool call.
    Tool(ToolEvent),
    /// A person, or a mode that stands for one.
    Human(HumanEvent),
    /// The user's files.
    Workspace(WorkspaceEvent),
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        #[derive(Deserialize)]
        struct Wire {
            seq: Seq,
            at_ms: u64,
            run: RunId,
            #[serde(flatten)]
            fields: serde_json::Map<String, Value>,
        }
        let Wire { seq, at_ms, run, fields } = Wire::deserialize(from)?;
        let kind = EventKind::from_fields(fields).map_err(D::Error::custom)?;
        Ok(Self { seq, at_ms, run, kind })
    }
}

impl EventKind {
    /// The dotted name, such as `node.finished`.
    #[must_use]
    pub fn type_name(&self) -> String {
        // The name is written once, in the serde attributes below; read it back from there.
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => {
                fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }

    /// The node that the fact concerns, if it concerns one.
    #[must_use]
    pub fn node(&self) -> Option<&NodeId> {
        match self {
            Self::Run(_) => None,
            Self::Node(
                NodeEvent::Started { node, .. }
                | NodeEvent::EnteredPhase { node, .. }
                | NodeEvent::Finished { node, .. }
                | NodeEvent::Skipped { node, .. },
            ) => Some(node),
            Self::Model(
                ModelEvent::Routed { call, .. }
                | ModelEvent::Called { call, .. }
                | ModelEvent::TryFailed { call, .. }
                | ModelEvent::Answered { call, .. }
                | ModelEvent::Exceeded { call, .. }
                | ModelEvent::Failed { call, .. },
            )
            | Self::Tool(
                ToolEvent::Called { call, .. }
                | ToolEvent::Finished { call, .. }
                | ToolEvent::Refused { call, .. }
                | ToolEvent::Repeated { call, .. },
            ) => Some(&call.node),
            Self::Human(
                HumanEvent::PlanReviewed { .. }
                | HumanEvent::Asked { .. }
                | HumanEvent::Answered { .. },
            ) => None,
            Self::Human(HumanEvent::ToolReviewed { node, .. }) => Some(node),
            Self::Workspace(event) => match event {
                WorkspaceEvent::Changed { call, .. }
                | WorkspaceEvent::Observed { call, .. }
                | WorkspaceEvent::LaneChanged { call, .. } => Some(&call.node),
                WorkspaceEvent::LaneOpened { node, .. }
                | WorkspaceEvent::LaneRebased { node, .. }
                | WorkspaceEvent::LaneMerged { node, .. }
                | WorkspaceEvent::Snapshotted { node, .. }
                | WorkspaceEvent::Checked { node, .. }
                | WorkspaceEvent::TestsWeighed { node, .. }
                | WorkspaceEvent::TestsCompared { node, .. }
                | WorkspaceEvent::RolledBack { node, .. } => Some(node),
                WorkspaceEvent::UndoStarted { .. }
                | WorkspaceEvent::Undone { .. }
                | WorkspaceEvent::Redone { .. } => None,
            },
        }
    }

    fn from_fields(fields: serde_json::Map<String, Value>) -> Result<Self, String> {
        let name = fields
            .get("type")
            .and_then(Value::as_str)
            .ok_or("an event needs a \"type\"")?
            .to_owned();
        let fields = Value::Object(fields);
        let explain = |error: serde_json::Error| format!("event {name}: {error}");
        match name.split('.').next().unwrap_or_default() {
            "run" => serde_json::from_value(fields).map(Self::Run).map_err(explain),
            "node" => serde_json::from_value(fields).map(Self::Node).map_err(explain),
            "model" => serde_json::from_value(fields).map(Self::Model).map_err(explain),
            "tool" => serde_json::from_value(fields).map(Self::Tool).map_err(explain),
            "human" => serde_json::from_value(fields).map(Self::Human).map_err(explain),
            "workspace" => serde_json::from_value(fields).map(Self::Workspace).map_err(explain),
            _ => Err(format!("unknown event type {name:?}")),
        }
    }
}

macro_rules! group {
    ($($event:ident => $kind:ident),* $(,)?) => {
        $(impl From<$event> for EventKind {
            fn from(event: $event) -> Self {
                Self::$kind(event)
            }
        })*
    };
}
group!(
    RunEvent => Run, NodeEvent => Node, ModelEvent => Model,
    ToolEvent => Tool, HumanEvent => Human, WorkspaceEvent => Workspace,
);

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn event(kind: impl Into<EventKind>) -> Event {
        Event { seq: Seq(7), at_ms: 1000, run: RunId::new("r1").unwrap(), kind: kind.into() }
    }

    #[test]
    fn an_event_is_one_flat_json_object_and_reads_back() {
        let node = NodeId::new("task_001").unwrap();
        let written = event(NodeEvent::Finished {
            node,
            attempt: 1,
            outcome: NodeOutcome::Done,
            error: None,
            summary: "2 files".into(),
        });
        let line = serde_json::to_string(&written).unwrap();
        expect![[r#"{"seq":7,"at_ms":1000,"run":"r1","type":"node.finished","node":"task_001","attempt":1,"outcome":"done","summary":"2 files"}"#]]
            .assert_eq(&line);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), written);
        assert_eq!(written.kind.type_name(), "node.finished");
    }

    #[test]
    fn an_unreadable_event_says_which_type_and_field() {
        let check = |line: &str, expected: &str| {
            let error = serde_json::from_str::<Event>(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"seq":1,"at_ms":1,"run":"r","type":"node.started","node":"a"}"#, "attempt");
        check(r#"{"seq":1,"at_ms":1,"run":"r","type":"moon.landed"}"#, "moon.landed");
        check(r#"{"seq":1,"at_ms":1,"run":"r"}"#, "\"type\"");
    }
}
