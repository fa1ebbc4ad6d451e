//! The payloads of a run: content-addressed files under `blobs/`.
//!
//! Invariant: the bytes stored under an address hash to it, and an address is handed out only once the
//! file has its final name. Durability is the caller's to ask for ([`Blobs::sync`]), before the log
//! that refers to the payload is made durable. Redaction happens before bytes come here.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sage_core::BlobRef;

use crate::{Error, Result};

/// The payloads' folder within a run's folder.
pub(crate) const DIR_NAME: &str = "blobs";

/// Reads a payload of the run in `dir`, without locking or changing anything.
///
/// # Errors
/// [`Error::BlobMissing`], [`Error::Damaged`] when the bytes are not those of the address, [`Error::Io`].
pub fn read_blob(dir: &Path, blob: &BlobRef) -> Result<Vec<u8>> {
    Blobs::new(dir.join(DIR_NAME)).get(blob)
}

/// Hex digits of the address that name the folder a payload lies in.
const FAN_OUT_DIGITS: usize = 2;

/// The payload store of one run.
#[derive(Debug)]
pub(crate) struct Blobs {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Addresses known to be on disk with the right content.
    stored: HashSet<BlobRef>,
    /// Files that may not be durable yet.
    unsynced: Vec<PathBuf>,
    /// Folders whose entries may not be.
    unsynced_dirs: BTreeSet<PathBuf>,
}

impl State {
    /// Remembers a payload that lies at `path`, once.
    fn add(&mut self, blob: BlobRef, path: PathBuf, root: &Path) {
        if self.stored.insert(blob) {
            self.unsynced_dirs.extend(path.parent().map(Path::to_owned));
            self.unsynced_dirs.insert(root.to_owned());
            self.unsynced.push(path);
        }
    }
}

impl Blobs {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, state: Mutex::default() }
    }

    /// Stores `bytes` unless they are stored already.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<BlobRef> {
        let blob = BlobRef::of(bytes);
        if self.state().stored.contains(&blob) {
            return Ok(blob);
        }
        let path = self.path(&blob);
        let dir = path.parent().unwrap_or(&self.root);
        // A file of an earlier process counts only if it is whole: a machine may have died under it.
        if !fs::read(&path).is_ok_and(|found| found == bytes) {
            fs::create_dir_all(dir).map_err(Error::io("creating", dir))?;
            write_as(dir, &path, bytes).map_err(Error::io("writing", &path))?;
        }
        self.state().add(blob.clone(), path, &self.root);
        Ok(blob)
    }

    /// Whether a payload of an earlier process is there and whole. If so, the next sync includes it: who
    /// asks builds on it, and that process may have died before its own.
    pub(crate) fn adopt(&self, blob: &BlobRef) -> bool {
        let is_whole = self.get(blob).is_ok();
        if is_whole {
            self.state().add(blob.clone(), self.path(blob), &self.root);
        }
        is_whole
    }

    /// Reads a payload and checks that it is the one that was stored.
    pub(crate) fn get(&self, blob: &BlobRef) -> Result<Vec<u8>> {
        let path = self.path(blob);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::BlobMissing { blob: blob.to_string(), path: self.root.clone() });
            }
            Err(source) => return Err(Error::Io { doing: "reading", path, source }),
        };
        if BlobRef::of(&bytes) != *blob {
            let reason = "its content does not match its name".to_owned();
            return Err(Error::Damaged { path, line: 1, reason });
        }
        Ok(bytes)
    }

    /// Makes every payload put so far durable, files before the folders that name them.
    pub(crate) fn sync(&self) -> Result<()> {
        let (files, dirs) = {
            let mut state = self.state();
            (std::mem::take(&mut state.unsynced), std::mem::take(&mut state.unsynced_dirs))
        };
        for path in files.iter().chain(&dirs) {
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(Error::io("making durable", path))?;
        }
        Ok(())
    }

    fn path(&self, blob: &BlobRef) -> PathBuf {
        let name = blob.as_str();
        self.root.join(&name[..FAN_OUT_DIGITS]).join(&name[FAN_OUT_DIGITS..])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes under a temporary name in `dir`, then renames, so that `path` is never half a file.
fn write_as(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}
