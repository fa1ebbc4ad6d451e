//! Exact states of a work tree, kept so that they can be restored.
//!
//! A snapshot is a manifest: every entry of the tree outside `.git` and `.sage` with its kind, mode and
//! the address of its content. Contents are kept once, by address, for all runs. Unchanged files are
//! recognised by their stat data and not read again.
//!
//! Layout: `objects/xx/…` (contents), `manifests/ID.json`, `stat-cache.json`. All of it is private to
//! the user (contents are not redacted) and never part of a run's log.
//!
//! What is not kept: `.git`; files over [`MAX_FILE_BYTES`]; ignored files beyond the caps below; what is
//! inside folders that tools fill and can fill again (`node_modules`, `target`, virtual environments).
//! Such things are in the manifest by their stat data, and named as not covered. Extended attributes,
//! owners and time stamps are not kept: an old time stamp on restored content would make build tools
//! believe that what they built from the newer content is up to date.

mod manifest;
mod objects;
mod restore;
mod revert;
mod scan;
mod stat_cache;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sage_core::BlobRef;

use crate::error::{Error, Result};
use crate::workspace::Workspace;

pub(crate) use manifest::Entry;
pub use manifest::{Covers, Difference, Snapshot};
pub use restore::{Restored, Scope};
pub(crate) use restore::{Trace, state_on_disk};
pub use scan::{
    MAX_FILE_BYTES, MAX_IGNORED_FILE_BYTES, MAX_IGNORED_FILES, MAX_IGNORED_TOTAL_BYTES,
};
pub(crate) use scan::{is_refillable, is_tagged, scan};

use manifest::Manifest;
use objects::Objects;
pub(crate) use stat_cache::StatCache;

/// The store of one project, in `.sage/snapshots`.
#[derive(Debug)]
pub struct SnapshotStore {
    dir: PathBuf,
    objects: Objects,
    cache: Mutex<StatCache>,
}

impl SnapshotStore {
    /// Opens the store, creating it where needed.
    pub fn open(dir: &Path) -> Result<Self> {
        objects::create_private(dir)?;
        objects::create_private(&dir.join("manifests"))?;
        let objects = Objects::open(dir.join("objects"))?;
        Ok(Self { dir: dir.to_owned(), objects, cache: Mutex::new(StatCache::default()) })
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
        let scanned = scan(workspace, covers, &self.cache, Some(&self.objects), now_ns, stop)?;
        let snapshot = self.save(scanned.manifest)?;
        self.save_cache(scanned.n_read);
        Ok(snapshot)
    }

    /// Reads a snapshot back.
    pub fn load(&self, id: &BlobRef) -> Result<Snapshot> {
        let fail = |problem: String| Error::Snapshot { what: id.to_string(), problem };
        let bytes = fs::read(self.manifest_path(id)).map_err(|error| fail(error.to_string()))?;
        if BlobRef::of(&bytes) != *id {
            return Err(fail("its manifest is damaged".to_owned()));
        }
        let manifest = Manifest::parse(&bytes).map_err(fail)?;
        Ok(Snapshot::new(id.clone(), manifest))
    }

    /// What changed from one snapshot to another, by path.
    #[must_use]
    pub fn diff(&self, from: &Snapshot, to: &Snapshot) -> Vec<Difference> {
        from.difference(to)
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

    /// Removes everything but these manifests, what they refer to, and these contents. Returns the
    /// bytes that were freed.
    pub fn prune(
        &self,
        manifests: &BTreeSet<BlobRef>,
        contents: &BTreeSet<BlobRef>,
    ) -> Result<u64> {
        let mut live = contents.clone();
        for id in manifests {
            live.extend(self.load(id)?.contents().cloned());
        }
        let dir = self.dir.join("manifests");
        let fail = |source| Error::io("reading", &dir, source);
        let mut freed = 0;
        for entry in fs::read_dir(&dir).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
            if id.is_none_or(|id: BlobRef| !manifests.contains(&id)) {
                freed += entry.metadata().map_or(0, |meta| meta.len());
                fs::remove_file(entry.path())
                    .map_err(|source| Error::io("deleting", entry.path(), source))?;
            }
        }
        freed += self.objects.prune(&live)?;
        // The cache must not vouch for contents that are gone.
        let mut cache = self.cache();
        *cache = StatCache::default();
        let _ = fs::remove_file(self.dir.join("stat-cache.json"));
        cache.loaded = true;
        Ok(freed)
    }

    pub(crate) fn save(&self, manifest: Manifest) -> Result<Snapshot> {
        let bytes = manifest.to_bytes()?;
        let id = BlobRef::of(&bytes);
        let path = self.manifest_path(&id);
        let is_there = fs::metadata(&path).is_ok_and(|meta| meta.len() == bytes.len() as u64);
        if !is_there {
            objects::write_private(&path, &bytes, true)?;
        }
        Ok(Snapshot::new(id, manifest))
    }

    pub(crate) fn has(&self, content: &BlobRef) -> bool {
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
        if !cache.loaded {
            *cache = StatCache::read(&self.dir.join("stat-cache.json"), self.objects.id());
        }
    }

    /// Writing the cache costs as much as reading some files again, so a few new entries wait. An
    /// old cache on disk is only slower, never wrong.
    fn save_cache(&self, n_read: usize) {
        const WORTH_WRITING: usize = 64;
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
