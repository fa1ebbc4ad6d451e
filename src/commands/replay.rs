//! `sage replay`: a recorded run again, with its recorded answers.

use std::sync::Arc;

use sage_core::Decider;
use sage_log::Runs;

use crate::app::{Interrupts, Pipeline, Who, answer_check, block_on, load_models, policy};
use crate::cli::{ModelArgs, ReplayArgs};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::Flags;
use crate::ui::Ui;
use crate::ui::live::{Form, Live};
use crate::ui::printable;

/// Runs the command.
pub fn run(args: &ReplayArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let settings = crate::app::settings(cx, &Flags::default())?;
    let run = Runs::new(cx.runs())
        .resolve(&args.run)
        .map_err(|error| Failure::new(error.kind(), error))?;
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), Form::Lines { explain_routing: false });
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let mut wiring = pipeline.wiring(Who::Nobody(Decider::Mode), None)?;
    let loaded = sage_log::read_run(&Runs::new(cx.runs()).dir(&run))
        .map_err(|error| Failure::new(error.kind(), error))?;
    let options = sage_coder::options_of(&loaded.events).map_err(Failure::config)?;
    wiring.policy = Arc::new(policy(cx, &options.rules)?);
    wiring.check_answer = options.output_schema.as_ref().map(answer_check).transpose()?;
    let models = load_models(cx, &settings, &ModelArgs::default())?;
    let replayed = block_on(sage_coder::replay(&wiring, &run, &models.config))?;
    live.finish();
    let replay = replayed.map_err(|error| Failure::new(error.kind(), error))?;
    if args.output.json {
        ui.json(&replay);
    } else if replay.is_same() {
        ui.line(format!("same: {} events and every file as recorded in {run}", replay.n_events));
    } else {
        if let Some(first) = replay.differences.first() {
            let at = first.seq.map(|seq| format!(" (log #{seq})")).unwrap_or_default();
            let field =
                if first.field.is_empty() { String::new() } else { format!(", {}", first.field) };
            ui.line(format!("first difference: {}{field}{at}", first.event));
            ui.line(format!("  recorded: {}", indent(&first.recorded)));
            ui.line(format!("  replayed: {}", indent(&first.replayed)));
            let more = replay.differences.len() - 1;
            if more > 0 {
                ui.line(format!("and {more} more difference(s) after it (`--json` lists them)"));
            }
        }
        for path in &replay.files {
            ui.line(format!("differs at the end: {path}"));
        }
    }
    Ok(if replay.is_same() { ExitCode::Done } else { ExitCode::Failed })
}

fn indent(text: &str) -> String {
    printable(text).lines().collect::<Vec<_>>().join("\n            ")
}
