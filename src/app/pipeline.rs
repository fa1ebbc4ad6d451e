//! Wires the coder: from flags, settings and the environment to a [`Wiring`] and [`RunOptions`].

use std::sync::Arc;

use sage_coder::{AnswerCheck, Lanes, Mode, ModelFactory, RunOptions, Wiring};
use sage_core::{Clock as _, Decider, Interaction, Limits, RunId, Seq, Silent};
use sage_log::Redactor;
use sage_model::{ChatModel, Router};
use serde_json::{Value, json};

use super::{
    EditorProcess, Interrupts, Models, SystemClock, TerminalInteraction, child_environment,
    confine, policy, process_limits, providers, redactor, router_options, temp_folder,
};
use crate::cli::{LimitArgs, ModelArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::policy_file;
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::live::Live;

/// Who answers questions during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The person at the terminal.
    Person,
    /// Nobody; decisions are made in this name.
    Nobody(Decider),
}

/// What every command of the pipeline is built from.
pub struct Pipeline<'a> {
    /// Where we are.
    pub cx: &'a Context,
    /// Settings in effect.
    pub settings: &'a Settings,
    /// The terminal.
    pub ui: &'a Arc<Ui>,
    /// The live display.
    pub live: &'a Live,
    /// Ctrl-C.
    pub interrupts: &'a Interrupts,
}

impl Pipeline<'_> {
    /// The machine and the person, for the coder; without `models` for commands that ask none.
    pub fn wiring(&self, who: Who, models: Option<&Models>) -> Result<Wiring, Failure> {
        let cx = self.cx;
        let (child_env, refused) = child_environment(&cx.env, self.settings.tool_environment());
        for name in refused {
            self.ui.warn(format!(
                "`tools.environment` names {name}, which looks secret: it is not passed on"
            ));
        }
        let kill_after = cx.env.get("SAGE_FAULT_KILL_AFTER_SEQ").and_then(|seq| seq.parse().ok());
        Ok(Wiring {
            project: cx.root.clone(),
            state_dir: cx.sage(""),
            home: cx.home.clone(),
            temp: temp_folder(cx),
            clock: Arc::new(SystemClock),
            progress: self.live.sink(),
            interaction: self.interaction(who),
            approver: match who {
                Who::Person => Decider::Mode,
                Who::Nobody(by) => by,
            },
            policy: Arc::new(policy(cx, &[])?),
            child_env,
            sandbox: Arc::new(confine(cx, self.settings, self.ui)?),
            process: process_limits(self.settings),
            redactor: match models {
                Some(models) => redactor(cx, models),
                None => Redactor::new(cx.env.secret_values()),
            },
            kill_after: kill_after.map(Seq),
            models: match models {
                Some(models) => model_factory(cx, self.settings, models.clone()),
                None => no_models(),
            },
            lane_order: Vec::new(),
            check_answer: None,
            sage_version: env!("CARGO_PKG_VERSION").to_owned(),
            width: self.ui.width,
            cancel: self.interrupts.token().clone(),
        })
    }

    fn interaction(&self, who: Who) -> Arc<dyn Interaction> {
        match who {
            Who::Nobody(by) => Arc::new(Silent { by }),
            Who::Person => Arc::new(TerminalInteraction::new(
                Arc::clone(self.ui),
                Arc::new(EditorProcess::new(self.cx)),
                self.live.flusher(),
                self.cx.sage("last_plan.json"),
                policy_file::keeper(self.cx),
            )),
        }
    }

    /// What the settings say of a run; the caller adds what only its flags say.
    pub fn options(&self, goal: String, mode: Mode) -> RunOptions {
        let settings = self.settings;
        let verify = settings.get("run.verify").filter(|_| !settings.verify_commands().is_empty());
        RunOptions {
            goal,
            mode,
            full: settings.full(),
            plan_only: false,
            dry_run: false,
            overlay: None,
            in_worktree: false,
            worktree: None,
            commit: None,
            plan_file: None,
            include: Vec::new(),
            clarify: !settings.no_clarify(),
            max_parallel: settings.max_parallel(),
            lanes: Lanes::of_project(&self.cx.root, settings.lanes(), settings.max_parallel()),
            limits: settings.limits(),
            max_repairs: settings.max_repairs(),
            max_turns: settings.turns(),
            verify_timeout_s: settings.verify_timeout().as_secs(),
            verify: verify.map(|_| settings.verify_commands().to_vec()),
            keep_failed: settings.keep_failed(),
            rules_max_bytes: settings.rules_max_bytes(),
            output_schema: None,
            session_id: None,
            trace_id: self.cx.env.get("SAGE_TRACE_ID").map(str::to_owned),
            routing: Value::Null,
            rules: Vec::new(),
        }
    }
}

/// A new run's id: the time of its start in UTC, and a random ending against collisions.
pub fn new_run_id() -> Result<RunId, Failure> {
    let now_ms = i64::try_from(SystemClock.now_ms()).unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(now_ms)
        .map_err(|error| Failure::environment("reading the clock").because(error))?;
    let time = time.strftime("%Y%m%d-%H%M%S");
    let ending: String = std::iter::repeat_with(fastrand::alphanumeric).take(4).collect();
    RunId::new(format!("{time}-{}", ending.to_lowercase()))
        .map_err(|error| Failure::internal(format!("making a run id: {error}")))
}

/// The schema check for `--output-schema`.
pub fn answer_check(schema: &Value) -> Result<AnswerCheck, Failure> {
    let validator = jsonschema::validator_for(schema).map_err(|error| {
        Failure::usage(format!("--output-schema is not a usable JSON Schema: {error}"))
    })?;
    Ok(Arc::new(move |answer: &Value| {
        let errors: Vec<String> = validator
            .iter_errors(answer)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }))
}

/// Routing choices for the run's record.
pub fn routing_record(settings: &Settings, models: &ModelArgs) -> Value {
    json!({
        "profile": settings.profile(),
        "models": models.model.iter().map(|choice| format!("{}={}", choice.role, choice.model)).collect::<Vec<_>>(),
    })
}

/// Limits that the command line sets, over those of the run's start.
pub fn changed_limits(args: &LimitArgs) -> Limits {
    Limits {
        calls: args.max_calls,
        turns: args.max_turns,
        tokens: args.max_tokens,
        usd: args.max_cost,
        time_s: args.max_time.map(|time| time.as_secs()),
    }
}

/// Makes the router of a configuration once the run's log exists.
fn model_factory(cx: &Context, settings: &Settings, models: Models) -> ModelFactory {
    let cx = cx.clone();
    let options = router_options(settings);
    Arc::new(move |recorder, progress, past| {
        let providers = providers(&cx, &models)?;
        let config = models.config.clone();
        let router = Router::new(config, providers, recorder, progress, options.clone());
        for event in past {
            router.apply(event);
        }
        let model: Arc<dyn ChatModel> = Arc::new(router);
        Ok(model)
    })
}

/// For commands that never ask a model: making one is a fault of ours.
fn no_models() -> ModelFactory {
    Arc::new(|_, _, _| {
        let message = "this command uses no model".to_owned();
        Err(sage_core::RecordError { doing: message, source: None }.into())
    })
}
