//! The checks of a run: on what grounds a task counts as done or failed.

use sage_core::{BlobRef, CallId, CheckKind, Event, EventKind, NodeId, Seq, WorkspaceEvent};
use serde::Serialize;

use super::Projection;

/// Collects the checks of a run, in order. A check that was taken up again counts once, with its last
/// result.
#[derive(Debug, Clone, Default)]
pub struct Evidence(Vec<Check>);

/// One command that gave evidence for or against a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The task.
    pub node: NodeId,
    /// Its attempt.
    pub attempt: u32,
    /// The call that ran the command.
    pub call: CallId,
    /// What it was for.
    pub kind: CheckKind,
    /// The command line.
    pub command: String,
    /// Whether it counts as passed.
    pub passed: bool,
    /// Exit code; absent when killed or not started.
    pub exit_code: Option<i32>,
    /// Number of tests that ran, where the runner says so.
    pub n_tests: Option<u64>,
    /// How long it took.
    pub duration_ms: u64,
    /// Its output.
    pub output: BlobRef,
    /// Why it did not pass; empty when it did.
    pub reason: String,
    /// Whether it ran in the task's lane, not in the work tree.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_lane: bool,
    /// Its event.
    pub seq: Seq,
    /// When.
    pub at_ms: u64,
}

impl Check {
    /// Whether it judges the work itself, and not its form or its tests.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        !matches!(self.kind, CheckKind::Lint | CheckKind::Counter)
    }
}

impl Projection for Evidence {
    type View = Vec<Check>;

    fn apply(&mut self, event: &Event) {
        let EventKind::Workspace(WorkspaceEvent::Checked {
            node,
            attempt,
            call,
            kind,
            command,
            passed,
            exit_code,
            n_tests,
            duration_ms,
            output,
            reason,
            in_lane,
        }) = &event.kind
        else {
            return;
        };
        let check = Check {
            node: node.clone(),
            attempt: *attempt,
            call: call.clone(),
            kind: *kind,
            command: command.clone(),
            passed: *passed,
            exit_code: *exit_code,
            n_tests: *n_tests,
            duration_ms: *duration_ms,
            output: output.clone(),
            reason: reason.clone(),
            in_lane: *in_lane,
            seq: event.seq,
            at_ms: event.at_ms,
        };
        match self.0.iter_mut().rev().find(|earlier| earlier.call == check.call) {
            Some(earlier) => *earlier = check,
            None => self.0.push(check),
        }
    }

    fn view(&self) -> Vec<Check> {
        self.0.clone()
    }
}

impl Evidence {
    /// The last result of each command of each task, leaving out linters and runs that only show what
    /// tests are worth: what verified the run. The
    /// state before the run counts as its first attempt, whenever it was looked at.
    pub(super) fn verdicts(&self) -> Vec<&Check> {
        let mut verdicts: Vec<&Check> = Vec::new();
        for check in self.0.iter().filter(|check| check.is_verdict()) {
            let is_same = |earlier: &&mut &Check| {
                earlier.node == check.node && earlier.command == check.command
            };
            match verdicts.iter_mut().find(is_same) {
                Some(earlier) if check.attempt < earlier.attempt => {}
                Some(earlier) => *earlier = check,
                None => verdicts.push(check),
            }
        }
        verdicts
    }
}
