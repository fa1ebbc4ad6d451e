//! The plan: a contract that people read and the program enforces.
//!
//! A [`Plan`] is the parsed and validated form of `.sage/last_plan.json`. Each task says what it may
//! write (`paths`), call (`tools`), reach (`network`) and spend (`budget`), and by which commands it
//! is judged (`acceptance`). Nothing in a plan is advice: the tool layer, the budget and the task loop
//! refuse what it does not grant.
//!
//! Reading is in [`read`], the checks that look at the plan as a whole in [`check`], drawing in
//! [`draw`], and the worst case in [`cost`].

use std::collections::BTreeMap;

use sage_core::{AgentRole, Limits, NodeId};
use sage_graph::{
    CompiledGraph, EdgeKind, EdgeSpec, GraphSpec, NodeSpec, OnUnknown, Problem as GraphProblem,
    Retry,
};
use serde::Serialize;
use serde_json::Value;

pub mod check;
pub mod cost;
pub mod draw;
pub mod read;

pub use check::{CheckCx, check};
pub use read::{Source, read};

/// Version of the plan file; a reader refuses a newer one.
pub const PLAN_VERSION: u32 = 1;

/// Most tasks a plan may have: fan-out is bounded before anything is spent.
pub const MAX_TASKS: usize = 64;

/// A goal and the tasks that reach it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Version of this format.
    pub version: u32,
    /// The goal in the person's words.
    pub goal: String,
    /// What the planner took for granted, for the reader of the plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The tasks, in the order in which they were written.
    pub nodes: Vec<Task>,
}

/// One task and its contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Task {
    /// Unique within the plan.
    pub id: NodeId,
    /// What is to be done.
    pub description: String,
    /// Tasks that must be done before.
    pub dependencies: Vec<NodeId>,
    /// The role that does it.
    pub assigned_agent: AgentRole,
    /// Files it creates, changes or deletes, relative to the project.
    pub target_files: Vec<String>,
    /// Globs that it may write.
    pub paths: Vec<String>,
    /// A command that must exit 0, in the form of earlier plans; counts as one more of `acceptance`.
    pub verification: String,
    /// Commands that must exit 0.
    pub acceptance: Vec<String>,
    /// Tools it may call; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Hosts it may reach; empty for none.
    pub network: Vec<String>,
    /// What it may spend.
    pub budget: Limits,
    /// The model it is bound to; absent to let routing choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How often it is tried as a whole.
    pub retry: Attempts,
    /// What to do with a command whose outcome is unknown after a crash.
    pub on_unknown: OnUnknown,
    /// Whether it works in a copy of the tree, its lane, that is merged when it is done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lane: bool,
    /// Estimated difficulty, 0 to 1; a feature for routing.
    pub task_complexity_score: f64,
    /// What the planner is unsure about.
    pub epistemic_flags: Vec<String>,
}

/// How often a task is tried as a whole, on top of the repairs within one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Attempts {
    /// At least 1.
    pub attempts: u32,
}

impl Task {
    /// Every command by which the task is judged, in order, without repetition.
    #[must_use]
    pub fn commands(&self) -> Vec<&str> {
        let mut commands: Vec<&str> = Vec::new();
        let all = self.acceptance.iter().map(String::as_str).chain([self.verification.as_str()]);
        for command in all.map(str::trim).filter(|command| !command.is_empty()) {
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
        commands
    }

    /// Whether the role's work is judged by running it.
    #[must_use]
    pub fn is_code(&self) -> bool {
        matches!(
            self.assigned_agent,
            AgentRole::Coder | AgentRole::TestEngineer | AgentRole::Reviewer
        )
    }

    /// Whether the role's work shows in files.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self.assigned_agent {
            AgentRole::Coder | AgentRole::TestEngineer | AgentRole::Documentation => true,
            AgentRole::Architect => !self.target_files.is_empty(),
            _ => false,
        }
    }
}

impl Plan {
    /// The file's text: readable, editable, ending in a newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The task with this id.
    #[must_use]
    pub fn task(&self, id: &NodeId) -> Option<&Task> {
        self.nodes.iter().find(|task| task.id == *id)
    }

    /// The role of each task.
    #[must_use]
    pub fn roles(&self) -> BTreeMap<NodeId, AgentRole> {
        self.nodes.iter().map(|task| (task.id.clone(), task.assigned_agent)).collect()
    }

    /// The plan as the engine's graph.
    #[must_use]
    pub fn graph(&self) -> GraphSpec {
        let nodes = self.nodes.iter().map(|task| NodeSpec {
            id: task.id.clone(),
            node_type: format!("task.{}", task.assigned_agent),
            retry: Retry { attempts: task.retry.attempts, backoff_ms: 0 },
            timeout_s: task.budget.time_s,
            on_unknown: task.on_unknown,
            params: Value::Null,
        });
        let edges = self.nodes.iter().flat_map(|task| {
            task.dependencies.iter().map(|dependency| EdgeSpec {
                from: dependency.clone(),
                to: task.id.clone(),
                kind: EdgeKind::After,
            })
        });
        GraphSpec { nodes: nodes.collect(), edges: edges.collect() }
    }

    /// The compiled graph; fails only for plans that were not checked.
    pub fn compile(&self) -> Result<CompiledGraph, Vec<GraphProblem>> {
        self.graph().compile()
    }
}

/// What is wrong with a plan: which task, which field, what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `nodes[2] (task_003).dependencies`, or a field of the plan.
    pub place: String,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

#[cfg(test)]
mod tests;
