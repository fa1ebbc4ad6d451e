//! The report as text: Goal, Plan, Actions, Outcome.

use std::collections::BTreeMap;
use std::fmt::Write;

use sage_core::{CheckKind, NodeId, RunOutcome};
use sage_log::Check;

use super::{Claim, Report, Standing, TaskReport, outcome_word};
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
    if report.outcome != RunOutcome::Planned && !report.evidence.is_empty() {
        section(&mut out, "Evidence", &evidence(report, detail));
    }
    if !report.flags.is_empty() {
        section(&mut out, "Flags", &report.flags.join("\n"));
    }
    if detail >= Detail::Debug && !report.routing.is_empty() {
        section(&mut out, "Routing", &report.routing.join("\n"));
    }
    if let Some(diff) = report.diff.as_deref() {
        let diff = if diff.is_empty() { "(no changes)" } else { diff.trim_end() };
        let _ = write!(out, "Diff (dry run: nothing in the work tree was changed)\n{diff}\n\n");
    }
    section(&mut out, "Outcome", &outcome(report, detail, next_steps));
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
    let telling = |check: &&Check| match check.kind {
        CheckKind::Lint => detail >= Detail::Full || !check.passed,
        CheckKind::Counter => detail >= Detail::Full,
        _ => true,
    };
    lines.extend(report.checks.iter().filter(telling).map(check_line));
    if let Some(sandbox) = &report.sandbox {
        match sandbox.on {
            true if detail >= Detail::Full => lines.push(format!("sandbox  {}", sandbox.how)),
            true => {}
            false => lines.push(format!("sandbox  none: {}", sandbox.how)),
        }
    }
    lines.extend(report.approvals.iter().map(|approval| format!("approved {approval}")));
    lines.extend(report.refusals.iter().map(|refusal| format!("refused  {refusal}")));
    lines.extend(report.commits.iter().map(|made| {
        let short: String = made.commit.chars().take(10).collect();
        format!("commit   {short} on {}: {}", made.branch, made.subject)
    }));
    lines.extend(report.left_out.iter().map(|path| format!("not committed: {path}")));
    if lines.is_empty() {
        lines.push("nothing was changed and nothing was run".to_owned());
    }
    lines.join("\n")
}

/// What stands for what: a line per task, or per claim.
fn evidence(report: &Report, detail: Detail) -> String {
    let mut lines = Vec::new();
    for task in &report.evidence {
        if detail >= Detail::Full {
            lines.extend(task.claims.iter().map(|claim| claim_line(task.task.as_str(), claim)));
            continue;
        }
        // One word per sort of claim; the worst of each sort is told.
        let mut told: Vec<&Claim> = Vec::new();
        for claim in &task.claims {
            match told.iter_mut().find(|known| known.claim == claim.claim) {
                Some(known) if weight(known.standing) >= weight(claim.standing) => {}
                Some(known) => *known = claim,
                None => told.push(claim),
            }
        }
        let words: Vec<String> =
            told.iter().map(|claim| format!("{} (#{})", claim_words(claim), claim.seq)).collect();
        lines.push(format!("{}: {}", task.task, words.join(", ")));
    }
    lines.push(format!("#N in full: sage log {} --seq N", report.run));
    lines.join("\n")
}

const fn weight(standing: Standing) -> u8 {
    match standing {
        Standing::Shown => 0,
        Standing::NotShown => 1,
        Standing::Refuted => 2,
    }
}

fn claim_words(claim: &Claim) -> String {
    match claim.standing {
        Standing::Shown => claim.claim.to_owned(),
        Standing::NotShown => format!("not shown: {}", claim.claim),
        Standing::Refuted => format!("refuted: {}", claim.claim),
    }
}

fn claim_line(task: &str, claim: &Claim) -> String {
    let mut facts = Vec::new();
    facts.extend(claim.n_tests.map(|n| format!("{n} test{}", plural(n))));
    facts.extend(claim.exit_code.map(|code| format!("exit {code}")));
    facts.extend(claim.duration_ms.map(seconds));
    facts.push(claim.look.clone());
    format!("{task}: {}: {} ({})", claim_words(claim), claim.by, facts.join(", "))
}

fn check_line(check: &Check) -> String {
    let word = match (check.kind, check.passed) {
        // Neither speaks for or against the work.
        (CheckKind::Counter, _) => "tried",
        (_, true) => "passed",
        (_, false) => "failed",
    };
    let tests = check.n_tests.map(|n| format!("{n} test{}, ", plural(n))).unwrap_or_default();
    let exit = check.exit_code.map(|code| format!("exit {code}, ")).unwrap_or_default();
    let when = match check.node == NodeId::run() {
        true if check.attempt == BASELINE => "before the run",
        true => "after the last task",
        false => check.node.as_str(),
    };
    let when = if check.in_lane { format!("{when} in its lane") } else { when.to_owned() };
    let seconds = seconds(check.duration_ms);
    format!("{word:<8} {} ({tests}{exit}{seconds}, {when}, log #{})", check.command, check.seq)
}

fn outcome(report: &Report, detail: Detail, next_steps: bool) -> String {
    let mut out = outcome_word(report.outcome).to_owned();
    if !report.reason.is_empty() {
        let _ = write!(out, ": {}", report.reason);
    }
    let after = |check: &&Check| !(check.node == NodeId::run() && check.attempt == BASELINE);
    let after: Vec<&Check> = report.checks.iter().filter(after).collect();
    let ran = tests_passed(&after);
    let judged = after.iter().any(|check| check.is_verdict());
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
    if report.outcome == RunOutcome::OutOfBudget || detail >= Detail::Full {
        for line in &report.spending {
            let _ = write!(out, "\nused by {line}");
        }
    }
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
    if let Some(place) = &report.worktree {
        let _ = write!(out, "\nit is in {place}");
        let branch = report.commits.last().map(|commit| commit.branch.as_str());
        if let Some(branch) = branch {
            let _ = write!(out, ", on the branch {branch}\nmerge:  git merge {branch}");
        }
        let also = branch.map(|branch| format!(" && git branch -D {branch}")).unwrap_or_default();
        let _ = write!(out, "\ndrop:   git worktree remove --force {place}{also}");
    }
    if (!report.files.is_empty() || report.commands_changed) && !report.dry_run {
        let _ = write!(out, "\nundo:   sage undo {run}");
    }
    let _ = write!(out, "\nlook:   sage runs show {run}   sage log {run}");
    out
}

/// Tests that passed at the end. The same test may run under several commands; the project's own
/// verification has them all, so other commands count only where there is none.
fn tests_passed(checks: &[&Check]) -> u64 {
    let mut last: BTreeMap<(bool, &str), &Check> = BTreeMap::new();
    for check in checks.iter().filter(|check| check.is_verdict()) {
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
