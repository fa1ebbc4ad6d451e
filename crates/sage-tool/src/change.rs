//! Changing files: all that an answer asks for, or nothing, and the log knows first.
//!
//! The order, under the work tree's one write lock: read what is there, compute what shall be there,
//! check the grant, keep both contents for undo, announce each change (`workspace.changed`), sync,
//! look again that nobody changed a file meanwhile, write. A process that dies in between leaves
//! announced changes of unknown outcome; when the call is taken up again, each file is compared with
//! what was announced: changed already, still to be changed, or changed by somebody else.

mod compute;
mod land;
mod preview;

use std::collections::BTreeSet;

use sage_core::{FileState, PastChange, ToolPast, WorkspaceEvent};
use serde_json::{Value, json};

use crate::call::{CallCx, Intent, ToolResult};
use crate::edits::{Edit, Overwrite, Rung};
use crate::error::{Error, ToolError};
use crate::path::{self, WorkPath};
use crate::workspace::{Content, LINK_MODE, Workspace};

use compute::{Change, compute};
pub(crate) use compute::{missing, new_file_mode, with_executable, with_paths};
pub(crate) use land::land;
pub use land::{Landing, MAX_LANDED};
pub(crate) use preview::{Loss, preview};

/// One change of one file, as a model asked for it.
pub type FileEdit = Edit;

type Outcome<T> = std::result::Result<T, ToolError>;

/// Applies the edits of a model's answer. An existing file loses most of its content only through
/// search and replace.
pub(crate) fn apply(cx: &CallCx<'_>, edits: &[FileEdit]) -> Outcome<ToolResult> {
    apply_with(cx, edits, Overwrite::Guarded)
}

/// Like [`apply`], with the caller's word on whole files.
pub(crate) fn apply_with(
    cx: &CallCx<'_>,
    edits: &[FileEdit],
    overwrite: Overwrite,
) -> Outcome<ToolResult> {
    let workspace = &*cx.cx.workspace;
    // What was approved, by a person or a rule, needs no guard any more.
    let overwrite = if cx.may_remove { Overwrite::Allowed } else { overwrite };
    let _lock = workspace.write_lock();
    match &cx.interrupted {
        Some(past) if !past.changes.is_empty() => take_up(cx, edits, overwrite, past),
        _ => {
            let changes = compute(workspace, edits, overwrite, &|path| read(workspace, path))?;
            let objection = changes
                .iter()
                .find_map(|change| cx.cx.grant.objection_to_write(change.path.as_str()));
            if let Some(reason) = objection {
                return Err(ToolError::refused(reason));
            }
            keep(cx, &changes)?;
            announce(cx, &changes.iter().collect::<Vec<_>>())?;
            write_all(cx, &changes)?;
            Ok(report(&changes))
        }
    }
}

fn read(workspace: &Workspace, path: &WorkPath) -> Outcome<Option<Content>> {
    match workspace.content(path) {
        Ok(content) => Ok(content),
        Err(Error::Io { doing, source, .. }) => Err(ToolError::of_io(doing, path.as_str(), source)),
        Err(error) => Err(error.into()),
    }
}

/// Keeps old and new contents, so that the change can be shown, undone, and taken up again.
fn keep(cx: &CallCx<'_>, changes: &[Change]) -> Outcome<()> {
    let Some(store) = &cx.cx.snapshots else { return Ok(()) };
    for change in changes {
        if let Some(before) = &change.before {
            store.keep_durably(&before.bytes)?;
        }
        if let Some(after) = &change.after {
            store.keep(&after.bytes)?;
        }
    }
    Ok(())
}

fn announce(cx: &CallCx<'_>, changes: &[&Change]) -> Outcome<()> {
    for change in changes {
        let (before, after) = (state(&change.before), state(&change.after));
        let (added, removed) = (change.lines_added, change.lines_removed);
        emit_changed(cx, &change.path, before, after, added, removed)?;
    }
    cx.cx.recorder.sync()?;
    Ok(())
}

fn emit_changed(
    cx: &CallCx<'_>,
    path: &WorkPath,
    before: Option<FileState>,
    after: Option<FileState>,
    lines_added: u64,
    lines_removed: u64,
) -> Outcome<()> {
    cx.cx.recorder.emit(
        WorkspaceEvent::Changed {
            call: cx.call.clone(),
            path: path.as_str().to_owned(),
            before,
            after,
            lines_added,
            lines_removed,
        }
        .into(),
    )?;
    Ok(())
}

fn state(content: &Option<Content>) -> Option<FileState> {
    content.as_ref().map(|content| content.state.clone())
}

/// Writes the announced changes; when one cannot be written, those before it are taken back.
fn write_all(cx: &CallCx<'_>, changes: &[Change]) -> Outcome<()> {
    let workspace = &*cx.cx.workspace;
    let new_folders: BTreeSet<WorkPath> =
        changes.iter().flat_map(|change| missing_folders(workspace, &change.path)).collect();
    for (n_done, change) in changes.iter().enumerate() {
        if let Err(error) = write_one(workspace, change) {
            take_back(cx, changes, n_done)?;
            // Deepest first; one that somebody uses by now stays.
            for folder in new_folders.iter().rev() {
                let _ = std::fs::remove_dir(folder.under(workspace.root()));
            }
            return Err(error);
        }
    }
    Ok(())
}

/// The folders that must be made for a file.
fn missing_folders(workspace: &Workspace, path: &WorkPath) -> Vec<WorkPath> {
    let is_missing = |folder: &WorkPath| !folder.under(workspace.root()).exists();
    std::iter::successors(path.parent(), WorkPath::parent).take_while(is_missing).collect()
}

fn write_one(workspace: &Workspace, change: &Change) -> Outcome<()> {
    let path = &change.path;
    if workspace.state(path).ok().flatten() != state(&change.before) {
        return Err(ToolError::told(format!(
            "{path} was changed by somebody else at this moment; read it again and repeat the edit"
        )));
    }
    let is_link = |content: &Content| content.state.mode == LINK_MODE;
    let done = match &change.after {
        Some(after) if is_link(after) => workspace.link(path, &path::encode_bytes(&after.bytes)),
        Some(after) if change.before.as_ref().is_some_and(is_link) => {
            workspace.put_over(path, &after.bytes, after.state.mode)
        }
        Some(after) => workspace.put(path, &after.bytes, Some(after.state.mode)),
        None => workspace.delete(path),
    };
    done.map_err(|error| match error {
        Error::Io { doing, source, .. } => ToolError::of_io(doing, path.as_str(), source),
        Error::Path(error) => error.into(),
        error => error.into(),
    })?;
    workspace.activity().note_write(path.as_str(), state(&change.after));
    Ok(())
}

/// After a write failed: the files that were written get their old content back, and the log is told
/// what each announced file really holds.
fn take_back(cx: &CallCx<'_>, changes: &[Change], n_done: usize) -> Outcome<()> {
    let workspace = &*cx.cx.workspace;
    for change in changes[..n_done].iter().rev() {
        // Best effort: what cannot be taken back is logged as it is, below.
        let _ = match &change.before {
            Some(before) if before.state.mode == LINK_MODE => {
                workspace.link(&change.path, &path::encode_bytes(&before.bytes))
            }
            Some(before) => workspace.put(&change.path, &before.bytes, Some(before.state.mode)),
            None => workspace.delete(&change.path),
        };
        workspace.activity().note_write(change.path.as_str(), state(&change.before));
    }
    for change in changes {
        let now = workspace.state(&change.path).ok().flatten();
        let announced = state(&change.after);
        if now != announced {
            let (added, removed) = (change.lines_removed, change.lines_added);
            emit_changed(cx, &change.path, announced, now, added, removed)?;
        }
    }
    cx.cx.recorder.sync()?;
    Ok(())
}

/// Completes a call that an earlier process announced and did not finish.
fn take_up(
    cx: &CallCx<'_>,
    edits: &[FileEdit],
    overwrite: Overwrite,
    past: &ToolPast,
) -> Outcome<ToolResult> {
    let workspace = &*cx.cx.workspace;
    let announced = last_announced(&past.changes)?;
    let mut foreign = Vec::new();
    let mut to_do = Vec::new();
    for change in &announced {
        let path = WorkPath::trusted(change.path.clone());
        let now = workspace.state(&path).ok().flatten();
        if now == change.after {
            continue;
        }
        if now == change.before { to_do.push(path) } else { foreign.push(change.path.as_str()) }
    }
    if !foreign.is_empty() {
        return Err(ToolError::told(format!(
            "this call was interrupted, and meanwhile somebody else changed {}; nothing more was done: \
             read the files again",
            foreign.join(", ")
        )));
    }
    // Compute from what was there before: the files that are changed already have it in the store.
    let before = |path: &WorkPath| match announced.iter().find(|c| c.path == path.as_str()) {
        Some(change) => before_of(cx, path, change),
        None => read(workspace, path),
    };
    let changes = compute(workspace, edits, overwrite, &before).map_err(|error| match error {
        ToolError::Ends(error) => error.into(),
        _ => lost(&to_do),
    })?;
    let planned = |path: &str| changes.iter().find(|change| change.path.as_str() == path);
    let same = announced
        .iter()
        .all(|c| planned(&c.path).is_some_and(|change| state(&change.after) == c.after));
    let unannounced: Vec<&Change> = changes
        .iter()
        .filter(|change| !announced.iter().any(|c| c.path == change.path.as_str()))
        .collect();
    if !same || (!unannounced.is_empty() && to_do.len() < announced.len()) {
        // The recorded arguments are not what was computed from at first, for example because a
        // secret in them was redacted: writing them now would put the redaction into the file.
        return Err(lost(&to_do));
    }
    if !unannounced.is_empty() {
        // The process died between two announcements, so nothing was written yet.
        keep(cx, &changes)?;
        announce(cx, &unannounced)?;
        to_do.extend(unannounced.iter().map(|change| change.path.clone()));
    }
    for change in changes.iter().filter(|change| to_do.contains(&change.path)) {
        write_one(workspace, change)?;
    }
    Ok(report(&changes))
}

fn lost(to_do: &[WorkPath]) -> ToolError {
    let paths: Vec<&str> = to_do.iter().map(WorkPath::as_str).collect();
    ToolError::told(match paths.as_slice() {
        [] => {
            "this call was interrupted after its changes had been written; read the files again to \
               see them"
                .to_owned()
        }
        paths => format!(
            "this call was interrupted before it changed {}; read the files again and repeat it",
            paths.join(", ")
        ),
    })
}

fn before_of(cx: &CallCx<'_>, path: &WorkPath, change: &PastChange) -> Outcome<Option<Content>> {
    let Some(state) = &change.before else { return Ok(None) };
    let now = read(&cx.cx.workspace, path)?;
    if let Some(now) = now
        && now.state == *state
    {
        return Ok(Some(now));
    }
    let store = cx.cx.snapshots.as_ref();
    match store.map(|store| store.read(&state.hash)) {
        Some(Ok(bytes)) => Ok(Some(Content { bytes, state: state.clone() })),
        _ => Err(ToolError::told("the content before the change is not at hand")),
    }
}

/// One announcement per path. A chain of them that leads back to its beginning was taken back, which
/// happens only after a failed write.
fn last_announced(changes: &[PastChange]) -> Outcome<Vec<PastChange>> {
    let mut announced: Vec<PastChange> = Vec::new();
    for change in changes {
        match announced.iter_mut().find(|seen| seen.path == change.path) {
            Some(seen) if seen.before == change.after && seen.after == change.before => {
                return Err(ToolError::told(format!(
                    "{} could not be written, and nothing was changed; the call was interrupted after that",
                    change.path
                )));
            }
            Some(seen) => seen.after.clone_from(&change.after),
            None => announced.push(change.clone()),
        }
    }
    Ok(announced)
}

/// What the model and programs are told about changes that were made.
fn report(changes: &[Change]) -> ToolResult {
    let line = |change: &Change| {
        let (added, removed) = (change.lines_added, change.lines_removed);
        match (&change.before, &change.after) {
            (None, Some(_)) => format!("created {}: {added} lines", change.path),
            (Some(_), None) => format!("deleted {}", change.path),
            _ => format!("changed {}: +{added} -{removed} lines{}", change.path, told(change.rung)),
        }
    };
    let lines: Vec<String> = changes.iter().map(line).collect();
    let files: Vec<Value> = changes
        .iter()
        .map(|change| {
            json!({
                "path": change.path,
                "action": change.action(),
                "rung": change.rung,
                "lines_added": change.lines_added,
                "lines_removed": change.lines_removed,
            })
        })
        .collect();
    let mut result = ToolResult::success(lines.join("\n")).with_details(json!({ "files": files }));
    result.changed = changes.iter().map(|change| change.path.as_str().to_owned()).collect();
    result
}

/// How the place was found, where that was not plain.
fn told(rung: Rung) -> String {
    match rung {
        Rung::Exact | Rung::LineEndings => String::new(),
        rung => format!(" ({})", rung.words()),
    }
}

/// What a list of edits will touch.
pub(crate) fn intent_of(edits: &[FileEdit]) -> Intent {
    let (mut writes, mut removes) = (Vec::new(), Vec::new());
    for edit in edits {
        if let Edit::Move { to, .. } = edit
            && !writes.contains(to)
        {
            writes.push(to.clone());
        }
        let is_removal = matches!(edit, Edit::Delete { .. } | Edit::Move { .. });
        let list = if is_removal { &mut removes } else { &mut writes };
        list.extend(edit.path().map(str::to_owned).filter(|path| !list.contains(path)));
    }
    let all: Vec<&str> = writes.iter().chain(&removes).map(String::as_str).collect();
    Intent { summary: all.join(", "), writes, removes, ..Intent::default() }
}

#[cfg(test)]
mod tests;
