//! The project's own verification around the tasks: a baseline before them under `--full`, and the
//! last word after them when no task has already had it.
//!
//! A command that fails at the end may have failed all along. Where no baseline tells, it is run once
//! more, on a copy of the files as they were: a project with a known fault can still be worked on, and
//! no run is blamed for, or hides behind, a fault that it did not make.

mod before;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sage_agent::CallCounter;
use sage_core::{
    BlobRef, CheckKind, Event, EventKind, NodeId, Recorder, RunEvent, ToolEvent, WorkspaceEvent,
};
use sage_tool::{CheckSpec, Grant, TestCount, ToolCx, read_test_output};
use serde_json::json;

use crate::context::RunCx;
use crate::error::Result;
use crate::plan::Plan;
use crate::project::{self, ProjectFacts, Runnable};
use crate::survey;

/// The pseudo-attempt under which the state before the run is verified.
pub(crate) const BASELINE: u32 = sage_core::ATTEMPT_BEFORE;

/// The pseudo-attempt under which the final verification is logged.
const FINAL: u32 = BASELINE + 1;

/// Runs the project's verification before anything is changed, so that the report can tell what the
/// run broke from what was broken.
pub(crate) async fn baseline(cx: &Arc<RunCx>) -> Result<()> {
    let calls = CallCounter::new(NodeId::run(), BASELINE);
    let commands = own_commands(cx, &calls, &[]).await?;
    run_all(cx, &own_tool_cx(cx), &calls, commands).await.map(drop)
}

/// Runs the project's verification after the last change, unless a task has run the very same command
/// since; true when nothing failed that had not failed before, and something else shows the work.
pub(crate) async fn last(cx: &Arc<RunCx>, plan: &Plan) -> Result<bool> {
    let fresh =
        if cx.options.full { Vec::new() } else { passed_since_last_change(&cx.log.events()) };
    let calls = CallCounter::new(NodeId::run(), FINAL);
    let commands = own_commands(cx, &calls, &fresh).await?;
    let failed = run_all(cx, &own_tool_cx(cx), &calls, commands).await?;
    if failed.is_empty() {
        return Ok(true);
    }
    if !cx.options.full {
        before::verify(cx, failed).await?;
    }
    let get = |blob: &BlobRef| cx.log.get(blob).ok();
    let events = cx.log.events();
    let is_old = |fault: &Fault| fault.since == Since::Before;
    Ok(faults(&events, &get).iter().all(is_old) && unproven(&events, plan).is_empty())
}

/// Tasks that change code and that no command has shown to work, neither for themselves nor for a task
/// that builds on them. A fault that was there before may be the very one that they were to remove.
pub(crate) fn unproven(events: &[Event], plan: &Plan) -> Vec<NodeId> {
    let is_proof = |event: &Event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Checked {
            node,
            kind,
            passed: true,
            in_lane: false,
            ..
        }) if !matches!(kind, CheckKind::Lint | CheckKind::Counter) => Some(node.clone()),
        _ => None,
    };
    let proofs: BTreeSet<NodeId> = events.iter().filter_map(is_proof).collect();
    let graph = plan.compile().ok();
    let is_proven = |id: &NodeId| {
        let builds_on = |other: &NodeId| {
            *other == *id || graph.as_ref().is_some_and(|graph| graph.reaches(id, other))
        };
        proofs.iter().any(builds_on)
    };
    let code = plan.nodes.iter().filter(|task| task.is_code());
    code.map(|task| task.id.clone()).filter(|id| !is_proven(id)).collect()
}

/// Since when a command fails that fails at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// It did not fail before, or less did.
    ThisRun,
    /// Everything that fails failed before.
    Before,
}

/// A command of the project that fails at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub command: String,
    pub since: Since,
}

impl Fault {
    /// In words, for the report.
    pub(crate) fn text(&self) -> String {
        let Self { command, since } = self;
        match since {
            Since::ThisRun => format!("`{command}` fails after the last task"),
            Since::Before => format!("`{command}` fails as it did before the run"),
        }
    }
}

/// What the final verification found.
pub(crate) fn faults(events: &[Event], get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (command, now) in failed_checks(events, FINAL, get) {
        let was = failed_checks(events, BASELINE, get).find(|(known, _)| *known == command);
        let no_worse = was.is_some_and(|(_, was)| project::fails_no_worse(&was, &now));
        let since = if no_worse { Since::Before } else { Since::ThisRun };
        faults.push(Fault { command: command.to_owned(), since });
    }
    faults
}

/// Whether a command of the project that fails now is known to have failed no better before the run.
pub(crate) fn failed_before(cx: &RunCx, command: &str, output: &str) -> bool {
    let (events, get) = (cx.log.events(), |blob: &BlobRef| cx.log.get(blob).ok());
    let mut known = failed_checks(&events, BASELINE, &get);
    known.any(|(failed, was)| failed == command && project::fails_no_worse(&was, output))
}

/// Checks of the run as a whole that failed, with their outputs.
fn failed_checks<'a>(
    events: &'a [Event],
    wanted: u32,
    get: &'a dyn Fn(&BlobRef) -> Option<Vec<u8>>,
) -> impl Iterator<Item = (&'a str, String)> {
    let failed = events.iter().filter_map(move |event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Checked {
            node,
            attempt,
            command,
            passed: false,
            exit_code,
            output,
            ..
        }) if *node == NodeId::run() && *attempt == wanted => {
            let output = String::from_utf8_lossy(&get(output)?).into_owned();
            Some((command.as_str(), *exit_code, output))
        }
        _ => None,
    });
    let counts = failed.filter(|(command, code, output)| !found_no_test(command, *code, output));
    counts.map(|(command, _, output)| (command, output))
}

/// Whether a command failed only because its runner found nothing to run: no evidence, and no fault.
/// A runner that could not load the tests, or ran something else that failed, found a fault.
pub(crate) fn found_no_test(command: &str, exit_code: Option<i32>, output: &str) -> bool {
    const NOTHING: TestCount = TestCount { ran: Some(0), failed: Some(0) };
    let says_so = match exit_code {
        // nextest; pytest and unittest.
        Some(4 | 5) => true,
        // jest and vitest, which share the code with every other failure.
        Some(1) => output
            .lines()
            .any(|line| line.contains("No tests found") || line.contains("No test files found")),
        _ => false,
    };
    says_so && read_test_output(command, output, exit_code) == NOTHING
}

fn own_tool_cx(cx: &RunCx) -> ToolCx {
    cx.tool_cx(Grant::read_only(), cx.wiring.cancel.clone())
}

/// The commands that verify the project as it is now, without those to skip.
async fn own_commands(
    cx: &Arc<RunCx>,
    calls: &CallCounter,
    skip: &[String],
) -> Result<Vec<Runnable>> {
    let facts = survey::gather(cx, calls.next(), survey::VERIFICATION, async {
        let files = survey::files(cx)?;
        let facts = survey::project(cx, &files).await;
        Ok(json!({"facts": facts, "skip": skip}))
    })
    .await?;
    let skip: Vec<String> = serde_json::from_value(facts["skip"].clone()).unwrap_or_default();
    let facts: ProjectFacts = serde_json::from_value(facts["facts"].clone()).unwrap_or_default();
    let lines = cx.options.verify.clone().unwrap_or_else(|| facts.verify_lines());
    let commands = lines.iter().map(|line| project::runnable(line, &facts));
    Ok(commands.filter(|command| !skip.contains(&command.shown)).collect())
}

/// Runs the commands; returns those that failed.
async fn run_all(
    cx: &RunCx,
    tool_cx: &ToolCx,
    calls: &CallCounter,
    commands: Vec<Runnable>,
) -> Result<Vec<Runnable>> {
    let mut failed = Vec::new();
    for command in commands {
        let spec = CheckSpec {
            kind: CheckKind::Project,
            shown: command.shown.clone(),
            command: command.line.clone(),
            timeout: Duration::from_secs(cx.options.verify_timeout_s),
        };
        let result = cx.tools.check(tool_cx, calls.next(), spec).await?;
        let is_empty = found_no_test(&command.shown, result.exit_code, &result.output);
        if !result.passed && !is_empty {
            failed.push(command);
        }
    }
    Ok(failed)
}

/// Commands that were started after the last change of any file, and passed. A file that changes
/// while a command runs may not be what the command saw; nor may any after a person could change it
/// between two processes.
fn passed_since_last_change(events: &[Event]) -> Vec<String> {
    let mut started = BTreeSet::new();
    let mut passed = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::Tool(ToolEvent::Called { call, .. }) => {
                started.insert(call);
            }
            EventKind::Workspace(
                WorkspaceEvent::Changed { .. } | WorkspaceEvent::RolledBack { .. },
            )
            | EventKind::Run(RunEvent::Resumed { .. }) => {
                started.clear();
                passed.clear();
            }
            EventKind::Workspace(WorkspaceEvent::Checked {
                call,
                command,
                passed: true,
                kind,
                in_lane: false,
                ..
            }) if *kind != CheckKind::Counter && started.contains(call) => {
                passed.push(command.clone());
            }
            _ => {}
        }
    }
    passed
}

#[cfg(test)]
mod tests;
