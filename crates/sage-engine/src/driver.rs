//! Performs what the scheduler decides: starts runners, records how they end, stops when told to.
//!
//! One loop owns the scheduler and appends all node events; runners only report. Nodes start as soon as
//! a slot and their dependencies are free, there are no batches.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sage_core::{ErrorKind, Event, EventKind, NodeEvent, NodeId, NodeOutcome, Recorder};
use sage_graph::{CompiledGraph, NodeSpec, OnUnknown, Region};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::scheduler::{Action, Begin, GraphOutcome, Rules, Scheduler, can_be_taken_up};
use crate::scope::{OnCancel, TaskScope, panic_message};
use crate::{Error, NodeReport, NodeRunner, Result};

/// How long runners may take to end after the run was cancelled, before they are dropped.
pub const CANCEL_GRACE: Duration = Duration::from_millis(600);

/// How long a runner may take to end after its node's time was up, before it is dropped.
pub const TIMEOUT_GRACE: Duration = Duration::from_secs(5);

/// Runs a graph until nothing is left to start and nothing runs.
///
/// `past` are the events of earlier processes, empty for a fresh run; the scheduler's module says what
/// is made of them. When `cancel` fires, runners are told through their tokens, given
/// [`CANCEL_GRACE`], and then dropped; what did not reach an end is recorded as interrupted, and so is
/// a failure that was reported after the cancellation, because it may be due to it.
///
/// Errors: a graph with stream regions is refused; a log that cannot be written ends the run, after the
/// runners were stopped in the same way. Dropping the future drops the runners where they wait.
pub async fn run(
    graph: Arc<CompiledGraph>,
    rules: Rules,
    runner: Arc<dyn NodeRunner>,
    recorder: Arc<dyn Recorder>,
    past: &[Event],
    cancel: CancellationToken,
) -> Result<GraphOutcome> {
    refuse_streams(&graph)?;
    let mut scheduler = Scheduler::new(Arc::clone(&graph), rules);
    for event in past {
        scheduler.apply(event);
    }
    scheduler.take_up();
    // Each running node reports once, so that no report ever waits for room.
    let (report, reports) = mpsc::channel(rules.max_parallel.clamp(1, graph.nodes().len().max(1)));
    let mut driver = Driver {
        scope: TaskScope::new(&cancel),
        running: BTreeMap::new(),
        delayed: Vec::new(),
        graph,
        runner,
        recorder,
        scheduler,
        report,
        reports,
        cancel,
    };
    let result = driver.drive().await;
    driver.end(result).await
}

/// Task regions only.
fn refuse_streams(graph: &CompiledGraph) -> Result<()> {
    for region in graph.regions() {
        if let Region::Stream(nodes) = region {
            return Err(Error::StreamRegion { nodes: nodes.clone() });
        }
    }
    Ok(())
}

/// An attempt that is about to begin.
struct Start {
    node: NodeId,
    attempt: u32,
    begin: Begin,
}

/// An attempt that ended.
struct Ended {
    node: NodeId,
    attempt: u32,
    report: NodeReport,
}

struct Driver {
    graph: Arc<CompiledGraph>,
    runner: Arc<dyn NodeRunner>,
    recorder: Arc<dyn Recorder>,
    scheduler: Scheduler,
    scope: TaskScope,
    /// Attempts whose report is awaited.
    running: BTreeMap<NodeId, u32>,
    /// Attempts that wait out their back-off; at most one per slot.
    delayed: Vec<(Instant, Start)>,
    report: mpsc::Sender<Ended>,
    reports: mpsc::Receiver<Ended>,
    cancel: CancellationToken,
}

impl Driver {
    /// Until nothing is left to do, or the run is cancelled.
    async fn drive(&mut self) -> Result<()> {
        loop {
            if self.cancel.is_cancelled() {
                return Ok(());
            }
            for action in self.scheduler.next() {
                self.perform(action)?;
            }
            if self.scheduler.is_stopping() {
                self.delayed.clear();
            }
            if self.running.is_empty() && self.delayed.is_empty() {
                return Ok(());
            }
            let due = self.delayed.iter().map(|(due, _)| *due).min();
            tokio::select! {
                ended = self.reports.recv() => {
                    if let Some(ended) = ended {
                        self.ended(ended)?;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.start_due()?;
                }
                () = self.cancel.cancelled() => return Ok(()),
            }
        }
    }

    /// Waits for what still runs, records it, and says how the graph ended.
    async fn end(mut self, result: Result<()>) -> Result<GraphOutcome> {
        self.scheduler.stop();
        let scope = std::mem::replace(&mut self.scope, TaskScope::new(&self.cancel));
        // Runners' panics are caught and reported; a panic here could only be in the few lines around.
        let _ = scope.end_within(CANCEL_GRACE).await;
        result?;
        while let Ok(ended) = self.reports.try_recv() {
            self.ended(ended)?;
        }
        for (node, attempt) in std::mem::take(&mut self.running) {
            let report = NodeReport::interrupted("stopped before its end");
            self.ended(Ended { node, attempt, report })?;
        }
        for action in self.scheduler.next() {
            self.perform(action)?;
        }
        Ok(self.scheduler.outcome())
    }

    fn perform(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Skip { node, because } => self.record(NodeEvent::Skipped { node, because }),
            Action::Start { node, attempt, delay_ms, begin } => {
                let start = Start { node, attempt, begin };
                if delay_ms == 0 {
                    return self.start(start);
                }
                self.delayed.push((Instant::now() + Duration::from_millis(delay_ms), start));
                Ok(())
            }
        }
    }

    fn start_due(&mut self) -> Result<()> {
        let now = Instant::now();
        let due: Vec<_> = self.delayed.extract_if(.., |(due, _)| *due <= now).collect();
        due.into_iter().try_for_each(|(_, start)| self.start(start))
    }

    fn start(&mut self, Start { node, attempt, begin }: Start) -> Result<()> {
        let Some(spec) = self.graph.node(&node).cloned() else { return Ok(()) };
        if begin == Begin::New {
            self.record(NodeEvent::Started { node: node.clone(), attempt })?;
        }
        self.running.insert(node.clone(), attempt);
        let runner = Arc::clone(&self.runner);
        let report_to = self.report.clone();
        let cancel = self.scope.token().child_token();
        self.scope.spawn(format!("node {node}"), OnCancel::Finish, async move {
            let attempting = attempt_node(&*runner, &spec, attempt, begin, cancel);
            let report = match AssertUnwindSafe(attempting).catch_unwind().await {
                Ok(report) => report,
                Err(payload) => {
                    let message = panic_message(&*payload);
                    NodeReport::failed(ErrorKind::Internal, format!("panicked: {message}"))
                }
            };
            // Nobody listens only when the driver itself is gone.
            let _ = report_to.send(Ended { node, attempt, report }).await;
        });
        Ok(())
    }

    fn ended(&mut self, Ended { node, attempt, report }: Ended) -> Result<()> {
        self.running.remove(&node);
        let is_failure = report.outcome == NodeOutcome::Failed && !can_be_taken_up(report.error);
        let report = if is_failure && self.cancel.is_cancelled() {
            NodeReport::interrupted(report.summary)
        } else {
            report
        };
        let NodeReport { outcome, error, summary } = report;
        self.record(NodeEvent::Finished { node, attempt, outcome, error, summary })
    }

    fn record(&mut self, event: NodeEvent) -> Result<()> {
        let event = EventKind::from(event);
        self.recorder.emit(event.clone())?;
        self.scheduler.apply_kind(&event);
        Ok(())
    }
}

/// One attempt, its outcome-unknown rule and its time limit included.
async fn attempt_node(
    runner: &dyn NodeRunner,
    node: &NodeSpec,
    attempt: u32,
    begin: Begin,
    cancel: CancellationToken,
) -> NodeReport {
    if begin == Begin::Unknown {
        let is_allowed = match node.on_unknown {
            OnUnknown::Retry => true,
            OnUnknown::Fail => false,
            OnUnknown::Ask => runner.may_take_up(node, attempt).await,
        };
        if !is_allowed {
            runner.give_up(node, attempt).await;
            let summary =
                "an earlier process ended in the middle of it, and it is not taken up again";
            return NodeReport::failed(ErrorKind::Rejected, summary);
        }
    }
    let running = runner.run(node, attempt, cancel.clone());
    let Some(limit_s) = node.timeout_s else { return running.await };
    tokio::pin!(running);
    tokio::select! {
        report = &mut running => report,
        () = sleep(Duration::from_secs(limit_s)) => {
            cancel.cancel();
            // What it still reports is too late to count.
            let _ = timeout(TIMEOUT_GRACE, running).await;
            NodeReport::failed(None, format!("timed out after {limit_s} s"))
        }
    }
}

#[cfg(test)]
mod tests;
