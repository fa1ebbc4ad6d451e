//! Which file of the tree an edit means.
//!
//! A path is taken as it is written. Only where there is no such file are the usual additions taken
//! off (`a/` and `b/` of diffs, the name of the root folder, backslashes), and only if that leads to a
//! file that exists. A name that differs only in case is a mistake, never a file.

use std::collections::BTreeMap;

use super::{ApplyProblem, of_error, problem};
use crate::change::with_paths;
use crate::edits::{Edit, MAX_FILE_BYTES};
use crate::path::{PathError, WorkPath};
use crate::workspace::{Content, LINK_MODE, Workspace};

/// The files that edits are about, as they are on disk.
#[derive(Debug, Default)]
pub(super) struct Located {
    files: BTreeMap<String, Option<Content>>,
}

impl Located {
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn content(&self, path: &str) -> Option<&Content> {
        self.files.get(path)?.as_ref()
    }
}

/// The edit with the paths of the tree, whose files are then in `located`.
pub(super) fn locate(
    workspace: &Workspace,
    edit: &Edit,
    located: &mut Located,
) -> Result<Edit, ApplyProblem> {
    let Some(text) = edit.path() else { return Ok(edit.clone()) };
    let is_entry = matches!(edit, Edit::Delete { .. } | Edit::Move { .. });
    let path = find(workspace, text, is_entry, located)?;
    let to = match edit {
        Edit::Move { to, .. } => {
            let to = find(workspace, to, false, located)?;
            refuse_twin(workspace, &to, located)?;
            Some(to)
        }
        _ => None,
    };
    if matches!(edit, Edit::Move { .. })
        && located.content(path.as_str()).is_some_and(|content| content.state.mode == LINK_MODE)
    {
        return Err(problem(
            0,
            "unsupported",
            format!("{path} is a symbolic link and is not moved"),
        ));
    }
    if matches!(edit, Edit::Write { .. } | Edit::Create { .. }) || makes_new(edit) {
        refuse_twin(workspace, &path, located)?;
    }
    Ok(with_paths(edit, [Some(path), to]))
}

fn makes_new(edit: &Edit) -> bool {
    match edit {
        Edit::Replace { search, .. } => search.is_empty(),
        Edit::Hunk { hunk, .. } => hunk.search.is_empty(),
        _ => false,
    }
}

fn find(
    workspace: &Workspace,
    text: &str,
    is_entry: bool,
    located: &mut Located,
) -> Result<WorkPath, ApplyProblem> {
    let text = text.trim();
    let with_slashes = text.replace('\\', "/");
    if is_drive(&with_slashes) {
        return Err(of_path(&PathError::Outside(text.to_owned())));
    }
    let path = open(workspace, &with_slashes, is_entry, located)?;
    if located.content(path.as_str()).is_some() {
        return Ok(path);
    }
    // Files that an earlier edit of the answer makes are not on disk, but are meant.
    let mut others: Vec<WorkPath> = Vec::new();
    for shorter in shortened(workspace, path.as_str()) {
        if let Ok(other) = open(workspace, &shorter, is_entry, located)
            && located.content(other.as_str()).is_some()
            && !others.contains(&other)
        {
            others.push(other);
        }
    }
    match others.as_slice() {
        [only] => Ok(only.clone()),
        _ => Ok(path),
    }
}

/// `C:/x`.
fn is_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'/'
}

/// The path without its first folder, if that is not in the tree and one that is often put in front.
fn shortened(workspace: &Workspace, path: &str) -> Vec<String> {
    let Some((first, rest)) = path.split_once('/') else { return Vec::new() };
    let name = workspace.root().file_name().map(|name| name.to_string_lossy().into_owned());
    let is_addition = matches!(first, "a" | "b") || name.as_deref() == Some(first);
    if !is_addition || workspace.root().join(first).exists() {
        return Vec::new();
    }
    vec![rest.to_owned()]
}

fn open(
    workspace: &Workspace,
    text: &str,
    is_entry: bool,
    located: &mut Located,
) -> Result<WorkPath, ApplyProblem> {
    let resolved = if is_entry { workspace.resolve_entry(text) } else { workspace.resolve(text) };
    let path = resolved.map_err(|error| of_path(&error))?;
    if path.is_root() {
        return Err(of_path(&PathError::IsRoot(text.to_owned())));
    }
    if !located.files.contains_key(path.as_str()) {
        let at = path.under(workspace.root());
        let size = std::fs::symlink_metadata(at).map_or(0, |meta| meta.len());
        if size > MAX_FILE_BYTES as u64 {
            let text = format!("{path} has {size} bytes; at most {MAX_FILE_BYTES} are edited");
            return Err(problem(0, "too_large", text));
        }
        let content = workspace.content(&path).map_err(|error| of_error(0, &error))?;
        located.files.insert(path.as_str().to_owned(), content);
    }
    Ok(path)
}

/// A new file whose name differs from an existing one only in case would be another file here and the
/// same one elsewhere.
fn refuse_twin(
    workspace: &Workspace,
    path: &WorkPath,
    located: &Located,
) -> Result<(), ApplyProblem> {
    if located.content(path.as_str()).is_some() {
        return Ok(());
    }
    let mut folder = workspace.root().to_owned();
    for name in path.as_str().split('/') {
        let next = folder.join(name);
        if !next.exists() {
            let twin = std::fs::read_dir(&folder).ok().and_then(|mut entries| {
                entries.find_map(|entry| {
                    let found = entry.ok()?.file_name().to_string_lossy().into_owned();
                    (found.to_lowercase() == name.to_lowercase()).then_some(found)
                })
            });
            return match twin {
                Some(twin) => Err(problem(
                    0,
                    "case_mismatch",
                    format!(
                        "{path} does not exist, but {twin:?} does: write names in the case they have"
                    ),
                )),
                None => Ok(()),
            };
        }
        folder = next;
    }
    Ok(())
}

fn of_path(error: &PathError) -> ApplyProblem {
    let kind = match error {
        PathError::Outside(_) | PathError::LinkOutside(_) | PathError::BrokenLink(_) => "outside",
        PathError::Protected(_) => "protected",
        _ => "path",
    };
    problem(0, kind, error.to_string())
}
