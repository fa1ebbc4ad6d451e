//! `sage runs show RUN`: tasks, files, checks, models, refusals and decisions of one run.

use sage_core::CheckKind;
use sage_log::{
    Check, Decisions, Evidence, Files, Refusals, RunStatus, Spending, TestsWorth, project,
};
use serde_json::json;

use crate::commands::status::outcome_word;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::history::{self, OpenedRun, local_time, utc_time};
use crate::ui::live::duration;
use crate::ui::{Ui, printable, style, table};

/// Prints it.
pub fn run(wanted: &str, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, wanted)?;
    if json {
        let events = &opened.events;
        ui.json(&json!({
            "run": opened.run,
            "dir": opened.dir,
            "problem": opened.problem,
            "sage_version": opened.manifest.as_ref().map(|manifest| &manifest.sage_version),
            "started_at": events.first().and_then(|event| utc_time(event.at_ms)),
            "ended_at": events.last().and_then(|event| utc_time(event.at_ms)),
            "n_events": events.len(),
            "status": project::<RunStatus>(events),
            "files": project::<Files>(events),
            "checks": project::<Evidence>(events),
            "tests": project::<TestsWorth>(events),
            "spending": project::<Spending>(events),
            "refusals": project::<Refusals>(events),
            "decisions": project::<Decisions>(events),
        }));
    } else {
        print(&opened, cx, ui);
    }
    Ok(ExitCode::Done)
}

fn print(opened: &OpenedRun, cx: &Context, ui: &Ui) {
    let events = &opened.events;
    let status = project::<RunStatus>(events);
    let goal = match &opened.manifest {
        Some(manifest) if status.goal.is_empty() => manifest.goal.clone(),
        _ => status.goal.clone(),
    };
    ui.line(style::heading(&opened.run));
    ui.line(printable(&goal));
    let outcome = status.outcome.map_or("not finished", outcome_word);
    let took = duration(status.last_at_ms.saturating_sub(status.started_at_ms));
    ui.line(format!(
        "{outcome}, {}, {took}, in {}",
        local_time(status.started_at_ms),
        style::hint(cx.shown(&opened.dir))
    ));
    if !status.reason.is_empty() {
        ui.line(printable(&status.reason));
    }

    let task = |node: &sage_log::NodeStatus| {
        vec![
            format!("  {}", node.node),
            format!("{:?}", node.state).to_lowercase(),
            duration(node.duration_ms),
            first_line(&node.summary),
        ]
    };
    section("Tasks", status.nodes.iter().map(task).collect(), ui);

    let files = project::<Files>(events);
    let file = |file: &sage_log::ChangedFile| {
        vec![
            format!("  {}", printable(&file.path)),
            format!("{:?}", file.kind).to_lowercase(),
            format!("+{} -{}", file.lines_added, file.lines_removed),
        ]
    };
    section("Files", files.files.iter().map(file).collect(), ui);

    let check = |check: &Check| {
        let passed = match (check.kind, check.passed) {
            (CheckKind::Counter, _) => style::faint("tried"),
            (_, true) => style::good("passed"),
            (_, false) => style::error("failed"),
        };
        let tests = check.n_tests.map(|n| format!("{n} tests")).unwrap_or_default();
        vec![
            format!("  {}", check.node),
            passed,
            duration(check.duration_ms),
            format!("`{}`", first_line(&check.command)),
            tests,
            first_line(&check.reason),
        ]
    };
    section("Checks", project::<Evidence>(events).iter().map(check).collect(), ui);

    let tests = project::<TestsWorth>(events);
    let weighed = |weighed: &sage_log::Weighed| {
        let words = weighed.worth.words();
        vec![
            format!("  {}", weighed.node),
            printable(&weighed.subject).into_owned(),
            if weighed.worth.is_shown() { style::good(words) } else { style::warning(words) },
            format!("#{}", weighed.seq),
            first_line(&weighed.detail),
        ]
    };
    section("Tests", tests.weighed.iter().map(weighed).collect(), ui);
    let flag = |flag: &sage_log::Flag| {
        let word = format!("{:?}", flag.finding.severity).to_lowercase();
        vec![
            format!("  {}", flag.node),
            if flag.counts_against { style::error(word) } else { style::warning(word) },
            format!("#{}", flag.seq),
            first_line(&flag.finding.text()),
        ]
    };
    section("Flags", tests.flags.iter().map(flag).collect(), ui);

    let spending = project::<Spending>(events);
    let bill = |name: &str, bill: &sage_log::Bill| {
        vec![
            format!("  {name}"),
            format!("{} calls", bill.calls),
            format!("{} tokens in, {} out", bill.usage.input, bill.usage.output),
            format!("${:.4}", bill.usd),
        ]
    };
    section(
        "Models",
        spending.by_model.iter().map(|(model, of)| bill(&printable(model), of)).collect(),
        ui,
    );
    section(
        "Roles",
        spending.by_role.iter().map(|(role, of)| bill(role.as_str(), of)).collect(),
        ui,
    );

    let refused = |refusal: &sage_log::Refusal| {
        vec![
            format!("  {}", refusal.call.node),
            printable(&refusal.tool).into_owned(),
            first_line(&refusal.summary),
            first_line(&refusal.reason),
        ]
    };
    section("Refused", project::<Refusals>(events).iter().map(refused).collect(), ui);
    if let Some(problem) = &opened.problem {
        ui.warn(format!("the log is read only as far as it is whole: {}", printable(problem)));
    }
}

fn section(name: &str, rows: Vec<Vec<String>>, ui: &Ui) {
    if rows.is_empty() {
        return;
    }
    ui.line("");
    ui.line(style::heading(name));
    table::columns(&rows).iter().for_each(|line| ui.line(line));
}

fn first_line(text: &str) -> String {
    printable(text.lines().next().unwrap_or_default()).into_owned()
}
