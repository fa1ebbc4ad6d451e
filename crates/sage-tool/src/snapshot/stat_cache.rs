//! Which content a file had when its stat data was last seen, so that it need not be read again.
//!
//! Invariant: the cache never vouches for a file that could have changed without a trace. A file that
//! was touched less than [`RACY_NS`] before it was looked at could be changed again within the same
//! tick of the clock, so such files are not remembered.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::Path;

use sage_core::BlobRef;
use serde::{Deserialize, Serialize};

/// How long before a look a file must have been left alone to be remembered, in nanoseconds.
const RACY_NS: i64 = 2_000_000_000;
const VERSION: u32 = 1;

/// What is compared. The change time cannot be set back by a program, as the modification time can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub size: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
    pub inode: u64,
}

impl Stamp {
    #[cfg(unix)]
    pub(crate) fn of(meta: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        let ns = |s: i64, ns: i64| s.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            size: meta.len(),
            mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(meta: &Metadata) -> Self {
        let mtime = meta.modified().ok();
        let since = mtime.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        let mtime_ns = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Self { size: meta.len(), mtime_ns, ctime_ns: mtime_ns, inode: 0 }
    }

    /// Whether the file was left alone long enough before `now_ns`.
    fn is_settled(&self, now_ns: i64) -> bool {
        self.mtime_ns.max(self.ctime_ns) < now_ns.saturating_sub(RACY_NS)
    }
}

/// The cache in memory.
#[derive(Debug, Default)]
pub(crate) struct StatCache {
    entries: HashMap<String, (Stamp, BlobRef)>,
    pub loaded: bool,
    pub is_on_disk: bool,
    /// Files read since it was last written.
    pub n_unsaved: usize,
}

/// The cache on disk: path to `[size, mtime_ns, ctime_ns, inode, hash]`.
#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: u32,
    objects: String,
    entries: HashMap<String, (u64, i64, i64, u64, BlobRef)>,
}

impl StatCache {
    pub(crate) fn get(&self, path: &str, stamp: &Stamp) -> Option<&BlobRef> {
        self.entries.get(path).filter(|(seen, _)| seen == stamp).map(|(_, hash)| hash)
    }

    pub(crate) fn insert(&mut self, path: &str, stamp: Stamp, hash: BlobRef, now_ns: i64) {
        if stamp.is_settled(now_ns) {
            self.entries.insert(path.to_owned(), (stamp, hash));
        } else {
            self.entries.remove(path);
        }
    }

    /// Reads the cache; one that is missing, damaged or about other objects is empty.
    pub(crate) fn read(path: &Path, objects: &str) -> Self {
        let mut cache = Self { loaded: true, ..Self::default() };
        let on_disk = std::fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<OnDisk>(&bytes).ok());
        if let Some(on_disk) = on_disk
            && on_disk.version == VERSION
            && on_disk.objects == objects
        {
            cache.is_on_disk = true;
            cache.entries = on_disk
                .entries
                .into_iter()
                .map(|(path, (size, mtime_ns, ctime_ns, inode, hash))| {
                    (path, (Stamp { size, mtime_ns, ctime_ns, inode }, hash))
                })
                .collect();
        }
        cache
    }

    pub(crate) fn to_bytes(&self, objects: &str) -> Option<Vec<u8>> {
        let entries = self
            .entries
            .iter()
            .map(|(path, (s, hash))| {
                (path.clone(), (s.size, s.mtime_ns, s.ctime_ns, s.inode, hash.clone()))
            })
            .collect();
        let on_disk = OnDisk { version: VERSION, objects: objects.to_owned(), entries };
        serde_json::to_vec(&on_disk).ok()
    }
}
