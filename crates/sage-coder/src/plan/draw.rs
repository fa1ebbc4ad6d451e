//! Draws a plan so that a person can approve it at a glance: who does what to which files, by which
//! model, and how it is judged.

use sage_core::NodeId;
use sage_graph::draw::{self, Label};

use super::{Plan, Task};

/// What a drawing shows beside the plan itself.
pub struct Marks<'a> {
    /// Model per task, where it is known.
    pub model: &'a dyn Fn(&Task) -> Option<String>,
    /// State per task, a short symbol or word, where there is one.
    pub state: &'a dyn Fn(&NodeId) -> Option<String>,
}

impl Marks<'_> {
    /// No models and no states.
    pub const NONE: Marks<'static> = Marks { model: &|_| None, state: &|_| None };
}

const MAX_LINE_CHARS: usize = 44;
const MAX_FILES_SHOWN: usize = 3;

/// The plan as a DAG for a terminal of `width` columns, without colour.
#[must_use]
pub fn terminal(plan: &Plan, marks: &Marks<'_>, width: usize) -> String {
    match plan.compile() {
        Ok(graph) => draw::terminal(&graph, &|id| label(plan, marks, id), width),
        Err(_) => String::new(),
    }
}

/// The plan as a Mermaid flowchart.
#[must_use]
pub fn mermaid(plan: &Plan, marks: &Marks<'_>) -> String {
    plan.compile()
        .map(|graph| draw::mermaid(&graph, &|id| label(plan, marks, id)))
        .unwrap_or_default()
}

/// The plan in the DOT language.
#[must_use]
pub fn dot(plan: &Plan, marks: &Marks<'_>) -> String {
    plan.compile().map(|graph| draw::dot(&graph, &|id| label(plan, marks, id))).unwrap_or_default()
}

fn label(plan: &Plan, marks: &Marks<'_>, id: &NodeId) -> Label {
    let Some(task) = plan.task(id) else {
        return Label { title: id.to_string(), lines: Vec::new(), mark: None };
    };
    let role = match (marks.model)(task) {
        Some(model) => format!("{} · {model}", task.assigned_agent),
        None => task.assigned_agent.to_string(),
    };
    let mut lines = vec![role, shorten(task.description.lines().next().unwrap_or_default())];
    lines.extend(task.target_files.iter().take(MAX_FILES_SHOWN).map(|file| shorten(file)));
    if task.target_files.len() > MAX_FILES_SHOWN {
        lines.push(format!("+ {} more files", task.target_files.len() - MAX_FILES_SHOWN));
    }
    Label { title: id.to_string(), lines, mark: (marks.state)(id) }
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_LINE_CHARS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_LINE_CHARS - 1).collect();
    short.push('…');
    short
}

/// The contracts in words, one block per task: what the drawing has no room for.
#[must_use]
pub fn contracts(plan: &Plan) -> String {
    let mut out = String::new();
    for task in &plan.nodes {
        let mut line = |name: &str, value: String| {
            if !value.is_empty() {
                out.push_str(&format!("  {name:<11} {value}\n"));
            }
        };
        let title = format!("{} ({})", task.id, task.assigned_agent);
        line("task", title);
        line("does", task.description.replace('\n', "\n              "));
        line("after", join(task.dependencies.iter().map(NodeId::to_string)));
        line(
            "may write",
            if task.paths.is_empty() { "nothing".into() } else { task.paths.join(", ") },
        );
        line("may use", task.tools.as_ref().map_or("all tools".into(), |tools| tools.join(", ")));
        line(
            "network",
            if task.network.is_empty() { "none".into() } else { task.network.join(", ") },
        );
        line("may spend", task.budget.to_string());
        line("model", task.model.clone().unwrap_or_default());
        line("done when", task.commands().join("\n              "));
        line("unsure", task.epistemic_flags.join("; "));
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
