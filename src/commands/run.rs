//! `sage run`: a goal becomes a plan, the plan a verified change.

use std::path::Path;
use std::sync::Arc;

use sage_coder::{Commit, Detail, Form, Mode, RunEnd};
use sage_core::{Decider, RunId};
use sage_log::Runs;
use sage_model::ModelsConfig;
use sage_tool::PathSet;
use serde_json::Value;

use super::resume;
use crate::app::{
    Interrupts, Models, ModelsSource, Pipeline, Who, answer_check, block_on, load_models,
    new_run_id, policy, routing_record,
};
use crate::cli::RunArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::panic_report;
use crate::session;
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::live::{self, Live};

/// Runs the command.
pub fn run(args: &RunArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let show = Show {
        json: args.output.json,
        explain_routing: args.explain_routing,
        last_message: args.output_last_message.as_deref(),
        next_steps: true,
    };
    if let Some(run) = &args.resume {
        return resume::take_up(run, &args.models, &args.limits, &args.rules, &show, cx, ui);
    }
    let settings = crate::app::settings(cx, &args.flags())?;
    PathSet::new(&args.include).map_err(|error| Failure::usage(format!("--include: {error}")))?;
    let mode = mode(&settings);
    let who = who(args, mode, cx)?;
    let goal = goal(args)?;
    if let Some(run) = same_goal_interrupted(args, &goal, &settings, cx) {
        ui.note(format!(
            "taking up the interrupted run {run} of this goal (`--fresh` starts over)"
        ));
        let run = run.as_str();
        return resume::take_up(run, &args.models, &args.limits, &args.rules, &show, cx, ui);
    }
    let schema = args.output_schema.as_deref().map(read_schema).transpose()?;
    args.output_last_message.as_deref().map_or(Ok(()), check_writable)?;
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), form(args.output.json, args.explain_routing));
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let models = load_models(cx, &settings, &args.models)?;
    let mut wiring = pipeline.wiring(who, Some(&models))?;
    wiring.policy = Arc::new(policy(cx, &args.rules.texts())?);
    wiring.check_answer = schema.as_ref().map(answer_check).transpose()?;
    warn_about_keys(&models, cx, ui);
    let plan_file = args.plan.as_deref().map(read_plan).transpose()?;
    let own_goal = plan_file.as_ref().and_then(|(_, text)| goal_of_plan(text));
    let goal = if goal.is_empty() { own_goal.unwrap_or_default() } else { goal };
    let mut options = pipeline.options(goal, mode);
    options.plan_only = args.plan_only;
    options.dry_run = args.dry_run;
    options.in_worktree = args.worktree;
    options.commit = (args.commit || args.branch.is_some())
        .then(|| Commit { branch: args.branch.clone(), base: None });
    options.plan_file = plan_file;
    options.include.clone_from(&args.include);
    // Only a person can answer questions.
    options.clarify &= who == Who::Person && mode == Mode::Research;
    options.output_schema = schema;
    options.rules = args.rules.texts();
    options.routing = routing_record(&settings, &args.models);
    sage_coder::prepare_state(&wiring.state_dir)
        .map_err(|error| Failure::new(error.kind(), error))?;
    options.session_id = Some(session::current_or_new(cx)?.to_string());
    let id = new_run_id()?;
    panic_report::note_log(Runs::new(cx.runs()).dir(&id));
    let ended = block_on(sage_coder::start(&wiring, id, options))?;
    live.finish();
    let end = ended.map_err(|error| Failure::new(error.kind(), error))?;
    finish(&end, &settings, &show, ui)
}

/// What of a run's end is shown, and where.
pub struct Show<'a> {
    /// Events were printed as JSON; the report is one of the views of them.
    pub json: bool,
    /// Print why each model was chosen.
    pub explain_routing: bool,
    /// Where the final answer goes.
    pub last_message: Option<&'a Path>,
    /// Whether the project stays, so that there are next steps.
    pub next_steps: bool,
}

/// Prints the report and gives the exit code.
pub fn finish(end: &RunEnd, settings: &Settings, show: &Show<'_>, ui: &Ui) -> Outcome {
    let detail = match settings.run_output() {
        "debug" => Detail::Debug,
        "full" => Detail::Full,
        _ => Detail::Summary,
    };
    if !show.json {
        let form = Form { detail, width: ui.width, next_steps: show.next_steps };
        ui.text(sage_coder::render(&end.report, form));
        if show.explain_routing && detail < Detail::Debug && !end.report.routing.is_empty() {
            ui.line(format!("Routing\n  {}", end.report.routing.join("\n  ")));
        }
    }
    if let Some(path) = show.last_message {
        let message = match &end.report.answer {
            Some(answer) => format!("{answer}\n"),
            None => {
                let form = Form { detail: Detail::Summary, width: ui.width, next_steps: false };
                sage_coder::render(&end.report, form)
            }
        };
        std::fs::write(path, message).map_err(|error| {
            Failure::environment(format!("writing the final answer to {}", path.display()))
                .because(error)
        })?;
    }
    let code = ExitCode::of_number(end.report.exit_code);
    if let (Some(kind), Some(error)) = (end.kind, &end.error) {
        // The report says what happened; the hint says what to do.
        let failure = Failure::new(kind, anyhow::anyhow!("{}", error_chain(error)));
        ui.failure(&failure);
    }
    Ok(code)
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str("\n  ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// How a run is shown while it goes on.
pub const fn form(json: bool, explain_routing: bool) -> live::Form {
    if json { live::Form::Json } else { live::Form::Lines { explain_routing } }
}

/// The mode in effect.
pub fn mode(settings: &Settings) -> Mode {
    match settings.mode() {
        "auto" => Mode::Auto,
        "silent" => Mode::Silent,
        _ => Mode::Research,
    }
}

/// Who answers, or why nobody can.
fn who(args: &RunArgs, mode: Mode, cx: &Context) -> Result<Who, Failure> {
    match mode {
        Mode::Silent => Ok(Who::Nobody(Decider::Mode)),
        Mode::Auto if cx.is_interactive() => Ok(Who::Person),
        Mode::Auto => Ok(Who::Nobody(Decider::Mode)),
        Mode::Research if cx.env.is_on("SAGE_NON_INTERACTIVE") => {
            Ok(Who::Nobody(Decider::Environment))
        }
        Mode::Research if cx.is_interactive() => Ok(Who::Person),
        Mode::Research if args.plan_only => Ok(Who::Nobody(Decider::Mode)),
        Mode::Research => Err(Failure::usage(
            "a plan is to be reviewed, but there is no terminal to review it at",
        )
        .hint("`--auto` runs the plan without review, `--plan-only` stops after it")),
    }
}

fn goal(args: &RunArgs) -> Result<String, Failure> {
    match args.goal.as_deref().map(str::trim) {
        Some("") => Err(Failure::usage("the goal is empty")
            .hint("say what should be true afterwards: sage run \"Add a --json flag to list\"")),
        Some(goal) => Ok(goal.to_owned()),
        None => Ok(String::new()),
    }
}

/// The goal that a plan names itself, for a run that is given no other.
fn goal_of_plan(text: &str) -> Option<String> {
    let plan: Value = serde_json::from_str(text).ok()?;
    Some(plan.get("goal")?.as_str()?.trim().to_owned())
}

/// Finds out now, not after the work, that the final answer could not be written.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(Failure::usage(format!(
            "--output-last-message: there is no folder {}",
            folder.display()
        ))),
        _ if path.is_dir() => {
            Err(Failure::usage(format!("--output-last-message: {} is a folder", path.display())))
        }
        _ => Ok(()),
    }
}

/// A project's own models.yaml may come from somebody else: say where it sends a key.
fn warn_about_keys(models: &Models, cx: &Context, ui: &Ui) {
    let ModelsSource::Project(file) = &models.source else { return };
    for (name, provider) in models.config.providers() {
        let Some(key) = provider.api_key_env.as_deref().filter(|key| cx.env.get(key).is_some())
        else {
            continue;
        };
        let usual = ModelsConfig::built_in();
        let usual = usual.providers().get(name).map(|usual| &usual.base_url);
        if usual != Some(&provider.base_url) {
            ui.warn(format!(
                "{} sends the key in {key} to {} (provider {name})",
                cx.shown(file),
                provider.base_url
            ));
        }
    }
}

/// The last run, if it was interrupted on its way to the very same goal.
fn same_goal_interrupted(
    args: &RunArgs,
    goal: &str,
    settings: &Settings,
    cx: &Context,
) -> Option<RunId> {
    let commits = args.worktree || args.commit || args.branch.is_some();
    let plain = !commits && !args.fresh && !args.plan_only && !args.dry_run && args.plan.is_none();
    if !plain || goal.is_empty() || args.output_schema.is_some() {
        return None;
    }
    let last = Runs::new(cx.runs()).list().ok()?.into_iter().next()?;
    let takes_up = last.resumable && !last.live && last.goal == goal && last.problem.is_none();
    let started = sage_log::read_run(&Runs::new(cx.runs()).dir(&last.run)).ok()?;
    let options = sage_coder::options_of(&started.events).ok()?;
    let same = options.mode == mode(settings)
        && options.full == settings.full()
        && !sage_coder::is_undone(&started.events)
        && !options.dry_run
        && !options.in_worktree
        && options.commit.is_none()
        && !options.plan_only
        && options.include == args.include;
    (takes_up && same).then_some(last.run)
}

fn read_plan(path: &Path) -> Result<(String, String), Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("reading the plan {name}")).because(error))?;
    Ok((name, text))
}

fn read_schema(path: &Path) -> Result<Value, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("reading the schema {name}")).because(error))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("the schema {name} is not JSON")).because(error))
}
