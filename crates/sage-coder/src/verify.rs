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
use sage_core::{BlobRef, CheckKind, Event, EventKind, NodeId, Recorder, WorkspaceEvent};
use sage_tool::{CheckSpec, Grant, ToolCx};
use serde_json::json;

use crate::context::RunCx;
use crate::error::Result;
use crate::plan::Plan;
use crate::project::{self, ProjectFacts, Runnable};
use crate::survey;

/// The pseudo-attempt under which the state before the run is verified.
pub(crate) const BASELINE: u32 = 1;

/// The pseudo-attempt under which the final verification is logged.
const FINAL: u32 = 2;

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
    let fresh = if cx.options.full { Vec::new() } else { passed_since_last_change(cx) };
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
        EventKind::Workspace(WorkspaceEvent::Checked { node, kind, passed: true, .. })
            if *kind != CheckKind::Lint =>
        {
            Some(node.clone())
        }
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
    for (command, output) in failed_checks(events, FINAL) {
        let was = failed_checks(events, BASELINE).find(|(known, _)| *known == command);
        let no_worse = was.is_some_and(|(_, was)| {
            let texts = get(was).zip(get(output));
            texts.is_some_and(|(was, now)| {
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                project::fails_no_worse(&text(was), &text(now))
            })
        });
        let since = if no_worse { Since::Before } else { Since::ThisRun };
        faults.push(Fault { command: command.to_owned(), since });
    }
    faults
}

/// Whether a command of the project that fails now is known to have failed no better before the run.
pub(crate) fn failed_before(cx: &RunCx, command: &str, output: &str) -> bool {
    let events = cx.log.events();
    let mut known = failed_checks(&events, BASELINE).filter(|(failed, _)| *failed == command);
    known.any(|(_, was)| {
        let was = cx.log.get(was).unwrap_or_default();
        project::fails_no_worse(&String::from_utf8_lossy(&was), output)
    })
}

/// Checks of the run as a whole that failed, with their outputs.
fn failed_checks(events: &[Event], wanted: u32) -> impl Iterator<Item = (&str, &BlobRef)> {
    events.iter().filter_map(move |event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Checked {
            node,
            attempt,
            command,
            passed: false,
            n_tests,
            output,
            ..
        }) if *node == NodeId::run() && *attempt == wanted && *n_tests != Some(0) => {
            Some((command.as_str(), output))
        }
        _ => None,
    })
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
        // A runner without tests has nothing to say about the change.
        if !result.passed && result.n_tests != Some(0) {
            failed.push(command);
        }
    }
    Ok(failed)
}

/// Commands that passed after the last change of any file.
fn passed_since_last_change(cx: &RunCx) -> Vec<String> {
    let mut passed = Vec::new();
    for event in cx.log.events() {
        match event.kind {
            EventKind::Workspace(
                WorkspaceEvent::Changed { .. } | WorkspaceEvent::RolledBack { .. },
            ) => {
                passed.clear();
            }
            EventKind::Workspace(WorkspaceEvent::Checked { command, passed: true, .. }) => {
                passed.push(command);
            }
            _ => {}
        }
    }
    passed
}
