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
use sage_core::{
    CheckKind, Effect, ErrorKind, EventKind, NodeEvent, NodeId, NodeOutcome, NodePhase,
    WorkspaceEvent,
};
use sage_engine::NodeReport;
use sage_tool::{Grant, Network, PathSet, ToolCx};
use tokio_util::sync::CancellationToken;

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::plan::{Plan, Task};

mod bent;
mod briefing;
mod changes;
mod checks;
mod first_request;
mod implement;
mod merge;
mod review;
mod rollback;
mod weigh;

use changes::Changes;
pub(crate) use first_request::weigh_first_request;
use implement::Written;

/// Characters of a model's own words in a summary.
const MAX_SAID_CHARS: usize = 200;

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

    /// With what the model had said, where that was the opposite.
    fn after(self, boast: &str) -> Self {
        if boast.is_empty() {
            return self;
        }
        let summary = format!("{}; the model says: {boast} (claimed, not shown)", self.summary);
        Self { summary, ..self }
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
    /// The run with the work tree's own files, for a task in a lane.
    tree: Option<Arc<RunCx>>,
    merging: merge::Merging,
}

/// Runs one attempt and reports how it ended; failed attempts are rolled back.
pub async fn run(
    cx: Arc<RunCx>,
    plan: Arc<Plan>,
    id: &NodeId,
    attempt: u32,
    cancel: CancellationToken,
) -> NodeReport {
    let number = attempt;
    let Some(attempt) = Attempt::new(Arc::clone(&cx), plan, id, number, cancel) else {
        return report(NodeOutcome::Failed, Some(ErrorKind::Internal), format!("no task {id}"));
    };
    let attempt = match attempt.enter_lane().await {
        Ok(attempt) => attempt,
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            let interrupted = Some(ErrorKind::Interrupted);
            return report(NodeOutcome::Interrupted, interrupted, "interrupted".to_owned());
        }
        Err(error) => {
            cx.turns.end(&(id.clone(), number));
            let summary = format!("making its lane: {}", one_line(&error));
            return report(NodeOutcome::Failed, Some(error.kind()), summary);
        }
    };
    let ended = attempt.run().await;
    attempt.leave_lane(&ended);
    ended
}

/// Takes back what an attempt did that an earlier process left and nobody takes up again.
pub fn give_up(cx: Arc<RunCx>, plan: Arc<Plan>, id: &NodeId, attempt: u32) -> Result<()> {
    let cancel = cx.wiring.cancel.clone();
    let Some(attempt) = Attempt::new(cx, plan, id, attempt, cancel) else { return Ok(()) };
    let workspace = attempt.cx.workspace.clone();
    let _claim = workspace.claim(attempt.claimed());
    let done = attempt.roll_back(Some(ErrorKind::Rejected)).map(drop);
    attempt.leave_lane(&report(NodeOutcome::Failed, None, String::new()));
    done
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
        let merging = merge::Merging::default();
        Some(Self { cx, plan, task, number, calls, cancel, tree: None, merging })
    }

    /// Works, and takes back what a failure left.
    async fn run(&self) -> NodeReport {
        let workspace = self.cx.workspace.clone();
        let _claim = workspace.claim(self.claimed());
        let was_rolled_back = self.was_rolled_back();
        let (error, summary) = match self.work().await {
            // The engine counts nothing that comes after the time was up.
            _ if self.is_out_of_time() => (None, "out of time".to_owned()),
            Ok(_) if was_rolled_back => {
                (None, "an earlier process had begun to roll its changes back".to_owned())
            }
            Ok(summary) => return report(NodeOutcome::Done, None, summary),
            Err(Ended::Failed(failure)) => (None, failure.summary),
            Err(Ended::Broken(error)) => {
                let kind = error.kind();
                // What a later process can take up again keeps its changes, so that it finds them.
                if self.cx.wiring.cancel.is_cancelled() || kind == ErrorKind::Interrupted {
                    let interrupted = Some(ErrorKind::Interrupted);
                    return report(NodeOutcome::Interrupted, interrupted, "interrupted".to_owned());
                }
                if error.is_own_budget_of(&self.task.id) {
                    (Some(ErrorKind::Rejected), one_line(&error))
                } else if sage_engine::can_be_taken_up(Some(kind)) {
                    return report(NodeOutcome::Failed, Some(kind), one_line(&error));
                } else {
                    (Some(kind), one_line(&error))
                }
            }
        };
        let summary = match self.roll_back(error) {
            Ok(0) => summary,
            Ok(n) => format!("{summary} ({n} changed files rolled back)"),
            Err(problem) => format!("{summary}; rolling back failed: {}", one_line(&problem)),
        };
        report(NodeOutcome::Failed, error, summary)
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
        let mut last: Option<(Failure, Changes, Written)> = None;
        let mut boast = String::new();
        loop {
            let written = match &last {
                None => {
                    self.enter(NodePhase::Implement, repairs)?;
                    self.implement(&briefing).await?
                }
                Some((failure, changes, _)) => {
                    self.enter(NodePhase::Repair, repairs)?;
                    self.repair(&briefing, failure, changes, repairs).await?
                }
            };
            if claims_success(&written.summary) {
                boast = first_words(&written.summary);
            }
            let mut changes = self.changes().await?;
            let mut failure = self.judge(&briefing, &written, &changes, repairs).await?;
            if failure.is_none() && self.is_in_lane() {
                failure = self.merge(&briefing, repairs).await?;
                if failure.is_some() {
                    // The lane is up to date with the tree now.
                    changes = self.changes().await?;
                }
            }
            let Some(failure) = failure else {
                self.hand_over(&written.summary).await?;
                return Ok(self.done_summary(&written, &changes));
            };
            let failure = written.explain(failure);
            if !failure.repairable {
                return Err(Ended::Failed(failure.after(&boast)));
            }
            if let Some((before, then, last_written)) = &last
                && (before.is_same(&failure) || (last_written.has_looped && written.has_looped))
                && then.diff == changes.diff
            {
                let summary =
                    format!("{} (the same failure twice without a change)", failure.summary);
                let failure = Failure { summary, ..failure };
                return Err(Ended::Failed(failure.after(&boast)));
            }
            if repairs >= self.cx.options.max_repairs {
                let summary = format!("{} (after {repairs} repairs)", failure.summary);
                let failure = Failure { summary, ..failure };
                return Err(Ended::Failed(failure.after(&boast)));
            }
            repairs += 1;
            last = Some((failure, changes, written));
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
        if let Some(failure) = self.unresolved().await? {
            return Ok(Some(failure));
        }
        if let Some(failure) = self.check(briefing, written, changes).await? {
            return Ok(Some(failure));
        }
        let findings = self.compare_tests(changes, round).await?;
        if let Some(failure) = bent::failure(&findings) {
            return Ok(Some(failure));
        }
        if !findings.is_empty() || self.wants_review(changes) {
            self.enter(NodePhase::Review, round)?;
            if let Some(failure) = self.review(briefing, changes, &findings).await? {
                return Ok(Some(failure));
            }
        }
        if let Some(failure) = self.run_generated_tests(briefing, changes, round).await? {
            return Ok(Some(failure));
        }
        if let Some(failure) = self.verify(briefing, round).await? {
            return Ok(Some(failure));
        }
        self.weigh(briefing, changes, round).await
    }

    /// What was done, and apart from that what the model says about it.
    fn done_summary(&self, written: &Written, changes: &Changes) -> String {
        let said = self.said(written);
        let files = match changes.files.len() {
            0 => String::new(),
            1 => format!("{} changed", changes.files[0].path),
            n => format!("{n} files changed"),
        };
        match (said.is_empty(), files.is_empty()) {
            (true, _) => files,
            (false, true) => said,
            (false, false) => format!("{files}; {said}"),
        }
    }

    /// A model's words as such; empty where it said nothing.
    fn said(&self, written: &Written) -> String {
        let said = first_words(&written.summary);
        if said.is_empty() {
            return said;
        }
        // Success is what commands show. Who speaks of it without one has shown nothing.
        let empty = claims_success(&written.summary) && !self.is_shown();
        let remark = if empty { " (claimed, not shown)" } else { "" };
        format!("the model says: {said}{remark}")
    }

    /// Whether a command of this attempt has shown anything.
    fn is_shown(&self) -> bool {
        self.cx.log.events().iter().any(|event| {
            matches!(&event.kind, EventKind::Workspace(WorkspaceEvent::Checked {
                node, attempt, kind, passed: true, ..
            }) if *node == self.task.id
                && *attempt == self.number
                && !matches!(kind, CheckKind::Lint | CheckKind::Counter))
        })
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
            network: match self.cx.granted_hosts(&self.task.network) {
                hosts if hosts.is_empty() => Network::Off,
                hosts if hosts.iter().any(|host| host == "*") => Network::All,
                hosts => Network::Hosts(hosts),
            },
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

fn first_words(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().chars().take(MAX_SAID_CHARS).collect()
}

/// Whether a text says that tests pass, or that the result was verified.
fn claims_success(text: &str) -> bool {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    (has(&["test", "check", "suite", "build"]) && has(&["pass", "green", "succe"]))
        || has(&["verified", "works as expected", "everything works", "fully working"])
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
