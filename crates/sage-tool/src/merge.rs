//! Merging what two sides made of one file: the common base, the tree as it is now (*ours*), and the
//! version that is to come in (*theirs*).
//!
//! Everything here is a function over bytes. A merge is clean only where every changed region was
//! changed by one side alone, or by both in the same way; changes that touch each other without an
//! unchanged line between them conflict, as they do for git. Nothing is ever chosen by likeness.
//!
//! Not here: where versions come from and where a result goes.

mod lines;

use sage_core::{BlobRef, FileState};

use crate::edits::is_text;
use crate::workspace::LINK_MODE;

pub use lines::{Hunk, MARKER, Merge, has_markers, merge_lines};

/// Larger versions are not merged line by line.
pub const MAX_MERGED_BYTES: usize = 2 * 1024 * 1024;

/// What a path holds on one side. A symbolic link's bytes are its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The content.
    pub bytes: Vec<u8>,
    /// Permission bits; those of a link for a symbolic link.
    pub mode: u32,
}

impl Version {
    /// By what it is recognised.
    #[must_use]
    pub fn state(&self) -> FileState {
        FileState { hash: BlobRef::of(&self.bytes), mode: self.mode }
    }
}

/// Why two versions of a file cannot be made one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// Both changed the same lines.
    Lines,
    /// Both created the file, each with another content.
    BothCreated,
    /// The tree has no such file any more, and the other side changed it.
    GoneInTree,
    /// The other side removed the file, and the tree has changed it.
    GoneInLane,
    /// Both changed something that has no lines: binary content, a link, or a very large file.
    NoLines,
    /// Both changed the permission bits, each to other ones.
    Mode,
}

impl Clash {
    /// In words, with the tree's side first.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Lines => "the same lines were changed in the tree and by this task",
            Self::BothCreated => {
                "the tree has got a file of this name meanwhile, with other content"
            }
            Self::GoneInTree => "the file was removed from the tree, and this task changed it",
            Self::GoneInLane => "the file was changed in the tree, and this task removed it",
            Self::NoLines => {
                "the file was changed in the tree and by this task, and cannot be merged by lines"
            }
            Self::Mode => "its mode was changed in the tree and by this task, to different ones",
        }
    }

    /// Whether content of the task would be lost if the tree's version stayed as it is.
    #[must_use]
    pub const fn loses_content(self) -> bool {
        !matches!(self, Self::GoneInLane | Self::Mode)
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMerge {
    /// The tree has it already.
    AsOurs,
    /// The tree is to hold this; `None` for nothing.
    To(Option<Version>),
    /// Somebody has to decide.
    Conflict {
        /// Why.
        clash: Clash,
        /// The merge with marked conflicts, where there are lines to mark.
        marked: Option<Vec<u8>>,
        /// The conflicts; empty where there are no lines.
        hunks: Vec<Hunk>,
    },
}

/// Merges three versions of one path. `label` names the incoming side in marked conflicts.
#[must_use]
pub fn merge_file(
    base: Option<&Version>,
    ours: Option<&Version>,
    theirs: Option<&Version>,
    label: &str,
) -> FileMerge {
    if theirs == base || theirs == ours {
        return FileMerge::AsOurs;
    }
    if ours == base {
        return FileMerge::To(theirs.cloned());
    }
    let bare = |clash| FileMerge::Conflict { clash, marked: None, hunks: Vec::new() };
    let (ours, theirs) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        (None, Some(_)) => return bare(Clash::GoneInTree),
        (Some(_), None) => return bare(Clash::GoneInLane),
        (None, None) => return FileMerge::AsOurs,
    };
    let Some(mode) = merge_modes(base, ours, theirs) else { return bare(Clash::Mode) };
    let whole = |bytes: &[u8]| match (Version { bytes: bytes.to_vec(), mode }) {
        merged if merged == *ours => FileMerge::AsOurs,
        merged => FileMerge::To(Some(merged)),
    };
    let base_bytes = base.map(|base| base.bytes.as_slice());
    if ours.bytes == theirs.bytes || Some(theirs.bytes.as_slice()) == base_bytes {
        return whole(&ours.bytes);
    }
    if Some(ours.bytes.as_slice()) == base_bytes {
        return whole(&theirs.bytes);
    }
    let sides = [base_bytes.unwrap_or_default(), &ours.bytes, &theirs.bytes];
    let has_lines = |bytes: &&[u8]| is_text(bytes) && bytes.len() <= MAX_MERGED_BYTES;
    let is_link = [base, Some(ours), Some(theirs)].iter().flatten().any(|v| v.mode == LINK_MODE);
    if is_link || !sides.iter().all(has_lines) {
        return bare(if base.is_none() { Clash::BothCreated } else { Clash::NoLines });
    }
    match merge_lines(sides[0], sides[1], sides[2], label) {
        Merge::Clean(bytes) => whole(&bytes),
        Merge::Conflict { marked, hunks } => FileMerge::Conflict {
            clash: if base.is_none() { Clash::BothCreated } else { Clash::Lines },
            marked: Some(marked),
            hunks,
        },
    }
}

/// The mode of a merged file, unless both sides changed it to different ones.
fn merge_modes(base: Option<&Version>, ours: &Version, theirs: &Version) -> Option<u32> {
    match base.map(|base| base.mode) {
        _ if ours.mode == theirs.mode => Some(ours.mode),
        None => Some(ours.mode),
        Some(base) if theirs.mode == base => Some(ours.mode),
        Some(base) if ours.mode == base => Some(theirs.mode),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
