//! Edits that models write, from an answer's text to a file's new bytes.
//!
//! Invariant: an edit is applied completely, at the one place it fits, or not at all. Whatever it does
//! not mean to change keeps its bytes: line endings, trailing blanks, bytes that are not UTF-8, the
//! byte order mark, a missing final newline. Similarity decides nothing; it only feeds error texts.
//!
//! Not here: reading and writing files, paths and permissions. Everything is a function over text.
//! Each answer format has its own file below and ends in the same [`Edit`]s.

mod answer;
mod apply;
mod begin_patch;
mod clean;
mod closest;
mod diff;
mod elision;
mod error;
mod fence;
mod fold;
mod guards;
mod hunk;
mod json_patch;
mod labels;
mod ladder;
mod language;
mod lines;
mod reindent;
mod resolve;
mod search_replace;
mod splice;
mod udiff;

use serde::{Deserialize, Serialize};

pub use answer::{
    Answer, Format, MAX_ANSWER_BYTES, MAX_EDITS, ReadOptions, parse_answer, read_answer,
};
pub use apply::{apply_hunk, apply_replace};
pub use diff::{MAX_DIFF_BYTES, is_text, line_diff_counts, unified_diff};
pub use error::{ApplyError, Closest, ParseError, ParseErrorKind};
pub use guards::{Overwrite, apply_write, removes_most};
pub use hunk::Hunk;
pub use resolve::{FileChange, MAX_FILE_BYTES, Rejected, resolve};

/// Places of an ambiguous edit that are looked for and named.
pub const MAX_PLACES: usize = 20;

/// One change of one file, as a model asked for it. Paths are as written: nothing in them has been
/// checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// Replace one place of a file; see [`apply_replace`]. With an empty search text: create the file,
    /// or fill an empty one.
    Replace {
        /// The file, if the answer names it.
        path: Option<String>,
        /// What is there now.
        search: String,
        /// What shall be there.
        replace: String,
    },
    /// Write a whole file; see [`apply_write`].
    Write {
        /// The file.
        path: String,
        /// All of its text.
        content: String,
    },
    /// Write a file that does not exist yet.
    Create {
        /// The file.
        path: String,
        /// All of its text.
        content: String,
    },
    /// Delete a file.
    Delete {
        /// The file.
        path: String,
    },
    /// Change one place as a diff or a patch says it; see [`apply_hunk`].
    Hunk {
        /// The file, if the answer names it.
        path: Option<String>,
        /// What changes, and what is said about the place.
        hunk: Hunk,
    },
    /// Give a file another path, at which there is nothing.
    Move {
        /// The file.
        path: String,
        /// Its new path.
        to: String,
    },
    /// Make a file executable, or no longer so.
    SetMode {
        /// The file.
        path: String,
        /// Whether it shall be.
        executable: bool,
    },
}

impl Edit {
    /// The file as written, if the edit names it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Replace { path, .. } | Self::Hunk { path, .. } => path.as_deref(),
            Self::Write { path, .. }
            | Self::Create { path, .. }
            | Self::Delete { path }
            | Self::Move { path, .. }
            | Self::SetMode { path, .. } => Some(path),
        }
    }
}

/// How far an edit's search text was from the file's text: the first comparison on which it fits.
/// Each rung forgives what the rungs before it forgive, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Not at all.
    Exact,
    /// Carriage returns.
    LineEndings,
    /// Blanks at line ends.
    TrailingBlanks,
    /// The same offset of indentation on every line, or tabs for spaces.
    Indentation,
    /// Typographic quotes, dashes and spaces.
    UnicodePunctuation,
    /// Blank lines.
    BlankLines,
    /// Lines left out behind a placeholder such as `...`.
    Elisions,
    /// Small differences of text; only where a setting allows it.
    Similarity,
}

impl Rung {
    /// What was forgiven, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Exact => "found exactly",
            Self::LineEndings => "found ignoring line endings",
            Self::TrailingBlanks => "found ignoring blanks at line ends",
            Self::Indentation => "found ignoring indentation",
            Self::UnicodePunctuation => "found ignoring typographic characters",
            Self::BlankLines => "found ignoring blank lines",
            Self::Elisions => "with what the placeholders stand for",
            Self::Similarity => "found by similarity: check it",
        }
    }
}

/// An edit applied to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The file's new bytes, never the same as before.
    pub content: Vec<u8>,
    /// How the place was found; [`Rung::Exact`] for whole files.
    pub rung: Rung,
    /// Lines added.
    pub lines_added: u64,
    /// Lines removed.
    pub lines_removed: u64,
}

#[cfg(test)]
mod tests;
