//! Facts about the user's files.

use serde::{Deserialize, Serialize};

use super::{Tampering, TestWorth};
use crate::{BlobRef, CallId, NodeId, Seq};

/// A file's content and mode, by which it is recognised again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileState {
    /// Content address of the exact bytes (never redacted; the bytes are not in the log).
    pub hash: BlobRef,
    /// Unix permission bits.
    pub mode: u32,
}

/// What a check was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A parser, formatter or linter.
    Lint,
    /// Tests that this task generated.
    GeneratedTest,
    /// A command of the node's acceptance.
    Acceptance,
    /// The project's own verification.
    Project,
    /// Tests in a copy where they are to fail: on the code before the change or on a broken change, and
    /// once on the change itself, where they are to pass. It shows what tests are worth, never that a
    /// task is done.
    Counter,
}

/// A file of a lane, as the work tree held it when the lane was brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LaneBase {
    /// Path relative to the work tree, `/`-separated.
    pub path: String,
    /// What the work tree held; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<FileState>,
}

/// Facts about the user's files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum WorkspaceEvent {
    /// The state of the work tree was saved, so that it can be restored exactly.
    #[serde(rename = "workspace.snapshotted")]
    Snapshotted {
        /// For which node; `@run` for the state before the run.
        node: NodeId,
        /// Its attempt; 0 for the run.
        attempt: u32,
        /// The manifest in the snapshot store.
        snapshot: BlobRef,
        /// Files covered.
        n_files: u64,
        /// Files that were too large to save, and folders that are not looked into, by path.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        not_covered: Vec<String>,
        /// Address of the work tree's root, as in `workspace.observed`; absent in older logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<BlobRef>,
    },
    /// A file is about to change through a tool, or was found changed after a command.
    #[serde(rename = "workspace.changed")]
    Changed {
        /// The tool call.
        call: CallId,
        /// Path relative to the work tree, `/`-separated.
        path: String,
        /// Before; absent if it did not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<FileState>,
        /// After; absent if it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<FileState>,
        /// Lines added.
        lines_added: u64,
        /// Lines removed.
        lines_removed: u64,
    },
    /// What a command did to the tree as a whole, ignored files included. Absent for one that did nothing.
    #[serde(rename = "workspace.observed")]
    Observed {
        /// The tool call.
        call: CallId,
        /// Address of the work tree's root, by which a copy is told from the project.
        root: BlobRef,
        /// Snapshot of the tree before it.
        before: BlobRef,
        /// Snapshot of the tree after it, and after what it must not change was put back.
        after: BlobRef,
        /// Paths that differ between the two.
        n_changed: u64,
        /// Snapshot of what the command left, where something of it was put back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<BlobRef>,
        /// Paths that were put back.
        #[serde(default, skip_serializing_if = "is_zero")]
        n_put_back: u64,
    },
    /// A command gave evidence for or against a task.
    #[serde(rename = "workspace.checked")]
    Checked {
        /// The node.
        node: NodeId,
        /// Its attempt; see [`ATTEMPT_BEFORE`] for the run as a whole.
        attempt: u32,
        /// The tool call that ran it.
        call: CallId,
        /// What it was for.
        kind: CheckKind,
        /// The command line.
        command: String,
        /// Whether it counts as passed.
        passed: bool,
        /// Exit code; absent when killed or not started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// Number of tests that ran, where the runner says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        n_tests: Option<u64>,
        /// How long it took.
        duration_ms: u64,
        /// Its output.
        output: BlobRef,
        /// Why it did not pass, one line.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// Whether it ran in the task's lane and says nothing about the work tree.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_lane: bool,
    },
    /// A task got a copy of the work tree to work in, its lane.
    #[serde(rename = "workspace.lane_opened")]
    LaneOpened {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// Where the lane is.
        path: String,
        /// The work tree from which it was made, as a manifest in the snapshot store.
        snapshot: BlobRef,
    },
    /// Like `workspace.changed`, for a file of a lane: the user's file stays as it is.
    #[serde(rename = "workspace.lane_changed")]
    LaneChanged {
        /// The tool call.
        call: CallId,
        /// Path relative to the lane, `/`-separated.
        path: String,
        /// Before; absent if it did not exist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<FileState>,
        /// After; absent if it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<FileState>,
        /// Lines added.
        lines_added: u64,
        /// Lines removed.
        lines_removed: u64,
    },
    /// A lane was brought up to date with the work tree, after it could not be merged.
    #[serde(rename = "workspace.lane_rebased")]
    LaneRebased {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// How many repairs came before.
        round: u32,
        /// The work tree to which it was brought.
        snapshot: BlobRef,
        /// The files that the task had changed, as the work tree holds them.
        bases: Vec<LaneBase>,
    },
    /// What became of merging a lane into the work tree.
    #[serde(rename = "workspace.lane_merged")]
    LaneMerged {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// How many repairs came before.
        round: u32,
        /// Whether the work tree has the task's changes now.
        merged: bool,
        /// The files that were to be merged.
        paths: Vec<String>,
        /// Those of them that conflict with what the work tree holds.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<String>,
        /// Why it is not merged, one line.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// It was tried whether tests that a task wrote can fail at all.
    #[serde(rename = "workspace.tests_weighed")]
    TestsWeighed {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// Number of repairs so far.
        round: u32,
        /// The test file; for a command that judges the task, its line.
        subject: String,
        /// New or changed tests in it; 0 for a command.
        n_tests: u64,
        /// What was found.
        worth: TestWorth,
        /// The check that shows it, if one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
        /// What was tried, or why nothing could be, one line.
        detail: String,
    },
    /// What a task did to tests that were there, and to how tests are found and run, was compared.
    #[serde(rename = "workspace.tests_compared")]
    TestsCompared {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// Number of repairs so far.
        round: u32,
        /// Files that had to do with tests and were there before.
        n_files: u64,
        /// What was found, worst first, bounded.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<Tampering>,
    },
    /// A failed task's changes are being taken back.
    #[serde(rename = "workspace.rolled_back")]
    RolledBack {
        /// The node.
        node: NodeId,
        /// Its attempt.
        attempt: u32,
        /// The paths.
        paths: Vec<String>,
    },
    /// A person has begun to undo the run or a part of it, or to take that back.
    #[serde(rename = "workspace.undo_started")]
    UndoStarted {
        /// Snapshot of the tree before it: the way back.
        before: BlobRef,
        /// Whether it takes an undo back.
        #[serde(default)]
        redo: bool,
    },
    /// A person undid the run, or a part of it.
    #[serde(rename = "workspace.undone")]
    Undone {
        /// The paths that were restored.
        paths: Vec<String>,
        /// The event with which the first step that was taken back began; absent for the whole run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Seq>,
        /// Whether only some of the files were restored, as the person chose.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        some: bool,
        /// Snapshot of the tree before it; absent in older logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<BlobRef>,
        /// Snapshot of the tree after it; absent in older logs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<BlobRef>,
    },
    /// A person took the last undo back.
    #[serde(rename = "workspace.redone")]
    Redone {
        /// The paths that were restored.
        paths: Vec<String>,
        /// Snapshot of the tree before it.
        before: BlobRef,
        /// Snapshot of the tree after it.
        after: BlobRef,
    },
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
