//! Reading a tree into a manifest.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::unistd::Pid;
use sage_core::BlobRef;

use super::manifest::{Covers, Entry, Manifest, Snapshot};
use super::objects::{Objects, hash_of};
use super::stat_cache::{Stamp, StatCache};
use crate::error::{Error, Result};
use crate::path::{self, WorkPath};
use crate::workspace::{
    Descend, FOLDER_MODE, Found, Kind, TEMP_PREFIX, Walk, Workspace, is_absent, mode_of, walk,
};

/// Larger files are not kept.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Larger ignored files are not kept.
pub const MAX_IGNORED_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// Ignored files beyond this sum, in the order of their paths, are not kept.
pub const MAX_IGNORED_TOTAL_BYTES: u64 = 256 * 1024 * 1024;
/// Ignored files beyond this number, in the order of their paths, are not kept.
pub const MAX_IGNORED_FILES: usize = 20_000;
/// An ignored folder with more entries than this is not looked into: something fills it.
pub const MAX_IGNORED_ENTRIES: usize = 20_000;
/// Entries beyond this number are an error: somebody works in `/`.
const MAX_ENTRIES: usize = 3_000_000;
/// Threads that read files.
const MAX_READERS: usize = 4;
/// With fewer files to read than this, one thread does.
const FEW_FILES: usize = 200;
/// How long before now a temporary file of ours must have been written to be a leftover, in ns.
const LEFTOVER_NS: i64 = 60_000_000_000;

/// Folders that tools fill and can fill again.
const REFILLABLE: [&str; 10] = [
    "node_modules",
    "target",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    ".gradle",
    ".next",
    ".terraform",
    "bower_components",
];

/// What a scan found.
pub(crate) struct Scanned {
    pub manifest: Manifest,
    /// Files that had to be read.
    pub n_read: usize,
}

/// A file whose content is to be recorded.
struct Wanted {
    path: String,
    at: PathBuf,
    stamp: Stamp,
    mode: u32,
}

/// How a tree is read.
pub(crate) struct Look<'a> {
    pub covers: Covers,
    /// Which folders an earlier look went into, so that nothing can be hidden from a later one.
    pub like: Option<&'a Snapshot>,
    /// Where contents are kept, if they are.
    pub objects: Option<&'a Objects>,
    /// The file system's present.
    pub now_ns: i64,
    /// Says when to give up.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// Reads the tree.
pub(crate) fn scan(
    workspace: &Workspace,
    cache: &Mutex<StatCache>,
    look: &Look<'_>,
) -> Result<Scanned> {
    let Look { objects, now_ns, stop, .. } = *look;
    let mut manifest = Manifest::new(look.covers);
    let wanted = survey(workspace, look, &mut manifest)?;
    if let Some(objects) = objects {
        keep_links(&manifest, objects)?;
    }
    let mut unread = Vec::new();
    {
        let cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        for file in wanted {
            match cache.get(&file.path, &file.stamp) {
                Some(hash) => {
                    let (mode, size, hash) = (file.mode, file.stamp.size, hash.clone());
                    manifest.entries.insert(file.path, Entry::File { mode, size, hash });
                }
                None => unread.push(file),
            }
        }
    }
    let read = read_all(&unread, objects, stop);
    if stop() {
        return Err(Error::Cancelled);
    }
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    for (file, read) in unread.iter().zip(read) {
        let (path, mode) = (file.path.clone(), file.mode);
        match read {
            Ok(Read { hash, size, steady }) => {
                if steady {
                    cache.insert(&path, file.stamp, hash.clone(), now_ns);
                }
                manifest.entries.insert(path, Entry::File { mode, size, hash });
            }
            Err(error) if is_absent(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                uncovered(&mut manifest, path, &file.stamp, mode);
            }
            Err(error) => return Err(Error::io("keeping a copy of", &file.at, error)),
        }
    }
    Ok(Scanned { manifest, n_read: unread.len() })
}

/// Goes through the tree: everything that needs no reading goes into the manifest, the rest is returned.
fn survey(workspace: &Workspace, look: &Look<'_>, manifest: &mut Manifest) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    let mut ignored = Vec::new();
    let mut n_entries = 0;
    let mut crowds = Crowds::default();
    let was_closed = |path: &str| look.like.and_then(|like| like.is_closed(path));
    let options = Walk {
        below: WorkPath::trusted(""),
        ignored: look.covers == Covers::Everything,
        keep_temp: true,
    };
    walk(workspace.root(), &options, &mut |found| {
        if (look.stop)() {
            return Err(Error::Cancelled);
        }
        n_entries += 1;
        if n_entries > MAX_ENTRIES {
            let source = io::Error::other(format!("more than {MAX_ENTRIES} files and folders"));
            return Err(Error::io("taking a snapshot of", workspace.root(), source));
        }
        let stamp = Stamp::of(&found.meta);
        if is_temp(&found) {
            remove_leftover(&found.at, &stamp, look.now_ns);
            return Ok(Descend::No);
        }
        if found.ignored {
            if found.n_ignored_bytes == found.path.len() {
                manifest.ignored.insert(found.path.clone());
            } else if crowds.is_full(&found, &was_closed) {
                return Ok(Descend::No);
            }
        }
        let mode = mode_of(&found.meta);
        match found.kind {
            Kind::Folder => {
                let closed = was_closed(&found.path)
                    .unwrap_or_else(|| is_refillable(&found.at, &found.path, found.ignored));
                let mode = mode & !FOLDER_MODE;
                manifest.entries.insert(found.path, Entry::Folder { mode, closed });
                return Ok(if closed { Descend::No } else { Descend::Yes });
            }
            Kind::Link => {
                if let Ok(target) = fs::read_link(&found.at) {
                    let target = path::encode(target.as_os_str());
                    manifest.entries.insert(found.path, Entry::Link { target });
                }
            }
            Kind::File if found.meta.len() <= MAX_FILE_BYTES => {
                let is_ignored = found.ignored;
                let file = Wanted { path: found.path, at: found.at, stamp, mode };
                if is_ignored { ignored.push(file) } else { wanted.push(file) }
            }
            Kind::File | Kind::Special => uncovered(manifest, found.path, &stamp, mode),
        }
        Ok(Descend::Yes)
    })?;
    crowds.close(manifest, &mut ignored);
    // By path, so that the caps hit the same files each time.
    ignored.sort_by(|a, b| a.path.cmp(&b.path));
    let mut total = 0;
    for (n, file) in ignored.into_iter().enumerate() {
        let size = file.stamp.size;
        total += size;
        if size <= MAX_IGNORED_FILE_BYTES
            && total <= MAX_IGNORED_TOTAL_BYTES
            && n < MAX_IGNORED_FILES
        {
            wanted.push(file);
        } else {
            uncovered(manifest, file.path, &file.stamp, file.mode);
        }
    }
    Ok(wanted)
}

/// Counts what is in each outermost ignored folder. A data set or a cache of ours that nobody named may
/// lie there: looking at it before and after each command would take longer than the command.
#[derive(Default)]
struct Crowds {
    n_entries: HashMap<String, usize>,
    full: BTreeSet<String>,
}

impl Crowds {
    /// Whether the ignored folder in which this entry lies has too many of them.
    fn is_full(&mut self, found: &Found, was_closed: &dyn Fn(&str) -> Option<bool>) -> bool {
        let folder = &found.path[..found.n_ignored_bytes];
        match self.n_entries.get_mut(folder) {
            Some(n) => *n += 1,
            None => drop(self.n_entries.insert(folder.to_owned(), 1)),
        }
        let n = self.n_entries.get(folder).copied().unwrap_or_default();
        // One that was looked into before a command is looked into after it, too.
        let is_full = n > MAX_IGNORED_ENTRIES && was_closed(folder) != Some(false);
        if is_full && !self.full.contains(folder) {
            self.full.insert(folder.to_owned());
        }
        is_full
    }

    /// Forgets what is in those that were too full.
    fn close(self, manifest: &mut Manifest, files: &mut Vec<Wanted>) {
        for folder in self.full {
            let below = format!("{folder}/");
            manifest.entries.retain(|path, _| !path.starts_with(&below));
            files.retain(|file| !file.path.starts_with(&below));
            if let Some(Entry::Folder { closed, .. }) = manifest.entries.get_mut(&folder) {
                *closed = true;
            }
        }
    }
}

/// Where links lead is in the manifest, but the log knows a link by its address alone.
fn keep_links(manifest: &Manifest, objects: &Objects) -> Result<()> {
    for entry in manifest.entries.values() {
        if let Entry::Link { target } = entry {
            objects.keep(path::decode(target).as_encoded_bytes())?;
        }
    }
    Ok(())
}

fn uncovered(manifest: &mut Manifest, path: String, stamp: &Stamp, mode: u32) {
    let (size, mtime_ns) = (stamp.size, stamp.mtime_ns);
    manifest.entries.insert(path, Entry::Uncovered { mode, size, mtime_ns });
}

fn is_temp(found: &Found) -> bool {
    let name = found.path.rsplit('/').next().unwrap_or_default();
    found.kind == Kind::File && name.starts_with(TEMP_PREFIX)
}

/// Removes what a killed process left. While the process that made it lives, it belongs to a write that
/// is under way; without a process in its name, only its age tells.
fn remove_leftover(at: &Path, stamp: &Stamp, now_ns: i64) {
    let is_left = match owner(at) {
        Some(owner) => !is_alive(owner),
        None => stamp.mtime_ns < now_ns.saturating_sub(LEFTOVER_NS),
    };
    if is_left {
        let _ = fs::remove_file(at);
    }
}

/// The process that made a temporary file, from its name.
fn owner(at: &Path) -> Option<Pid> {
    let rest = at.file_name()?.to_str()?.strip_prefix(TEMP_PREFIX)?;
    let (owner, _) = rest.split_once('-')?;
    owner.parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw)
}

fn is_alive(process: Pid) -> bool {
    // Signal 0 only asks; a process of somebody else may not be asked, but exists.
    !matches!(nix::sys::signal::kill(process, None), Err(nix::errno::Errno::ESRCH))
}

/// Whether a folder says of itself that it is a cache.
pub(crate) fn is_tagged(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file()
}

/// Whether what is in a folder is not worth keeping: it can be made again, and there is a lot of it.
pub(crate) fn is_refillable(at: &Path, path: &str, ignored: bool) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "node_modules"
        || (ignored && REFILLABLE.contains(&name))
        || is_tagged(at)
        || at.join("pyvenv.cfg").is_file()
}

struct Read {
    hash: BlobRef,
    size: u64,
    /// Whether the file was the same before and after it was read.
    steady: bool,
}

/// Reads the files; once `stop` says so, the rest is given up.
fn read_all(
    files: &[Wanted],
    objects: Option<&Objects>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Vec<io::Result<Read>> {
    let read_one = |file: &Wanted| {
        if stop() { Err(io::ErrorKind::Interrupted.into()) } else { read_one(file, objects) }
    };
    let n_readers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_READERS);
    if files.len() < FEW_FILES || n_readers == 1 {
        return files.iter().map(read_one).collect();
    }
    let share = files.len().div_ceil(n_readers);
    std::thread::scope(|scope| {
        let readers: Vec<_> = files
            .chunks(share)
            .map(|files| scope.spawn(move || files.iter().map(read_one).collect::<Vec<_>>()))
            .collect();
        readers
            .into_iter()
            .zip(files.chunks(share))
            .flat_map(|(reader, files)| {
                reader.join().unwrap_or_else(|_| {
                    let failed = || Err(io::Error::other("a reading thread failed"));
                    files.iter().map(|_| failed()).collect::<Vec<_>>()
                })
            })
            .collect()
    })
}

fn read_one(wanted: &Wanted, objects: Option<&Objects>) -> io::Result<Read> {
    let mut file = open(&wanted.at)?;
    let before = file.metadata()?;
    if !before.is_file() {
        // It was replaced by something else since it was listed.
        return Err(io::ErrorKind::NotFound.into());
    }
    let (hash, size) = match objects {
        Some(objects) => objects.keep_file(&mut file, before.len())?,
        None => hash_of(&mut file, None)?,
    };
    let steady = Stamp::of(&before) == wanted.stamp && Stamp::of(&file.metadata()?) == wanted.stamp;
    Ok(Read { hash, size, steady })
}

/// Opens a file without following a link and without waiting for a pipe's other end, should one have
/// taken the file's place.
fn open(at: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
        options.custom_flags(flags.bits());
    }
    options.open(at)
}
