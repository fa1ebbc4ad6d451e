//! `sage resume`: take an interrupted run up where its log ends.

use std::sync::Arc;

use sage_coder::Mode;
use sage_core::Decider;
use sage_log::Runs;

use super::run::{Show, finish, form};
use crate::app::{
    Interrupts, Pipeline, Who, answer_check, block_on, changed_limits, load_models, policy,
};
use crate::cli::{LimitArgs, ModelArgs, ResumeArgs, RuleArgs};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::panic_report;
use crate::settings::Flags;
use crate::ui::Ui;
use crate::ui::live::Live;

/// Runs the command.
pub fn run(args: &ResumeArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let show = Show {
        json: args.output.json,
        explain_routing: false,
        last_message: None,
        next_steps: true,
    };
    take_up(&args.run, &args.models, &args.limits, &args.rules, &show, cx, ui)
}

/// Takes up the run that `wanted` names.
pub fn take_up(
    wanted: &str,
    models: &ModelArgs,
    limits: &LimitArgs,
    rules: &RuleArgs,
    show: &Show<'_>,
    cx: &Context,
    ui: &Arc<Ui>,
) -> Outcome {
    let mut flags = Flags::default();
    models.flags(&mut flags);
    limits.flags(&mut flags);
    let settings = crate::app::settings(cx, &flags)?;
    let runs = Runs::new(cx.runs());
    let run = runs.resolve(wanted).map_err(|error| Failure::new(error.kind(), error))?;
    let loaded =
        sage_log::read_run(&runs.dir(&run)).map_err(|error| Failure::new(error.kind(), error))?;
    let options = sage_coder::options_of(&loaded.events).map_err(Failure::config)?;
    if let Some(torn) = &loaded.torn_tail {
        ui.warn(format!("the last line of the log (line {}) was torn and is dropped", torn.line));
    }
    let who = match options.mode {
        Mode::Silent => Who::Nobody(Decider::Mode),
        Mode::Research if cx.env.is_on("SAGE_NON_INTERACTIVE") => Who::Nobody(Decider::Environment),
        _ if cx.is_interactive() => Who::Person,
        Mode::Auto => Who::Nobody(Decider::Mode),
        Mode::Research if sage_coder::is_approved(&loaded.events) => Who::Nobody(Decider::Mode),
        Mode::Research => {
            return Err(Failure::usage("the plan of this run is not approved yet, and there is no terminal to review it at")
                .hint("resume it at a terminal, or start it over with `--auto`"));
        }
    };
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), form(show.json, show.explain_routing));
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let models = load_models(cx, &settings, models)?;
    let mut wiring = pipeline.wiring(who, Some(&models))?;
    let rules: Vec<String> = options.rules.iter().cloned().chain(rules.texts()).collect();
    wiring.policy = Arc::new(policy(cx, &rules)?);
    wiring.check_answer = options.output_schema.as_ref().map(answer_check).transpose()?;
    panic_report::note_log(runs.dir(&run));
    let ended = block_on(sage_coder::resume(&wiring, &run, &changed_limits(limits)))?;
    live.finish();
    let end = ended.map_err(|error| Failure::new(error.kind(), error))?;
    finish(&end, &settings, show, ui)
}
