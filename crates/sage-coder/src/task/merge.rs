//! Merging what a task did in its lane into the work tree.
//!
//! One task at a time: compare the lane with the tree, put what merges cleanly into the tree, run the
//! task's commands there, and count it as merged only if they pass; otherwise take it back. What does
//! not merge, or does not work merged, goes back to the task: its lane is brought up to date with the
//! tree, conflicts are marked in the files, and a repair round has them in hand.
//!
//! The tree is compared as it is at that moment, so what the person edits while the run goes on is
//! merged with, too, and never overwritten.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sage_core::{
    BlobRef, EventKind, FileState, LaneBase, NodeOutcome, NodePhase, Recorder, WorkspaceEvent,
};
use sage_engine::NodeReport;
use sage_tool::{Covers, Grant, Landing};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::briefing::Briefing;
use super::{Attempt, Failure};
use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::lane::{self, LaneStep, Turn};
use crate::options::Lanes;

mod compute;

use compute::{Conflict, MergedFile};

/// How often merging begins anew because a file of the tree changed while it was compared.
const MAX_TRIES: u32 = 5;
/// Longest description of conflicts that a model sees, in characters.
const MAX_DETAIL_CHARS: usize = 16_000;
/// Type bits of a folder in a state's mode.
const FOLDER_MODE: u32 = 0o040_000;

/// Where an attempt stands with its merging.
#[derive(Debug, Default)]
pub(super) struct Merging {
    /// Held from comparing until the merge is verified or taken back.
    turn: Mutex<Option<Turn>>,
    /// Conflicts that the repair has in hand.
    open: Mutex<Vec<Conflict>>,
}

/// What a merge would do, as a gathered fact.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Merged {
    files: Vec<MergedFile>,
}

/// How a lane is brought up to date, as a gathered fact.
#[derive(Debug, Serialize, Deserialize)]
struct Rebase {
    snapshot: BlobRef,
    landings: Vec<Landing>,
    bases: Vec<LaneBase>,
}

impl Merged {
    fn conflicts(&self) -> Vec<Conflict> {
        self.files.iter().filter_map(|file| file.conflict.clone()).collect()
    }

    fn landings(&self) -> Vec<Landing> {
        let changed = self.files.iter().filter(|file| file.result != file.ours);
        changed
            .map(|file| Landing {
                path: file.path.clone(),
                before: file.ours.clone(),
                after: file.result.clone(),
            })
            .collect()
    }

    fn paths(&self) -> Vec<String> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }
}

impl Attempt {
    /// Whether the files of the attempt are those of a lane.
    pub(super) fn is_in_lane(&self) -> bool {
        self.tree.is_some()
    }

    /// Whether the attempt works, or worked in an earlier process, in a lane.
    pub(super) fn had_lane(&self) -> bool {
        self.is_in_lane() || lane::is_open(&self.cx, &self.task.id, self.number)
    }

    /// Moves into the task's lane, if it is to have one.
    pub(super) async fn enter_lane(self) -> Result<Self> {
        if !(self.task.lane && self.cx.options.lanes == Lanes::Merged) {
            return Ok(self);
        }
        let cx = lane::enter(&self.cx, &self.task.id, self.number).await?;
        Ok(Self { tree: Some(self.cx), cx, ..self })
    }

    /// Ends the lane with its attempt, unless a later process goes on with it.
    pub(super) fn leave_lane(&self, ended: &NodeReport) {
        if !self.had_lane() {
            return;
        }
        let goes_on =
            ended.outcome == NodeOutcome::Interrupted || sage_engine::can_be_taken_up(ended.error);
        if !(goes_on && ended.outcome != NodeOutcome::Done) {
            lane::remove(&self.cx, &self.task.id, self.number);
        }
        self.cx.turns.end(&(self.task.id.clone(), self.number));
        self.turn().take();
    }

    fn end_turn(&self) {
        self.cx.turns.pass(&(self.task.id.clone(), self.number));
        self.turn().take();
    }

    fn turn(&self) -> std::sync::MutexGuard<'_, Option<Turn>> {
        self.merging.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Merges; `None` when the tree has the task's changes and they work there.
    pub(super) async fn merge(&self, briefing: &Briefing, round: u32) -> Result<Option<Failure>> {
        let Some(tree) = self.tree.clone() else { return Ok(None) };
        self.enter(NodePhase::Merge, round)?;
        let who = (self.task.id.clone(), self.number);
        let step = LaneStep::Merged(who.0.clone(), who.1, round);
        self.cx.turns.in_order(&step).await;
        let turn = self.cx.turns.take(&who, &self.cancel).await.ok_or(Error::Interrupted)?;
        *self.turn() = Some(turn);
        let claim = tree.workspace.clone();
        let _claim = claim.claim(self.claimed());
        let failure = self.merge_in_turn(&tree, briefing, round).await?;
        self.end_turn();
        self.cx.turns.done(|done| *done == step);
        Ok(failure)
    }

    async fn merge_in_turn(
        &self,
        tree: &Arc<RunCx>,
        briefing: &Briefing,
        round: u32,
    ) -> Result<Option<Failure>> {
        let mut moved = String::new();
        for _ in 0..MAX_TRIES {
            let merged = self.merged(tree).await?;
            let conflicts = merged.conflicts();
            if !conflicts.is_empty() {
                let failure = conflict_failure(&conflicts);
                self.say_merged(&merged, round, false, &conflicts, &failure.summary)?;
                return self.send_back(tree, &merged, conflicts, failure, round).await.map(Some);
            }
            let landings = merged.landings();
            let cx = tree.tool_cx(self.grant()?, self.cancel.clone());
            let landed = tree.tools.land(&cx, self.calls.next(), landings.clone()).await?;
            if !landed.ok {
                // Somebody changed one of the files since it was compared.
                moved = landed.text;
                continue;
            }
            let Some(mut failure) = self.judge_in_tree(tree, briefing, round).await? else {
                self.say_merged(&merged, round, true, &[], "")?;
                return Ok(None);
            };
            let back: Vec<Landing> = landings.iter().map(Landing::reversed).collect();
            let back = tree.tools.land(&cx, self.calls.next(), back).await?;
            failure.summary = format!("merged into the tree, {}", failure.summary);
            failure.detail.push_str(
                "\nThis ran in the work tree after merging. Since the task began, others have changed \
                 the tree; the task's files now have their changes too.\n",
            );
            self.say_merged(&merged, round, false, &[], &failure.summary)?;
            if !back.ok {
                let summary = format!("{}; not taken back: {}", failure.summary, back.text);
                return Ok(Some(Failure { summary, repairable: false, ..failure }));
            }
            return self.send_back(tree, &merged, Vec::new(), failure, round).await.map(Some);
        }
        let summary = format!("the tree kept changing while this was to be merged: {moved}");
        Ok(Some(Failure { repairable: false, ..Failure::repairable(summary, moved) }))
    }

    /// Compares lane and tree.
    async fn merged(&self, tree: &Arc<RunCx>) -> Result<Merged> {
        let of = (&self.task.id, self.number);
        let value = self
            .gather("merge", async {
                let files = compute::files(&self.cx, tree, self.first_states(), of)?;
                Ok(json!(Merged { files }))
            })
            .await?;
        Ok(serde_json::from_value(value).unwrap_or_default())
    }

    /// Runs the task's tests and commands in the work tree.
    async fn judge_in_tree(
        &self,
        tree: &Arc<RunCx>,
        briefing: &Briefing,
        round: u32,
    ) -> Result<Option<Failure>> {
        let changes = self.changes().await?;
        let there = Self {
            cx: Arc::clone(tree),
            plan: Arc::clone(&self.plan),
            task: self.task.clone(),
            number: self.number,
            calls: self.calls.clone(),
            cancel: self.cancel.clone(),
            tree: None,
            merging: Merging::default(),
        };
        if let Some(failure) = there.run_generated_tests(briefing, &changes, round).await? {
            return Ok(Some(failure));
        }
        there.verify(briefing, round).await
    }

    /// Brings the lane up to date with the tree, and gives the failure for the repair.
    async fn send_back(
        &self,
        tree: &Arc<RunCx>,
        merged: &Merged,
        conflicts: Vec<Conflict>,
        failure: Failure,
        round: u32,
    ) -> Result<Failure> {
        let value =
            self.gather("rebase", async { Ok(json!(self.compute_rebase(tree, merged)?)) }).await?;
        let rebase: Rebase = serde_json::from_value(value)
            .map_err(|error| sage_tool::Error::Internal(format!("a rebase on record: {error}")))?;
        // The lane is the task's own, and what the tree has is not the task's to be granted.
        let cx = self.cx.tool_cx(Grant::everything(), self.cancel.clone());
        let landed = self.cx.tools.land(&cx, self.calls.next(), rebase.landings).await?;
        if !landed.ok {
            let summary =
                format!("{}; bringing its lane up to date: {}", failure.summary, landed.text);
            return Ok(Failure { summary, repairable: false, ..failure });
        }
        let (of, number) = (&self.task.id, self.number);
        let is_known = self.cx.log.events().iter().any(|event| {
            matches!(&event.kind, EventKind::Workspace(WorkspaceEvent::LaneRebased { node, attempt, round: past, .. })
                if node == of && *attempt == number && *past == round)
        });
        if !is_known {
            self.cx.emit(WorkspaceEvent::LaneRebased {
                node: of.clone(),
                attempt: number,
                round,
                snapshot: rebase.snapshot,
                bases: rebase.bases,
            })?;
        }
        *self.merging.open.lock().unwrap_or_else(PoisonError::into_inner) = conflicts;
        Ok(failure)
    }

    fn compute_rebase(&self, tree: &RunCx, merged: &Merged) -> Result<Rebase> {
        let now = tree.snapshots.take(&tree.workspace, Covers::NotIgnored)?;
        let own: BTreeMap<&str, &MergedFile> =
            merged.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut wanted: BTreeMap<String, Option<FileState>> = BTreeMap::new();
        if let Some(start) = self.lane_snapshot() {
            let is_file = |state: &Option<FileState>| {
                state.as_ref().is_none_or(|state| {
                    state.mode & FOLDER_MODE == 0 && tree.snapshots.read(&state.hash).is_ok()
                })
            };
            let news = tree.snapshots.diff(&tree.snapshots.load(&start)?, &now);
            for news in news.into_iter().filter(|news| !own.contains_key(news.path.as_str())) {
                let was_file =
                    news.before.as_ref().is_none_or(|state| state.mode & FOLDER_MODE == 0);
                if was_file && is_file(&news.after) {
                    wanted.insert(news.path, news.after);
                }
            }
        }
        for file in &merged.files {
            let marked = file.conflict.as_ref().map(|conflict| conflict.shown.clone());
            wanted.insert(file.path.clone(), marked.unwrap_or_else(|| file.result.clone()));
        }
        let mut landings = Vec::new();
        for (path, after) in wanted {
            let at = self.cx.workspace.resolve_entry(&path)?;
            let before = self.cx.workspace.state(&at)?;
            if before != after {
                landings.push(Landing { path, before, after });
            }
        }
        let base =
            |file: &MergedFile| LaneBase { path: file.path.clone(), state: file.ours.clone() };
        let bases = merged.files.iter().map(base).collect();
        Ok(Rebase { snapshot: now.id().clone(), landings, bases })
    }

    /// The tree from which the lane was made, or to which it was last brought up to date.
    fn lane_snapshot(&self) -> Option<BlobRef> {
        let (of, number) = (&self.task.id, self.number);
        self.cx.log.events().iter().rev().find_map(|event| match &event.kind {
            EventKind::Workspace(
                WorkspaceEvent::LaneOpened { node, attempt, snapshot, .. }
                | WorkspaceEvent::LaneRebased { node, attempt, snapshot, .. },
            ) if node == of && *attempt == number => Some(snapshot.clone()),
            _ => None,
        })
    }

    /// What of the last conflicts the repair has left open.
    pub(super) async fn unresolved(&self) -> Result<Option<Failure>> {
        let open = self.merging.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if open.is_empty() {
            return Ok(None);
        }
        let value = self
            .gather("unresolved", async {
                let mut left = Vec::new();
                for conflict in &open {
                    if compute::is_unresolved(&self.cx, conflict)? {
                        left.push(conflict.path.clone());
                    }
                }
                Ok(json!(left))
            })
            .await?;
        let left: Vec<String> = serde_json::from_value(value).unwrap_or_default();
        let left: Vec<Conflict> =
            open.into_iter().filter(|conflict| left.contains(&conflict.path)).collect();
        Ok((!left.is_empty()).then(|| {
            let failure = conflict_failure(&left);
            Failure { summary: format!("unresolved: {}", failure.summary), ..failure }
        }))
    }

    fn say_merged(
        &self,
        files: &Merged,
        round: u32,
        merged: bool,
        conflicts: &[Conflict],
        reason: &str,
    ) -> Result<()> {
        let (of, number) = (&self.task.id, self.number);
        let is_known = self.cx.log.events().iter().any(|event| {
            matches!(&event.kind, EventKind::Workspace(WorkspaceEvent::LaneMerged { node, attempt, round: past, .. })
                if node == of && *attempt == number && *past == round)
        });
        if is_known {
            return Ok(());
        }
        self.cx.emit(WorkspaceEvent::LaneMerged {
            node: of.clone(),
            attempt: number,
            round,
            merged,
            paths: files.paths(),
            conflicts: conflicts.iter().map(|conflict| conflict.path.clone()).collect(),
            reason: reason.to_owned(),
        })?;
        Ok(self.cx.log.sync()?)
    }

    /// The files in the tree that hold what the attempt has merged without getting to verify it, with
    /// what they held before. A file that somebody changed since stays as it is.
    pub(super) fn left_of_merge(
        &self,
        tree: &RunCx,
    ) -> Result<BTreeMap<String, Option<FileState>>> {
        let (of, number) = (&self.task.id, self.number);
        let mut left: BTreeMap<String, (Option<FileState>, Option<FileState>)> = BTreeMap::new();
        for event in tree.log.events() {
            match event.kind {
                EventKind::Workspace(WorkspaceEvent::Changed {
                    call, path, before, after, ..
                }) if call.node == *of && call.attempt == number => {
                    let entry = left.entry(path).or_insert_with(|| (before, after.clone()));
                    entry.1 = after;
                }
                EventKind::Workspace(WorkspaceEvent::LaneMerged { node, attempt, .. })
                    if node == *of && attempt == number =>
                {
                    left.clear();
                }
                _ => {}
            }
        }
        let mut targets = BTreeMap::new();
        for (path, (before, after)) in left {
            let now = tree.workspace.state(&tree.workspace.resolve_entry(&path)?)?;
            if now == after && now != before {
                targets.insert(path, before);
            }
        }
        Ok(targets)
    }
}

/// What the report and the repair are told about conflicts.
fn conflict_failure(conflicts: &[Conflict]) -> Failure {
    let mut names: Vec<String> = Vec::new();
    let mut detail = String::new();
    for conflict in conflicts {
        names.push(format!("{} ({})", conflict.path, conflict.by));
        detail.push_str(&conflict.told());
    }
    let summary = format!("conflict with what the tree has got meanwhile: {}", names.join(", "));
    let detail = sage_core::head_and_tail(&detail, MAX_DETAIL_CHARS);
    Failure::repairable(summary, detail)
}
