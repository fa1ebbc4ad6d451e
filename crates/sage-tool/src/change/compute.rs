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
        let found = place(workspace, edit).and_then(|paths| {
            for path in paths.iter().flatten() {
                if !before.contains_key(path.as_str()) {
                    before.insert(path.as_str().to_owned(), read(path)?);
                }
            }
            Ok(paths)
        });
        match found {
            Ok(paths) => placed.push(with_paths(edit, paths)),
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
    let finished = changes.into_iter().map(|change| {
        let from = change.moved_from.as_deref().and_then(before);
        finish(before(&change.path), from.as_ref(), change)
    });
    Ok(finished.collect())
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

/// The file of an edit, and the path that it shall get.
type Paths = [Option<WorkPath>; 2];

fn place(workspace: &Workspace, edit: &Edit) -> Outcome<Paths> {
    let Some(text) = edit.path() else { return Ok([None, None]) };
    let path = match edit {
        Edit::Delete { .. } | Edit::Move { .. } => workspace.resolve_entry(text)?,
        _ => workspace.resolve(text)?,
    };
    let to = match edit {
        Edit::Move { to, .. } => Some(workspace.resolve(to)?),
        _ => None,
    };
    if path.is_root() || to.as_ref().is_some_and(WorkPath::is_root) {
        return Err(ToolError::told("the path names the work tree itself, not a file in it"));
    }
    Ok([Some(path), to])
}

pub(crate) fn with_paths(edit: &Edit, paths: Paths) -> Edit {
    let mut edit = edit.clone();
    let [path, target] = paths.map(|path| path.map(|path| path.as_str().to_owned()));
    match (&mut edit, path) {
        (Edit::Replace { path, .. } | Edit::Hunk { path, .. }, at) => *path = at,
        (
            Edit::Write { path, .. }
            | Edit::Create { path, .. }
            | Edit::Delete { path }
            | Edit::SetMode { path, .. }
            | Edit::Move { path, .. },
            Some(at),
        ) => *path = at,
        _ => {}
    }
    if let (Edit::Move { to, .. }, Some(target)) = (&mut edit, target) {
        *to = target;
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

fn finish(before: Option<Content>, from: Option<&Content>, change: FileChange) -> Change {
    let mode = match before.as_ref().or(from) {
        // A link that goes is not replaced by a file of the link's mode.
        Some(before) if before.state.mode != LINK_MODE => before.state.mode,
        _ => new_file_mode(),
    };
    let mode = with_executable(mode, change.executable);
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

/// The mode with the right to execute for everybody who may read, or for nobody.
pub(crate) fn with_executable(mode: u32, executable: Option<bool>) -> u32 {
    match executable {
        Some(true) => mode | ((mode & 0o444) >> 2),
        Some(false) => mode & !0o111,
        None => mode,
    }
}

/// Permission bits of a new file: what the system would give it.
pub(crate) fn new_file_mode() -> u32 {
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
