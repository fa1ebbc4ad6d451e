//! How a manifest is kept: cut into pieces that are contents like any other, by address.
//!
//! Where a piece begins is decided by the path alone, so a tree of which a few files changed shares
//! nearly all pieces with the tree before, whatever came or went. A snapshot before each command then
//! costs a few small files, and two of them are compared by reading only the pieces that differ.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::BlobRef;
use serde::{Deserialize, Serialize};

use super::manifest::{Covers, Difference, Entry, Manifest, difference};
use super::objects::Objects;
use crate::error::{Error, Result};

/// Version of the form.
const VERSION: u32 = 2;
/// The form that had all entries in one file.
const WHOLE: u32 = 1;
/// A piece begins at one path in this many, on average; a power of two.
const MEAN_ENTRIES: u64 = 256;
/// Entries of one piece at most.
const MAX_ENTRIES: usize = 4096;

/// A saved manifest: what `manifests/ID.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    version: u32,
    covers: Covers,
    #[serde(default)]
    pieces: Vec<BlobRef>,
}

/// A piece as it is written.
#[derive(Default, Serialize, Deserialize)]
struct Piece {
    entries: BTreeMap<String, Entry>,
    /// Which of the entries, counted from 0, git ignores: all of them, as the folder above that makes it
    /// so may be in another piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<usize>,
}

/// The same, to be written.
#[derive(Serialize)]
struct PieceRef<'a> {
    entries: BTreeMap<&'a str, &'a Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<usize>,
}

/// A manifest as older versions wrote it.
#[derive(Deserialize)]
struct Whole {
    entries: BTreeMap<String, Entry>,
}

impl Index {
    /// Keeps the pieces of a manifest. Gives the index and its bytes.
    pub(super) fn keep(manifest: &Manifest, objects: &Objects) -> Result<(Self, Vec<u8>)> {
        let not_json = |error| Error::Internal(format!("a manifest is not JSON: {error}"));
        let mut pieces = Vec::new();
        let mut piece = PieceRef { entries: BTreeMap::new(), ignored: Vec::new() };
        let mut put = |piece: &mut PieceRef<'_>| {
            if !piece.entries.is_empty() {
                let bytes = serde_json::to_vec(piece).map_err(not_json)?;
                pieces.push(objects.keep(&bytes)?);
                piece.entries.clear();
                piece.ignored.clear();
            }
            Ok::<(), Error>(())
        };
        for (path, entry) in &manifest.entries {
            if begins_piece(path) || piece.entries.len() == MAX_ENTRIES {
                put(&mut piece)?;
            }
            if manifest.is_ignored(path) {
                piece.ignored.push(piece.entries.len());
            }
            piece.entries.insert(path, entry);
        }
        put(&mut piece)?;
        let index = Self { version: VERSION, covers: manifest.covers, pieces };
        let bytes = serde_json::to_vec(&index).map_err(not_json)?;
        Ok((index, bytes))
    }

    pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let index: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest: {error}"))?;
        if index.version > VERSION {
            return Err(format!("its manifest has version {}", index.version));
        }
        Ok(index)
    }

    /// The whole manifest; `bytes` are those of the index.
    pub(super) fn manifest(&self, bytes: &[u8], objects: &Objects) -> Result<Manifest> {
        let mut manifest = Manifest::new(self.covers);
        if self.version == WHOLE {
            manifest.entries = whole(bytes)?.entries;
            return Ok(manifest);
        }
        read_into(&mut manifest, &self.pieces, objects)?;
        Ok(manifest)
    }

    /// Whether it is of the present form.
    pub(super) fn is_cut(&self) -> bool {
        self.version > WHOLE
    }

    pub(super) fn pieces(&self) -> &[BlobRef] {
        &self.pieces
    }

    /// What differs between two, read from the pieces that they do not share.
    pub(super) fn difference(&self, to: &Self, objects: &Objects) -> Result<Vec<Difference>> {
        let only = |a: &Self, b: &Self| {
            let shared: BTreeSet<&BlobRef> = b.pieces.iter().collect();
            let own = a.pieces.iter().filter(|address| !shared.contains(address));
            let mut only = Manifest::new(a.covers);
            read_into(&mut only, own, objects).map(|()| only)
        };
        let mut differences = difference(&only(self, to)?, &only(to, self)?);
        if self.covers != to.covers {
            // What only one of them covers is not gone or new.
            differences.retain(|difference| !difference.ignored);
        }
        Ok(differences)
    }
}

fn read_into<'a>(
    manifest: &mut Manifest,
    pieces: impl IntoIterator<Item = &'a BlobRef>,
    objects: &Objects,
) -> Result<()> {
    for address in pieces {
        let piece: Piece = serde_json::from_slice(&objects.read(address)?).map_err(|error| {
            Error::Snapshot { what: format!("piece {address}"), problem: error.to_string() }
        })?;
        let mut ignored = piece.ignored.iter().peekable();
        for (n, (path, entry)) in piece.entries.into_iter().enumerate() {
            if ignored.next_if_eq(&&n).is_some() {
                manifest.ignored.insert(path.clone());
            }
            manifest.entries.insert(path, entry);
        }
    }
    Ok(())
}

fn whole(bytes: &[u8]) -> Result<Whole> {
    serde_json::from_slice(bytes).map_err(|error| Error::Snapshot {
        what: BlobRef::of(bytes).to_string(),
        problem: format!("its manifest: {error}"),
    })
}

/// Whether a new piece begins with this path: a property of the path alone (FNV-1a of its bytes).
fn begins_piece(path: &str) -> bool {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    // The low bits of the product mix least; fold the high ones in.
    (hash ^ (hash >> 32)).is_multiple_of(MEAN_ENTRIES)
}
