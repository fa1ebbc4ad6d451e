//! `sage runs diff A B`: what differs between two runs.

use std::collections::BTreeSet;

use sage_log::{Files, NodeStatus, RunStatus, Spending, project};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::history::{self, OpenedRun};
use crate::ui::live::duration;
use crate::ui::{Ui, printable, style, table};

/// One line of the comparison.
struct Row {
    what: String,
    a: Value,
    b: Value,
}

/// Prints it.
pub fn run(a: &str, b: &str, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let (a, b) = (history::open(cx, a)?, history::open(cx, b)?);
    let rows = compare(&a, &b);
    if json {
        for row in &rows {
            ui.json(&json!({ "what": row.what, "a": row.a, "b": row.b, "same": row.a == row.b }));
        }
        return Ok(ExitCode::Done);
    }
    let mut lines = vec![vec![String::new(), style::heading(&a.run), style::heading(&b.run)]];
    let differing: Vec<&Row> = rows.iter().filter(|row| row.a != row.b).collect();
    for row in &differing {
        lines.push(vec![
            row.what.clone(),
            style::warning(shown(&row.a)),
            style::warning(shown(&row.b)),
        ]);
    }
    table::columns(&lines).iter().for_each(|line| ui.line(line));
    let n_same = rows.len() - differing.len();
    ui.note(format!("{} of {} compared values are the same", n_same, rows.len()));
    for opened in [&a, &b] {
        if let Some(problem) = &opened.problem {
            ui.warn(format!(
                "{} is read only as far as it is whole: {}",
                opened.run,
                printable(problem)
            ));
        }
    }
    Ok(ExitCode::Done)
}

fn compare(a: &OpenedRun, b: &OpenedRun) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |what: &str, a: Value, b: Value| rows.push(Row { what: what.to_owned(), a, b });

    let (status_a, status_b) = (project::<RunStatus>(&a.events), project::<RunStatus>(&b.events));
    add("goal", json!(status_a.goal), json!(status_b.goal));
    add("mode", json!(status_a.mode), json!(status_b.mode));
    add("outcome", json!(status_a.outcome), json!(status_b.outcome));
    let took = |status: &sage_log::RunStatusView| {
        json!(duration(status.last_at_ms.saturating_sub(status.started_at_ms)))
    };
    add("time", took(&status_a), took(&status_b));
    add("plan", json!(status_a.plan), json!(status_b.plan));

    let (spent_a, spent_b) = (project::<Spending>(&a.events), project::<Spending>(&b.events));
    add("calls", json!(spent_a.total.calls), json!(spent_b.total.calls));
    add("tokens", json!(spent_a.total.usage.total()), json!(spent_b.total.usage.total()));
    add(
        "cost",
        json!(format!("${:.4}", spent_a.total.usd)),
        json!(format!("${:.4}", spent_b.total.usd)),
    );
    let models: BTreeSet<&String> =
        spent_a.by_model.keys().chain(spent_b.by_model.keys()).collect();
    for model in models {
        let calls = |spent: &sage_log::SpendingView| {
            json!(spent.by_model.get(model).map_or(0, |bill| bill.calls))
        };
        add(&format!("calls of {model}"), calls(&spent_a), calls(&spent_b));
    }

    let ids: BTreeSet<_> =
        status_a.nodes.iter().chain(&status_b.nodes).map(|node| &node.node).collect();
    for id in ids {
        let state = |nodes: &[NodeStatus]| {
            nodes.iter().find(|node| node.node == *id).map(|node| node.state)
        };
        add(&format!("task {id}"), json!(state(&status_a.nodes)), json!(state(&status_b.nodes)));
    }

    let (files_a, files_b) = (project::<Files>(&a.events), project::<Files>(&b.events));
    let paths: BTreeSet<&String> =
        files_a.files.iter().chain(&files_b.files).map(|file| &file.path).collect();
    for path in paths {
        let after = |files: &sage_log::FilesView| {
            let file = files.files.iter().find(|file| file.path == *path);
            json!(file.map(|file| match &file.after {
                Some(state) => format!(
                    "+{} -{} ({})",
                    file.lines_added,
                    file.lines_removed,
                    &state.hash.as_str()[..8]
                ),
                None => "deleted".to_owned(),
            }))
        };
        add(&format!("file {path}"), after(&files_a), after(&files_b));
    }
    rows
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text.lines().next().unwrap_or_default()).into_owned(),
        other => other.to_string(),
    }
}
