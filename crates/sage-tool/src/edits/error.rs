//! Why an answer or an edit cannot be used, in words that a model can act on.
//!
//! Unlike other error texts of the program these say what to do next: their reader is the model that
//! wrote the edit, and its next answer depends on them.

use std::fmt;

/// An answer whose edits cannot be read. Nothing of such an answer is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Which edit of the answer, from 1.
    pub block: usize,
    /// Line of the answer at which the edit begins, from 1.
    pub line: usize,
    /// The file it is for, as far as known.
    pub path: Option<String>,
}

/// What is wrong with one edit of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseErrorKind {
    /// A search/replace block without its `=======` line.
    NoDivider,
    /// A search/replace block, a code fence or a patch that never ends: the answer was cut off.
    Unfinished {
        /// The line that should have ended it.
        expected: String,
    },
    /// More than one line could be the divider or the end of the block.
    UnclearMarkers,
    /// Two whole files with different contents for one path.
    Contradiction,
    /// Code fences inside a code fence that is no longer than they are.
    UnclearFence,
    /// The language of the code fence does not fit the file's name.
    WrongLanguage {
        /// The language on the fence.
        language: String,
    },
    /// More than what is read.
    TooLarge {
        /// What there is too much of, and how much is possible.
        what: String,
    },
    /// Something in a JSON or patch answer that is not an edit that we know.
    Unsupported {
        /// What it is.
        what: String,
    },
}

impl std::error::Error for ParseError {}

impl ParseErrorKind {
    /// A stable word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unfinished { .. } => "unfinished",
            Self::NoDivider | Self::UnclearMarkers | Self::UnclearFence => "unclear",
            Self::Contradiction => "contradiction",
            Self::WrongLanguage { .. } => "wrong_language",
            Self::Unsupported { .. } => "unsupported",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edit {} (line {} of the answer", self.block, self.line)?;
        if let Some(path) = &self.path {
            write!(f, ", for {path}")?;
        }
        f.write_str("): ")?;
        match &self.kind {
            ParseErrorKind::NoDivider => {
                f.write_str("there is no ======= line between the search and the replacement")
            }
            ParseErrorKind::Unfinished { expected } => write!(
                f,
                "it is cut off: {expected:?} is missing; nothing was applied, send the whole edit again"
            ),
            ParseErrorKind::UnclearMarkers => f.write_str(
                "marker lines occur inside the block, so its parts cannot be told apart; \
                 use markers of 9 characters for this block",
            ),
            ParseErrorKind::Contradiction => {
                f.write_str("the same file is given twice with different contents")
            }
            ParseErrorKind::UnclearFence => f.write_str(
                "there are code fences inside this code fence, and which closes which cannot be told; \
                 put text that contains fences in a fence of four or more characters",
            ),
            ParseErrorKind::WrongLanguage { language } => write!(
                f,
                "the code is marked as {language}, which does not fit the file's name; \
                 check which file it belongs to"
            ),
            ParseErrorKind::TooLarge { what } => f.write_str(what),
            ParseErrorKind::Unsupported { what } => write!(f, "{what} is not an edit"),
        }
    }
}

/// Why one edit was not applied. The file is unchanged.
#[derive(Debug, Clone, PartialEq)]
pub enum ApplyError {
    /// The search text is not in the file, on no rung of the ladder.
    NotFound {
        /// The most similar place of the file, if there is one worth showing.
        closest: Option<Closest>,
        /// What probably went wrong.
        hint: String,
    },
    /// The search text fits several places equally well.
    Ambiguous {
        /// First lines of the places, from 1; at most [`super::MAX_PLACES`].
        lines: Vec<usize>,
    },
    /// The file would stay as it is.
    NoChange,
    /// There is nothing to search for, and the file is not empty.
    EmptySearch,
    /// The new text contains a placeholder such as `# ... rest unchanged` instead of code.
    Elided {
        /// Line of the new text, from 1.
        line: usize,
        /// The placeholder.
        text: String,
    },
    /// A whole-file write would remove most of an existing file.
    RemovesMost {
        /// Lines of the file now.
        n_before: usize,
        /// Lines it would have.
        n_after: usize,
    },
    /// The change would overwrite bytes that are not UTF-8, which the model has never seen.
    NotText {
        /// Line of the file, from 1.
        line: usize,
    },
    /// The file does not exist.
    Missing,
    /// The file exists and was to be created.
    Exists,
    /// The edit names no file, and no file of the answer fits.
    NoPath,
    /// The replacement is there already, and the search text is not.
    AlreadyThere {
        /// Line of the file, from 1.
        line: usize,
    },
    /// The whole file that is given contains the markers of an edit or of a conflict.
    Markers {
        /// Line of the new text, from 1.
        line: usize,
        /// The marker.
        text: String,
    },
    /// There is already something at the new path of a file that is to be moved.
    MovesOnto {
        /// The new path.
        to: String,
    },
    /// The file has more than [`super::MAX_FILE_BYTES`].
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
}

impl ApplyError {
    /// A stable word for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Ambiguous { .. } => "ambiguous",
            Self::NoChange => "no_change",
            Self::EmptySearch => "empty_search",
            Self::Elided { .. } => "elided",
            Self::RemovesMost { .. } => "removes_most",
            Self::NotText { .. } => "not_text",
            Self::Missing => "missing",
            Self::Exists | Self::MovesOnto { .. } => "exists",
            Self::NoPath => "no_path",
            Self::AlreadyThere { .. } => "already_there",
            Self::Markers { .. } => "unclear",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// A part of the file that resembles the search text.
#[derive(Debug, Clone, PartialEq)]
pub struct Closest {
    /// Its first line, from 1.
    pub first_line: usize,
    /// Its last line, from 1.
    pub last_line: usize,
    /// How similar it is, in (0, 1].
    pub similarity: f64,
    /// The lines, each with its number in front.
    pub excerpt: String,
}

impl std::error::Error for ApplyError {}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { closest, hint } => {
                f.write_str("the search text is not in the file")?;
                if !hint.is_empty() {
                    write!(f, "; {hint}")?;
                }
                match closest {
                    Some(closest) => write!(
                        f,
                        "\nthe closest place is lines {}-{} ({:.0} % similar):\n{}",
                        closest.first_line,
                        closest.last_line,
                        // Never "100 %" for something that does not match.
                        (closest.similarity * 100.0).min(99.0),
                        closest.excerpt
                    ),
                    None => Ok(()),
                }
            }
            Self::Ambiguous { lines } if lines.is_empty() => f.write_str(
                "the lines fit several places, and the line numbers of the diff are not right; \
                 add lines above or below them until they fit only one",
            ),
            Self::Ambiguous { lines } => {
                let numbers: Vec<String> = lines.iter().map(usize::to_string).collect();
                write!(
                    f,
                    "the search text fits {} places (lines {}); \
                     add lines above or below it until it fits only one",
                    lines.len(),
                    numbers.join(", ")
                )
            }
            Self::NoChange => f.write_str("the edit changes nothing: the file already reads so"),
            Self::EmptySearch => f.write_str(
                "the search text is empty and the file is not; \
                 search for the line next to which the new text belongs",
            ),
            Self::Elided { line, text } => write!(
                f,
                "line {line} of the new text is a placeholder ({text:?}); \
                 write the complete text, nothing is filled in"
            ),
            Self::RemovesMost { n_before, n_after } => write!(
                f,
                "this would replace {n_before} lines by {n_after} and lose most of the file; \
                 edit the lines concerned instead, or say explicitly that the file is to be overwritten"
            ),
            Self::NotText { line } => write!(
                f,
                "line {line} of the file has bytes that are not UTF-8 and would be lost; \
                 leave that part of the line out of the edit"
            ),
            Self::Missing => f.write_str("the file does not exist"),
            Self::Exists => f.write_str(
                "the file exists already, and its name inside the code does not say that it is to be \
                 replaced; write the path on the line before the code, or edit the lines concerned",
            ),
            Self::NoPath => f.write_str(
                "it names no file; write the path on the line before the block",
            ),
            Self::AlreadyThere { line } => write!(
                f,
                "the search text is not in the file, but the replacement is already there, at line \
                 {line}: it was applied before; leave this edit out"
            ),
            Self::Markers { line, text } => write!(
                f,
                "line {line} of the new file is a marker ({text:?}); write edit blocks outside of \
                 a code fence that is a whole file, or resolve the conflict"
            ),
            Self::MovesOnto { to } => write!(f, "there is already a file at {to}"),
            Self::TooLarge { size_bytes } => write!(
                f,
                "the file has {size_bytes} bytes; files of more than {} are not edited",
                super::MAX_FILE_BYTES
            ),
        }
    }
}
