//! `sage context`: what a first request in this project would be made of, role by role.

use std::sync::Arc;

use sage_coder::{Mode, Preview};
use sage_core::{AgentRole, ContextUse, Decider};
use serde_json::json;

use crate::app::{Interrupts, Pipeline, Who, block_on, load_models, new_run_id};
use crate::cli::ContextArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::Flags;
use crate::ui::live::{Form, Live};
use crate::ui::{Ui, style, table};

/// The roles that a run may have, in the order of a run.
const ROLES: [AgentRole; 7] = [
    AgentRole::Planner,
    AgentRole::Architect,
    AgentRole::Coder,
    AgentRole::TestEngineer,
    AgentRole::Documentation,
    AgentRole::Reviewer,
    AgentRole::Debugger,
];

/// Prints it. No model is asked, nothing is written to the project.
pub fn run(args: &ContextArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let mut flags = Flags::default();
    args.models.flags(&mut flags);
    let settings = crate::app::settings(cx, &flags)?;
    let models = load_models(cx, &settings, &args.models)?;
    let roles = match args.role {
        Some(role) if !ROLES.contains(&role) => {
            let known: Vec<&str> = ROLES.iter().map(|role| role.as_str()).collect();
            return Err(Failure::usage(format!("a run has no conversation of the role {role}"))
                .hint(format!("roles with conversations are {}", known.join(", "))));
        }
        Some(role) => vec![role],
        None => ROLES.to_vec(),
    };
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), Form::Lines { explain_routing: false });
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let wiring = pipeline.wiring(Who::Nobody(Decider::Mode), Some(&models))?;
    let options = pipeline.options(args.goal.clone().unwrap_or_default(), Mode::Auto);
    let id = new_run_id()?;
    let work = sage_coder::preview(&wiring, &id, options, &roles, &args.files);
    let previews = block_on(work)?.map_err(|error| Failure::new(error.kind(), error))?;
    live.finish();
    if args.output.json {
        for Preview { role, model, context } in previews {
            ui.json(&json!({
                "role": role, "model": model, "context": context, "prompt": context.prompt(),
                "overhead": context.overhead(),
            }));
        }
        return Ok(ExitCode::Done);
    }
    let mut rows = vec![heading()];
    rows.extend(previews.iter().map(row));
    table::columns(&rows).iter().for_each(|line| ui.line(line));
    ui.note("estimated tokens; overhead is system and tools, what is read before the first word of the task");
    Ok(ExitCode::Done)
}

fn heading() -> Vec<String> {
    let sections = ContextUse::SECTIONS.into_iter().filter(|name| *name != "history");
    let names = ["role", "model", "overhead"].into_iter().chain(sections);
    names.chain(["prompt", "of window"]).map(style::heading).collect()
}

fn row(preview: &Preview) -> Vec<String> {
    let Preview { role, model, context } = preview;
    let mut row = vec![role.to_string(), style::hint(model), context.overhead().to_string()];
    let [system, rules, tools, task, memory, files, _] = context.sections();
    row.extend([system, rules, tools, task, memory, files].map(|n| n.to_string()));
    let prompt = context.prompt();
    row.push(prompt.to_string());
    let share = prompt.saturating_mul(1000).div_ceil(context.window.max(1));
    row.push(format!("{}.{} % of {}", share / 10, share % 10, context.window));
    row
}
