//! The report as text: Goal, Plan, Actions, Outcome.

use std::collections::BTreeMap;
use std::fmt::Write;

use sage_core::{CheckKind, NodeId, RunOutcome};
use sage_log::Check;

use super::{Report, TaskReport, outcome_word};
use crate::plan::draw::{self, Marks};
use crate::verify::BASELINE;

/// How much to tell (`SAGE_RUN_OUTPUT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// One screen.
    Summary,
    /// The drawn plan, every check, every refusal.
    Full,
    /// Routing decisions too.
    Debug,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// How much to tell.
    pub detail: Detail,
    /// Columns that drawings may take.
    pub width: usize,
    /// Whether to name the commands that come next; they need a project that stays.
    pub next_steps: bool,
}

/// The report as plain text, without colour, ending in a newline.
#[must_use]
pub fn render(report: &Report, form: Form) -> String {
    let Form { detail, width, next_steps } = form;
    let mut out = String::new();
    section(&mut out, "Goal", &report.goal);
    if report.scripted {
        section(&mut out, "Note", "answers came from a script, not from a model");
    }
    section(&mut out, "Plan", &plan(report, detail, width));
    if report.outcome != RunOutcome::Planned {
        section(&mut out, "Actions", &actions(report, detail));
    }
    if detail >= Detail::Debug && !report.routing.is_empty() {
        section(&mut out, "Routing", &report.routing.join("\n"));
    }
    if let Some(diff) = report.diff.as_deref() {
        let diff = if diff.is_empty() { "(no changes)" } else { diff.trim_end() };
        let _ = write!(out, "Diff (dry run: nothing in the work tree was changed)\n{diff}\n\n");
    }
    section(&mut out, "Outcome", &outcome(report, next_steps));
    out
}

fn section(out: &mut String, title: &str, body: &str) {
    let mut lines = body.trim_end().lines();
    let _ = writeln!(out, "{title:<9}{}", lines.next().unwrap_or_default());
    for line in lines {
        let indented = format!("         {line}");
        let _ = writeln!(out, "{}", indented.trim_end());
    }
    out.push('\n');
}

fn plan(report: &Report, detail: Detail, width: usize) -> String {
    let Some(plan) = &report.plan else { return "none was made".to_owned() };
    if detail == Detail::Summary && report.outcome != RunOutcome::Planned {
        return report.tasks.iter().map(task_line).collect::<Vec<_>>().join("\n");
    }
    let find = |id: &NodeId| report.tasks.iter().find(|task| task.id == *id);
    let model = |task: &crate::plan::Task| {
        find(&task.id).map(|task| task.models.join(", ")).filter(|models| !models.is_empty())
    };
    let state = |id: &NodeId| find(id).map(|task| mark(&task.state).to_owned());
    let state_or_none = |id: &NodeId| state(id).filter(|_| report.outcome != RunOutcome::Planned);
    let marks = Marks { model: &model, state: &state_or_none };
    let mut text = draw::terminal(plan, &marks, width.saturating_sub(9));
    if report.outcome == RunOutcome::Planned {
        let _ = write!(text, "\n\n{}", draw::contracts(plan));
        if let Some(worst_case) = &report.worst_case {
            let _ = write!(text, "\n\nworst case: {worst_case}");
        }
    } else {
        let lines: Vec<String> = report.tasks.iter().map(task_line).collect();
        let _ = write!(text, "\n\n{}", lines.join("\n"));
    }
    text
}

fn mark(state: &str) -> &'static str {
    match state {
        "done" => "✓",
        "failed" => "✗",
        "skipped" => "-",
        "interrupted" => "!",
        _ => "·",
    }
}

fn task_line(task: &TaskReport) -> String {
    let mut line = format!("{} {} ({}): {}", mark(&task.state), task.id, task.role, task.state);
    if task.repairs > 0 {
        let _ = write!(line, " after {} repair{}", task.repairs, plural(u64::from(task.repairs)));
    }
    if !task.summary.is_empty() {
        let _ = write!(line, ": {}", task.summary);
    }
    line
}

fn actions(report: &Report, detail: Detail) -> String {
    let mut lines = Vec::new();
    for file in &report.files {
        lines.push(format!(
            "{:<8} {} +{} -{}",
            file.action, file.path, file.lines_added, file.lines_removed
        ));
    }
    let telling =
        |check: &&Check| detail >= Detail::Full || check.kind != CheckKind::Lint || !check.passed;
    lines.extend(report.checks.iter().filter(telling).map(check_line));
    lines.extend(report.refusals.iter().map(|refusal| format!("refused  {refusal}")));
    if lines.is_empty() {
        lines.push("nothing was changed and nothing was run".to_owned());
    }
    lines.join("\n")
}

fn check_line(check: &Check) -> String {
    let word = if check.passed { "passed" } else { "failed" };
    let tests = check.n_tests.map(|n| format!("{n} test{}, ", plural(n))).unwrap_or_default();
    let exit = check.exit_code.map(|code| format!("exit {code}, ")).unwrap_or_default();
    let when = match check.node == NodeId::run() {
        true if check.attempt == BASELINE => "before the run",
        true => "after the last task",
        false => check.node.as_str(),
    };
    let seconds = seconds(check.duration_ms);
    format!("{word:<8} {} ({tests}{exit}{seconds}, {when}, log #{})", check.command, check.seq)
}

fn outcome(report: &Report, next_steps: bool) -> String {
    let mut out = outcome_word(report.outcome).to_owned();
    if !report.reason.is_empty() {
        let _ = write!(out, ": {}", report.reason);
    }
    let after = |check: &&Check| !(check.node == NodeId::run() && check.attempt == BASELINE);
    let after: Vec<&Check> = report.checks.iter().filter(after).collect();
    let ran = tests_passed(&after);
    let judged = after.iter().any(|check| check.kind != CheckKind::Lint);
    if report.outcome == RunOutcome::Succeeded {
        if ran > 0 {
            let _ = write!(out, ", {ran} test{} passed", plural(ran));
        } else if !judged {
            let why = match report.not_run.as_slice() {
                [] => "the project has none and the plan named none".to_owned(),
                why => why.join("; "),
            };
            let _ = write!(out, "\nno test or command verified this: {why}");
        }
        for fault in &report.faults {
            let _ = write!(out, "\n{fault}");
        }
    }
    let _ = write!(
        out,
        "\n{} model call{}, {} input and {} output tokens, ${:.4}, {}",
        report.model_calls,
        plural(report.model_calls),
        report.input_tokens,
        report.output_tokens,
        report.usd,
        seconds(report.duration_ms)
    );
    if !next_steps {
        return out;
    }
    let run = &report.run;
    match report.outcome {
        RunOutcome::Planned => {
            out.push_str("\nrun it: sage run --plan .sage/last_plan.json --auto")
        }
        RunOutcome::Interrupted | RunOutcome::OutOfBudget | RunOutcome::ModelUnavailable => {
            let _ = write!(out, "\ngo on:  sage resume {run}");
        }
        _ => {}
    }
    if !report.files.is_empty() && !report.dry_run {
        let _ = write!(out, "\nundo:   sage undo {run}");
    }
    let _ = write!(out, "\nlook:   sage runs show {run}   sage log {run}");
    out
}

/// Tests that passed at the end. The same test may run under several commands; the project's own
/// verification has them all, so other commands count only where there is none.
fn tests_passed(checks: &[&Check]) -> u64 {
    let mut last: BTreeMap<(bool, &str), &Check> = BTreeMap::new();
    for check in checks {
        last.insert((check.kind == CheckKind::Project, &check.command), check);
    }
    let ran = |of_project: bool| -> u64 {
        let passed = last.iter().filter(|((of, _), check)| *of == of_project && check.passed);
        passed.filter_map(|(_, check)| check.n_tests).sum()
    };
    let of_project = ran(true);
    if of_project > 0 { of_project } else { ran(false) }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

const fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}
