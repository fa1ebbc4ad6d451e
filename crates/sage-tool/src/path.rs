//! Paths inside the work tree, as types, and the lexical half of the jail that keeps tools inside.
//!
//! Invariant: a [`WorkPath`] is relative, `/`-separated, free of `.` and `..`, and names nothing in
//! `.git` or `.sage`. That it does not leave the tree through a symbolic link either is the other half,
//! in [`crate::Workspace::resolve`], which asks the file system.
//!
//! File names that are not UTF-8 are kept without loss: each byte that is not part of valid UTF-8 is
//! written as a private-use character (U+F780 to U+F7FF), and such characters in real names likewise
//! byte by byte.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The longest path that is accepted, in bytes (`PATH_MAX`).
pub const MAX_PATH_BYTES: usize = 4096;
/// The longest single name that is accepted, in bytes (`NAME_MAX`).
pub const MAX_NAME_BYTES: usize = 255;

/// Why a path cannot be used by a tool. The texts are written for a model to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing there.
    #[error("the path is empty")]
    Empty,
    /// A NUL or line break.
    #[error("the path {0:?} contains a control character")]
    ControlCharacter(String),
    /// A Windows separator.
    #[error("the path {0:?} contains a backslash; write it with '/'")]
    Backslash(String),
    /// Longer than the system allows.
    #[error(
        "the path is {0} bytes long; at most {MAX_PATH_BYTES} in all and {MAX_NAME_BYTES} per name are possible"
    )]
    TooLong(usize),
    /// The root where a file is needed.
    #[error("the path {0:?} is the work tree itself, not a file in it")]
    IsRoot(String),
    /// Through `..`, absolute, or a home folder.
    #[error("the path {0:?} is outside the work tree; use a path relative to its root")]
    Outside(String),
    /// `.git` or `.sage`.
    #[error("the path {0:?} is protected: nothing in .git or .sage is open to tools")]
    Protected(String),
    /// A symbolic link leads out.
    #[error("the path {0:?} leads outside the work tree through a symbolic link")]
    LinkOutside(String),
    /// A symbolic link leads nowhere.
    #[error("the path {0:?} goes through a symbolic link that leads nowhere")]
    BrokenLink(String),
    /// A file where a folder is needed.
    #[error("the path {path:?} cannot exist: {file:?} is a file, not a folder")]
    NotAFolder {
        /// The whole path.
        path: String,
        /// The part that is a file.
        file: String,
    },
    /// The file system would not say.
    #[error("the path {path:?} cannot be looked at: {problem}")]
    Unreadable {
        /// The path.
        path: String,
        /// The cause.
        problem: String,
    },
}

impl PathError {
    /// Whether the path reaches for something that is not the tool's to touch, as opposed to being
    /// malformed.
    #[must_use]
    pub const fn is_escape(&self) -> bool {
        matches!(
            self,
            Self::Outside(_) | Self::Protected(_) | Self::LinkOutside(_) | Self::BrokenLink(_)
        )
    }
}

/// A path inside the work tree: relative, `/`-separated, never in `.git` or `.sage`. Empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct WorkPath(String);

impl WorkPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the work tree itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder it lies in; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        (!self.is_root()).then(|| Self(self.0.rsplit_once('/').map_or("", |(p, _)| p).to_owned()))
    }

    /// Where it is on disk.
    #[must_use]
    pub fn under(&self, root: &Path) -> PathBuf {
        if self.is_root() { root.to_owned() } else { root.join(decode(&self.0)) }
    }

    /// Takes a path that was made by a walk of the tree, or checked before.
    pub(crate) fn trusted(path: impl Into<String>) -> Self {
        Self(path.into())
    }
}

impl fmt::Display for WorkPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if self.is_root() { "." } else { &self.0 })
    }
}

/// Whether a name is that of a git folder, in any spelling that some file system takes for it.
pub(crate) fn is_git(name: &str) -> bool {
    name.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(".git")
}

/// Whether tools must not touch a normalised relative path.
pub(crate) fn is_protected(path: &str) -> bool {
    let is_sage = |name: &str| name.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(".sage");
    path.split('/').next().is_some_and(is_sage) || path.split('/').any(is_git)
}

/// Normalises what a model wrote, without looking at the disk. `roots` are the spellings of the work
/// tree's own location, by which an absolute path is recognised as lying inside.
pub(crate) fn normalise(text: &str, roots: &[&Path]) -> Result<WorkPath, PathError> {
    let short = || text.chars().take(200).collect::<String>();
    if text.trim().is_empty() {
        return Err(PathError::Empty);
    }
    if text.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(PathError::ControlCharacter(short()));
    }
    if text.contains('\\') {
        return Err(PathError::Backslash(short()));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(PathError::Outside(short()));
    }
    let relative = if text.starts_with('/') {
        strip_root(text, roots).ok_or_else(|| PathError::Outside(short()))?
    } else {
        text
    };
    let mut names: Vec<&str> = Vec::new();
    for name in relative.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop().ok_or_else(|| PathError::Outside(short()))?;
            }
            _ if name.len() > MAX_NAME_BYTES => return Err(PathError::TooLong(name.len())),
            _ => names.push(name),
        }
    }
    let path = names.join("/");
    if is_protected(&path) {
        return Err(PathError::Protected(short()));
    }
    Ok(WorkPath(path))
}

/// Checks a path that a log or a snapshot holds. Unlike one that a model writes, it may have any
/// character that a file name can have, line breaks included.
pub(crate) fn recorded(text: &str) -> Result<WorkPath, PathError> {
    let short = || text.chars().take(200).collect::<String>();
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    if text.contains('\0') {
        return Err(PathError::ControlCharacter(short()));
    }
    if text.split('/').any(|name| matches!(name, "" | "." | "..")) {
        return Err(PathError::Outside(short()));
    }
    if is_protected(text) {
        return Err(PathError::Protected(short()));
    }
    Ok(WorkPath(text.to_owned()))
}

/// Whether a path in a command line leads out of the tree at `root`, read from its text alone; `None`
/// where that depends on what a variable holds.
pub(crate) fn leaves(text: &str, root: &Path) -> Option<bool> {
    let relative = match text.strip_prefix('/') {
        Some(_) => match strip_root(text, &[root]) {
            Some(inside) => inside,
            None => return Some(true),
        },
        None if text.starts_with('$') => return None,
        None => text,
    };
    let mut depth = 0_usize;
    for name in relative.split('/') {
        match name {
            "" | "." => {}
            ".." if depth == 0 => return Some(true),
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Some(false)
}

fn strip_root<'a>(text: &'a str, roots: &[&Path]) -> Option<&'a str> {
    roots.iter().find_map(|root| {
        let root = root.to_str()?.trim_end_matches('/');
        let rest = text.strip_prefix(root)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    })
}

const ESCAPED: std::ops::RangeInclusive<char> = '\u{F780}'..='\u{F7FF}';

/// A file name as text, without loss.
pub(crate) fn encode(name: &OsStr) -> String {
    encode_bytes(name.as_encoded_bytes())
}

/// A relative path as logs and snapshots name it, without loss.
#[must_use]
pub fn recorded_name(path: &OsStr) -> String {
    encode(path)
}

/// Like [`encode`], from the name's bytes.
pub(crate) fn encode_bytes(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if ESCAPED.contains(&c) {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push(escaped(byte)));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push(escaped(*byte)));
    }
    out
}

fn escaped(byte: u8) -> char {
    char::from_u32(0xF700 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The inverse of [`encode`]; works on whole paths as well, as separators are never escaped.
pub(crate) fn decode(text: &str) -> OsString {
    #[cfg(unix)]
    if text.contains(|c| ESCAPED.contains(&c)) {
        use std::os::unix::ffi::OsStringExt;
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            if ESCAPED.contains(&c) {
                bytes.push((u32::from(c) & 0xFF) as u8);
            } else {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        return OsString::from_vec(bytes);
    }
    OsString::from(text)
}

#[cfg(test)]
mod tests;
