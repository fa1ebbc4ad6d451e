//! What a list of edits makes of the files: all of it, or the reasons why not.
//!
//! Invariant: nothing is changed here, and a change comes out only if every edit applies.

use std::collections::HashMap;
use std::fmt;

use super::apply::place;
use super::diff::line_diff_counts;
use super::error::ApplyError;
use super::guards::{refuse_placeholder, removes_most};
use super::hunk::Hunk;
use super::{Edit, Overwrite, Rung, apply_write};

/// Largest file that is edited.
pub const MAX_FILE_BYTES: usize = 32 << 20;

/// Bytes that the edits of one answer may go through, all in all.
const MAX_WORK_BYTES: usize = 1 << 30;

/// Edits of an answer about which a reason is given in full; the ones after them are only counted.
const MAX_REJECTED: usize = 20;

/// A file before and after all edits of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file, as the first edit of it wrote the path.
    pub path: String,
    /// Its bytes; absent if it does not exist.
    pub before: Option<Vec<u8>>,
    /// Its new bytes; absent if it is deleted.
    pub after: Option<Vec<u8>>,
    /// The file whose place it takes, whose mode it keeps.
    pub moved_from: Option<String>,
    /// Whether it shall be executable, if that is said.
    pub executable: Option<bool>,
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
/// the one file of the answer, if there is only one. An edit that says of a text what is there already
/// counts as applied if another one changes something. Returns the files that change, in the
/// order of their first edit, or every edit that does not apply.
pub fn resolve(
    edits: &[Edit],
    overwrite: Overwrite,
    mut read: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<FileChange>, Vec<Rejected>> {
    let mut state = State::default();
    for edit in edits {
        let to = if let Edit::Move { to, .. } = edit { Some(to.as_str()) } else { None };
        for path in edit.path().into_iter().chain(to) {
            state.open(path, &mut read);
        }
    }
    let mut rejected = Vec::new();
    let mut idle = Vec::new();
    let mut n_bytes: usize = 0;
    for (index, edit) in edits.iter().enumerate() {
        n_bytes = n_bytes.saturating_add(state.size(edit));
        let outcome = if n_bytes > MAX_WORK_BYTES {
            Err(ApplyError::TooLarge { size_bytes: state.size(edit) })
        } else {
            state.apply(edit, index, overwrite)
        };
        let path = edit.path().map(str::to_owned);
        match outcome {
            Ok(()) => {}
            Err(ApplyError::NoChange) => {
                idle.push(Rejected { block: index + 1, path, error: ApplyError::NoChange });
            }
            Err(error) => rejected.push(Rejected { block: index + 1, path, error }),
        }
        // Each further reason would cost a search for the closest lines.
        if rejected.len() == MAX_REJECTED {
            break;
        }
    }
    rejected.extend(state.misled(edits));
    rejected.sort_by_key(|one| one.block);
    if !rejected.is_empty() {
        return Err(rejected);
    }
    let changes: Vec<FileChange> = state.files.into_iter().filter_map(File::change).collect();
    if changes.is_empty() && !idle.is_empty() { Err(idle) } else { Ok(changes) }
}

/// The files of an answer, as far as it has been applied.
#[derive(Default)]
struct State {
    files: Vec<File>,
    index: HashMap<String, usize>,
}

struct File {
    path: String,
    before: Option<Vec<u8>>,
    now: Option<Vec<u8>>,
    moved_from: Option<String>,
    executable: Option<bool>,
    rung: Rung,
    /// Edits (from 0) whose place only their line number told, and the places that fit.
    by_line: Vec<usize>,
    /// A hunk of the file stood elsewhere than its line number says.
    is_misnumbered: bool,
}

impl State {
    fn open(&mut self, path: &str, read: &mut impl FnMut(&str) -> Option<Vec<u8>>) {
        let name = plain(path);
        if self.index.contains_key(&name) {
            return;
        }
        let before = read(path);
        self.index.insert(name, self.files.len());
        self.files.push(File {
            path: path.to_owned(),
            now: before.clone(),
            before,
            moved_from: None,
            executable: None,
            rung: Rung::Exact,
            by_line: Vec::new(),
            is_misnumbered: false,
        });
    }

    fn size(&self, edit: &Edit) -> usize {
        let file = edit.path().and_then(|path| self.index.get(&plain(path)));
        let file = file.map(|at| &self.files[*at]);
        file.and_then(|file| file.now.as_ref()).map_or(0, Vec::len)
    }

    fn file(&mut self, path: &str) -> Result<&mut File, ApplyError> {
        let at = self.index.get(&plain(path)).copied().ok_or(ApplyError::Missing)?;
        let file = self.files.get_mut(at).ok_or(ApplyError::Missing)?;
        match file.now.as_ref().map(Vec::len) {
            Some(size_bytes) if size_bytes > MAX_FILE_BYTES => {
                Err(ApplyError::TooLarge { size_bytes })
            }
            _ => Ok(file),
        }
    }

    fn apply(&mut self, edit: &Edit, n: usize, overwrite: Overwrite) -> Result<(), ApplyError> {
        match edit {
            Edit::Replace { path, search, replace } => {
                self.meant(path.as_deref(), search)?.replace(&Hunk::plain(search, replace), n)
            }
            Edit::Hunk { path, hunk } => {
                self.meant(path.as_deref(), &hunk.search)?.replace(hunk, n)
            }
            Edit::Write { path, content } => self.file(path)?.write(content, overwrite),
            Edit::Create { path, content } => {
                let file = self.file(path)?;
                match &file.now {
                    Some(_) => Err(ApplyError::Exists),
                    None => file.write(content, overwrite),
                }
            }
            Edit::Delete { path } => match self.file(path)?.now.take() {
                Some(_) => Ok(()),
                None => Err(ApplyError::Missing),
            },
            Edit::Move { path, to } => self.rename(path, to),
            Edit::SetMode { path, executable } => {
                let file = self.file(path)?;
                if file.now.is_none() {
                    return Err(ApplyError::Missing);
                }
                file.executable = Some(*executable);
                Ok(())
            }
        }
    }

    /// The file of an edit; without a path, the one file of the answer. Where an answer names several,
    /// the text alone is no proof: the place that fits may be another file's twin.
    fn meant(&mut self, path: Option<&str>, search: &str) -> Result<&mut File, ApplyError> {
        match path {
            Some(path) => self.file(path),
            None => match self.files.as_slice() {
                [only] if !search.is_empty() => {
                    let path = only.path.clone();
                    self.file(&path)
                }
                _ => Err(ApplyError::NoPath),
            },
        }
    }

    fn rename(&mut self, path: &str, to: &str) -> Result<(), ApplyError> {
        if plain(path) == plain(to) {
            return Err(ApplyError::NoChange);
        }
        if self.file(to)?.now.is_some() {
            return Err(ApplyError::MovesOnto { to: to.to_owned() });
        }
        let from = self.file(path)?;
        let content = from.now.take().ok_or(ApplyError::Missing)?;
        let (rung, executable, name) = (from.rung, from.executable.take(), from.path.clone());
        let target = self.file(to)?;
        target.now = Some(content);
        target.rung = target.rung.max(rung);
        target.executable = executable;
        target.moved_from = Some(name);
        Ok(())
    }

    /// Edits that only their line number placed, in a file whose other numbers are wrong.
    fn misled(&self, edits: &[Edit]) -> Vec<Rejected> {
        let files = self.files.iter().filter(|file| file.is_misnumbered);
        let misled = files.flat_map(|file| &file.by_line).map(|index| Rejected {
            block: index + 1,
            path: edits.get(*index).and_then(Edit::path).map(str::to_owned),
            error: ApplyError::Ambiguous { lines: Vec::new() },
        });
        misled.collect()
    }
}

impl File {
    fn change(self) -> Option<FileChange> {
        if self.before == self.now && self.executable.is_none() {
            return None;
        }
        let old = self.before.as_deref().unwrap_or_default();
        let new = self.now.as_deref().unwrap_or_default();
        let (lines_added, lines_removed) = line_diff_counts(old, new);
        let removes_most = self.before.is_some() && (self.now.is_none() || removes_most(old, new));
        Some(FileChange {
            path: self.path,
            moved_from: self.moved_from,
            executable: self.executable,
            rung: self.rung,
            lines_added,
            lines_removed,
            removes_most,
            before: self.before,
            after: self.now,
        })
    }

    fn replace(&mut self, hunk: &Hunk, n: usize) -> Result<(), ApplyError> {
        let Some(now) = &self.now else {
            if hunk.search.is_empty() {
                let content = if hunk.new_open {
                    hunk.replace.strip_suffix('\n').unwrap_or(&hunk.replace)
                } else {
                    &hunk.replace
                };
                return self.write(content, Overwrite::Guarded);
            }
            return Err(ApplyError::Missing);
        };
        let placed = place(now, hunk)?;
        if placed.rung != Rung::Elisions {
            // In a language in which dots alone are no code, they stand for code left out.
            refuse_placeholder(&self.path, &hunk.replace, now)?;
        }
        if placed.by_line {
            self.by_line.push(n);
        }
        self.is_misnumbered |= hunk.line.is_some_and(|line| line != placed.line);
        self.rung = self.rung.max(placed.rung);
        self.now = Some(placed.content);
        Ok(())
    }

    fn write(&mut self, content: &str, overwrite: Overwrite) -> Result<(), ApplyError> {
        let written = apply_write(&self.path, self.now.as_deref(), content, overwrite)?;
        self.rung = self.rung.max(written.rung);
        self.now = Some(written.content);
        Ok(())
    }
}

/// A path without the parts that mean nothing, as far as one can tell without a disk.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}
