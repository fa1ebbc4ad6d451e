//! One file of payloads, each found by its address.
//!
//! A record is a line with the address and the length, the bytes, and a line feed. Invariant: every
//! record is written in one piece after the last whole one, so only the end of the file can be
//! unfinished; what is there is not a record, and the next one overwrites it. One file, because what
//! makes payloads durable costs the same however many there are.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sage_core::BlobRef;

/// Address, space, digits of the largest length, line feed.
const MAX_HEADER_BYTES: usize = BlobRef::HEX_DIGITS + 1 + 20 + 1;
/// Bytes that are looked at together for the beginning of a line.
const PIECE_BYTES: usize = 8 * 1024;

/// An open file of payloads.
#[derive(Debug)]
pub(crate) struct Pack {
    file: File,
    index: HashMap<BlobRef, Place>,
    /// Where the last whole record ends.
    end: u64,
}

/// Where a payload lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    len: u64,
}

impl Pack {
    /// Finds the records of a file.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let mut pack = Self { file, index: HashMap::new(), end: 0 };
        pack.find_new()?;
        Ok(pack)
    }

    /// Finds the records that were added since the file was last looked at.
    pub(crate) fn find_new(&mut self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        let mut at = self.end;
        while at < size {
            match self.record_at(at, size)? {
                Some((blob, place)) => {
                    self.index.insert(blob, place);
                    at = place.at + place.len + 1;
                    self.end = at;
                }
                // Not a record, nor the unfinished end of the file unless no line follows.
                None => match self.line_after(at)? {
                    Some(next) => at = next,
                    None => break,
                },
            }
        }
        Ok(())
    }

    /// Whether a payload with this address was found or added. Its bytes may be damaged.
    pub(crate) fn has(&self, blob: &BlobRef) -> bool {
        self.index.contains_key(blob)
    }

    /// The bytes under an address, unchecked; absent without a record.
    pub(crate) fn read(&self, blob: &BlobRef) -> io::Result<Option<Vec<u8>>> {
        let Some(place) = self.index.get(blob) else { return Ok(None) };
        let len = usize::try_from(place.len).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, place.at)?;
        Ok(Some(bytes))
    }

    /// Adds a record. After a failure the next one takes the same place.
    pub(crate) fn add(&mut self, blob: &BlobRef, bytes: &[u8]) -> io::Result<()> {
        let mut record = format!("{blob} {}\n", bytes.len()).into_bytes();
        let place = Place { at: self.end + record.len() as u64, len: bytes.len() as u64 };
        record.extend_from_slice(bytes);
        record.push(b'\n');
        self.file.write_all_at(&record, self.end)?;
        self.end += record.len() as u64;
        self.index.insert(blob.clone(), place);
        Ok(())
    }

    /// Makes everything added so far durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The record that begins at `at` in a file of `size` bytes.
    fn record_at(&self, at: u64, size: u64) -> io::Result<Option<(BlobRef, Place)>> {
        let mut header = [0; MAX_HEADER_BYTES];
        let n_read = read_up_to(&self.file, &mut header, at)?;
        let Some((blob, len, n_header)) = parse(&header[..n_read]) else { return Ok(None) };
        let place = Place { at: at + n_header as u64, len };
        let end = place.at.checked_add(len).filter(|end| *end < size);
        let Some(end) = end else { return Ok(None) };
        let mut last = [0];
        self.file.read_exact_at(&mut last, end)?;
        Ok((last == *b"\n").then_some((blob, place)))
    }

    /// Where the next line begins.
    fn line_after(&self, mut at: u64) -> io::Result<Option<u64>> {
        let mut piece = [0; PIECE_BYTES];
        loop {
            let n_read = read_up_to(&self.file, &mut piece, at)?;
            if n_read == 0 {
                return Ok(None);
            }
            if let Some(found) = piece[..n_read].iter().position(|byte| *byte == b'\n') {
                return Ok(Some(at + found as u64 + 1));
            }
            at += n_read as u64;
        }
    }
}

/// Address, length and the header's own length.
fn parse(header: &[u8]) -> Option<(BlobRef, u64, usize)> {
    let end = header.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&header[..end]).ok()?;
    let (blob, len) = line.split_once(' ')?;
    Some((blob.parse().ok()?, len.parse().ok()?, end + 1))
}

fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match file.read_at(&mut buffer[n_read..], at + n_read as u64) {
            Ok(0) => break,
            Ok(n) => n_read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn open(path: &Path) -> Pack {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        Pack::of(file.unwrap()).unwrap()
    }

    fn add(pack: &mut Pack, text: &str) -> BlobRef {
        let blob = BlobRef::of(text.as_bytes());
        pack.add(&blob, text.as_bytes()).unwrap();
        blob
    }

    fn read(pack: &Pack, blob: &BlobRef) -> Option<String> {
        pack.read(blob).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    const TEXTS: [&str; 4] = ["one", "", "two\nlines\n", "0123456789"];

    #[test]
    fn what_is_added_is_found_by_whoever_opens_the_file() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("pack");
        let mut pack = open(&path);
        let mut other = open(&path);
        for text in TEXTS {
            let blob = add(&mut pack, text);
            assert_eq!(read(&other, &blob), None);
            other.find_new().unwrap();
            for pack in [&pack, &other, &open(&path)] {
                assert_eq!(read(pack, &blob).as_deref(), Some(text));
            }
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_none_and_is_written_over() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("pack");
        let mut pack = open(&path);
        let blobs: Vec<BlobRef> = TEXTS.iter().map(|text| add(&mut pack, text)).collect();
        let last = pack.index[&blobs[3]];
        let whole = fs::read(&path).unwrap();
        let begin = usize::try_from(last.at).unwrap() - " 10\n".len() - BlobRef::HEX_DIGITS;
        for cut in begin..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut pack = open(&path);
            assert_eq!(pack.end, begin as u64, "cut at {cut}");
            assert_eq!(read(&pack, &blobs[2]).as_deref(), Some(TEXTS[2]));
            assert_eq!(read(&pack, &blobs[3]), None);
            let blob = add(&mut pack, "x");
            assert_eq!(read(&open(&path), &blob).as_deref(), Some("x"));
        }
    }

    #[test]
    fn damage_does_not_cost_everything_after_it() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("pack");
        let mut pack = open(&path);
        let blobs: Vec<BlobRef> = TEXTS.iter().map(|text| add(&mut pack, text)).collect();
        let whole = fs::read(&path).unwrap();
        // The last record must begin on a line of its own.
        let n_last = BlobRef::HEX_DIGITS + " 10\n0123456789\n".len();
        for at in 0..whole.len() - n_last - 1 {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x80;
            fs::write(&path, &bytes).unwrap();
            let pack = open(&path);
            assert_eq!(read(&pack, &blobs[3]).as_deref(), Some(TEXTS[3]), "damage at {at}");
        }
    }
}
