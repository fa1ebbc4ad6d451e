//! A copy of the project to work in, for dry runs and replays, so that the work tree stays as it is.
//!
//! Everything is copied but `.sage`: a verification may need ignored files (a virtual environment,
//! `node_modules`) and the git history. The copy lies outside the project, because build tools look
//! for their root in the folders above.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Most entries that are copied: a guard against being started in `/`.
const MAX_ENTRIES: usize = 2_000_000;

/// Copies the tree below `from` into the new folder `to`.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
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
