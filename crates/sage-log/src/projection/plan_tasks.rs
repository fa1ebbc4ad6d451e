//! The few things about a plan file that views need. The plan's own type belongs to a crate above; its
//! field names are those of `last_plan.json`, a documented format.

use sage_core::NodeId;
use serde_json::Value;

/// A task of a plan.
#[derive(Debug, Clone)]
pub(super) struct PlanTask {
    pub(super) id: NodeId,
    pub(super) dependencies: Vec<NodeId>,
    /// The whole node as written.
    pub(super) json: Value,
}

/// The tasks of a plan, in its order. What is not a task is left out: the plan was valid when it ran.
pub(super) fn tasks_of(plan: &Value) -> Vec<PlanTask> {
    let nodes = plan.get("nodes").and_then(Value::as_array);
    nodes.into_iter().flatten().filter_map(task_of).collect()
}

fn task_of(json: &Value) -> Option<PlanTask> {
    let id = |value: &Value| value.as_str().and_then(|text| NodeId::new(text).ok());
    let dependencies = json.get("dependencies").and_then(Value::as_array);
    Some(PlanTask {
        id: id(json.get("id")?)?,
        dependencies: dependencies.into_iter().flatten().filter_map(id).collect(),
        json: json.clone(),
    })
}
