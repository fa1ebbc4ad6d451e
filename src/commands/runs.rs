//! `sage runs`: list, show, compare and remove recorded runs.

mod context;
mod diff;
mod prune;
mod show;
mod steps;

use sage_log::RunSummary;
use serde_json::{Value, json};

use super::status::outcome_word;
use crate::cli::{RunsArgs, RunsCommand};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::history::{self, local_time, utc_time};
use crate::ui::{Ui, printable, style, table};

/// Runs what was asked for.
pub fn run(args: RunsArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => list(args.output.json, cx, ui),
        Some(RunsCommand::List(output)) => list(output.json, cx, ui),
        Some(RunsCommand::Show(args)) if args.files => {
            steps::files(&args.run, args.output.json, cx, ui)
        }
        Some(RunsCommand::Show(args)) if args.context => {
            context::run(&args.run, args.output.json, cx, ui)
        }
        Some(RunsCommand::Show(args)) => match &args.diff {
            Some(step) => steps::diff(&args.run, step, args.output.json, cx, ui),
            None => show::run(&args.run, args.output.json, cx, ui),
        },
        Some(RunsCommand::Diff { a, b, output }) => diff::run(&a, &b, output.json, cx, ui),
        Some(RunsCommand::Prune(args)) => prune::run(&args, cx, ui),
    }
}

fn list(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let runs = history::runs(cx).list()?;
    if json {
        runs.iter().for_each(|run| ui.json(&summary_json(run)));
        return Ok(ExitCode::Done);
    }
    if runs.is_empty() {
        ui.note("there are no runs in this project");
        ui.hint("`sage run \"GOAL\"` starts one");
        return Ok(ExitCode::Done);
    }
    let row = |run: &RunSummary| {
        let tasks = if run.n_tasks == 0 {
            String::new()
        } else {
            format!("{}/{}", run.n_done, run.n_tasks)
        };
        vec![
            style::heading(&run.run),
            local_time(run.started_at_ms),
            state_of(run),
            tasks,
            format!("${:.4}", run.usd),
            shortened(&run.goal),
        ]
    };
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    table::columns(&rows).iter().for_each(|line| ui.line(line));
    for run in &runs {
        if let Some(problem) = &run.problem {
            ui.warn(format!("{}: {}", run.run, printable(problem)));
        }
    }
    Ok(ExitCode::Done)
}

fn state_of(run: &RunSummary) -> String {
    match (run.outcome, run.live, &run.problem) {
        (_, _, Some(_)) => style::error("damaged"),
        (_, true, _) => style::hint("running"),
        (
            Some(outcome @ (sage_core::RunOutcome::Succeeded | sage_core::RunOutcome::Planned)),
            ..,
        ) => style::good(outcome_word(outcome)),
        (Some(outcome), ..) => style::warning(outcome_word(outcome)),
        (None, false, None) => style::warning("stopped"),
    }
}

fn shortened(goal: &str) -> String {
    const MAX_CHARS: usize = 60;
    let line = printable(goal.lines().next().unwrap_or_default()).into_owned();
    if line.chars().count() <= MAX_CHARS && goal.lines().nth(1).is_none() {
        return line;
    }
    line.chars().take(MAX_CHARS - 1).chain("…".chars()).collect()
}

/// One run of a list, for programs.
pub fn summary_json(run: &RunSummary) -> Value {
    json!({
        "run": run.run,
        "goal": run.goal,
        "started_at": utc_time(run.started_at_ms),
        "ended_at": run.ended_at_ms.and_then(utc_time),
        "outcome": run.outcome,
        "resumable": run.resumable,
        "live": run.live,
        "n_tasks": run.n_tasks,
        "n_done": run.n_done,
        "n_failed": run.n_failed,
        "usd": run.usd,
        "problem": run.problem,
    })
}
