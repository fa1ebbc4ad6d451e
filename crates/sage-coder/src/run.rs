//! The pipeline: open the log, make a plan, have it approved, execute, verify, report.
//!
//! [`start`] and [`resume`] differ only in how the log is opened; from there on the same code runs,
//! and what the log already has is not done again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sage_core::{
    Answer, ErrorKind, Event, EventKind, HumanEvent, Limits, NodeEvent, NodeId, PlanDecision,
    Question, Recorder, RunEvent, RunId, RunOutcome, WorkspaceEvent,
};
use sage_engine::{GraphOutcome, NodeReport, NodeRunner, OnFailure, Rules as EngineRules};
use sage_graph::NodeSpec;
use sage_log::{LogOptions, Manifest, RunLog, Runs};
use sage_model::{Budgeted, Ledger, Recorded};
use sage_tool::{Approvals, Covers, SnapshotStore, ToolRegistry, Workspace};
use tokio_util::sync::CancellationToken;

use crate::context::{RunCx, Wiring};
use crate::error::{Error, Result};
use crate::git::Git;
use crate::lane::{self, Turns};
use crate::options::{Lanes, Mode, RunOptions};
use crate::plan::Plan;
use crate::report::{self, Report};
use crate::state::ProjectLock;
use crate::undo::is_undone;
use crate::{answer, commit, hosts, overlay, planner, state, task, verify};

mod end;

pub use end::exit_code;
pub(crate) use end::is_resumable;
use end::{one_line, outcome_of, reason, stopped_by};

/// Paths that are named because a snapshot does not cover them.
const MAX_NOT_COVERED: usize = 1000;

/// How a run ended, for the caller's exit code and display.
#[derive(Debug)]
pub struct RunEnd {
    /// The run.
    pub run: RunId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// What sort of failure ended it, if one did.
    pub kind: Option<ErrorKind>,
    /// The error, with its causes, if one ended it.
    pub error: Option<Error>,
    /// Everything worth telling.
    pub report: Report,
}

/// Starts a new run.
///
/// # Errors
/// Only what keeps a run from existing at all (the log cannot be made, the options are not usable);
/// any later failure is in the [`RunEnd`].
pub async fn start(wiring: &Wiring, run: RunId, mut options: RunOptions) -> Result<RunEnd> {
    state::prepare(&wiring.state_dir)?;
    overlay::remove_leftovers(&wiring.temp, &Runs::new(wiring.state_dir.join("runs")));
    if options.lanes == Lanes::Merged {
        let git = Git::new(&wiring.project, &wiring.temp, &wiring.child_env);
        options.lanes = if git.is_usable().await { Lanes::Merged } else { Lanes::NoGit };
    }
    if options.in_worktree {
        let root = commit::prepare_worktree(wiring, &run, &mut options.commit).await?;
        options.worktree = Some(root);
    } else if let Some(commit) = &mut options.commit {
        commit::prepare(wiring, commit).await?;
    }
    if options.dry_run {
        let copy = wiring.temp.join(format!("{}{run}", overlay::DRY_RUN));
        overlay::copy_tree(&wiring.project, &copy).inspect_err(|_| remove_copy(&copy))?;
        options.overlay = Some(copy);
    }
    begin(wiring, run, options).await
}

/// Starts a run whose options are complete.
pub(crate) async fn begin(wiring: &Wiring, run: RunId, options: RunOptions) -> Result<RunEnd> {
    let _lock = lock(wiring, &options)?;
    let manifest = Manifest {
        format_version: sage_core::EVENT_FORMAT_VERSION,
        run: run.clone(),
        goal: options.goal.clone(),
        project: wiring.project.clone(),
        started_at_ms: wiring.clock.now_ms(),
        sage_version: wiring.sage_version.clone(),
    };
    let dir = Runs::new(wiring.state_dir.join("runs")).dir(&run);
    let log = RunLog::create(&dir, manifest, log_options(wiring))?;
    log.emit(
        RunEvent::Started {
            format_version: sage_core::EVENT_FORMAT_VERSION,
            sage_version: wiring.sage_version.clone(),
            goal: options.goal.clone(),
            mode: options.mode.as_str().to_owned(),
            options: serde_json::to_value(&options).unwrap_or_default(),
        }
        .into(),
    )?;
    drive(wiring.clone(), options, log, Vec::new()).await
}

/// Takes an interrupted run up where its log ends; `limits` replace those it was started with, where
/// they say something.
///
/// # Errors
/// [`Error::NotResumable`] when the run is over or its copy is gone; log errors as they are.
pub async fn resume(wiring: &Wiring, run: &RunId, limits: &Limits) -> Result<RunEnd> {
    let dir = Runs::new(wiring.state_dir.join("runs")).dir(run);
    let (log, loaded) = RunLog::reopen(&dir, log_options(wiring))?;
    let no = |why: String| Error::NotResumable { run: run.clone(), why };
    let mut options = options_of(&loaded.events).map_err(&no)?;
    let before = limits_of(&loaded.events).unwrap_or(options.limits);
    options.limits = before.overridden_by(limits);
    if let Some(outcome) = final_outcome(&loaded.events) {
        return Err(no(format!("it is over ({})", report::outcome_word(outcome))));
    }
    if is_undone(&loaded.events) {
        return Err(no("it was undone, and its record speaks of files that are gone".to_owned()));
    }
    if let Some(copy) = options.overlay.as_deref().filter(|copy| !copy.is_dir()) {
        return Err(no(format!("the copy of its dry run is gone: {}", copy.display())));
    }
    let _lock = lock(wiring, &options)?;
    if let Some(place) = options.worktree.as_deref().filter(|place| !place.is_dir()) {
        return Err(no(format!("its work tree is gone: {}", place.display())));
    }
    let root = options.root(&wiring.project);
    let changed_files = report::changed_since(&loaded.events, &Workspace::open(&root)?)?;
    log.emit(
        RunEvent::Resumed { sage_version: wiring.sage_version.clone(), changed_files }.into(),
    )?;
    if options.limits != before {
        log.emit(RunEvent::LimitsChanged { limits: options.limits, before }.into())?;
    }
    drive(wiring.clone(), options, log, loaded.events).await
}

/// The limits that an earlier process was given when it took the run up, if they were others.
fn limits_of(events: &[Event]) -> Option<Limits> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Run(RunEvent::LimitsChanged { limits, .. }) => Some(*limits),
        _ => None,
    })
}

/// Keeps other runs out, unless this one works in a copy.
fn lock(wiring: &Wiring, options: &RunOptions) -> Result<Option<ProjectLock>> {
    match options.overlay.as_ref().or(options.worktree.as_ref()) {
        Some(_) => Ok(None),
        None => ProjectLock::take(&wiring.state_dir).map(Some),
    }
}

/// The options stored with the first event.
pub fn options_of(events: &[Event]) -> std::result::Result<RunOptions, String> {
    match events.first().map(|event| &event.kind) {
        Some(EventKind::Run(RunEvent::Started { options, .. })) => {
            serde_json::from_value(options.clone()).map_err(|error| format!("its options: {error}"))
        }
        _ => Err("its log does not begin with run.started".to_owned()),
    }
}

/// Whether the last decision about the run's plan was yes.
#[must_use]
pub fn is_approved(events: &[Event]) -> bool {
    events
        .iter()
        .rev()
        .find_map(|event| match &event.kind {
            EventKind::Human(HumanEvent::PlanReviewed { decision, .. }) => {
                Some(*decision == PlanDecision::Approved)
            }
            EventKind::Run(RunEvent::Planned { .. }) => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

/// How the run ended, if it ended in a way that leaves nothing to resume.
fn final_outcome(events: &[Event]) -> Option<RunOutcome> {
    let last = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Run(RunEvent::Finished { outcome, .. }) => Some(Some(*outcome)),
        EventKind::Run(RunEvent::Resumed { .. }) => Some(None),
        _ => None,
    });
    last.flatten().filter(|outcome| {
        use RunOutcome::{Errored, Interrupted, ModelUnavailable, OutOfBudget};
        !matches!(outcome, Interrupted | OutOfBudget | ModelUnavailable | Errored)
    })
}

pub(crate) fn log_options(wiring: &Wiring) -> LogOptions {
    LogOptions {
        clock: wiring.clock.clone(),
        redactor: wiring.redactor.clone(),
        progress: wiring.progress.clone(),
        kill_after: wiring.kill_after,
    }
}

/// Builds what the run works with and sees it through to `run.finished`.
async fn drive(
    wiring: Wiring,
    options: RunOptions,
    log: RunLog,
    past: Vec<Event>,
) -> Result<RunEnd> {
    let overlay = options.overlay.clone();
    // The end of the run's time stops the same things as Ctrl-C, but is no Ctrl-C.
    let mut wiring = Wiring { cancel: wiring.cancel.child_token(), ..wiring };
    if options.worktree.is_some() && options.overlay.is_none() {
        let project = Workspace::open(&wiring.project)?;
        let linked = lane::linked(&wiring, &project).await?;
        wiring.sandbox = Arc::new(wiring.sandbox.also_reading(linked));
    }
    let cx = match assemble(wiring, options, log.clone(), &past) {
        Ok(cx) => Arc::new(cx),
        Err(error) => {
            // Nothing was begun, so there is nothing that a later process could take up.
            close(&log, outcome_of(&error), &error)?;
            overlay.as_deref().inspect(|copy| remove_copy(copy));
            return Err(error);
        }
    };
    let sandbox = &cx.wiring.sandbox;
    cx.emit(RunEvent::Sandboxed { on: sandbox.is_on(), how: sandbox.in_words() })?;
    let ended = in_time(&cx, Box::pin(execute(&cx, &past))).await;
    sweep(&cx, &ended);
    let (outcome, kind, error) = match ended {
        Ok(outcome) => (outcome, None, None),
        Err(error) => (outcome_of(&error), Some(error.kind()), Some(error)),
    };
    let exit_code = exit_code(outcome, kind);
    let reason = reason(&cx, outcome, error.as_ref());
    let finished = RunEvent::Finished { outcome, exit_code, reason };
    // The log may be what failed; then there is nowhere left to write this.
    let logged = cx.emit(finished).and_then(|_| Ok(cx.log.sync()?));
    let report = report::build(&cx)?;
    if logged.is_ok() {
        report::write_views(&cx, &report)?;
    }
    if !is_resumable(outcome) {
        // Litter is no failure of the run.
        let _ = lane::remove_all(&cx).await;
    }
    if let Some(copy) = cx.options.overlay.as_deref().filter(|_| !is_resumable(outcome)) {
        remove_copy(copy);
    }
    Ok(RunEnd { run: cx.run().clone(), outcome, kind, error, report })
}

/// Sees to it that the work ends with the run's time, whatever it is busy with.
async fn in_time(cx: &RunCx, work: impl Future<Output = Result<RunOutcome>>) -> Result<RunOutcome> {
    let (Some(left), Some(allowed_s)) = (cx.ledger.run_time_left(), cx.options.limits.time_s)
    else {
        return work.await;
    };
    tokio::pin!(work);
    let ended = tokio::select! {
        biased;
        ended = &mut work => return ended,
        () = tokio::time::sleep(left) => {
            cx.wiring.cancel.cancel();
            work.await
        }
    };
    // What was done by then is done; only what was cut off is out of time.
    match ended {
        Err(Error::Interrupted) => {
            let allowed = allowed_s as f64;
            cx.emit(RunEvent::BudgetReached {
                node: None,
                limit: "time_s".to_owned(),
                allowed,
                used: allowed,
                exhausted: true,
            })?;
            Err(Error::OutOfTime { allowed_s })
        }
        ended => ended,
    }
}

/// Ends a run of which nothing but its log exists.
fn close(log: &RunLog, outcome: RunOutcome, error: &Error) -> Result<()> {
    let exit_code = exit_code(outcome, Some(error.kind()));
    log.emit(RunEvent::Finished { outcome, exit_code, reason: one_line(error) }.into())?;
    Ok(log.sync()?)
}

fn remove_copy(copy: &Path) {
    // A copy that cannot be removed is litter in the temporary folder, not a failure of the run.
    let _ = std::fs::remove_dir_all(copy);
}

pub(crate) fn assemble(
    wiring: Wiring,
    options: RunOptions,
    log: RunLog,
    past: &[Event],
) -> Result<RunCx> {
    let log = Arc::new(log);
    let recorder: Arc<dyn Recorder> = log.clone();
    let root = options.root(&wiring.project);
    let workspace = Arc::new(Workspace::open(&root)?);
    let snapshots = Arc::new(SnapshotStore::open(&wiring.state_dir.join("snapshots"))?);
    let ledger = Arc::new(Ledger::new(options.limits, wiring.clock.clone()));
    for event in past {
        ledger.apply(event);
    }
    let router = (wiring.models)(recorder.clone(), wiring.progress.clone(), past)?;
    let budgeted = Budgeted::new(router, ledger.clone(), recorder.clone());
    let model = Arc::new(Recorded::new(budgeted, recorder));
    let mut past_phases: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in past {
        if let EventKind::Node(NodeEvent::EnteredPhase { node, attempt, phase, round }) =
            &event.kind
        {
            past_phases.entry((node.clone(), *attempt)).or_default().push((*phase, *round));
        }
    }
    let tools = Arc::new(ToolRegistry::builtin());
    let probed = Arc::default();
    let past_phases = Arc::new(past_phases);
    let turns = Arc::new(Turns::after(past, &wiring.lane_order));
    Ok(RunCx {
        wiring,
        options,
        log,
        model,
        ledger,
        tools,
        workspace,
        snapshots,
        approvals: Arc::new(Approvals::of_events(past)),
        probed,
        past_phases,
        turns,
        in_lane: false,
    })
}

async fn execute(cx: &Arc<RunCx>, past: &[Event]) -> Result<RunOutcome> {
    until_cancelled(cx, lane::clear_old(cx)).await?;
    let plan = until_cancelled(cx, planner::approved_plan(cx)).await?;
    if cx.options.plan_only {
        return Ok(RunOutcome::Planned);
    }
    hosts::decide(cx, &plan).await?;
    for task in &plan.nodes {
        cx.ledger.limit_node(&task.id, task.budget);
    }
    snapshot(cx, past, 0)?;
    if cx.options.full {
        until_cancelled(cx, verify::baseline(cx)).await?;
    }
    let outcome = execute_plan(cx, &plan, past).await?;
    snapshot(cx, past, 1)?;
    if cx.wiring.cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    if let Some(stopped) = stopped_by(&cx.log.events(), &outcome) {
        return Ok(stopped);
    }
    let verified = until_cancelled(cx, verify::last(cx, &plan)).await?;
    let all_done = outcome.is_success() && verified;
    if all_done {
        until_cancelled(cx, Box::pin(commit::record(cx, &plan))).await?;
    }
    if cx.options.output_schema.is_some() {
        until_cancelled(cx, answer::final_answer(cx, all_done)).await?;
    }
    Ok(if all_done { RunOutcome::Succeeded } else { RunOutcome::Failed })
}

/// Runs the plan's graph; every task is its own region.
async fn execute_plan(cx: &Arc<RunCx>, plan: &Plan, past: &[Event]) -> Result<GraphOutcome> {
    let graph = plan.compile().map_err(|problems| Error::BadPlanFile {
        path: "in the log".to_owned(),
        problems: problems
            .iter()
            .map(|problem| crate::plan::Problem {
                place: "nodes".into(),
                what: problem.to_string(),
            })
            .collect(),
    })?;
    let rules = EngineRules {
        max_parallel: cx.options.max_parallel,
        on_failure: match cx.options.mode {
            // Going on where a person would want to look first wastes money; CI wants the rest done.
            Mode::Research | Mode::Auto => OnFailure::StopStarting,
            Mode::Silent => OnFailure::SkipDependents,
        },
    };
    let runner = Arc::new(Tasks { cx: Arc::clone(cx), plan: Arc::new(plan.clone()) });
    let cancel = cx.wiring.cancel.clone();
    Ok(sage_engine::run(Arc::new(graph), rules, runner, cx.recorder(), past, cancel).await?)
}

struct Tasks {
    cx: Arc<RunCx>,
    plan: Arc<Plan>,
}

#[async_trait]
impl NodeRunner for Tasks {
    async fn run(&self, node: &NodeSpec, attempt: u32, cancel: CancellationToken) -> NodeReport {
        let (cx, plan) = (Arc::clone(&self.cx), Arc::clone(&self.plan));
        task::run(cx, plan, &node.id, attempt, cancel).await
    }

    async fn may_take_up(&self, node: &NodeSpec, attempt: u32) -> bool {
        let question = Question {
            text: format!(
                "{} was interrupted in attempt {attempt}; a command of it may have done its work, or half of it. Take it up again?",
                node.id
            ),
            choices: vec!["yes".to_owned(), "no".to_owned()],
        };
        let answer = self.cx.wiring.interaction.ask(question).await;
        matches!(answer, Answer::Text(text) if text.trim().eq_ignore_ascii_case("yes"))
    }

    async fn give_up(&self, node: &NodeSpec, attempt: u32) {
        // The node has failed either way; files that stay changed are named in the report.
        let _ = task::give_up(Arc::clone(&self.cx), Arc::clone(&self.plan), &node.id, attempt);
    }
}

/// Saves the state of all files: 0 before the run's first change, 1 after its last.
fn snapshot(cx: &RunCx, past: &[Event], attempt: u32) -> Result<()> {
    let is_taken = |event: &Event| {
        matches!(&event.kind, EventKind::Workspace(WorkspaceEvent::Snapshotted { node, attempt: a, .. })
            if *node == NodeId::run() && *a == attempt)
    };
    // The first state must stay the one before the first change, also after a crash.
    if attempt == 0 && past.iter().any(is_taken) {
        // Looks from here on go into the same folders as those of the process that took it.
        if let Some(first) = crate::steps::first_snapshot(past)
            && let Ok(first) = cx.snapshots.load(&first)
        {
            cx.workspace.look_like(&first);
        }
        return Ok(());
    }
    // Nothing was changed before the first one, so an interruption need not wait for it.
    let stop = || attempt == 0 && cx.wiring.cancel.is_cancelled();
    let snapshot = cx.snapshots.take_unless(&cx.workspace, Covers::Everything, &stop)?;
    let mut not_covered = snapshot.not_covered();
    let rest = not_covered.len().saturating_sub(MAX_NOT_COVERED);
    if rest > 0 {
        not_covered.truncate(MAX_NOT_COVERED);
        not_covered.push(format!("and {rest} more"));
    }
    cx.emit(WorkspaceEvent::Snapshotted {
        node: NodeId::run(),
        attempt,
        snapshot: snapshot.id().clone(),
        n_files: snapshot.n_files(),
        not_covered,
        root: Some(cx.workspace.root_ref()),
    })?;
    // Durable with whatever comes first: the announcement of a change, or the end of the run.
    Ok(())
}

/// Removes what build tools left in folders that are not ignored, unless the run will go on with it. The
/// caches are of no use to anybody who has not asked for them, and are made again when they are.
fn sweep(cx: &RunCx, ended: &Result<RunOutcome>) {
    let will_go_on = match ended {
        Ok(outcome) => is_resumable(*outcome),
        Err(error) => is_resumable(outcome_of(error)),
    };
    let first = crate::steps::first_snapshot(&cx.log.events());
    if let (false, Some(first)) = (will_go_on, first)
        && let Ok(first) = cx.snapshots.load(&first)
    {
        // What cannot be removed is litter, not a failure of the run.
        let _ = SnapshotStore::remove_new_caches(&cx.workspace, &first);
    }
}

/// Waits for a step of the run, or for the interruption of the run.
async fn until_cancelled<T>(cx: &RunCx, step: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        () = cx.wiring.cancel.cancelled() => Err(Error::Interrupted),
        result = step => result,
    }
}

#[cfg(test)]
mod tests;
