//! Puts a project back into the state before a run, exactly, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::{Event, EventKind, NodeId, Recorder, RunEvent, RunId, WorkspaceEvent};
use sage_log::{LogOptions, RunLog, Runs};
use sage_tool::snapshot::Scope;
use sage_tool::{Covers, Snapshot, SnapshotStore, Workspace};

use crate::context::Wiring;
use crate::error::{Error, Result};
use crate::report::{self, Touched};
use crate::run::options_of;
use crate::state::ProjectLock;

/// What an undo did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The run.
    pub run: RunId,
    /// Paths put back.
    pub restored: Vec<String>,
    /// Large files that the snapshot did not save and the run may have changed.
    pub not_covered: Vec<String>,
}

/// Restores every file that the run touched, through tools or commands, ignored ones included.
///
/// Works after a crash in the run or in an undo. The person's index, stashes and branches are not
/// touched. With `dry_run` nothing is written.
///
/// # Errors
/// [`Error::ChangedSince`] names files that are neither as the run left them nor as they were before;
/// then nothing at all is restored. [`Error::NotUndoable`] when there is nothing to undo.
pub fn undo(wiring: &Wiring, run: &RunId, dry_run: bool) -> Result<Undone> {
    let _lock = ProjectLock::take(&wiring.state_dir)?;
    let dir = Runs::new(wiring.state_dir.join("runs")).dir(run);
    let options = LogOptions {
        clock: wiring.clock.clone(),
        redactor: wiring.redactor.clone(),
        progress: wiring.progress.clone(),
        kill_after: None,
    };
    // The lock keeps a live run from being undone under its feet.
    let (log, loaded) = RunLog::reopen(&dir, options)?;
    let events = loaded.events;
    let no = |why: &str| Error::NotUndoable { run: run.clone(), why: why.to_owned() };
    if options_of(&events).is_ok_and(|options| options.dry_run) {
        return Err(no("it was a dry run and changed nothing"));
    }
    if is_undone(&events) {
        return Err(no("it is undone already"));
    }
    let snapshots = SnapshotStore::open(&wiring.state_dir.join("snapshots"))?;
    let workspace = Workspace::open(&wiring.project)?;
    let not_covered = not_covered(&events);
    let Some(before) = snapshot_id(&events, 0) else {
        // The run ended before its first change.
        return Ok(Undone { run: run.clone(), restored: Vec::new(), not_covered });
    };
    let before = snapshots.load(&before)?;
    let now = snapshots.take(&workspace, Covers::Everything)?;
    let mut expected = BTreeMap::new();
    let mut changed = Vec::new();
    for (path, file) in touched(&events, &snapshots, &before, &workspace)? {
        let state = now.state(&path);
        if state == before.state(&path) {
            continue;
        }
        if file.states.contains(&state) {
            expected.insert(path, state);
        } else {
            changed.push(path);
        }
    }
    if !changed.is_empty() {
        return Err(Error::ChangedSince { paths: changed });
    }
    if dry_run {
        let restored = expected.into_keys().collect();
        return Ok(Undone { run: run.clone(), restored, not_covered });
    }
    let restored = snapshots.restore(&workspace, &before, Scope::Touched, &expected)?.paths;
    log.emit(WorkspaceEvent::Undone { paths: restored.clone() }.into())?;
    log.sync()?;
    Ok(Undone { run: run.clone(), restored, not_covered })
}

fn touched(
    events: &[Event],
    snapshots: &SnapshotStore,
    before: &Snapshot,
    workspace: &Workspace,
) -> Result<BTreeMap<String, Touched>> {
    let mut touched = report::touched(events);
    if let Some(after) = snapshot_id(events, 1) {
        // What commands did to ignored files is in no event, only in the two snapshots. A change of
        // any other file that is in no event was made by somebody else while the run went on.
        let of_others: BTreeSet<String> = crate::survey::paths(workspace)?.into_iter().collect();
        let changes = snapshots.diff(before, &snapshots.load(&after)?);
        for change in changes.into_iter().filter(|change| !of_others.contains(&change.path)) {
            let states = vec![change.after];
            touched.entry(change.path).or_insert(Touched { states });
        }
    }
    Ok(touched)
}

fn snapshot_id(events: &[Event], wanted: u32) -> Option<sage_core::BlobRef> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Snapshotted { node, attempt, snapshot, .. })
            if *node == NodeId::run() && *attempt == wanted =>
        {
            Some(snapshot.clone())
        }
        _ => None,
    })
}

fn not_covered(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Workspace(WorkspaceEvent::Snapshotted {
                node,
                attempt: 0,
                not_covered,
                ..
            }) if *node == NodeId::run() => Some(not_covered.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

/// Whether the run's files are as they were before it, because somebody undid it.
#[must_use]
pub fn is_undone(events: &[Event]) -> bool {
    let last = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Undone { .. }) => Some(true),
        EventKind::Workspace(WorkspaceEvent::Changed { .. })
        | EventKind::Run(RunEvent::Resumed { .. }) => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}
