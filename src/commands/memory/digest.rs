//! The digest of recent runs, as Markdown: goals, outcomes, what failed and why, what it cost.
//!
//! Everything in it is counted from the logs; what no log says is not in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sage_core::EventKind;
use sage_log::{Evidence, NodeState, RunStatus, Spending, project};

use crate::app::now_ms;
use crate::commands::status::outcome_word;
use crate::context::Context;
use crate::failure::Failure;
use crate::history::{self, utc_time};
use crate::ui::printable;

/// A digest.
pub struct Digest {
    /// Markdown.
    pub text: String,
    /// Runs that it tells of.
    pub n_runs: usize,
}

const DAY_MS: u64 = 86_400_000;
/// Most lines of one list.
const MAX_LINES: usize = 200;

/// What the totals are counted in.
#[derive(Default)]
struct Totals {
    outcomes: BTreeMap<&'static str, u64>,
    events: BTreeMap<&'static str, u64>,
    models: BTreeMap<String, (u64, u64, f64)>,
    n_checks: u64,
    n_checks_passed: u64,
}

/// The digest of the runs of the last `days` days.
pub fn of_runs(cx: &Context, days: u32) -> Result<Digest, Failure> {
    let now_ms = now_ms();
    let since_ms = now_ms.saturating_sub(u64::from(days) * DAY_MS);
    let mut totals = Totals::default();
    let mut runs = String::new();
    let mut failures = String::new();
    let mut n_runs = 0;
    for summary in history::runs(cx).list()?.into_iter().filter(|run| run.started_at_ms >= since_ms)
    {
        n_runs += 1;
        let opened = history::open_run(cx, summary.run.clone());
        let word = match (summary.outcome, &summary.problem) {
            (_, Some(_)) => "damaged",
            (Some(outcome), None) => outcome_word(outcome),
            (None, None) if summary.live => "running",
            (None, None) => "stopped",
        };
        *totals.outcomes.entry(word).or_default() += 1;
        // Writing to a string cannot fail.
        if n_runs <= MAX_LINES {
            let date = utc_time(summary.started_at_ms).unwrap_or_default();
            let date = date.get(..10).unwrap_or_default().to_owned();
            let _ = writeln!(
                runs,
                "- {date} `{}` {word}: {} ({}/{} tasks, ${:.4})",
                summary.run,
                one_line(&summary.goal),
                summary.n_done,
                summary.n_tasks,
                summary.usd
            );
        }
        for event in &opened.events {
            *totals.events.entry(group_of(&event.kind)).or_default() += 1;
        }
        for (model, bill) in project::<Spending>(&opened.events).by_model {
            let total = totals.models.entry(model).or_default();
            *total = (total.0 + bill.calls, total.1 + bill.usage.total(), total.2 + bill.usd);
        }
        for check in project::<Evidence>(&opened.events) {
            totals.n_checks += 1;
            totals.n_checks_passed += u64::from(check.passed);
        }
        for node in project::<RunStatus>(&opened.events).nodes {
            if node.state == NodeState::Failed && failures.lines().count() < MAX_LINES {
                let _ = writeln!(
                    failures,
                    "- `{}` {}: {}",
                    summary.run,
                    node.node,
                    one_line(&node.summary)
                );
            }
        }
    }
    let until = utc_time(now_ms).unwrap_or_default();
    let until = until.get(..10).unwrap_or_default();
    let text = render(until, days, n_runs, &totals, &runs, &failures);
    Ok(Digest { text, n_runs })
}

fn render(
    until: &str,
    days: u32,
    n_runs: usize,
    totals: &Totals,
    runs: &str,
    failures: &str,
) -> String {
    let mut text = format!("# Runs from {days} days before {until} on\n\n");
    if n_runs == 0 {
        text.push_str("There were no runs.\n");
        return text;
    }
    let outcomes: Vec<String> =
        totals.outcomes.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let runs_word = if n_runs == 1 { "run" } else { "runs" };
    let _ = writeln!(text, "{n_runs} {runs_word}: {}.", outcomes.join(", "));
    if totals.n_checks > 0 {
        let _ = writeln!(text, "{} of {} checks passed.", totals.n_checks_passed, totals.n_checks);
    }
    let _ = write!(text, "\n## Runs\n\n{runs}");
    if !failures.is_empty() {
        let _ = write!(text, "\n## Tasks that failed\n\n{failures}");
    }
    if !totals.models.is_empty() {
        text.push_str("\n## Models\n\n| model | calls | tokens | cost |\n|---|---|---|---|\n");
        for (model, (calls, tokens, usd)) in &totals.models {
            let _ = writeln!(
                text,
                "| {} | {calls} | {tokens} | ${usd:.4} |",
                one_line(model).replace('|', "\\|")
            );
        }
    }
    text.push_str("\n## Events\n\n| group | number |\n|---|---|\n");
    for (group, n) in &totals.events {
        let _ = writeln!(text, "| {group} | {n} |");
    }
    text
}

fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 160;
    printable(text.lines().next().unwrap_or_default()).chars().take(MAX_CHARS).collect()
}

fn group_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Run(_) => "run",
        EventKind::Node(_) => "node",
        EventKind::Model(_) => "model",
        EventKind::Tool(_) => "tool",
        EventKind::Human(_) => "human",
        EventKind::Workspace(_) => "workspace",
    }
}
