//! A copy of the project to work in, for dry runs and replays, so that the work tree stays as it is.
//!
//! Everything is copied but `.sage`: a verification may need ignored files (a virtual environment,
//! `node_modules`) and the git history. The copy lies outside the project, because build tools look
//! for their root in the folders above.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sage_core::{Event, EventKind, RunEvent, RunId};
use sage_log::{Runs, read_run};

use crate::error::{Error, Result};

/// Most entries that are copied: a guard against being started in `/`.
const MAX_ENTRIES: usize = 2_000_000;

/// How the copies of dry runs, and of the state before a run, begin; the run's id follows.
pub const DRY_RUN: &str = "sage-dry-run-";
/// See [`DRY_RUN`].
pub const BEFORE: &str = "sage-before-";

/// Removes the copies in `temp` that killed runs of this project have left. The copy of a dry run that
/// was interrupted stays: with it the run can be resumed.
pub fn remove_leftovers(temp: &Path, runs: &Runs) {
    let Ok(entries) = fs::read_dir(temp) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (id, is_dry_run) = match (name.strip_prefix(DRY_RUN), name.strip_prefix(BEFORE)) {
            (Some(id), _) => (id, true),
            (_, Some(id)) => (id, false),
            _ => continue,
        };
        let Ok(run) = RunId::new(id) else { continue };
        let dir = runs.dir(&run);
        if !dir.is_dir() || runs.is_live(&run) {
            continue;
        }
        let is_finished =
            |event: &Event| matches!(event.kind, EventKind::Run(RunEvent::Finished { .. }));
        let was_killed = read_run(&dir).is_ok_and(|run| !run.events.iter().any(is_finished));
        if !is_dry_run || was_killed {
            // A copy that cannot be removed is litter in the temporary folder, not a failure of this run.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Copies the tree below `from` into the new folder `to`.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    copy_without(from, to, &|_| false)
}

/// Copies the tree without the folders that `leave_out` names.
fn copy_without(from: &Path, to: &Path, leave_out: &dyn Fn(&Path) -> bool) -> Result<()> {
    let fail = |doing, path: &Path, source| Error::Io { doing, path: path.to_owned(), source };
    create_private(to).map_err(|source| fail("creating", to, source))?;
    let mut pending: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    let mut n_entries = 0;
    while let Some((from_dir, to_dir)) = pending.pop() {
        let entries =
            fs::read_dir(&from_dir).map_err(|source| fail("reading", &from_dir, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| fail("reading", &from_dir, source))?;
            let (source, target) = (entry.path(), to_dir.join(entry.file_name()));
            if from_dir == from && entry.file_name() == ".sage" {
                continue;
            }
            n_entries += 1;
            if n_entries > MAX_ENTRIES {
                let limit = io::Error::other(format!("more than {MAX_ENTRIES} files and folders"));
                return Err(fail("copying", from, limit));
            }
            let kind = entry.file_type().map_err(|error| fail("reading", &source, error))?;
            if leave_out(&source) {
                continue;
            }
            if kind.is_dir() {
                fs::create_dir_all(&target).map_err(|error| fail("creating", &target, error))?;
                pending.push((source, target));
            } else if kind.is_symlink() {
                copy_link(&source, &target).map_err(|error| fail("copying", &source, error))?;
            } else if kind.is_file() {
                // `fs::copy` keeps the permission bits and lets the file system share the blocks.
                fs::copy(&source, &target).map_err(|error| fail("copying", &source, error))?;
            }
            // Sockets, pipes and devices are not part of a project.
        }
    }
    Ok(())
}

/// Most bytes of a build folder that are copied for trials; a larger one is built anew.
const MAX_BUILD_BYTES: u64 = 512 * 1024 * 1024;

/// Copies the tree for runs of tests: without the git history, and without what only speeds things up
/// and is large, or would be taken for fresh when it is not.
pub fn copy_for_trials(from: &Path, to: &Path) -> Result<()> {
    copy_without(from, to, &|path| {
        let name = path.file_name().unwrap_or_default();
        match name.to_str() {
            Some(".git" | "__pycache__" | ".pytest_cache" | ".mypy_cache") => true,
            // Build tools mark their folders.
            _ => path.join("CACHEDIR.TAG").is_file() && is_larger(path, MAX_BUILD_BYTES),
        }
    })
}

/// Whether the files below a folder hold more than so many bytes.
fn is_larger(folder: &Path, limit: u64) -> bool {
    let (mut pending, mut bytes, mut n_entries) = (vec![folder.to_owned()], 0_u64, 0_usize);
    while let Some(folder) = pending.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            n_entries += 1;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    bytes =
                        bytes.saturating_add(entry.metadata().map_or(0, |metadata| metadata.len()));
                }
                _ => {}
            }
            if bytes > limit || n_entries > MAX_ENTRIES {
                return true;
            }
        }
    }
    false
}

/// A project may be private, and a temporary folder is not.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(unix)]
fn copy_link(source: &Path, target: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(fs::read_link(source)?, target)
}

#[cfg(not(unix))]
fn copy_link(source: &Path, target: &Path) -> io::Result<()> {
    fs::copy(source, target).map(drop)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_copy_is_nobody_elses_to_read_and_has_no_state_of_ours() {
        let project = tempfile::tempdir().unwrap();
        fs::create_dir_all(project.path().join(".sage/runs")).unwrap();
        fs::create_dir_all(project.path().join("src/.sage")).unwrap();
        fs::write(project.path().join("src/a.txt"), "a").unwrap();
        std::os::unix::fs::symlink("a.txt", project.path().join("src/link")).unwrap();
        let temp = tempfile::tempdir().unwrap();
        let copy = temp.path().join("copy");
        copy_tree(project.path(), &copy).unwrap();
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(fs::read_to_string(copy.join("src/a.txt")).unwrap(), "a");
        assert_eq!(fs::read_link(copy.join("src/link")).unwrap(), Path::new("a.txt"));
        assert!(!copy.join(".sage").exists() && copy.join("src/.sage").exists());
    }
}
