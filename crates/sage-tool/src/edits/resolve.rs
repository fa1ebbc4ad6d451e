//! What a list of edits makes of the files: all of it, or the reasons why not.
//!
//! Invariant: nothing is changed here, and a change comes out only if every edit applies.

use std::fmt;

use super::diff::line_diff_counts;
use super::error::ApplyError;
use super::guards::{refuse_placeholder, removes_most};
use super::{Edit, Overwrite, Rung, apply_replace, apply_write};

/// A file before and after all edits of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file, as the first edit of it wrote the path.
    pub path: String,
    /// Its bytes; absent if it does not exist.
    pub before: Option<Vec<u8>>,
    /// Its new bytes; absent if it is deleted.
    pub after: Option<Vec<u8>>,
    /// The most tolerant rung that was needed.
    pub rung: Rung,
    /// Lines added.
    pub lines_added: u64,
    /// Lines removed.
    pub lines_removed: u64,
    /// Most of the file goes, or all of it: worth asking about.
    pub removes_most: bool,
}

/// An edit that does not apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Which edit, from 1.
    pub block: usize,
    /// Its file, if it names one.
    pub path: Option<String>,
    /// Why.
    pub error: ApplyError,
}

impl std::error::Error for Rejected {}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "edit {} ({path}): {}", self.block, self.error),
            None => write!(f, "edit {}: {}", self.block, self.error),
        }
    }
}

/// Applies all edits in order, each to what the ones before it left, without touching any file.
///
/// `read` gives a file's bytes, or `None` if there is no such file. An edit without a path belongs to
/// the one file of the answer, if there is only one. Returns the files that change, in the
/// order of their first edit, or every edit that does not apply.
pub fn resolve(
    edits: &[Edit],
    overwrite: Overwrite,
    mut read: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<FileChange>, Vec<Rejected>> {
    let mut files: Vec<File> = Vec::new();
    for path in edits.iter().filter_map(Edit::path) {
        if !files.iter().any(|file| same_path(&file.path, path)) {
            let before = read(path);
            files.push(File {
                path: path.to_owned(),
                now: before.clone(),
                before,
                rung: Rung::Exact,
            });
        }
    }
    let mut rejected = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        if let Err(error) = apply_edit(&mut files, edit, overwrite) {
            rejected.push(Rejected {
                block: index + 1,
                path: edit.path().map(str::to_owned),
                error,
            });
        }
    }
    if rejected.is_empty() {
        Ok(files.into_iter().filter_map(File::change).collect())
    } else {
        Err(rejected)
    }
}

struct File {
    path: String,
    before: Option<Vec<u8>>,
    now: Option<Vec<u8>>,
    rung: Rung,
}

impl File {
    fn change(self) -> Option<FileChange> {
        if self.before == self.now {
            return None;
        }
        let old = self.before.as_deref().unwrap_or_default();
        let new = self.now.as_deref().unwrap_or_default();
        let (lines_added, lines_removed) = line_diff_counts(old, new);
        let removes_most = self.before.is_some() && (self.now.is_none() || removes_most(old, new));
        Some(FileChange {
            path: self.path,
            rung: self.rung,
            lines_added,
            lines_removed,
            removes_most,
            before: self.before,
            after: self.now,
        })
    }

    fn replace(&mut self, search: &str, replace: &str) -> Result<(), ApplyError> {
        let Some(now) = &self.now else {
            if search.is_empty() {
                return self.write(replace, Overwrite::Guarded);
            }
            return Err(ApplyError::Missing);
        };
        let applied = apply_replace(now, search, replace)?;
        // In a language in which dots alone are no code, they stand for code left out.
        refuse_placeholder(&self.path, replace, now)?;
        self.rung = self.rung.max(applied.rung);
        self.now = Some(applied.content);
        Ok(())
    }

    fn write(&mut self, content: &str, overwrite: Overwrite) -> Result<(), ApplyError> {
        self.now = Some(apply_write(&self.path, self.now.as_deref(), content, overwrite)?.content);
        Ok(())
    }
}

fn apply_edit(files: &mut [File], edit: &Edit, overwrite: Overwrite) -> Result<(), ApplyError> {
    let Some(path) = edit.path() else {
        return match edit {
            Edit::Replace { search, replace, .. } => replace_anywhere(files, search, replace),
            _ => Err(ApplyError::NoPath),
        };
    };
    let Some(file) = files.iter_mut().find(|file| same_path(&file.path, path)) else {
        return Err(ApplyError::Missing);
    };
    match edit {
        Edit::Replace { search, replace, .. } => file.replace(search, replace),
        Edit::Write { content, .. } => file.write(content, overwrite),
        Edit::Create { content, .. } => match &file.now {
            Some(now) if now == content.as_bytes() => Err(ApplyError::NoChange),
            Some(_) => Err(ApplyError::Exists),
            None => file.write(content, overwrite),
        },
        Edit::Delete { .. } => match file.now.take() {
            Some(_) => Ok(()),
            None => Err(ApplyError::Missing),
        },
    }
}

/// For an edit without a path: the one file of the answer. Where an answer names several, the text
/// alone is no proof: the place that fits may be another file's twin.
fn replace_anywhere(files: &mut [File], search: &str, replace: &str) -> Result<(), ApplyError> {
    match files {
        [only] if !search.is_empty() => only.replace(search, replace),
        _ => Err(ApplyError::NoPath),
    }
}

/// Whether two paths as written are the same, as far as one can tell without a disk.
fn same_path(a: &str, b: &str) -> bool {
    let parts = |path: &str| {
        path.split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    parts(a) == parts(b) && a.starts_with('/') == b.starts_with('/')
}
