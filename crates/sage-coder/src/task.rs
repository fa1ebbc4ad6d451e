//! One attempt of one task: implement, check, review, test, verify, and repair within bounds.
//!
//! This is ordinary control flow over journaled effects. Every fact it decides by comes from a model
//! call, a tool call or a gathered value, each with its [`sage_core::CallId`], so a resumed run walks
//! the same path again on the record until the record ends.
//!
//! A task is done only with evidence: it changed what it said, the result parses, generated tests
//! ran, and every acceptance command exited 0. What a model claims is never evidence. A failed attempt
//! leaves the files as it found them, unless the person asked to keep them.

use std::sync::Arc;

use sage_agent::CallCounter;
use sage_core::{Effect, ErrorKind, NodeEvent, NodeId, NodeOutcome, NodePhase};
use sage_engine::NodeReport;
use sage_tool::{Grant, PathSet, ToolCx};
use tokio_util::sync::CancellationToken;

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::plan::{Plan, Task};

mod briefing;
mod changes;
mod checks;
mod implement;
mod review;
mod rollback;

use changes::Changes;
use implement::Written;

/// Why an attempt is not done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    /// One line for the report.
    summary: String,
    /// What the repair sees.
    detail: String,
    /// Whether a repair could help.
    repairable: bool,
}

impl Failure {
    fn repairable(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { summary: summary.into(), detail: detail.into(), repairable: true }
    }

    /// Whether it says the same; times and addresses in an output differ each time.
    fn is_same(&self, other: &Self) -> bool {
        let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        words(&self.detail) == words(&other.detail)
    }
}

/// What every part of an attempt works with.
struct Attempt {
    cx: Arc<RunCx>,
    plan: Arc<Plan>,
    task: Task,
    number: u32,
    calls: CallCounter,
    cancel: CancellationToken,
}

/// Runs one attempt and reports how it ended; failed attempts are rolled back.
pub async fn run(
    cx: Arc<RunCx>,
    plan: Arc<Plan>,
    id: &NodeId,
    attempt: u32,
    cancel: CancellationToken,
) -> NodeReport {
    let Some(attempt) = Attempt::new(cx, plan, id, attempt, cancel) else {
        return report(NodeOutcome::Failed, Some(ErrorKind::Internal), format!("no task {id}"));
    };
    let workspace = attempt.cx.workspace.clone();
    let _claim = workspace.claim(attempt.claimed());
    let was_rolled_back = attempt.was_rolled_back();
    let (error, summary) = match attempt.work().await {
        // The engine counts nothing that comes after the time was up.
        _ if attempt.is_out_of_time() => (None, "out of time".to_owned()),
        Ok(_) if was_rolled_back => {
            (None, "an earlier process had begun to roll its changes back".to_owned())
        }
        Ok(summary) => return report(NodeOutcome::Done, None, summary),
        Err(Ended::Failed(failure)) => (None, failure.summary),
        Err(Ended::Broken(error)) => {
            let kind = error.kind();
            // What a later process can take up again keeps its changes, so that it finds them.
            if attempt.cx.wiring.cancel.is_cancelled() || kind == ErrorKind::Interrupted {
                let interrupted = Some(ErrorKind::Interrupted);
                return report(NodeOutcome::Interrupted, interrupted, "interrupted".to_owned());
            }
            if error.is_own_budget_of(&attempt.task.id) {
                (Some(ErrorKind::Rejected), one_line(&error))
            } else if sage_engine::can_be_taken_up(Some(kind)) {
                return report(NodeOutcome::Failed, Some(kind), one_line(&error));
            } else {
                (Some(kind), one_line(&error))
            }
        }
    };
    let summary = match attempt.roll_back(error) {
        Ok(0) => summary,
        Ok(n) => format!("{summary} ({n} changed files rolled back)"),
        Err(problem) => format!("{summary}; rolling back failed: {}", one_line(&problem)),
    };
    report(NodeOutcome::Failed, error, summary)
}

/// Takes back what an attempt did that an earlier process left and nobody takes up again.
pub fn give_up(cx: Arc<RunCx>, plan: Arc<Plan>, id: &NodeId, attempt: u32) -> Result<()> {
    let cancel = cx.wiring.cancel.clone();
    let Some(attempt) = Attempt::new(cx, plan, id, attempt, cancel) else { return Ok(()) };
    let workspace = attempt.cx.workspace.clone();
    let _claim = workspace.claim(attempt.claimed());
    attempt.roll_back(Some(ErrorKind::Rejected)).map(drop)
}

fn report(outcome: NodeOutcome, error: Option<ErrorKind>, summary: String) -> NodeReport {
    NodeReport { outcome, error, summary }
}

/// An attempt that is not done: it failed its checks, or something broke under it.
enum Ended {
    Failed(Failure),
    Broken(Error),
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl Attempt {
    /// `None` when the plan has no such task.
    fn new(
        cx: Arc<RunCx>,
        plan: Arc<Plan>,
        id: &NodeId,
        number: u32,
        cancel: CancellationToken,
    ) -> Option<Self> {
        let task = plan.task(id).cloned()?;
        let calls = CallCounter::new(task.id.clone(), number);
        Some(Self { cx, plan, task, number, calls, cancel })
    }

    /// The paths in which nobody else is at work.
    fn claimed(&self) -> PathSet {
        self.bounded(&self.task.paths).unwrap_or_else(|_| PathSet::none())
    }

    /// Whether the engine ends this attempt alone, and not the run.
    fn is_out_of_time(&self) -> bool {
        self.cancel.is_cancelled() && !self.cx.wiring.cancel.is_cancelled()
    }

    /// The loop. Ends with a one-line summary of what was done, or with why not.
    async fn work(&self) -> std::result::Result<String, Ended> {
        let briefing = self.brief().await?;
        let mut repairs = 0;
        let mut last: Option<(Failure, Changes)> = None;
        loop {
            let written = match &last {
                None => {
                    self.enter(NodePhase::Implement, repairs)?;
                    self.implement(&briefing).await?
                }
                Some((failure, changes)) => {
                    self.enter(NodePhase::Repair, repairs)?;
                    self.repair(&briefing, failure, changes, repairs).await?
                }
            };
            let changes = self.changes().await?;
            let failure = match self.judge(&briefing, &written, &changes, repairs).await? {
                None => {
                    self.hand_over(&written.summary).await?;
                    return Ok(self.done_summary(&written, &changes));
                }
                Some(failure) => failure,
            };
            if !failure.repairable {
                return Err(Ended::Failed(failure));
            }
            if let Some((before, then)) = &last
                && before.is_same(&failure)
                && then.diff == changes.diff
            {
                let summary =
                    format!("{} (the same failure twice without a change)", failure.summary);
                return Err(Ended::Failed(Failure { summary, ..failure }));
            }
            if repairs >= self.cx.options.max_repairs {
                let summary = format!("{} (after {repairs} repairs)", failure.summary);
                return Err(Ended::Failed(Failure { summary, ..failure }));
            }
            repairs += 1;
            last = Some((failure, changes));
        }
    }

    /// Everything that must hold before the task counts as done, cheapest first.
    async fn judge(
        &self,
        briefing: &briefing::Briefing,
        written: &Written,
        changes: &Changes,
        round: u32,
    ) -> Result<Option<Failure>> {
        self.enter(NodePhase::Check, round)?;
        if let Some(failure) = self.check(briefing, written, changes).await? {
            return Ok(Some(failure));
        }
        if self.wants_review(changes) {
            self.enter(NodePhase::Review, round)?;
            if let Some(failure) = self.review(briefing, changes).await? {
                return Ok(Some(failure));
            }
        }
        if let Some(failure) = self.run_generated_tests(briefing, changes, round).await? {
            return Ok(Some(failure));
        }
        self.verify(briefing, round).await
    }

    fn done_summary(&self, written: &Written, changes: &Changes) -> String {
        let said = written.summary.lines().next().unwrap_or_default().trim();
        let files = match changes.files.len() {
            0 => String::new(),
            1 => format!("{} changed", changes.files[0].path),
            n => format!("{n} files changed"),
        };
        match (said.is_empty(), files.is_empty()) {
            (true, _) => files,
            (false, true) => said.chars().take(200).collect(),
            (false, false) => format!("{files}: {}", said.chars().take(200).collect::<String>()),
        }
    }

    /// Records that the attempt moved on, once: a resumed attempt passes here again.
    fn enter(&self, phase: NodePhase, round: u32) -> Result<()> {
        let key = (self.task.id.clone(), self.number);
        let known =
            self.cx.past_phases.get(&key).is_some_and(|past| past.contains(&(phase, round)));
        if !known {
            let node = self.task.id.clone();
            let event = NodeEvent::EnteredPhase { node, attempt: self.number, phase, round };
            self.cx.emit(event)?;
        }
        Ok(())
    }

    /// What tools may do for the task as a whole.
    fn grant(&self) -> Result<Grant> {
        let tools = self.task.tools.as_ref();
        // Edits in a model's text are no call of a tool. Who was given none that writes may not
        // write in text either.
        let writes = |tool: &String| {
            let effect = self.cx.tools.effect(tool);
            matches!(effect, Some(Effect::Write | Effect::Execute))
        };
        let paths = match tools {
            Some(tools) if !tools.iter().any(writes) => PathSet::none(),
            _ => self.bounded(&self.task.paths)?,
        };
        Ok(Grant {
            paths,
            tools: tools.map(|tools| tools.iter().cloned().collect()),
            network: !self.task.network.is_empty(),
            read_only: false,
        })
    }

    /// These paths, as far as `--include` reaches.
    fn bounded(&self, paths: &[String]) -> Result<PathSet> {
        let paths = PathSet::new(paths)?;
        Ok(match self.cx.options.include.as_slice() {
            [] => paths,
            include => paths.within(PathSet::new(include)?),
        })
    }

    /// The same, for work that only reads.
    fn reading(&self) -> Result<Grant> {
        Ok(Grant { read_only: true, paths: PathSet::none(), ..self.grant()? })
    }

    fn tool_cx(&self, grant: Grant) -> ToolCx {
        self.cx.tool_cx(grant, self.cancel.clone())
    }
}

/// An error and its causes in one line.
fn one_line(error: &Error) -> String {
    let mut out = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        cause = inner.source();
    }
    out.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
