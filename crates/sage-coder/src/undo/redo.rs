//! Takes the last undo of a run back: the tree becomes what it was just before it.

use sage_core::{BlobRef, Event, EventKind, RunId, WorkspaceEvent};
use sage_tool::snapshot::Want;

use super::{Opened, Undone, loggable, no};
use crate::context::Wiring;
use crate::error::{Error, Result};

/// An undo that is in force.
#[derive(Debug, Clone)]
struct InForce {
    /// The tree before it.
    before: BlobRef,
    /// The tree after it; absent when it was killed.
    after: Option<BlobRef>,
}

/// Brings back what the last undo of the run took away.
///
/// # Errors
/// Like [`super::undo`]'s; [`Error::NotUndoable`] when nothing of the run is undone.
pub fn redo(wiring: &Wiring, run: &RunId, force: bool, dry_run: bool) -> Result<Undone> {
    let opened = Opened::open(wiring, run)?;
    let last = last_in_force(&opened.events).ok_or_else(|| no(run, "nothing of it is undone"))?;
    let before = opened.store.load(&last.before)?;
    opened.workspace.look_like(&before);
    let now = opened.now()?;
    let after = last.after.as_ref().unwrap_or(now.id());
    let want = |change: sage_tool::snapshot::Difference| Want {
        known: Some(vec![change.after, change.before.clone()]),
        path: change.path,
        target: change.before,
        is_covered: change.is_covered,
    };
    let wants: Vec<Want> =
        opened.store.changes(&last.before, after)?.into_iter().map(want).collect();
    let outlook = opened.store.outlook(&opened.workspace, &wants)?;
    let mut undone =
        Undone { lost_for_good: outlook.lost_for_good(&opened.store), ..Undone::default() };
    if !outlook.foreign.is_empty() {
        if !force {
            return Err(Error::ChangedSince { paths: outlook.foreign });
        }
        undone.forced.clone_from(&outlook.foreign);
    }
    if dry_run {
        undone.not_covered.clone_from(&outlook.not_covered);
        undone.restored = outlook.paths();
        return Ok(undone);
    }
    opened.put(WorkspaceEvent::UndoStarted { before: now.id().clone(), redo: true })?;
    let is_kept = |folder: &str| before.state(folder).is_some();
    let restored = opened.store.carry_out(&opened.workspace, outlook, &is_kept)?;
    let after = opened.now()?;
    opened.put(WorkspaceEvent::Redone {
        paths: loggable(&restored.paths),
        before: now.id().clone(),
        after: after.id().clone(),
    })?;
    undone.restored = restored.paths;
    undone.not_covered = restored.not_covered;
    undone.still_used = restored.still_used;
    undone.failed = restored.failed;
    Ok(undone)
}

/// The last undo that was not taken back. One that was killed and repeated counts as one with its
/// repetition: the way back leads to where the first began.
fn last_in_force(events: &[Event]) -> Option<InForce> {
    let mut stack: Vec<InForce> = Vec::new();
    for event in events {
        let EventKind::Workspace(event) = &event.kind else { continue };
        match event {
            WorkspaceEvent::UndoStarted { before, redo: false }
                if stack.last().is_none_or(|last| last.after.is_some()) =>
            {
                stack.push(InForce { before: before.clone(), after: None });
            }
            WorkspaceEvent::Undone { after, .. } => match stack.last_mut() {
                Some(last) if last.after.is_none() => last.after.clone_from(after),
                // Older versions did not say what was before.
                _ => stack.clear(),
            },
            WorkspaceEvent::Redone { .. } => drop(stack.pop()),
            _ => {}
        }
    }
    stack.pop()
}
