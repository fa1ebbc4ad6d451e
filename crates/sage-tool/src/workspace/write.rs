//! Replacing files as a whole: the new content is complete on disk before its name points to it.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Workspace, is_absent};
use crate::error::{Error, Result};
use crate::path::{PathError, WorkPath, decode};

/// How our temporary files begin; the process that made one follows. They are left behind only when
/// that process is killed between creating and renaming one; the next snapshot removes them.
pub(crate) const TEMP_PREFIX: &str = ".sage-tmp-";

impl Workspace {
    /// Replaces or creates a file: never half, with the old file's mode (or the system's default for
    /// a new one), creating folders as needed. `path` must come from [`Self::resolve`], so that a
    /// symbolic link in the tree is written through to its target.
    pub fn write_atomic(&self, path: &WorkPath, bytes: &[u8]) -> Result<()> {
        self.put(path, bytes, None)
    }

    /// Like [`Self::write_atomic`] with given permission bits.
    pub(crate) fn put(&self, path: &WorkPath, bytes: &[u8], mode: Option<u32>) -> Result<()> {
        let fail = |source| Error::io("writing", path.as_str(), source);
        let at = self.safe_place(path, true)?;
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_file() => self.replace(path, &at, bytes, mode, Some(&meta)),
            Ok(meta) if meta.is_dir() => Err(fail(io::ErrorKind::IsADirectory.into())),
            Ok(_) => Err(fail(io::Error::other("not a regular file"))),
            Err(error) if is_absent(&error) => self.replace(path, &at, bytes, mode, None),
            Err(error) => Err(fail(error)),
        }
    }

    /// Like [`Self::put`], but a symbolic link at `path` is itself replaced.
    pub(crate) fn put_over(&self, path: &WorkPath, bytes: &[u8], mode: u32) -> Result<()> {
        let at = self.safe_place(path, true)?;
        let old = fs::symlink_metadata(&at).ok().filter(fs::Metadata::is_file);
        self.replace(path, &at, bytes, Some(mode), old.as_ref())
    }

    /// Moves a complete file from elsewhere to `path`, over a file or link that is there. False when the
    /// two are on different file systems; then nothing was done.
    pub(crate) fn move_over(&self, from: &Path, path: &WorkPath, mode: u32) -> Result<bool> {
        let fail = |source| Error::io("writing", path.as_str(), source);
        let at = self.safe_place(path, true)?;
        let file = fs::File::open(from).map_err(fail)?;
        if let Some(old) = fs::symlink_metadata(&at).ok().filter(fs::Metadata::is_file) {
            keep_owner(&file, &old);
        }
        file.set_permissions(permissions(mode)).map_err(fail)?;
        match fs::rename(from, &at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => Ok(false),
            Err(error) => Err(fail(error)),
        }
    }

    /// Gives a file its old name back, where nothing has taken it, and its mode.
    pub(crate) fn rename_back(&self, from: &WorkPath, to: &WorkPath, mode: u32) -> Result<()> {
        let (from_at, to_at) = (self.safe_place(from, false)?, self.safe_place(to, true)?);
        let fail = |source| Error::io("renaming", from.as_str(), source);
        if fs::symlink_metadata(&to_at).is_ok() {
            return Err(fail(io::ErrorKind::AlreadyExists.into()));
        }
        fs::rename(&from_at, &to_at).map_err(fail)?;
        fs::set_permissions(&to_at, permissions(mode)).map_err(fail)
    }

    /// Makes a symbolic link, in place of a file or link if there is one. `target` is not looked at.
    pub(crate) fn link(&self, path: &WorkPath, target: &str) -> Result<()> {
        let at = self.safe_place(path, true)?;
        let fail = |source| Error::io("linking", path.as_str(), source);
        let folder = at.parent().unwrap_or(self.root());
        // A free name; the link then takes the place of what is at `path` in one step.
        let temp = new_temp(folder).map_err(fail)?.into_temp_path();
        fs::remove_file(&temp).map_err(fail)?;
        make_link(&decode(target), &temp).map_err(fail)?;
        temp.persist(&at).map_err(|error| fail(error.error))
    }

    fn replace(
        &self,
        path: &WorkPath,
        at: &Path,
        bytes: &[u8],
        mode: Option<u32>,
        old: Option<&fs::Metadata>,
    ) -> Result<()> {
        let fail = |source| Error::io("writing", path.as_str(), source);
        self.stage(path, at, bytes, mode, old)?.persist(at).map_err(|error| fail(error.error))?;
        Ok(())
    }

    /// The new content of the file at `at`, complete on disk beside it under a temporary name.
    pub(super) fn stage(
        &self,
        path: &WorkPath,
        at: &Path,
        bytes: &[u8],
        mode: Option<u32>,
        old: Option<&fs::Metadata>,
    ) -> Result<tempfile::NamedTempFile> {
        let fail = |source| Error::io("writing", path.as_str(), source);
        let folder = at.parent().unwrap_or(self.root());
        let mut temp = new_temp(folder).map_err(fail)?;
        temp.write_all(bytes).map_err(fail)?;
        if let Some(old) = old {
            keep_owner(temp.as_file(), old);
        }
        let permissions = match (mode, old) {
            (Some(mode), _) => Some(permissions(mode)),
            (None, Some(old)) => Some(old.permissions()),
            (None, None) => None,
        };
        if let Some(permissions) = permissions {
            temp.as_file().set_permissions(permissions).map_err(fail)?;
        }
        temp.as_file().sync_all().map_err(fail)?;
        Ok(temp)
    }

    /// Deletes a file or a symbolic link (itself); absent is fine. Folders are not deleted.
    pub fn delete(&self, path: &WorkPath) -> Result<()> {
        let at = self.safe_place(path, false)?;
        match fs::remove_file(&at) {
            Ok(()) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(Error::io("deleting", path.as_str(), error)),
        }
    }

    /// The place of `path` on disk, after looking once more that every folder on the way is a real
    /// folder in the tree; creates missing ones when asked.
    pub(crate) fn safe_place(&self, path: &WorkPath, create: bool) -> Result<PathBuf> {
        if path.is_root() {
            return Err(PathError::IsRoot(path.to_string()).into());
        }
        let at = path.under(self.root());
        let folder = at.parent().unwrap_or(self.root());
        if create {
            self.create_folders(folder, path)?;
        }
        match fs::canonicalize(folder) {
            Ok(real) if real == folder => Ok(at),
            Ok(_) => Err(PathError::LinkOutside(path.to_string()).into()),
            Err(error) if is_absent(&error) => Ok(at),
            Err(error) => Err(Error::io("looking at", folder, error)),
        }
    }

    /// Like `create_dir_all`, but never through a link.
    fn create_folders(&self, folder: &Path, path: &WorkPath) -> Result<()> {
        let mut missing = Vec::new();
        let mut at = folder;
        loop {
            match fs::symlink_metadata(at) {
                Ok(meta) if meta.is_dir() => break,
                Ok(meta) if meta.is_symlink() => {
                    return Err(PathError::LinkOutside(path.to_string()).into());
                }
                Ok(_) => {
                    let file = self.name_of(at);
                    return Err(PathError::NotAFolder { path: path.to_string(), file }.into());
                }
                Err(error) if is_absent(&error) => missing.push(at.to_owned()),
                Err(error) => return Err(Error::io("looking at", at, error)),
            }
            match at.parent() {
                Some(parent) if at != self.root() => at = parent,
                _ => break,
            }
        }
        for folder in missing.iter().rev() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("creating", folder, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// An empty file that its folder's listing hides, with the permissions of a new file.
pub(crate) fn new_temp(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let prefix = format!("{TEMP_PREFIX}{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).permissions(permissions(0o666)).tempfile_in(folder)
}

#[cfg(unix)]
fn make_link(target: &std::ffi::OsStr, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(not(unix))]
fn make_link(_: &std::ffi::OsStr, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
pub(crate) fn permissions(mode: u32) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(mode & 0o7777)
}

#[cfg(not(unix))]
pub(crate) fn permissions(mode: u32) -> Permissions {
    let _ = mode;
    // There are no mode bits; any file's permissions that allow writing will do.
    fs::metadata(".").map(|meta| meta.permissions()).unwrap_or_else(|_| unreachable!())
}

/// Gives the new file to the old one's owner, where we may.
#[cfg(unix)]
fn keep_owner(file: &fs::File, old: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;
    let same = file.metadata().is_ok_and(|new| new.uid() == old.uid() && new.gid() == old.gid());
    if !same {
        // Only root may do this; for everybody else the file stays theirs.
        let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &fs::File, _: &fs::Metadata) {}
