//! What the files shall hold, computed in memory before anything is touched.

use std::collections::BTreeMap;
use std::path::Path;

use sage_core::{BlobRef, FileState, nearest};

use super::Outcome;
use crate::edits::{self, ApplyError, Edit, FileChange, Overwrite, Rejected, Rung};
use crate::error::ToolError;
use crate::path::WorkPath;
use crate::workspace::{Content, LINK_MODE, Workspace};

/// Most files that one answer may change.
pub const MAX_FILES: usize = 200;

/// One file's way from what it holds to what it shall hold.
#[derive(Debug)]
pub(super) struct Change {
    pub path: WorkPath,
    pub before: Option<Content>,
    pub after: Option<Content>,
    /// The worst rung of its edits.
    pub rung: Rung,
    pub lines_added: u64,
    pub lines_removed: u64,
}

impl Change {
    pub(super) fn action(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "created",
            (Some(_), None) => "deleted",
            _ => "changed",
        }
    }
}

/// Applies all edits in memory, in order; if one does not apply, none does. `read` gives what is at a
/// path before the first edit.
pub(super) fn compute(
    workspace: &Workspace,
    edits: &[Edit],
    overwrite: Overwrite,
    read: &dyn Fn(&WorkPath) -> Outcome<Option<Content>>,
) -> Outcome<Vec<Change>> {
    if edits.is_empty() {
        return Err(ToolError::told("there is no edit to apply"));
    }
    let mut placed = Vec::with_capacity(edits.len());
    let mut before: BTreeMap<String, Option<Content>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (n, edit) in edits.iter().enumerate() {
        let found = place(workspace, edit).and_then(|path| match &path {
            Some(path) if !before.contains_key(path.as_str()) => {
                before.insert(path.as_str().to_owned(), read(path)?);
                Ok(Some(path.as_str().to_owned()))
            }
            path => Ok(path.as_ref().map(|path| path.as_str().to_owned())),
        });
        match found {
            Ok(path) => placed.push(with_path(edit, path)),
            Err(ToolError::Told(problem)) if edits.len() > 1 => {
                problems.push(format!("edit {}: {problem}", n + 1));
            }
            Err(error) => return Err(error),
        }
        if before.len() > MAX_FILES {
            return Err(ToolError::told(format!("more than {MAX_FILES} files in one answer")));
        }
    }
    if !problems.is_empty() {
        return Err(nothing_changed(problems.join("\n\n"), edits.len()));
    }
    let bytes = |path: &str| before.get(path)?.as_ref().map(|content| content.bytes.clone());
    let changes = edits::resolve(&placed, overwrite, bytes).map_err(|rejected| {
        let lines: Vec<String> =
            rejected.iter().map(|one| explain(workspace, one, edits.len())).collect();
        nothing_changed(lines.join("\n\n"), edits.len())
    })?;
    if changes.is_empty() {
        return Err(ToolError::told("the edits change nothing: the files already are like that"));
    }
    let before = |path: &str| before.get(path).cloned().flatten();
    Ok(changes.into_iter().map(|change| finish(before(&change.path), change)).collect())
}

fn nothing_changed(problems: String, n_edits: usize) -> ToolError {
    ToolError::told(if n_edits > 1 {
        format!("nothing was changed:\n{problems}")
    } else {
        problems
    })
}

fn explain(workspace: &Workspace, rejected: &Rejected, n_edits: usize) -> String {
    let path = rejected.path.as_deref().map(WorkPath::trusted);
    match (&rejected.error, path) {
        (ApplyError::Missing, Some(path)) => {
            let text = missing(workspace, &path);
            if n_edits > 1 { format!("edit {}: {text}", rejected.block) } else { text }
        }
        (error, Some(path)) if n_edits == 1 => format!("{path}: {error}"),
        (error, None) if n_edits == 1 => error.to_string(),
        _ => rejected.to_string(),
    }
}

fn place(workspace: &Workspace, edit: &Edit) -> Outcome<Option<WorkPath>> {
    let Some(text) = edit.path() else { return Ok(None) };
    let path = match edit {
        Edit::Delete { .. } => workspace.resolve_entry(text)?,
        _ => workspace.resolve(text)?,
    };
    if path.is_root() {
        return Err(ToolError::told("the path names the work tree itself, not a file in it"));
    }
    Ok(Some(path))
}

fn with_path(edit: &Edit, at: Option<String>) -> Edit {
    let mut edit = edit.clone();
    match (&mut edit, at) {
        (Edit::Replace { path, .. }, at) => *path = at,
        (
            Edit::Write { path, .. } | Edit::Create { path, .. } | Edit::Delete { path },
            Some(at),
        ) => *path = at,
        _ => {}
    }
    edit
}

/// Says that a file is not there, and which one may have been meant.
pub(crate) fn missing(workspace: &Workspace, path: &WorkPath) -> String {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let wanted = name(path.as_str());
    let files = workspace.walk().map(|listing| listing.files).unwrap_or_default();
    let same_name = files.iter().find(|file| name(file.path.as_str()) == wanted);
    let meant = match same_name {
        Some(file) => Some(file.path.as_str()),
        None => nearest(path.as_str(), files.iter().map(|file| file.path.as_str())),
    };
    let meant = meant.map(|path| format!("; did you mean {path}?")).unwrap_or_default();
    format!("{path} does not exist{meant}")
}

fn finish(before: Option<Content>, change: FileChange) -> Change {
    let mode = match &before {
        // A link that goes is not replaced by a file of the link's mode.
        Some(before) if before.state.mode != LINK_MODE => before.state.mode,
        _ => new_file_mode(),
    };
    let after = change.after.map(|bytes| {
        let state = FileState { hash: BlobRef::of(&bytes), mode };
        Content { bytes, state }
    });
    Change {
        path: WorkPath::trusted(change.path),
        before,
        after,
        rung: change.rung,
        lines_added: change.lines_added,
        lines_removed: change.lines_removed,
    }
}

/// Permission bits of a new file: what the system would give it.
fn new_file_mode() -> u32 {
    0o666 & !umask()
}

/// The process's file creation mask. It is asked for once, from the kernel's account of us, because
/// the system call that tells it also changes it.
fn umask() -> u32 {
    use std::sync::OnceLock;
    static MASK: OnceLock<u32> = OnceLock::new();
    const USUAL: u32 = 0o022;
    *MASK.get_or_init(|| {
        let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        mask.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok()).unwrap_or(USUAL)
    })
}
