//! The project's own verification around the tasks: a baseline before them under `--full`, and the
//! last word after them when no task has already had it.

use std::sync::Arc;
use std::time::Duration;

use sage_agent::CallCounter;
use sage_core::{CheckKind, EventKind, NodeId, WorkspaceEvent};
use sage_tool::{CheckSpec, Grant};
use serde_json::json;

use crate::context::RunCx;
use crate::error::Result;
use crate::project::{self, ProjectFacts};
use crate::survey;

/// The pseudo-attempt under which the baseline is logged.
const BASELINE: u32 = 1;

/// The pseudo-attempt under which the final verification is logged.
const FINAL: u32 = 2;

/// Runs the project's verification before anything is changed, so that the report can tell what the
/// run broke from what was broken.
pub(crate) async fn baseline(cx: &Arc<RunCx>) -> Result<()> {
    run_all(cx, BASELINE, &[]).await.map(drop)
}

/// Runs the project's verification after the last change, unless a task has run the very same command
/// since; true when nothing failed that had not failed before.
pub(crate) async fn last(cx: &Arc<RunCx>) -> Result<bool> {
    let fresh = if cx.options.full { Vec::new() } else { passed_since_last_change(cx) };
    let results = run_all(cx, FINAL, &fresh).await?;
    let before = baseline_failures(cx);
    Ok(results.iter().all(|(command, passed)| *passed || before.contains(command)))
}

async fn run_all(cx: &Arc<RunCx>, attempt: u32, skip: &[String]) -> Result<Vec<(String, bool)>> {
    let calls = CallCounter::new(NodeId::run(), attempt);
    let facts = survey::gather(cx, calls.next(), "verification", async {
        let files = survey::files(cx)?;
        let facts = survey::project(cx, &files).await;
        Ok(json!({"facts": facts, "skip": skip}))
    })
    .await?;
    let skip: Vec<String> = serde_json::from_value(facts["skip"].clone()).unwrap_or_default();
    let facts: ProjectFacts = serde_json::from_value(facts["facts"].clone()).unwrap_or_default();
    let commands = cx.options.verify.clone().unwrap_or_else(|| facts.verify_lines());
    let mut results = Vec::new();
    for command in commands {
        let command = project::runnable(&command, &facts);
        if skip.contains(&command.shown) {
            continue;
        }
        let spec = CheckSpec {
            kind: CheckKind::Project,
            shown: command.shown.clone(),
            command: command.line,
            timeout: Duration::from_secs(cx.options.verify_timeout_s),
        };
        let tool_cx = cx.tool_cx(Grant::read_only(), cx.wiring.cancel.clone());
        let result = cx.tools.check(&tool_cx, calls.next(), spec).await?;
        // A runner without tests has nothing to say about the change.
        results.push((command.shown, result.passed || result.n_tests == Some(0)));
    }
    Ok(results)
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

fn baseline_failures(cx: &RunCx) -> Vec<String> {
    let failed = |event: sage_core::Event| match event.kind {
        EventKind::Workspace(WorkspaceEvent::Checked {
            node, attempt, command, passed, ..
        }) if node == NodeId::run() && attempt == BASELINE && !passed => Some(command),
        _ => None,
    };
    cx.log.events().into_iter().filter_map(failed).collect()
}
