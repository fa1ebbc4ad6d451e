//! The payloads of a run: content-addressed records in `blobs/pack`.
//!
//! Invariant: the bytes handed out under an address hash to it. Durability is the caller's to ask for
//! ([`Blobs::sync`]), before the log that refers to the payload is made durable. Redaction happens
//! before bytes come here.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sage_core::BlobRef;

use crate::pack::Pack;
use crate::{Error, Result};

/// The payloads' folder within a run's folder.
const DIR_NAME: &str = "blobs";
/// The file that holds them.
const FILE_NAME: &str = "pack";

/// The payloads of a run for reading, without locking or changing anything. A run that is being
/// written may be read: what is added later is found as well.
#[derive(Debug)]
pub struct Payloads {
    path: PathBuf,
    /// Absent while there is no file.
    pack: Mutex<Option<Pack>>,
}

impl Payloads {
    /// The payloads of the run in `dir`. One that cannot be read yet, because its run has none, is empty.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self { path: dir.join(DIR_NAME).join(FILE_NAME), pack: Mutex::new(None) }
    }

    /// Reads a payload and checks that it is the one that was stored.
    ///
    /// # Errors
    /// [`Error::BlobMissing`], [`Error::Damaged`] when the bytes are not those of the address,
    /// [`Error::Io`].
    pub fn get(&self, blob: &BlobRef) -> Result<Vec<u8>> {
        let failed = |source| Error::Io { doing: "reading", path: self.path.clone(), source };
        let mut pack = self.pack.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *pack {
            Some(pack) if !pack.has(blob) => pack.find_new().map_err(failed)?,
            Some(_) => {}
            None => match File::open(&self.path) {
                Ok(file) => *pack = Some(Pack::of(file).map_err(failed)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            },
        }
        match &*pack {
            Some(pack) => read(pack, blob, &self.path),
            None => Err(missing(blob, &self.path)),
        }
    }
}

/// The payload store of one run, for its one writer.
#[derive(Debug)]
pub(crate) struct Blobs {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pack: Pack,
    /// Addresses known to have the right content.
    stored: HashSet<BlobRef>,
    /// Whether something may not be durable yet.
    is_dirty: bool,
}

impl Blobs {
    /// Opens the store of the run in `dir`, creating it where needed; a new one has a durable name.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let folder = dir.join(DIR_NAME);
        let path = folder.join(FILE_NAME);
        let open = |is_new| File::options().read(true).write(true).create_new(is_new).open(&path);
        let file = match open(false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&folder).map_err(Error::io("creating", &folder))?;
                let file = open(true).map_err(Error::io("creating", &path))?;
                File::open(&folder)
                    .and_then(|folder| folder.sync_all())
                    .map_err(Error::io("making durable", &folder))?;
                file
            }
            opened => opened.map_err(Error::io("opening", &path))?,
        };
        let pack = Pack::of(file).map_err(Error::io("reading", &path))?;
        let state = State { pack, stored: HashSet::new(), is_dirty: false };
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// Stores `bytes` unless they are stored already.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<BlobRef> {
        let blob = BlobRef::of(bytes);
        let mut state = self.state();
        if state.stored.contains(&blob) {
            return Ok(blob);
        }
        // A record of an earlier process counts only if it is whole: a machine may have died under it.
        if read(&state.pack, &blob, &self.path).is_err() {
            state.pack.add(&blob, bytes).map_err(Error::io("writing", &self.path))?;
        }
        state.is_dirty = true;
        state.stored.insert(blob.clone());
        Ok(blob)
    }

    /// Whether a payload of an earlier process is there and whole. If so, the next sync includes it: who
    /// asks builds on it, and that process may have died before its own.
    pub(crate) fn adopt(&self, blob: &BlobRef) -> bool {
        let mut state = self.state();
        let is_whole = read(&state.pack, blob, &self.path).is_ok();
        if is_whole && state.stored.insert(blob.clone()) {
            state.is_dirty = true;
        }
        is_whole
    }

    /// Reads a payload and checks that it is the one that was stored.
    pub(crate) fn get(&self, blob: &BlobRef) -> Result<Vec<u8>> {
        read(&self.state().pack, blob, &self.path)
    }

    /// Makes every payload put so far durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let mut state = self.state();
        if state.is_dirty {
            state.pack.sync().map_err(Error::io("making durable", &self.path))?;
            state.is_dirty = false;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(pack: &Pack, blob: &BlobRef, path: &Path) -> Result<Vec<u8>> {
    let bytes = pack.read(blob).map_err(Error::io("reading", path))?;
    let bytes = bytes.ok_or_else(|| missing(blob, path))?;
    if BlobRef::of(&bytes) != *blob {
        let reason = format!("the content of payload {blob} does not match its address");
        return Err(Error::Damaged { path: path.to_owned(), line: 1, reason });
    }
    Ok(bytes)
}

fn missing(blob: &BlobRef, path: &Path) -> Error {
    Error::BlobMissing { blob: blob.to_string(), path: path.to_owned() }
}
