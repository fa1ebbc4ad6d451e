//! What the store takes on disk, and giving back what nobody needs any more.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use sage_core::BlobRef;

use super::objects::entries;
use super::{SnapshotStore, StatCache};
use crate::error::{Error, Result};

/// What of the store is still referred to.
#[derive(Debug, Clone, Default)]
pub struct InUse {
    /// Snapshots, with all they refer to.
    pub snapshots: BTreeSet<BlobRef>,
    /// Single contents.
    pub contents: BTreeSet<BlobRef>,
}

/// How much the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Number of contents, pieces of manifests included.
    pub n_contents: u64,
    /// Number of snapshots.
    pub n_snapshots: u64,
    /// All of it.
    pub bytes: u64,
}

impl SnapshotStore {
    /// Removes everything that is not in use, as `in_use` finds once nobody else can change that.
    /// Returns the bytes that were freed.
    ///
    /// # Errors
    /// [`Error::StoreInUse`] while another process or another part of this one uses the store: what it
    /// keeps at this moment is referred to by nobody yet.
    pub fn prune<E: From<Error>>(
        &self,
        in_use: impl FnOnce() -> std::result::Result<InUse, E>,
    ) -> std::result::Result<u64, E> {
        let lock = self.lock.as_ref().ok_or(Error::StoreInUse)?;
        let freed = match lock.try_lock() {
            Ok(()) => in_use().and_then(|in_use| Ok(self.remove_unused(&in_use)?)),
            Err(TryLockError::WouldBlock) => Err(Error::StoreInUse.into()),
            Err(TryLockError::Error(source)) => {
                Err(Error::io("locking", self.dir.join("lock"), source).into())
            }
        };
        // Having tried for it alone may have cost the shared one.
        let _ = lock.lock_shared();
        freed
    }

    fn remove_unused(&self, in_use: &InUse) -> Result<u64> {
        let mut live = in_use.contents.clone();
        for id in &in_use.snapshots {
            // One that is gone or damaged keeps nothing alive.
            if let Ok((index, _)) = self.index(id) {
                live.extend(index.pieces().iter().cloned());
            }
            if let Ok(snapshot) = self.load(id) {
                live.extend(snapshot.contents());
            }
        }
        let dir = self.dir.join("manifests");
        let mut freed = 0;
        for path in entries(&dir)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let id = name.and_then(|name| name.strip_suffix(".json")?.parse().ok());
            if id.is_none_or(|id: BlobRef| !in_use.snapshots.contains(&id)) {
                freed += fs::metadata(&path).map_or(0, |meta| meta.len());
                fs::remove_file(&path).map_err(|source| Error::io("deleting", &path, source))?;
            }
        }
        freed += self.objects.prune(&live)?;
        // What an undo left that was killed while it wrote.
        for path in entries(&self.dir)? {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with(super::put_back::STAGED)) {
                fs::remove_dir_all(&path).map_err(|source| Error::io("deleting", &path, source))?;
            }
        }
        // The cache must not vouch for contents that are gone.
        let mut cache = self.cache();
        *cache = StatCache::default();
        let _ = fs::remove_file(self.dir.join("stat-cache.json"));
        cache.loaded = true;
        Ok(freed)
    }

    /// How much it holds.
    pub fn size(&self) -> Result<StoreSize> {
        let (n_contents, mut bytes) = self.objects.count()?;
        let manifests = entries(&self.dir.join("manifests"))?;
        for path in &manifests {
            bytes += fs::metadata(path).map_or(0, |meta| meta.len());
        }
        Ok(StoreSize { n_contents, n_snapshots: manifests.len() as u64, bytes })
    }
}

/// Holds the store, with others who use it. Waits while somebody tidies it up.
pub(super) fn hold(path: &Path) -> Result<Option<File>> {
    let fail = |source| Error::io("opening", path, source);
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(fail)?;
    match file.lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(fail(error)),
    }
}
