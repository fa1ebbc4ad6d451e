//! The checks that look at a plan as a whole, and the defaults that complete its contracts.
//!
//! After [`check`] every task has `paths`, a bounded `budget`, known dependencies without cycles, and
//! no two tasks that could run at the same time may write the same file of the work tree: such tasks work
//! in lanes and are merged, or, where there are no lanes, are made sequential. A note tells the reviewer
//! of the plan.

use std::collections::BTreeSet;

use globset::{Glob, GlobSet, GlobSetBuilder};
use sage_core::{AgentRole, NodeId, nearest};
use sage_graph::Problem as GraphProblem;
use sage_tool::PathSet;

use super::{Plan, Problem, Task};
use crate::options::{Lanes, RunOptions};
use crate::project;

/// What the checks need to know about the run.
#[derive(Debug)]
pub struct CheckCx<'a> {
    /// Globs of `--include`; empty for the whole project.
    pub include: &'a [String],
    /// Names of the tools that exist.
    pub tools: &'a [String],
    /// Files that exist, relative to the project.
    pub files: &'a BTreeSet<String>,
    /// What becomes of tasks that may write the same file.
    pub lanes: Lanes,
    /// Turns of one conversation of a task when its plan does not say.
    pub default_turns: u32,
    /// Repairs per attempt; model calls that a task may make follow from both.
    pub max_repairs: u32,
    /// Tokens that a task may use when its plan does not say.
    pub default_tokens: u64,
}

/// Completes and checks a plan; returns notes for the person who reviews it.
///
/// # Errors
/// Every problem found, each with its place.
pub fn check(plan: &mut Plan, cx: &CheckCx<'_>) -> Result<Vec<String>, Vec<Problem>> {
    let mut problems = Vec::new();
    for (index, task) in plan.nodes.iter().enumerate() {
        task_problems(index, task, cx, &mut problems);
    }
    problems.extend(graph_problems(plan));
    problems.extend(idle_architects(plan));
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut notes = Vec::new();
    complete(plan, cx);
    problems.extend(include_problems(plan, cx));
    if !problems.is_empty() {
        return Err(problems);
    }
    if cx.lanes == Lanes::Merged {
        give_lanes(plan, cx, &mut notes);
    } else {
        plan.nodes.iter_mut().for_each(|task| task.lane = false);
        separate_writers(plan, cx, &mut notes);
    }
    Ok(notes)
}

fn place(index: usize, task: &Task, field: &str) -> String {
    format!("nodes[{index}] ({}).{field}", task.id)
}

fn task_problems(index: usize, task: &Task, cx: &CheckCx<'_>, problems: &mut Vec<Problem>) {
    let mut problem = |field: &str, what: String| {
        problems.push(Problem { place: place(index, task, field), what });
    };
    for path in &task.target_files {
        if let Some(what) = bad_path(path) {
            problem("target_files", what);
        } else if path.contains(['*', '?']) && !cx.files.contains(path) {
            problem(
                "target_files",
                format!("{path:?} must name one file; globs belong in \"paths\""),
            );
        }
    }
    for path in &task.paths {
        if let Some(what) = bad_path(path) {
            problem("paths", what);
        } else if let Err(error) = Glob::new(path) {
            problem("paths", format!("{path:?} is not a glob: {}", error.kind()));
        }
    }
    for tool in task.tools.iter().flatten() {
        if !cx.tools.contains(tool) {
            let near = nearest(tool, cx.tools.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            problem("tools", format!("unknown tool {tool:?}{hint}"));
        }
    }
    let commands = task.acceptance.iter().map(|command| ("acceptance", command));
    for (field, command) in commands.chain([("verification", &task.verification)]) {
        if command.contains('\0') {
            problem(field, "contains a NUL character".to_owned());
        }
    }
    if task.assigned_agent != AgentRole::Reviewer
        && task.assigned_agent != AgentRole::Architect
        && task.target_files.is_empty()
        && task.paths.is_empty()
        && task.commands().is_empty()
    {
        let what = "needs target_files, paths or acceptance: without them nothing could show that it is done";
        problem("target_files", what.to_owned());
    }
}

/// Tasks whose only product are words that nobody receives: nothing could show that they are done.
fn idle_architects(plan: &Plan) -> Vec<Problem> {
    let is_heard =
        |task: &Task| plan.nodes.iter().any(|other| other.dependencies.contains(&task.id));
    let is_idle = |task: &Task| {
        task.assigned_agent == AgentRole::Architect
            && task.target_files.is_empty()
            && task.commands().is_empty()
            && !is_heard(task)
    };
    let idle = plan.nodes.iter().enumerate().filter(|(_, task)| is_idle(task));
    idle.map(|(index, task)| Problem {
        place: place(index, task, "target_files"),
        what: "needs target_files, acceptance or a task that depends on it: its words reach nobody"
            .to_owned(),
    })
    .collect()
}

fn bad_path(path: &str) -> Option<String> {
    let bad = |why: &str| Some(format!("{path:?} {why}"));
    let bytes = path.as_bytes();
    if path.starts_with('/') || path.starts_with('~') || path.contains('\\') {
        return bad("must be relative to the project, with '/' between folders");
    }
    if bytes.len() > 1 && bytes[1] == b':' && bytes[0].is_ascii_alphabetic() {
        return bad("must be relative to the project");
    }
    if path.contains('\0') || path.len() > 1024 {
        return bad("is not a usable path");
    }
    let mut parts = path.split('/');
    if parts.clone().any(|part| part == "..") {
        return bad("leaves the project");
    }
    if parts.any(|part| part.eq_ignore_ascii_case(".git") || part.eq_ignore_ascii_case(".sage")) {
        return bad("is protected: a task never writes .git or .sage");
    }
    None
}

fn graph_problems(plan: &Plan) -> Vec<Problem> {
    let Err(problems) = plan.compile() else { return Vec::new() };
    let place_of = |id: &NodeId, field: &str| match plan.nodes.iter().position(|t| t.id == *id) {
        Some(index) => place(index, &plan.nodes[index], field),
        None => format!("{id}.{field}"),
    };
    let describe = |problem: GraphProblem| match problem {
        GraphProblem::DuplicateId { id, .. } => {
            // The second task of that name is the one to change.
            let index = plan.nodes.iter().rposition(|task| task.id == id).unwrap_or_default();
            let what = format!("the id {id} is used by more than one task");
            Problem { place: format!("nodes[{index}] ({id}).id"), what }
        }
        GraphProblem::UnknownNode { edge, unknown, nearest } => {
            let hint = nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let what = format!("there is no task {unknown}{hint}");
            Problem { place: place_of(&edge.to, "dependencies"), what }
        }
        GraphProblem::SelfEdge { id } => Problem {
            place: place_of(&id, "dependencies"),
            what: "a task cannot wait for itself".into(),
        },
        GraphProblem::Cycle { path } => {
            let first = path.first().cloned();
            let shown: Vec<String> =
                path.iter().chain(first.iter()).map(NodeId::to_string).collect();
            let what = format!("these tasks wait for each other: {}", shown.join(" -> "));
            let place = first.map_or("nodes".into(), |id| place_of(&id, "dependencies"));
            Problem { place, what }
        }
        other => Problem { place: "nodes".into(), what: other.to_string() },
    };
    problems.into_iter().map(describe).collect()
}

/// Fills in what a contract leaves open.
fn complete(plan: &mut Plan, cx: &CheckCx<'_>) {
    let targets_of = |plan: &Plan, id: &NodeId| -> Vec<String> {
        plan.task(id).map(|task| task.target_files.clone()).unwrap_or_default()
    };
    for index in 0..plan.nodes.len() {
        let task = &plan.nodes[index];
        if task.paths.is_empty() {
            let mut paths = task.target_files.clone();
            // Tests and reviews find faults in what they depend on; repairing those is their job too.
            if matches!(task.assigned_agent, AgentRole::TestEngineer | AgentRole::Reviewer) {
                for dependency in task.dependencies.clone() {
                    paths.extend(targets_of(plan, &dependency));
                }
            }
            let locks: Vec<String> =
                paths.iter().flat_map(|path| project::locks_of(path, cx.files)).collect();
            paths.extend(locks);
            let mut seen = BTreeSet::new();
            paths.retain(|path| seen.insert(path.clone()));
            plan.nodes[index].paths = paths.iter().map(|path| escape_glob(path)).collect();
        }
        let task = &mut plan.nodes[index];
        let turns = task.budget.turns.unwrap_or(cx.default_turns);
        let calls = RunOptions::calls_for(turns, cx.max_repairs);
        task.budget.calls.get_or_insert(calls);
        task.budget.tokens.get_or_insert(cx.default_tokens);
        if task.task_complexity_score == 0.0 {
            task.task_complexity_score = complexity(task);
        }
    }
}

/// A file name as a glob that matches only itself.
pub(crate) fn escape_glob(path: &str) -> String {
    globset::escape(path)
}

/// A first estimate of difficulty from what is known before any work, 0 to 1: more files, more
/// dependencies and longer descriptions are harder. The weights are a guess that learning replaces.
fn complexity(task: &Task) -> f64 {
    let files = task.target_files.len().min(8) as f64 / 8.0;
    let words = task.description.split_whitespace().count().min(200) as f64 / 200.0;
    let waits = task.dependencies.len().min(6) as f64 / 6.0;
    let score = 0.45 * files + 0.4 * words + 0.15 * waits;
    (score * 100.0).round() / 100.0
}

fn include_problems(plan: &Plan, cx: &CheckCx<'_>) -> Vec<Problem> {
    if cx.include.is_empty() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let include = match PathSet::new(cx.include) {
        Ok(include) => include,
        Err(error) => {
            problems.push(Problem { place: "--include".to_owned(), what: error.to_string() });
            return problems;
        }
    };
    for (index, task) in plan.nodes.iter().enumerate() {
        for path in task.target_files.iter().filter(|path| !include.contains(path)) {
            let what = format!("{path:?} is outside --include ({})", cx.include.join(", "));
            problems.push(Problem { place: place(index, task, "target_files"), what });
        }
    }
    problems
}

/// The globs as one matcher in which `*` stops at `/`; `None` when one of them is not a glob.
#[must_use]
pub fn globs(patterns: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = globset::GlobBuilder::new(pattern).literal_separator(true).build().ok()?;
        set.add(glob);
        // A folder stands for all that it holds.
        let below = format!("{}/**", pattern.trim_end_matches('/'));
        set.add(globset::GlobBuilder::new(&below).literal_separator(true).build().ok()?);
    }
    set.build().ok()
}

/// Gives tasks that could run at the same time and may write the same file a lane each.
fn give_lanes(plan: &mut Plan, cx: &CheckCx<'_>, notes: &mut Vec<String>) {
    let Ok(graph) = plan.compile() else { return };
    for later in 1..plan.nodes.len() {
        for earlier in 0..later {
            let (a, b) = (&plan.nodes[earlier], &plan.nodes[later]);
            if graph.reaches(&a.id, &b.id) || graph.reaches(&b.id, &a.id) {
                continue;
            }
            let Some(shared) = overlap(a, b, cx) else { continue };
            notes.push(format!(
                "{} and {} run in lanes and are merged: both may write {shared}",
                a.id, b.id
            ));
            plan.nodes[earlier].lane = true;
            plan.nodes[later].lane = true;
        }
    }
}

/// Makes tasks that could run at the same time and may write the same file sequential.
fn separate_writers(plan: &mut Plan, cx: &CheckCx<'_>, notes: &mut Vec<String>) {
    for later in 1..plan.nodes.len() {
        for earlier in 0..later {
            let Ok(graph) = plan.compile() else { return };
            let (a, b) = (&plan.nodes[earlier], &plan.nodes[later]);
            if graph.reaches(&a.id, &b.id) || graph.reaches(&b.id, &a.id) {
                continue;
            }
            let Some(shared) = overlap(a, b, cx) else { continue };
            let why = match cx.lanes {
                Lanes::NoGit => ", and without git they cannot be merged",
                Lanes::Off | Lanes::Merged => "",
            };
            notes.push(format!("{} waits for {}: both may write {shared}{why}", b.id, a.id));
            let before = a.id.clone();
            plan.nodes[later].dependencies.push(before);
        }
    }
}

/// A path that both tasks may write, if there is one. Globs are compared by the files that exist and
/// by the files that the tasks name; two different globs that reach the same folder count as shared.
fn overlap(a: &Task, b: &Task, cx: &CheckCx<'_>) -> Option<String> {
    let (set_a, set_b) = (globs(&a.paths)?, globs(&b.paths)?);
    let named = a.target_files.iter().chain(&b.target_files);
    let both = |path: &&String| set_a.is_match(path) && set_b.is_match(path);
    if let Some(path) = named.chain(cx.files).find(both) {
        return Some(path.clone());
    }
    let is_pattern = |path: &&String| path.contains(['*', '?', '[', '{']) && !path.contains('\\');
    let pattern_a = a.paths.iter().filter(is_pattern).map(|path| (path, &b.paths));
    let pattern_b = b.paths.iter().filter(is_pattern).map(|path| (path, &a.paths));
    for (pattern, others) in pattern_a.chain(pattern_b) {
        let fixed = fixed_part(pattern);
        if let Some(other) = others.iter().find(|other| {
            let other = fixed_part(other);
            other.starts_with(fixed) || fixed.starts_with(other)
        }) {
            return Some(format!("{pattern} and {other}"));
        }
    }
    None
}

/// The folders of a glob before its first wildcard.
fn fixed_part(pattern: &str) -> &str {
    let end = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    if end == pattern.len() {
        pattern
    } else {
        pattern[..end].rfind('/').map_or("", |at| &pattern[..=at])
    }
}
