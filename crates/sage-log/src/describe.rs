//! Each event in one readable line, for `sage log` and live displays. Without time and number, which the
//! display lays out itself, and without line breaks, whatever the event's texts hold.

use sage_core::{
    ATTEMPT_BEFORE, ApprovalScope, CheckKind, Decider, Event, EventKind, FileState, Finish,
    HumanEvent, ModelEvent, NodeEvent, NodeId, NodeOutcome, NodePhase, PlanDecision, RepeatGrade,
    RunEvent, RunOutcome, ToolEvent, WorkspaceEvent,
};

/// The longest line, in characters.
const MAX_CHARS: usize = 240;

/// The event in one line.
#[must_use]
pub fn describe(event: &Event) -> String {
    let text = match &event.kind {
        EventKind::Run(event) => of_run(event),
        EventKind::Node(event) => of_node(event),
        EventKind::Model(event) => of_model(event),
        EventKind::Tool(event) => of_tool(event),
        EventKind::Human(event) => of_human(event),
        EventKind::Workspace(event) => of_workspace(event),
    };
    one_line(&text)
}

pub(crate) fn of_run(event: &RunEvent) -> String {
    match event {
        RunEvent::Started { sage_version, goal, mode, .. } => {
            format!("run started ({mode}, sage {sage_version}): {goal}")
        }
        RunEvent::Planned { n_tasks, source, notes, .. } => {
            let notes = counted_after(notes.len(), "note", "notes");
            format!("planned {} ({source}){notes}", counted(u64::from(*n_tasks), "task", "tasks"))
        }
        RunEvent::PlanRefused { errors, .. } => {
            format!("the planner's answer is no valid plan: {}", errors.join("; "))
        }
        RunEvent::Resumed { sage_version, changed_files } => {
            let changed =
                counted_after(changed_files.len(), "file changed since", "files changed since");
            format!("run resumed (sage {sage_version}){changed}")
        }
        RunEvent::Sandboxed { on: true, how } => format!("commands are sandboxed by {how}"),
        RunEvent::Sandboxed { on: false, how } => format!("commands are not sandboxed: {how}"),
        RunEvent::LimitsChanged { limits, before } => {
            format!("the run's limits are {limits} from here on (before: {before})")
        }
        RunEvent::BudgetReached { node, limit, allowed, used, exhausted } => {
            let whose = node.as_ref().map_or_else(|| "the run's".to_owned(), |n| format!("{n}'s"));
            let state = if *exhausted { "used up" } else { "nearly used up" };
            format!(
                "{whose} limit on {limit} is {state}: {} of {}",
                number(*used),
                number(*allowed)
            )
        }
        RunEvent::Committed { branch, commit, subject, .. } => {
            let short: String = commit.chars().take(12).collect();
            format!("committed {short} on {branch}{}", after(subject))
        }
        RunEvent::Finished { outcome, exit_code, reason } => {
            format!("run {} (exit {exit_code}){}", of_run_outcome(*outcome), after(reason))
        }
    }
}

fn of_run_outcome(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Rejected => "rejected",
        RunOutcome::Planned => "ended with its plan",
        RunOutcome::ModelUnavailable => "stopped: no model could be reached",
        RunOutcome::OutOfBudget => "stopped: out of budget",
        RunOutcome::Interrupted => "interrupted",
        RunOutcome::Errored => "ended by an error",
    }
}

fn of_node(event: &NodeEvent) -> String {
    match event {
        NodeEvent::Started { node, attempt: 1 } => format!("{node} started"),
        NodeEvent::Started { node, attempt } => format!("{node} started, attempt {attempt}"),
        NodeEvent::EnteredPhase { node, phase, round, .. } => {
            let doing = match phase {
                NodePhase::Implement => "implements",
                NodePhase::Check => "checks",
                NodePhase::Review => "reviews",
                NodePhase::Test => "tests",
                NodePhase::Verify => "verifies",
                NodePhase::Merge => "merges",
                NodePhase::Repair => "repairs",
            };
            let round = if *round == 0 { String::new() } else { format!(", round {round}") };
            format!("{node} {doing}{round}")
        }
        NodeEvent::Finished { node, outcome, summary, .. } => {
            let how = match outcome {
                NodeOutcome::Done => "done",
                NodeOutcome::Failed => "failed",
                NodeOutcome::Interrupted => "interrupted",
            };
            format!("{node} {how}{}", after(summary))
        }
        NodeEvent::Skipped { node, because } => format!("{node} skipped because of {because}"),
    }
}

fn of_model(event: &ModelEvent) -> String {
    match event {
        ModelEvent::Routed { call, role, chosen, reason, .. } => {
            format!("{call} {role} uses {chosen}{}", after(reason))
        }
        ModelEvent::Called { call, role, context: None, .. } => {
            format!("{call} {role} asks a model")
        }
        ModelEvent::Called { call, role, context: Some(context), .. } => {
            let cut = match context.cut {
                0 => String::new(),
                n => format!(", {n} cut from the conversation"),
            };
            let (prompt, window) = (context.prompt(), context.window);
            format!("{call} {role} asks a model: about {prompt} of {window} tokens{cut}")
        }
        ModelEvent::TryFailed { call, model, provider, error, retry_in_ms } => {
            let next = match retry_in_ms {
                Some(ms) => format!("again in {ms} ms"),
                None => "given up".to_owned(),
            };
            format!("{call} {model} at {provider} failed ({next}){}", after(error))
        }
        ModelEvent::Answered { call, model, scripted, finish, usage, usd, latency_ms, .. } => {
            let scripted = if *scripted { ", scripted" } else { "" };
            let finish = match finish {
                Finish::Stop => String::new(),
                Finish::ToolCalls => ", wants tools".to_owned(),
                Finish::Length => ", cut off at its limit".to_owned(),
                Finish::ContentFilter => ", held back by the provider".to_owned(),
                Finish::Other(words) => format!(", ended by {words}"),
            };
            let (input, output) = (usage.input, usage.output);
            let usd = if *usd > 0.0 { format!(", ${usd:.4}") } else { String::new() };
            format!(
                "{call} {model} answered in {latency_ms} ms: {input} + {output} tokens{usd}{finish}{scripted}"
            )
        }
        ModelEvent::Exceeded { call, reserved_tokens, used_tokens, used_usd, .. } => format!(
            "{call} took {used_tokens} tokens (${used_usd:.4}), more than the {reserved_tokens} that were set aside"
        ),
        ModelEvent::Failed { call, message, .. } => {
            format!("{call} no model answered{}", after(message))
        }
    }
}

fn of_tool(event: &ToolEvent) -> String {
    match event {
        ToolEvent::Called { call, tool, summary, .. } => format!("{call} {tool}{}", after(summary)),
        ToolEvent::Finished { call, tool, ok, summary, duration_ms, .. } => {
            let how = if *ok { "ok" } else { "error" };
            format!("{call} {tool} {how} in {duration_ms} ms{}", after(summary))
        }
        ToolEvent::Refused { call, tool, summary, reason, .. } => {
            format!("{call} {tool} refused ({summary}){}", after(reason))
        }
        ToolEvent::Repeated { call, tool, summary, n_times, grade } => {
            let done = match grade {
                RepeatGrade::Hint => "told",
                RepeatGrade::Refused => "not done again",
                RepeatGrade::Stopped => "stopped",
            };
            format!("{call} {tool} asked for {n_times} times, {done}{}", after(summary))
        }
    }
}

fn of_human(event: &HumanEvent) -> String {
    match event {
        HumanEvent::PlanReviewed { decision, by, edited, .. } => {
            let what = match decision {
                PlanDecision::Approved => "approved",
                PlanDecision::Rejected => "rejected",
            };
            let edited = if *edited { " after editing" } else { "" };
            format!("plan {what}{edited} by {}", of_decider(*by))
        }
        HumanEvent::ToolReviewed { node, tool, what, allowed, by, scope, rule, .. } => {
            let verdict = if *allowed { "allowed" } else { "denied" };
            let scope = match scope {
                ApprovalScope::Once => "",
                ApprovalScope::Run => " for this run",
                ApprovalScope::Always => " from now on",
            };
            let rule = if rule.is_empty() { String::new() } else { format!(" (asked by {rule})") };
            format!("{node} {tool} {verdict}{scope} by {}{}{rule}", of_decider(*by), after(what))
        }
        HumanEvent::Asked { question } => format!("asked: {question}"),
        HumanEvent::Answered { answer } if answer.is_empty() => "no answer".to_owned(),
        HumanEvent::Answered { answer } => format!("answered: {answer}"),
    }
}

fn of_decider(by: Decider) -> &'static str {
    match by {
        Decider::Person => "a person",
        Decider::Mode => "the mode",
        Decider::Environment => "SAGE_NON_INTERACTIVE",
        Decider::PlanFile => "the plan file",
        Decider::Policy => "the policy",
    }
}

fn of_workspace(event: &WorkspaceEvent) -> String {
    match event {
        WorkspaceEvent::Snapshotted { node, n_files, not_covered, .. } => {
            let missing = counted_after(not_covered.len(), "file not covered", "files not covered");
            format!("{node} snapshot of {}{missing}", counted(*n_files, "file", "files"))
        }
        WorkspaceEvent::Changed { call, path, before, after, lines_added, lines_removed } => {
            let what = how_changed(before.as_ref(), after.as_ref());
            format!("{call} {what} {path} (+{lines_added} -{lines_removed})")
        }
        WorkspaceEvent::LaneChanged { call, path, before, after, lines_added, lines_removed } => {
            let what = how_changed(before.as_ref(), after.as_ref());
            format!("{call} {what} {path} in its lane (+{lines_added} -{lines_removed})")
        }
        WorkspaceEvent::LaneOpened { node, path, .. } => format!("{node} works in the lane {path}"),
        WorkspaceEvent::LaneRebased { node, bases, .. } => {
            let n = bases.len() as u64;
            format!("{node} brings its lane up to date, {} of its own", counted(n, "file", "files"))
        }
        WorkspaceEvent::LaneMerged { node, merged: true, paths, .. } => {
            let n = paths.len() as u64;
            format!("{node} merged {}{}", counted(n, "file", "files"), after(&paths.join(", ")))
        }
        WorkspaceEvent::LaneMerged { node, conflicts, reason, .. } => {
            let what = if conflicts.is_empty() { reason.clone() } else { conflicts.join(", ") };
            let how = if conflicts.is_empty() { "not merged" } else { "in conflict" };
            format!("{node} {how}{}", after(&what))
        }
        WorkspaceEvent::Checked {
            node,
            attempt,
            kind,
            command,
            passed,
            n_tests,
            duration_ms,
            reason,
            in_lane,
            ..
        } => {
            let is_before = *node == NodeId::run() && *attempt == ATTEMPT_BEFORE;
            let what = match kind {
                CheckKind::Lint => "lint",
                CheckKind::GeneratedTest => "generated test",
                CheckKind::Acceptance => "acceptance",
                CheckKind::Project if is_before => "project check of the state before",
                CheckKind::Project => "project check",
                CheckKind::Counter => "counter-check",
            };
            let how = if *passed { "passed" } else { "did not pass" };
            let tests = n_tests.map(|n| format!(", {}", counted(n, "test", "tests")));
            let tests = tests.unwrap_or_default();
            let lane = if *in_lane { " in its lane" } else { "" };
            let took = format!("{duration_ms} ms{tests}");
            format!("{node} {what}{lane} {how} in {took}: {command}{}", after(reason))
        }
        WorkspaceEvent::TestsWeighed { node, subject, worth, detail, .. } => {
            format!("{node} tests weighed: {subject} {}{}", worth.words(), after(detail))
        }
        WorkspaceEvent::TestsCompared { node, n_files, findings, .. } => {
            let of = counted(*n_files, "file that was there", "files that were there");
            match findings.first() {
                None => format!("{node} tests compared in {of}: nothing was bent"),
                Some(first) => {
                    let more = findings.len().saturating_sub(1);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    format!("{node} tests compared in {of}: {}{more}", first.text())
                }
            }
        }
        WorkspaceEvent::RolledBack { node, paths, .. } => {
            let n = paths.len() as u64;
            format!(
                "{node} rolled back {}{}",
                counted(n, "file", "files"),
                after(&paths.join(", "))
            )
        }
        WorkspaceEvent::Observed { call, n_changed, n_put_back, .. } => {
            let back = counted_after(
                usize::try_from(*n_put_back).unwrap_or(usize::MAX),
                "path put back",
                "paths put back",
            );
            format!("{call} changed {} in all{back}", counted(*n_changed, "path", "paths"))
        }
        WorkspaceEvent::UndoStarted { redo: false, .. } => "undo begins".to_owned(),
        WorkspaceEvent::UndoStarted { redo: true, .. } => "the undo is being taken back".to_owned(),
        WorkspaceEvent::Undone { paths, from, some, .. } => {
            let what = match (from, some) {
                (None, false) => "run undone".to_owned(),
                (Some(from), false) => format!("run undone from event {from} on"),
                (_, true) => "run undone in part".to_owned(),
            };
            format!("{what}, {} restored", counted(paths.len() as u64, "file", "files"))
        }
        WorkspaceEvent::Redone { paths, .. } => {
            format!("undo taken back, {} restored", counted(paths.len() as u64, "file", "files"))
        }
    }
}

fn how_changed(before: Option<&FileState>, after: Option<&FileState>) -> &'static str {
    match (before, after) {
        (None, _) => "creates",
        (_, None) => "deletes",
        _ => "changes",
    }
}

/// `: text`, or nothing.
fn after(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `, 2 notes`, or nothing for none.
fn counted_after(n: usize, one: &str, many: &str) -> String {
    if n == 0 { String::new() } else { format!(", {}", counted(n as u64, one, many)) }
}

/// Whole numbers without a fraction, others with four digits.
fn number(n: f64) -> String {
    if n.fract() == 0.0 { format!("{n:.0}") } else { format!("{n:.4}") }
}

/// Blanks, control characters and those that turn the direction of writing become single spaces; the end
/// is cut off where it is too long.
fn one_line(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_gap = |c: char| c.is_whitespace() || c.is_control() || turns(c);
    let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
