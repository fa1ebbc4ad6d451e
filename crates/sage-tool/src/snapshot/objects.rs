//! Contents by address, in files that only the user can read.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sage_core::BlobRef;

use crate::error::{Error, Result};

/// Files up to this size are read at once, larger ones in pieces.
const SMALL_BYTES: u64 = 1024 * 1024;
const PIECE_BYTES: usize = 256 * 1024;
const TEMP: &str = "tmp-";
/// Holds a random id, by which the stat cache knows that it is about these very objects.
const ID_FILE: &str = "id";

/// The folder of contents.
#[derive(Debug)]
pub(crate) struct Objects {
    dir: PathBuf,
    id: String,
}

impl Objects {
    pub(crate) fn open(dir: PathBuf) -> Result<Self> {
        create_private(&dir)?;
        let id_file = dir.join(ID_FILE);
        let id = match fs::read_to_string(&id_file) {
            Ok(id) if !id.is_empty() => id,
            _ => {
                // Any text that no other store has: the name of a temporary file is random.
                let temp = temp_in(&dir)?;
                let id = temp.path().file_name().map(|name| name.to_string_lossy().into_owned());
                let id = id.unwrap_or_default();
                drop(temp);
                write_private(&id_file, id.as_bytes(), false)?;
                id
            }
        };
        Ok(Self { dir, id })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn keep(&self, bytes: &[u8]) -> Result<BlobRef> {
        let hash = BlobRef::of(bytes);
        if !self.is_there(&hash, bytes.len() as u64) {
            let path = self.prepare(&hash)?;
            write_private(&path, bytes, false)?;
        }
        Ok(hash)
    }

    /// Keeps what is in an open file; gives address and size as they were read.
    pub(crate) fn keep_file(&self, file: &mut File, size: u64) -> io::Result<(BlobRef, u64)> {
        if size <= SMALL_BYTES {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
            file.read_to_end(&mut bytes)?;
            let hash = self.keep(&bytes).map_err(io::Error::other)?;
            return Ok((hash, bytes.len() as u64));
        }
        let mut temp = temp_in(&self.dir).map_err(io::Error::other)?;
        let (hash, size) = hash_of(file, Some(temp.as_file_mut()))?;
        if !self.is_there(&hash, size) {
            let path = self.prepare(&hash).map_err(io::Error::other)?;
            temp.persist(path).map_err(|error| error.error)?;
        }
        Ok((hash, size))
    }

    pub(crate) fn read(&self, hash: &BlobRef) -> Result<Vec<u8>> {
        let fail = |problem: String| Error::Snapshot { what: format!("content {hash}"), problem };
        let bytes = fs::read(self.path(hash)).map_err(|error| fail(error.to_string()))?;
        if BlobRef::of(&bytes) == *hash { Ok(bytes) } else { Err(fail("it is damaged".to_owned())) }
    }

    /// How large a content is.
    pub(crate) fn size(&self, hash: &BlobRef) -> Option<u64> {
        fs::metadata(self.path(hash)).ok().filter(fs::Metadata::is_file).map(|meta| meta.len())
    }

    pub(crate) fn has(&self, hash: &BlobRef) -> bool {
        self.path(hash).is_file()
    }

    /// Makes one content durable. Contents are written without waiting for the disk (a kill does not
    /// lose them, a power failure may); what is about to be overwritten is worth the wait.
    pub(crate) fn make_durable(&self, hash: &BlobRef) -> Result<()> {
        let path = self.path(hash);
        let done = File::open(&path).and_then(|file| file.sync_all());
        done.map_err(|source| Error::io("writing", path, source))
    }

    pub(crate) fn prune(&self, live: &BTreeSet<BlobRef>) -> Result<u64> {
        let mut freed = 0;
        for folder in entries(&self.dir)? {
            if folder.file_name() == Some(ID_FILE.as_ref()) {
                continue;
            }
            if !folder.is_dir() {
                freed += remove(&folder)?;
                continue;
            }
            for file in entries(&folder)? {
                let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
                let hash = format!(
                    "{}{}",
                    name(&folder).unwrap_or_default(),
                    name(&file).unwrap_or_default()
                );
                let is_live = hash.parse().is_ok_and(|hash: BlobRef| live.contains(&hash));
                if !is_live {
                    freed += remove(&file)?;
                }
            }
        }
        Ok(freed)
    }

    /// Number and bytes of the contents.
    pub(crate) fn count(&self) -> Result<(u64, u64)> {
        let (mut n, mut bytes) = (0, 0);
        for folder in entries(&self.dir)?.into_iter().filter(|path| path.is_dir()) {
            for file in entries(&folder)? {
                n += 1;
                bytes += fs::metadata(&file).map_or(0, |meta| meta.len());
            }
        }
        Ok((n, bytes))
    }

    /// Whether a content is there with its full length: a power failure may have cut it.
    fn is_there(&self, hash: &BlobRef, size: u64) -> bool {
        fs::metadata(self.path(hash)).is_ok_and(|meta| meta.is_file() && meta.len() == size)
    }

    fn prepare(&self, hash: &BlobRef) -> Result<PathBuf> {
        let path = self.path(hash);
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            create_private(folder)?;
        }
        Ok(path)
    }

    fn path(&self, hash: &BlobRef) -> PathBuf {
        let (folder, name) = hash.as_str().split_at(2);
        self.dir.join(folder).join(name)
    }
}

/// Address and length of what is left to read, copied to `copy` on the way.
pub(crate) fn hash_of(from: &mut File, mut copy: Option<&mut File>) -> io::Result<(BlobRef, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut size = 0;
    loop {
        let n = from.read(&mut piece)?;
        if n == 0 {
            break;
        }
        hasher.update(&piece[..n]);
        if let Some(copy) = &mut copy {
            copy.write_all(&piece[..n])?;
        }
        size += n as u64;
    }
    let hex = hasher.finalize().to_hex();
    let hash = hex[..BlobRef::HEX_DIGITS].parse().map_err(io::Error::other)?;
    Ok((hash, size))
}

pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let fail = |source| Error::io("reading", dir, source);
    let entries = fs::read_dir(dir).map_err(fail)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(fail)).collect()
}

fn remove(file: &Path) -> Result<u64> {
    let size = fs::metadata(file).map_or(0, |meta| meta.len());
    fs::remove_file(file).map_err(|source| Error::io("deleting", file, source))?;
    Ok(size)
}

/// Creates a folder that only the user can enter, with those above it.
pub(crate) fn create_private(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| Error::io("creating", dir, source))
}

/// Writes a file that only the user can read, as a whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
    let fail = |source| Error::io("writing", path, source);
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut temp = temp_in(dir)?;
    temp.write_all(bytes).map_err(fail)?;
    if durable {
        temp.as_file().sync_all().map_err(fail)?;
    }
    temp.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

fn temp_in(dir: &Path) -> Result<tempfile::NamedTempFile> {
    // Files of this crate are made for their owner alone.
    tempfile::Builder::new()
        .prefix(TEMP)
        .tempfile_in(dir)
        .map_err(|source| Error::io("writing", dir, source))
}
