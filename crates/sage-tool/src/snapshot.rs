//! Exact states of a work tree, kept so that they can be restored.
//!
//! A snapshot is a manifest: every entry of the tree outside `.git` and `.sage` with its kind, mode and
//! the address of its content. Contents are kept once, by address, for all runs. Unchanged files are
//! recognised by their stat data and not read again.
//!
//! Layout: `objects/xx/…` (contents, and manifests cut into pieces), `manifests/ID.json` (the list of a
//! manifest's pieces), `stat-cache.json`, `lock`. All of it is private to the user (contents are not
//! redacted) and never part of a run's log. Whoever uses the store holds `lock` shared; what is no
//! longer needed is removed by whoever has it alone.
//!
//! What is not kept: `.git`; files over [`MAX_FILE_BYTES`]; ignored files beyond the caps below; what is
//! inside folders that tools fill and can fill again (`node_modules`, `target`, virtual environments), or
//! inside ignored folders with more than [`MAX_IGNORED_ENTRIES`] entries. Such things are in the manifest
//! by their stat data, and named as not covered. Extended attributes, owners and time stamps are not
//! kept: an old time stamp on restored content would make build tools believe that what they built from
//! the newer content is up to date.

mod manifest;
mod objects;
mod pieces;
mod prune;
mod put_back;
mod restore;
mod revert;
mod scan;
mod stat_cache;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sage_core::BlobRef;

use crate::error::{Error, Result};
use crate::workspace::Workspace;

pub use crate::workspace::{FOLDER_MODE, LINK_MODE};
pub(crate) use manifest::Entry;
pub use manifest::{Covers, Difference, Snapshot};
pub use prune::{InUse, StoreSize};
pub(crate) use put_back::{Staged, Trace, put_back};
pub(crate) use restore::state_on_disk;
pub use restore::{Outlook, Restored, Want};
pub(crate) use scan::{Look, is_refillable, is_tagged, scan};
pub use scan::{
    MAX_FILE_BYTES, MAX_IGNORED_ENTRIES, MAX_IGNORED_FILE_BYTES, MAX_IGNORED_FILES,
    MAX_IGNORED_TOTAL_BYTES,
};

use manifest::Manifest;
use objects::Objects;
use pieces::Index;
pub(crate) use stat_cache::StatCache;

/// The store of one project, in `.sage/snapshots`.
#[derive(Debug)]
pub struct SnapshotStore {
    dir: PathBuf,
    objects: Objects,
    cache: Mutex<StatCache>,
    /// Held shared; `None` where the file system has no locks.
    lock: Option<File>,
    /// Whether the cache is read from the disk and written there.
    keeps_cache: bool,
}

impl SnapshotStore {
    /// Opens the store, creating it where needed.
    pub fn open(dir: &Path) -> Result<Self> {
        objects::create_private(dir)?;
        objects::create_private(&dir.join("manifests"))?;
        let lock = prune::hold(&dir.join("lock"))?;
        let objects = Objects::open(dir.join("objects"))?;
        let cache = Mutex::new(StatCache::default());
        Ok(Self { dir: dir.to_owned(), objects, cache, lock, keeps_cache: true })
    }

    /// The same contents and manifests for a tree beside the project, such as a copy of it, whose files
    /// the project's cache must not be mixed up with.
    pub fn beside(&self) -> Result<Self> {
        Ok(Self { keeps_cache: false, ..Self::open(&self.dir)? })
    }

    /// Takes a snapshot. Files that change while it is taken are taken as they were read.
    pub fn take(&self, workspace: &Workspace, covers: Covers) -> Result<Snapshot> {
        self.take_unless(workspace, covers, &|| false)
    }

    /// Like [`Self::take`]; ends early with [`Error::Cancelled`] when `stop` says so.
    pub fn take_unless(
        &self,
        workspace: &Workspace,
        covers: Covers,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Snapshot> {
        let now_ns = self.now_ns()?;
        self.load_cache();
        let like = workspace.last_look();
        let look = Look { covers, like: like.as_ref(), objects: Some(&self.objects), now_ns, stop };
        let scanned = scan(workspace, &self.cache, &look)?;
        let snapshot = self.save(scanned.manifest)?;
        self.save_cache(scanned.n_read);
        if covers == Covers::Everything {
            workspace.look_like(&snapshot);
        }
        Ok(snapshot)
    }

    /// Reads a snapshot back.
    pub fn load(&self, id: &BlobRef) -> Result<Snapshot> {
        let (index, bytes) = self.index(id)?;
        Ok(Snapshot::new(id.clone(), index.manifest(&bytes, &self.objects)?))
    }

    /// What changed from one snapshot to another, by path.
    #[must_use]
    pub fn diff(&self, from: &Snapshot, to: &Snapshot) -> Vec<Difference> {
        from.difference(to)
    }

    /// Like [`Self::diff`] for two that are kept, at a cost that grows with what differs, not with the
    /// tree. Both must be of the same work tree.
    pub fn changes(&self, from: &BlobRef, to: &BlobRef) -> Result<Vec<Difference>> {
        if from == to {
            return Ok(Vec::new());
        }
        let ((old, _), (new, _)) = (self.index(from)?, self.index(to)?);
        if old.is_cut() && new.is_cut() {
            return old.difference(&new, &self.objects);
        }
        Ok(self.load(from)?.difference(&self.load(to)?))
    }

    fn index(&self, id: &BlobRef) -> Result<(Index, Vec<u8>)> {
        let fail = |problem: String| Error::Snapshot { what: id.to_string(), problem };
        let bytes = fs::read(self.manifest_path(id)).map_err(|error| fail(error.to_string()))?;
        if BlobRef::of(&bytes) != *id {
            return Err(fail("its manifest is damaged".to_owned()));
        }
        Ok((Index::parse(&bytes).map_err(fail)?, bytes))
    }

    /// Keeps a content, and returns its address.
    pub fn keep(&self, bytes: &[u8]) -> Result<BlobRef> {
        self.objects.keep(bytes)
    }

    /// Like [`Self::keep`], for a content that is about to be overwritten: on disk when this returns.
    pub(crate) fn keep_durably(&self, bytes: &[u8]) -> Result<()> {
        let hash = self.objects.keep(bytes)?;
        self.objects.make_durable(&hash)
    }

    /// Reads a content back, checked against its address.
    pub fn read(&self, content: &BlobRef) -> Result<Vec<u8>> {
        self.objects.read(content)
    }

    pub(crate) fn save(&self, manifest: Manifest) -> Result<Snapshot> {
        let (_, bytes) = Index::keep(&manifest, &self.objects)?;
        let id = BlobRef::of(&bytes);
        let path = self.manifest_path(&id);
        let is_there = fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes.len() as u64);
        if !is_there {
            objects::write_private(&path, &bytes, true)?;
        }
        Ok(Snapshot::new(id, manifest))
    }

    /// Whether a content is kept, as far as can be told without reading it.
    #[must_use]
    pub fn has(&self, content: &BlobRef) -> bool {
        self.objects.has(content)
    }

    fn manifest_path(&self, id: &BlobRef) -> PathBuf {
        self.dir.join("manifests").join(format!("{id}.json"))
    }

    /// The file system's own idea of the present, in nanoseconds since the epoch.
    fn now_ns(&self) -> Result<i64> {
        let fail = |source| Error::io("writing", &self.dir, source);
        let probe = crate::workspace::new_temp(&self.dir).map_err(fail)?;
        let meta = probe.as_file().metadata().map_err(fail)?;
        Ok(stat_cache::Stamp::of(&meta).mtime_ns)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, StatCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load_cache(&self) {
        let mut cache = self.cache();
        if self.keeps_cache && !cache.loaded {
            *cache = StatCache::read(&self.dir.join("stat-cache.json"), self.objects.id());
        }
    }

    /// Writing the cache costs as much as reading some files again, so a few new entries wait. An
    /// old cache on disk is only slower, never wrong.
    fn save_cache(&self, n_read: usize) {
        const WORTH_WRITING: usize = 64;
        if !self.keeps_cache {
            return;
        }
        let mut cache = self.cache();
        cache.n_unsaved += n_read;
        if cache.n_unsaved >= WORTH_WRITING || (cache.n_unsaved > 0 && !cache.is_on_disk) {
            let path = self.dir.join("stat-cache.json");
            if let Some(bytes) = cache.to_bytes(self.objects.id())
                && objects::write_private(&path, &bytes, false).is_ok()
            {
                cache.n_unsaved = 0;
                cache.is_on_disk = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
