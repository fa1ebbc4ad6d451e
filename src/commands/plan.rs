//! `sage plan`: show, check or draw a plan, without running it.

use std::path::PathBuf;

use sage_coder::Lanes;
use sage_coder::plan::draw::{self, Marks};
use sage_coder::plan::{Plan, cost};
use sage_core::{EventKind, RunEvent};
use sage_log::Runs;
use serde_json::json;

use crate::cli::{PlanArgs, PlanCommand, PlanFileArgs, PlanFormat};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::{Flags, Settings};
use crate::ui::{Ui, printable, style};

/// Runs the command.
pub fn run(args: &PlanArgs, cx: &Context, ui: &Ui) -> Outcome {
    let settings = crate::app::settings(cx, &Flags::default())?;
    match &args.command {
        None => show(&args.show, cx, &settings, ui),
        Some(PlanCommand::Show(which)) => show(which, cx, &settings, ui),
        Some(PlanCommand::Validate(which)) => validate(which, cx, &settings, ui),
        Some(PlanCommand::Render { plan, format }) => render(plan, *format, cx, &settings, ui),
    }
}

fn show(which: &PlanFileArgs, cx: &Context, settings: &Settings, ui: &Ui) -> Outcome {
    let (plan, notes) = read(which, cx, settings)?;
    if which.output.json {
        ui.json(&plan);
        return Ok(ExitCode::Done);
    }
    ui.line(format!("Goal: {}\n", printable(&plan.goal)));
    ui.line(printable(&draw::terminal(&plan, &Marks::NONE, ui.width)));
    ui.line(format!("\n{}", printable(&draw::contracts(&plan))));
    for note in notes {
        ui.line(format!("{} {}", style::warning("note:"), printable(&note)));
    }
    let worst = cost::worst_case(&plan, &settings.limits(), &|_| None);
    ui.line(format!("\nWorst case: {worst}"));
    Ok(ExitCode::Done)
}

fn validate(which: &PlanFileArgs, cx: &Context, settings: &Settings, ui: &Ui) -> Outcome {
    let (plan, notes) = read(which, cx, settings)?;
    if which.output.json {
        ui.json(&json!({"valid": true, "n_tasks": plan.nodes.len(), "notes": notes}));
        return Ok(ExitCode::Done);
    }
    for note in &notes {
        ui.line(format!("{} {}", style::warning("note:"), printable(note)));
    }
    ui.line(format!("valid: {} task(s)", plan.nodes.len()));
    Ok(ExitCode::Done)
}

fn render(
    which: &PlanFileArgs,
    format: PlanFormat,
    cx: &Context,
    settings: &Settings,
    ui: &Ui,
) -> Outcome {
    let (plan, _) = read(which, cx, settings)?;
    let text = match format {
        PlanFormat::Terminal => draw::terminal(&plan, &Marks::NONE, ui.width),
        PlanFormat::Mermaid => draw::mermaid(&plan, &Marks::NONE),
        PlanFormat::Dot => draw::dot(&plan, &Marks::NONE),
    };
    ui.line(printable(text.trim_end()));
    Ok(ExitCode::Done)
}

fn read(
    which: &PlanFileArgs,
    cx: &Context,
    settings: &Settings,
) -> Result<(Plan, Vec<String>), Failure> {
    let (name, text) = match &which.run {
        Some(run) => of_run(run, cx)?,
        None => of_file(which, cx)?,
    };
    let (turns, repairs) = (settings.turns(), settings.max_repairs());
    let lanes = Lanes::of_project(&cx.root, settings.lanes(), settings.max_parallel());
    sage_coder::read_checked(&cx.root, &name, &text, turns, repairs, lanes).map_err(|error| {
        Failure::new(error.kind(), error).hint("`docs/plans.md` describes every field")
    })
}

fn of_file(which: &PlanFileArgs, cx: &Context) -> Result<(String, String), Failure> {
    let path: PathBuf = match &which.file {
        Some(file) => cx.cwd.join(file),
        None => cx.sage("last_plan.json"),
    };
    let name = cx.shown(&path);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let failure = Failure::usage(format!("reading the plan {name}")).because(error);
        failure.hint("`sage run --plan-only \"GOAL\"` makes one")
    })?;
    Ok((name, text))
}

fn of_run(wanted: &str, cx: &Context) -> Result<(String, String), Failure> {
    let runs = Runs::new(cx.runs());
    let failed = |error: sage_log::Error| Failure::new(error.kind(), error);
    let run = runs.resolve(wanted).map_err(failed)?;
    let loaded = sage_log::read_run(&runs.dir(&run)).map_err(failed)?;
    let blob = loaded.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Run(RunEvent::Planned { plan, .. }) => Some(plan.clone()),
        _ => None,
    });
    let Some(blob) = blob else {
        return Err(Failure::usage(format!("run {run} has no plan")));
    };
    let bytes = sage_log::Payloads::of(&runs.dir(&run)).get(&blob).map_err(failed)?;
    Ok((format!("of run {run}"), String::from_utf8_lossy(&bytes).into_owned()))
}
