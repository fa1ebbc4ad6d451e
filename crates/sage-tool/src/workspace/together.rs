//! Several files changed together or not at all.
//!
//! Invariant: nothing has its final name before every new content is complete on disk; when a file
//! cannot take its place, those before it get back what they had. A process that is killed while names
//! change (microseconds) may leave some changed and some not; the caller's log says which were meant.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::{Content, Workspace, is_absent, new_temp, permissions};
use crate::error::{Error, Result};
use crate::path::WorkPath;

/// One file's way from what it holds to what it shall hold.
#[derive(Debug)]
pub(crate) struct Planned {
    pub path: WorkPath,
    pub before: Option<Content>,
    pub after: Option<Content>,
}

/// A file that has its new content.
struct Done<'a> {
    planned: &'a Planned,
    at: PathBuf,
    /// Another name of what was there before.
    kept: Option<TempPath>,
}

impl Workspace {
    /// Writes and deletes all files, or none. Fails if one of them no longer holds what it did.
    pub(crate) fn change_together(&self, files: &[Planned]) -> Result<()> {
        self.change_with(files, &mut |_| {})
    }

    /// `before_each` is called before each file takes its place, with its index.
    pub(super) fn change_with(
        &self,
        files: &[Planned],
        before_each: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let new_folders: BTreeSet<PathBuf> =
            files.iter().flat_map(|file| self.missing_folders(&file.path)).collect();
        let outcome = self.stage_all(files).and_then(|staged| {
            let mut done: Vec<Done<'_>> = Vec::new();
            for (index, (file, (at, temp))) in files.iter().zip(staged).enumerate() {
                before_each(index);
                match put_in_place(file, &at, temp) {
                    Ok(kept) => done.push(Done { planned: file, at, kept }),
                    Err(error) => {
                        done.into_iter().rev().for_each(take_back);
                        return Err(Error::io("writing", file.path.as_str(), error));
                    }
                }
            }
            Ok(())
        });
        if outcome.is_err() {
            // Deepest first; one that somebody uses by now stays.
            for folder in new_folders.iter().rev() {
                let _ = fs::remove_dir(folder);
            }
        }
        outcome
    }

    fn missing_folders(&self, path: &WorkPath) -> Vec<PathBuf> {
        let at = path.under(self.root());
        let folders = at.ancestors().skip(1).take_while(|folder| *folder != self.root());
        folders.filter(|folder| !folder.exists()).map(Path::to_owned).collect()
    }

    /// The places of the files, with new contents beside them.
    fn stage_all(&self, files: &[Planned]) -> Result<Vec<(PathBuf, Option<NamedTempFile>)>> {
        let mut staged = Vec::with_capacity(files.len());
        for file in files {
            let at = self.safe_place(&file.path, file.after.is_some())?;
            let old = fs::symlink_metadata(&at).ok().filter(fs::Metadata::is_file);
            let temp = match &file.after {
                Some(after) => {
                    let mode = Some(after.state.mode);
                    Some(self.stage(&file.path, &at, &after.bytes, mode, old.as_ref())?)
                }
                None => None,
            };
            staged.push((at, temp));
        }
        for file in files {
            let now = self.state(&file.path)?;
            if now != file.before.as_ref().map(|before| before.state.clone()) {
                let changed = io::Error::other("somebody else changed it meanwhile");
                return Err(Error::io("writing", file.path.as_str(), changed));
            }
        }
        Ok(staged)
    }
}

/// Gives a file its new content, and what it had another name.
fn put_in_place(
    file: &Planned,
    at: &Path,
    temp: Option<NamedTempFile>,
) -> io::Result<Option<TempPath>> {
    let folder = at.parent().unwrap_or(at);
    let Some(temp) = temp else {
        let kept = new_temp(folder)?.into_temp_path();
        fs::rename(at, &kept)?;
        return Ok(Some(kept));
    };
    if file.before.is_none() {
        // Never over something that appeared meanwhile.
        temp.persist_noclobber(at).map_err(|error| error.error)?;
        return Ok(None);
    }
    let kept = new_temp(folder)?.into_temp_path();
    fs::remove_file(&kept)?;
    // A system without hard links: what was there is written anew if it comes to that.
    let kept = fs::hard_link(at, &kept).is_ok().then_some(kept);
    temp.persist(at).map_err(|error| error.error)?;
    Ok(kept)
}

/// Best effort: what cannot be taken back is still what the person asked for.
fn take_back(done: Done<'_>) {
    match (done.kept, &done.planned.before) {
        (Some(kept), _) => {
            let _ = fs::rename(&kept, &done.at);
        }
        (None, Some(before)) => {
            let written = fs::write(&done.at, &before.bytes);
            let _ = written
                .and_then(|()| fs::set_permissions(&done.at, permissions(before.state.mode)));
        }
        (None, None) => match fs::remove_file(&done.at) {
            Err(error) if !is_absent(&error) => {}
            _ => {}
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sage_core::{BlobRef, FileState};
    use sage_testkit::Tree;

    fn content(text: &str, mode: u32) -> Content {
        let bytes = text.as_bytes().to_vec();
        Content { state: FileState { hash: BlobRef::of(&bytes), mode }, bytes }
    }

    fn planned(workspace: &Workspace, path: &str, after: Option<&str>) -> Planned {
        let path = workspace.resolve(path).unwrap();
        let before = workspace.content(&path).unwrap();
        let mode = before.as_ref().map_or(0o644, |before| before.state.mode);
        Planned { path, before, after: after.map(|text| content(text, mode)) }
    }

    fn tree(root: &Path) -> Tree {
        Tree::of(root, &[])
    }

    #[test]
    fn a_file_that_cannot_take_its_place_takes_the_others_back() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::write(root.join("a"), "1\n").unwrap();
        fs::write(root.join("b"), "2\n").unwrap();
        let before = tree(&root);
        let workspace = Workspace::open(&root).unwrap();
        let files = [
            planned(&workspace, "a", Some("one\n")),
            planned(&workspace, "b", None),
            planned(&workspace, "new/deep/c", Some("three\n")),
            planned(&workspace, "d", Some("four\n")),
        ];
        let blocker = root.join("d");
        let outcome = workspace.change_with(&files, &mut |index| {
            if index == 3 {
                fs::create_dir(&blocker).unwrap();
            }
        });
        assert!(outcome.unwrap_err().to_string().contains("d"));
        fs::remove_dir(root.join("d")).unwrap();
        assert_eq!(tree(&root), before);
        workspace.change_together(&files).unwrap();
        assert_eq!(fs::read(root.join("a")).unwrap(), b"one\n");
        assert!(!root.join("b").exists());
        assert_eq!(tree(&root).files(), ["a", "d", "new/deep/c"]);
    }

    #[test]
    fn a_file_that_somebody_changed_meanwhile_stops_all() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::write(root.join("a"), "1\n").unwrap();
        let workspace = Workspace::open(&root).unwrap();
        let files =
            [planned(&workspace, "new/b", Some("x\n")), planned(&workspace, "a", Some("one\n"))];
        fs::write(root.join("a"), "mine\n").unwrap();
        let before = tree(&root);
        assert!(workspace.change_together(&files).is_err());
        assert_eq!(tree(&root), before);
    }
}
