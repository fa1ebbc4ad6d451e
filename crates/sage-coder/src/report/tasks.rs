//! What became of each task of a plan.

use std::collections::BTreeMap;

use sage_core::{Event, EventKind, ModelEvent, NodeEvent, NodeId, NodeOutcome};
use sage_engine::can_be_taken_up;

use super::TaskReport;
use crate::plan::Plan;

/// What became of each task, in the plan's order.
pub(super) fn of_plan(events: &[Event], plan: Option<&Plan>) -> Vec<TaskReport> {
    let mut tasks: Vec<TaskReport> = plan
        .into_iter()
        .flat_map(|plan| &plan.nodes)
        .map(|task| TaskReport {
            id: task.id.clone(),
            role: task.assigned_agent,
            state: "not started".to_owned(),
            summary: String::new(),
            models: Vec::new(),
            repairs: 0,
            duration_ms: 0,
        })
        .collect();
    let mut started: BTreeMap<NodeId, u64> = BTreeMap::new();
    for event in events {
        let Some(node) = event.kind.node() else { continue };
        let Some(task) = tasks.iter_mut().find(|task| task.id == *node) else { continue };
        match &event.kind {
            EventKind::Node(NodeEvent::Started { .. }) => {
                started.entry(node.clone()).or_insert(event.at_ms);
                task.state = "interrupted".to_owned();
            }
            EventKind::Node(NodeEvent::EnteredPhase {
                phase: sage_core::NodePhase::Repair,
                ..
            }) => {
                task.repairs += 1;
            }
            EventKind::Node(NodeEvent::Finished { outcome, error, summary, .. }) => {
                // What a resumed run goes on with has not failed.
                let is_stopped = *outcome == NodeOutcome::Failed && can_be_taken_up(*error);
                let outcome = if is_stopped { NodeOutcome::Interrupted } else { *outcome };
                task.state = outcome_of_node(outcome).to_owned();
                task.summary.clone_from(summary);
                let since = started.get(node).copied().unwrap_or(event.at_ms);
                task.duration_ms = event.at_ms.saturating_sub(since);
            }
            EventKind::Node(NodeEvent::Skipped { because, .. }) => {
                task.state = "skipped".to_owned();
                task.summary = format!("because of {because}");
            }
            EventKind::Model(ModelEvent::Answered { model, .. })
                if !task.models.contains(model) =>
            {
                task.models.push(model.clone());
            }
            _ => {}
        }
    }
    tasks
}

const fn outcome_of_node(outcome: NodeOutcome) -> &'static str {
    match outcome {
        NodeOutcome::Done => "done",
        NodeOutcome::Failed => "failed",
        NodeOutcome::Interrupted => "interrupted",
    }
}
