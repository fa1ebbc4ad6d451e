//! `sage undo`: put the files back into the state before a run.

use std::sync::Arc;

use sage_core::Decider;
use sage_log::Runs;
use serde_json::json;

use crate::app::{Interrupts, Pipeline, Who};
use crate::cli::UndoArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::Flags;
use crate::ui::Ui;
use crate::ui::live::{Form, Live};

/// Runs the command.
pub fn run(args: &UndoArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let settings = crate::app::settings(cx, &Flags::default())?;
    let run = Runs::new(cx.runs())
        .resolve(&args.run)
        .map_err(|error| Failure::new(error.kind(), error))?;
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), Form::Lines { explain_routing: false });
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let wiring = pipeline.wiring(Who::Nobody(Decider::Mode), None)?;
    let undone = sage_coder::undo(&wiring, &run, args.dry_run);
    live.finish();
    let undone = undone.map_err(|error| {
        let hint = "save your own version of these files elsewhere, restore them (`sage log` shows what the run wrote), then undo again";
        let failure = Failure::new(error.kind(), error);
        if failure.code == ExitCode::Rejected { failure.hint(hint) } else { failure }
    })?;
    if args.output.json {
        ui.json(&json!({
            "run": undone.run, "dry_run": args.dry_run,
            "restored": undone.restored, "not_covered": undone.not_covered,
        }));
        return Ok(ExitCode::Done);
    }
    let verb = if args.dry_run { "would restore" } else { "restored" };
    for path in &undone.restored {
        ui.line(format!("{verb} {path}"));
    }
    if undone.restored.is_empty() {
        ui.line(format!("nothing to restore: every file is as it was before {run}"));
    }
    for path in &undone.not_covered {
        ui.warn(format!("{path} was too large to save before the run; it was left as it is"));
    }
    Ok(ExitCode::Done)
}
