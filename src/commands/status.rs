//! `sage status`: where a run stands, live, finished, interrupted or damaged.

use sage_core::{Event, EventKind, Limits, RunEvent};
use sage_log::{
    Files, NodeState, Refusals, RunPhase, RunStatus, RunStatusView, Spending, SpendingView, project,
};
use serde_json::{Value, json};

use crate::cli::StatusArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::history::{self, OpenedRun, local_time};
use crate::ui::live::duration;
use crate::ui::{Ui, printable, style, table};

/// Prints it.
pub fn run(args: &StatusArgs, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, &args.run)?;
    let summary = history::summary(cx, &opened.run)?;
    let live = summary.as_ref().is_some_and(|summary| summary.live);
    let resumable = opened.problem.is_none() && summary.is_some_and(|summary| summary.resumable);
    let standing = Standing::of(opened, live, resumable);
    if args.output.json {
        ui.json(&standing.to_json());
    } else {
        standing.print(cx, ui);
    }
    Ok(ExitCode::Done)
}

/// All that is said about one run.
pub struct Standing {
    opened: OpenedRun,
    live: bool,
    resumable: bool,
    status: RunStatusView,
    spending: SpendingView,
    limits: Limits,
    /// Tasks of the plan that were not begun: id, role, description.
    pending: Vec<PlannedTask>,
}

/// A task as the plan has it.
struct PlannedTask {
    id: String,
    role: String,
    description: String,
}

impl Standing {
    /// Folds the events.
    pub fn of(opened: OpenedRun, live: bool, resumable: bool) -> Self {
        let status: RunStatusView = project::<RunStatus>(&opened.events);
        let spending = project::<Spending>(&opened.events);
        let planned = opened.plan().map(|plan| tasks_of(&plan)).unwrap_or_default();
        let pending = planned
            .into_iter()
            .filter(|task| !status.nodes.iter().any(|node| node.node.as_str() == task.id))
            .collect();
        let limits = limits_of(&opened.events);
        Self { opened, live, resumable, status, spending, limits, pending }
    }

    /// How it goes or went, in one or two words.
    pub fn word(&self) -> &'static str {
        match (self.status.outcome, self.live) {
            (_, true) => match self.status.phase {
                RunPhase::Planning => "planning",
                RunPhase::Reviewing => "waiting for a review of the plan",
                RunPhase::Executing | RunPhase::Finished => "running",
            },
            (Some(outcome), false) => outcome_word(outcome),
            (None, false) => "stopped without a word",
        }
    }

    fn to_json(&self) -> Value {
        let files = project::<Files>(&self.opened.events);
        let refusals = project::<Refusals>(&self.opened.events);
        let pending = |task: &PlannedTask| json!({ "node": task.id, "state": "pending", "role": task.role, "description": task.description });
        json!({
            "run": self.opened.run,
            "dir": self.opened.dir,
            "state": self.word(),
            "live": self.live,
            "resumable": self.resumable,
            "problem": self.opened.problem,
            "torn_tail_bytes": self.opened.torn_tail.map(|torn| torn.bytes),
            "status": self.status,
            "pending": self.pending.iter().map(pending).collect::<Vec<_>>(),
            "spending": self.spending,
            "limits": self.limits,
            "files": files,
            "refusals": refusals,
        })
    }

    fn print(&self, cx: &Context, ui: &Ui) {
        let status = &self.status;
        let goal = match (&self.opened.manifest, status.goal.as_str()) {
            (Some(manifest), "") => manifest.goal.clone(),
            (_, goal) => goal.to_owned(),
        };
        let word = match (self.status.outcome, self.live) {
            (_, true) => style::hint(self.word()),
            (Some(sage_core::RunOutcome::Succeeded | sage_core::RunOutcome::Planned), _) => {
                style::good(self.word())
            }
            _ => style::warning(self.word()),
        };
        let mut rows = vec![
            vec!["run".to_owned(), style::heading(&self.opened.run)],
            vec!["goal".to_owned(), printable(&goal).into_owned()],
            vec!["state".to_owned(), word],
        ];
        if !status.reason.is_empty() {
            rows.push(vec!["why".to_owned(), printable(&status.reason).into_owned()]);
        }
        if let Some(question) = &status.question {
            rows.push(vec!["asks".to_owned(), printable(question).into_owned()]);
        }
        if status.started_at_ms > 0 {
            let took = duration(status.last_at_ms.saturating_sub(status.started_at_ms));
            rows.push(vec![
                "when".to_owned(),
                format!("{}, for {took}", local_time(status.started_at_ms)),
            ]);
        }
        if !status.mode.is_empty() {
            rows.push(vec!["mode".to_owned(), status.mode.clone()]);
        }
        rows.push(vec!["spent".to_owned(), self.spent()]);
        rows.push(vec!["where".to_owned(), style::hint(cx.shown(&self.opened.dir))]);
        table::columns(&rows).iter().for_each(|line| ui.line(line));
        self.print_tasks(ui);
        for warning in &status.budget_warnings {
            ui.warn(printable(warning));
        }
        if let Some(torn) = self.opened.torn_tail {
            ui.warn(format!("the last line of the log is incomplete ({} bytes)", torn.bytes));
        }
        if let Some(problem) = &self.opened.problem {
            ui.warn(format!("the log is read only as far as it is whole: {}", printable(problem)));
        }
        if self.resumable {
            ui.hint(format!("`sage resume {}` goes on", self.opened.run));
        }
    }

    fn print_tasks(&self, ui: &Ui) {
        if self.status.nodes.is_empty() && self.pending.is_empty() {
            return;
        }
        let mut rows = Vec::new();
        for node in &self.status.nodes {
            let (word, style): (&str, fn(&str) -> String) = match node.state {
                NodeState::Running if self.live => ("running", |text| style::hint(text)),
                NodeState::Running => ("was running", |text| style::warning(text)),
                NodeState::Done => ("done", |text| style::good(text)),
                NodeState::Failed => ("failed", |text| style::error(text)),
                NodeState::Skipped => ("skipped", |text| style::warning(text)),
                NodeState::Interrupted => ("interrupted", |text| style::warning(text)),
            };
            let mut notes: Vec<String> = Vec::new();
            if let Some(because) = &node.because {
                notes.push(format!("because of {because}"));
            }
            if let (Some(phase), NodeState::Running) = (node.phase, node.state) {
                notes.push(format!("{phase:?}").to_lowercase());
            }
            if node.attempt > 1 {
                notes.push(format!("attempt {}", node.attempt));
            }
            if !node.summary.is_empty() {
                notes.push(printable(node.summary.lines().next().unwrap_or_default()).into_owned());
            }
            rows.push(vec![
                format!("  {}", node.node),
                style(word),
                duration(node.duration_ms),
                node.model.clone().unwrap_or_default(),
                notes.join(", "),
            ]);
        }
        for task in &self.pending {
            let description =
                printable(task.description.lines().next().unwrap_or_default()).into_owned();
            rows.push(vec![
                format!("  {}", printable(&task.id)),
                style::faint("pending"),
                String::new(),
                task.role.clone(),
                description,
            ]);
        }
        ui.line("");
        table::columns(&rows).iter().for_each(|line| ui.line(line));
    }

    /// What was spent, against what the run may spend.
    fn spent(&self) -> String {
        let total = &self.spending.total;
        let of =
            |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let scripted = if total.scripted_calls > 0 { " (scripted answers)" } else { "" };
        format!(
            "{}{} calls{scripted}, {}{} tokens, ${:.4}{}",
            total.calls,
            of(self.limits.calls.map(|n| n.to_string())),
            total.usage.total(),
            of(self.limits.tokens.map(|n| n.to_string())),
            total.usd,
            of(self.limits.usd.map(|usd| format!("${usd}"))),
        )
    }
}

/// The tasks of a plan.
fn tasks_of(plan: &Value) -> Vec<PlannedTask> {
    let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
    let task = |node: &Value| PlannedTask {
        id: text(node, "id"),
        role: text(node, "assigned_agent"),
        description: text(node, "description"),
    };
    plan["nodes"].as_array().map(|nodes| nodes.iter().map(task).collect()).unwrap_or_default()
}

/// What the run may spend, as its first event says.
fn limits_of(events: &[Event]) -> Limits {
    match events.first().map(|event| &event.kind) {
        Some(EventKind::Run(RunEvent::Started { options, .. })) => {
            serde_json::from_value(options["limits"].clone()).unwrap_or(Limits::NONE)
        }
        _ => Limits::NONE,
    }
}

/// How a run ended, in words.
pub fn outcome_word(outcome: sage_core::RunOutcome) -> &'static str {
    use sage_core::RunOutcome;
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Rejected => "rejected",
        RunOutcome::Planned => "planned",
        RunOutcome::ModelUnavailable => "no model could be reached",
        RunOutcome::OutOfBudget => "out of budget",
        RunOutcome::Interrupted => "interrupted",
        RunOutcome::Errored => "ended by an error",
    }
}
