//! Commands that give evidence: the program's own verification, and what a plan proposes for it.

mod count;

use std::time::Duration;

use sage_core::{CallId, CheckKind, Effect, WorkspaceEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::builtin::{how_it_ended, run_line};
use crate::call::{CallCx, ToolCx};
use crate::effects::{AfterCommand, Watched};
use crate::error::{Error, Result, ToolError};
use crate::journal::{Journal, Standing};
use crate::process::MAX_TIMEOUT;
use crate::registry::{CHECK, CheckSpec, ask_policy, with_before};

pub use count::{TestCount, read_test_output};

/// What a command proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Whether it counts as passed: it ended by itself with exit code 0 and, where it was to show that
    /// something works, a test runner among it ran at least one test.
    pub passed: bool,
    /// Its exit code; absent when it was stopped or not started.
    pub exit_code: Option<i32>,
    /// How many tests ran, where the runner says so.
    pub n_tests: Option<u64>,
    /// How long it took.
    pub duration_ms: u64,
    /// Its output, head and tail.
    pub output: String,
    /// Why it did not pass, one line; empty when it did.
    pub reason: String,
    /// Whether it was stopped at its time limit.
    pub timed_out: bool,
    /// What it changed in the tree and was put back, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

pub(crate) async fn run(cx: &ToolCx, call: CallId, spec: &CheckSpec) -> Result<CheckResult> {
    if cx.cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let timeout = spec.timeout.min(MAX_TIMEOUT);
    let args = json!({
        "kind": spec.kind,
        "command": spec.command,
        "timeout_s": timeout.as_secs_f64(),
    });
    let journal = Journal::new(&*cx.recorder, call.clone(), CHECK, &spec.shown);
    let interrupted = match journal.standing(&args)? {
        Standing::Answered(bytes) => {
            return serde_json::from_slice(&bytes).map_err(|_| journal.unreadable());
        }
        Standing::Interrupted(past) => Some(past),
        Standing::Fresh => None,
    };
    let was_allowed = interrupted.is_some();
    // What the program itself parses or runs is the program's choice; the rest was proposed to it.
    // A counter-check repeats, in a copy, what has just been allowed in the work tree.
    let is_own =
        matches!(spec.kind, CheckKind::Lint | CheckKind::GeneratedTest | CheckKind::Counter);
    let objection = match is_own {
        true => None,
        false => ask_policy(cx, &call, CHECK, &spec.command, was_allowed).await?,
    };
    if let Some(reason) = objection {
        let result = CheckResult { reason: format!("refused: {reason}"), ..CheckResult::not_run() };
        journal.refused(&reason, &result)?;
        return Ok(result);
    }
    let before = interrupted.as_ref().and_then(|past| journal.before_of(past));
    let watched = Watched::begin(cx, &call, before, AfterCommand::PutBackAll).await?;
    journal.called(Effect::Execute, &with_before(&args, &watched), true)?;
    let call_cx = CallCx { cx, call: call.clone(), interrupted, may_remove: false };
    let outcome = run_line(&call_cx, &spec.command, timeout).await;
    let effects = watched.end(cx, &call).await?;
    let mut result = match outcome {
        Ok(outcome) => judge(&outcome, spec.kind, &spec.shown, timeout),
        Err(ToolError::Ends(error)) => return Err(error),
        Err(error) => CheckResult { reason: error.to_string(), ..CheckResult::not_run() },
    };
    result.notes.extend(effects.notes);
    cx.recorder.emit(
        WorkspaceEvent::Checked {
            node: call.node.clone(),
            attempt: call.attempt,
            call,
            kind: spec.kind,
            command: spec.shown.clone(),
            passed: result.passed,
            exit_code: result.exit_code,
            n_tests: result.n_tests,
            duration_ms: result.duration_ms,
            output: cx.recorder.put(result.output.as_bytes())?,
            reason: result.reason.clone(),
            in_lane: false,
        }
        .into(),
    )?;
    let summary = if result.passed { "passed" } else { &result.reason };
    journal.finished(result.passed, &result, summary)?;
    Ok(result)
}

impl CheckResult {
    fn not_run() -> Self {
        Self {
            passed: false,
            exit_code: None,
            n_tests: None,
            duration_ms: 0,
            output: String::new(),
            reason: String::new(),
            timed_out: false,
            notes: Vec::new(),
        }
    }
}

fn judge(
    outcome: &crate::process::ProcessOutcome,
    kind: CheckKind,
    command: &str,
    timeout: Duration,
) -> CheckResult {
    let n_tests = read_test_output(command, &outcome.output, outcome.exit_code).ran;
    let needs_tests = matches!(kind, CheckKind::GeneratedTest | CheckKind::Acceptance);
    let reason = if !outcome.succeeded() {
        how_it_ended(outcome, timeout)
    } else if needs_tests && n_tests == Some(0) {
        "no test ran".to_owned()
    } else {
        String::new()
    };
    CheckResult {
        passed: reason.is_empty(),
        exit_code: if outcome.ended_by_itself() { outcome.exit_code } else { None },
        n_tests,
        duration_ms: outcome.duration_ms,
        output: with_notes(outcome),
        reason,
        timed_out: outcome.timed_out,
        notes: outcome.notes.clone(),
    }
}

/// The output, and what the sandbox has to say about it.
fn with_notes(outcome: &crate::process::ProcessOutcome) -> String {
    let notes: String = outcome.notes.iter().map(|note| format!("\n[{note}]")).collect();
    format!("{}{notes}", outcome.output)
}

#[cfg(test)]
mod tests;
