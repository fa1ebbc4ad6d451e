//! What edits would do, before anybody decides whether they may.

use std::fmt::Write;

use similar::TextDiff;

use super::compute::{Change, compute};
use super::{FileEdit, read};
use crate::edits::{Overwrite, removes_most};
use crate::path::WorkPath;
use crate::workspace::Workspace;

/// A file with fewer lines than this may go without asking.
const SMALL_FILE_LINES: usize = 15;
/// A file that is no text may go without asking up to this size, in bytes.
const SMALL_FILE_BYTES: usize = 1024;
/// Files that one answer may delete without asking, however small.
const MANY_DELETED: usize = 5;
/// Files that one answer may change without asking.
const MANY_CHANGED: usize = 50;
/// Most characters of a diff.
const MAX_DIFF_CHARS: usize = 400_000;
/// Largest file whose lines are compared, in bytes.
const MAX_DIFF_BYTES: usize = 4 * 1024 * 1024;

/// What edits would do.
#[derive(Debug)]
pub(crate) struct Preview {
    /// The files that would change.
    pub paths: Vec<String>,
    /// As a unified diff.
    pub diff: String,
    /// Files that would go, or lose most of what they hold.
    pub losses: Vec<Loss>,
    /// Why the answer as a whole is more than one expects, if it is.
    pub too_many: Option<String>,
}

/// A file that would lose most of what it holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    pub path: String,
    /// In words: what happens to it.
    pub how: String,
    /// Whether the call says so in so many words: a deletion, a replaced passage, permission to
    /// overwrite.
    pub is_outright: bool,
}

/// Works out what edits would do; nothing if they do not apply, which is for the tool to tell.
pub(crate) fn preview(
    workspace: &Workspace,
    edits: &[FileEdit],
    overwrite: Overwrite,
) -> Option<Preview> {
    let read = |path: &WorkPath| read(workspace, path);
    let (changes, is_guarded) = match compute(workspace, edits, Overwrite::Guarded, &read) {
        Ok(changes) => (changes, false),
        // A whole file that looks like a part of one: the edits' own guard knows how to tell.
        Err(_) => (compute(workspace, edits, Overwrite::Allowed, &read).ok()?, true),
    };
    let is_outright = !is_guarded || overwrite == Overwrite::Allowed;
    let loses_most = |change: &Change| match (&change.before, &change.after) {
        (Some(before), Some(after)) => removes_most(&before.bytes, &after.bytes),
        _ => false,
    };
    // Where no file loses most of its lines, the guard objected to another sort of excerpt.
    let is_excerpt = is_guarded && !changes.iter().any(loses_most);
    let mut losses = Vec::new();
    for change in &changes {
        let Some(before) = &change.before else { continue };
        let n_before = lines(&before.bytes);
        let how = match &change.after {
            None if is_small(&before.bytes) => continue,
            None => format!("deletes {} ({n_before} lines)", change.path),
            Some(after) if loses_most(change) || (is_excerpt && is_whole(edits, change)) => {
                let n_after = lines(&after.bytes);
                format!("removes most of {} ({n_before} lines become {n_after})", change.path)
            }
            Some(_) => continue,
        };
        let is_outright = is_outright || change.after.is_none();
        losses.push(Loss { path: change.path.as_str().to_owned(), how, is_outright });
    }
    let n_deleted = changes.iter().filter(|change| change.after.is_none()).count();
    let too_many = if n_deleted > MANY_DELETED {
        Some(format!("deletes {n_deleted} files in one answer"))
    } else if changes.len() > MANY_CHANGED {
        Some(format!("changes {} files in one answer", changes.len()))
    } else {
        None
    };
    let paths = changes.iter().map(|change| change.path.as_str().to_owned()).collect();
    Some(Preview { paths, diff: diff_of(&changes), losses, too_many })
}

/// Whether a file is given as a whole.
fn is_whole(edits: &[FileEdit], change: &Change) -> bool {
    edits.iter().any(|edit| {
        matches!(edit, FileEdit::Write { .. })
            && edit.path().is_some_and(|path| path.ends_with(change.path.as_str()))
    })
}

fn is_small(bytes: &[u8]) -> bool {
    match str::from_utf8(bytes) {
        Ok(_) => lines(bytes) < SMALL_FILE_LINES,
        Err(_) => bytes.len() < SMALL_FILE_BYTES,
    }
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()
}

fn diff_of(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let name = |side: &str, exists: bool| match exists {
            true => format!("{side}/{}", change.path),
            false => "/dev/null".to_owned(),
        };
        let (old, new) = (name("a", change.before.is_some()), name("b", change.after.is_some()));
        let before = change.before.as_ref().map_or(&[][..], |content| &content.bytes);
        let after = change.after.as_ref().map_or(&[][..], |content| &content.bytes);
        let is_text = str::from_utf8(before).is_ok() && str::from_utf8(after).is_ok();
        if !is_text || before.len().max(after.len()) > MAX_DIFF_BYTES {
            let _ = writeln!(
                out,
                "--- {old}\n+++ {new}\n(not compared line by line: {} bytes become {})",
                before.len(),
                after.len()
            );
            continue;
        }
        let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
        let diff = TextDiff::from_lines(&*before, &*after);
        let _ = write!(out, "{}", diff.unified_diff().context_radius(3).header(&old, &new));
    }
    sage_core::head_and_tail(&out, MAX_DIFF_CHARS)
}
