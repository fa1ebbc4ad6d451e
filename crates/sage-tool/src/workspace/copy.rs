//! A copy of the tree to work in beside it: what the project consists of, and what its tests may need.
//!
//! Every file that git does not ignore is copied as it lies there: what filters and line-end settings
//! made of it, with its mode, whether it is committed or not. Of the ignored ones, small files are
//! copied (local settings, generated sources), installed dependencies are linked to, and build output is
//! left out: it would be made for another place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::walk::{Descend, Found, Kind, Walk, walk};
use super::{Workspace, is_refillable};
use crate::call::blocking;
use crate::error::{Error, Result};
use crate::path::WorkPath;

/// Largest ignored file that is copied.
const MAX_IGNORED_BYTES: u64 = 1024 * 1024;
/// Most that is copied of ignored files altogether, in bytes.
const MAX_IGNORED_TOTAL: u64 = 64 * 1024 * 1024;
/// Most ignored files that are copied.
const MAX_IGNORED_FILES: usize = 5_000;
/// Most entries that are copied: a guard against being started in `/`.
const MAX_ENTRIES: usize = 2_000_000;

/// Folders that package managers fill, and that programs only read.
const DEPENDENCIES: &[&str] =
    &["node_modules", ".venv", "venv", "vendor", ".bundle", "Pods", "bower_components"];

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyWhat {
    /// The project's files, and what its tests may need.
    Everything,
    /// Only what its tests may need, for a folder that git has filled.
    IgnoredOnly,
}

impl Workspace {
    /// Copies the tree into the existing folder `to`. Files that vanish meanwhile are left out. Ends with
    /// [`Error::Cancelled`] when `cancel` fires, with part of the copy made.
    pub async fn copy_into(
        self: &Arc<Self>,
        to: &Path,
        what: CopyWhat,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let (workspace, to) = (Arc::clone(self), to.to_owned());
        let stop = cancel.child_token();
        // Dropping this future tells the thread to stop.
        let _stop_on_drop = stop.clone().drop_guard();
        blocking(move || workspace.copy_now(&to, what, &|| stop.is_cancelled())).await?
    }

    /// The folders of installed dependencies that a copy of the tree links to.
    pub fn dependencies(&self) -> Result<Vec<PathBuf>> {
        let options = Walk { below: WorkPath::trusted(""), ignored: true, keep_temp: false };
        let mut found = Vec::new();
        walk(self.root(), &options, &mut |entry| {
            if entry.kind == Kind::Folder && is_refillable(&entry.at, &entry.path, entry.ignored) {
                if is_dependency(&entry) {
                    found.push(entry.at);
                }
                return Ok(Descend::No);
            }
            Ok(Descend::Yes)
        })?;
        Ok(found)
    }

    fn copy_now(&self, to: &Path, what: CopyWhat, stop: &dyn Fn() -> bool) -> Result<()> {
        let options = Walk { below: WorkPath::trusted(""), ignored: true, keep_temp: false };
        let mut copy = Copy { to, what, n_entries: 0, n_ignored: 0, ignored_bytes: 0 };
        walk(self.root(), &options, &mut |found| {
            if stop() {
                return Err(Error::Cancelled);
            }
            copy.entry(&found)
        })
    }
}

struct Copy<'a> {
    to: &'a Path,
    what: CopyWhat,
    n_entries: usize,
    n_ignored: usize,
    ignored_bytes: u64,
}

impl Copy<'_> {
    fn entry(&mut self, found: &Found) -> Result<Descend> {
        let fail = |source| Error::io("copying", &found.path, source);
        self.n_entries += 1;
        if self.n_entries > MAX_ENTRIES {
            return Err(fail(io::Error::other(format!("more than {MAX_ENTRIES} entries"))));
        }
        let target = WorkPath::trusted(found.path.clone()).under(self.to);
        if found.kind == Kind::Folder {
            if is_refillable(&found.at, &found.path, found.ignored) {
                if is_dependency(found) {
                    link_to(&found.at, &target).map_err(fail)?;
                }
                return Ok(Descend::No);
            }
            if self.what == CopyWhat::Everything && !found.ignored {
                make_folder(&target).map_err(fail)?;
            }
            return Ok(Descend::Yes);
        }
        let is_wanted = match found.ignored {
            true => self.takes_ignored(found),
            false => self.what == CopyWhat::Everything,
        };
        if !is_wanted {
            return Ok(Descend::Yes);
        }
        let done = match found.kind {
            Kind::Link => fs::read_link(&found.at).and_then(|to| link(&to, &target)),
            Kind::File => copy_file(&found.at, &target),
            Kind::Folder | Kind::Special => Ok(()),
        };
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Somebody else's file, or one that nobody may read, is not part of the task.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            done => done.map_err(fail)?,
        }
        Ok(Descend::Yes)
    }

    fn takes_ignored(&mut self, found: &Found) -> bool {
        let size = found.meta.len();
        let fits = size <= MAX_IGNORED_BYTES
            && self.n_ignored < MAX_IGNORED_FILES
            && self.ignored_bytes.saturating_add(size) <= MAX_IGNORED_TOTAL;
        if fits {
            self.n_ignored += 1;
            self.ignored_bytes += size;
        }
        fits
    }
}

fn is_dependency(found: &Found) -> bool {
    let name = found.path.rsplit('/').next().unwrap_or_default();
    DEPENDENCIES.contains(&name) || found.at.join("pyvenv.cfg").is_file()
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        make_folder(folder)?;
    }
    // Keeps the permission bits, and lets the file system share the blocks.
    fs::copy(from, to).map(drop)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn link_to(from: &Path, to: &Path) -> io::Result<()> {
    match link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> io::Result<()> {
    if let Some(folder) = at.parent() {
        make_folder(folder)?;
    }
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_project_and_what_its_tests_need() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |path: &str, text: &str| {
            let path = from.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(".gitignore", "node_modules/\n/target/\n.env\n*.big\n");
        write("src/a.rs", "a");
        write(".env", "LOCAL=1");
        write("node_modules/x/index.js", "x");
        write("target/out.o", "o");
        write("some.big", &"x".repeat(2 << 20));
        write(".sage/runs/x", "x");
        write(".git/config", "x");
        let workspace = Workspace::open(from.path()).unwrap();
        workspace.copy_now(to.path(), CopyWhat::Everything, &|| false).unwrap();
        let is_there = |path: &str| to.path().join(path).exists();
        for path in [".gitignore", "src/a.rs", ".env", "node_modules/x/index.js"] {
            assert!(is_there(path), "{path}");
        }
        for path in ["target", "some.big", ".sage", ".git"] {
            assert!(!is_there(path), "{path}");
        }
        assert!(to.path().join("node_modules").is_symlink());
    }
}
