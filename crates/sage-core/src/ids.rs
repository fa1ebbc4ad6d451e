//! Names of things, as types. A bare `String` id is a bug waiting.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("the id is {0} bytes long, at most {MAX_ID_BYTES} are allowed")]
    TooLong(usize),
    /// The text holds a character that is not allowed.
    #[error("the id {id:?} contains {found:?}; allowed are letters, digits, '_', '-' and '.'")]
    BadCharacter {
        /// The text.
        id: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// The text is not a call id or blob reference.
    #[error("{0:?} is not of the expected form")]
    BadForm(String),
}

/// The longest id that is accepted, in bytes.
pub const MAX_ID_BYTES: usize = 96;

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some(found) = text.chars().find(|&c| !allowed(c)) {
        return Err(IdError::BadCharacter { id: text.to_owned(), found });
    }
    // An id may become a file name, so it must not be one that means a folder.
    if text == "." || text == ".." {
        return Err(IdError::BadForm(text.to_owned()));
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks the text: letters, digits, `_`, `-`, `.`, at most [`MAX_ID_BYTES`] bytes.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                // Reserved ids such as `@plan` are written by us and read back from our own log.
                if let Some(rest) = text.strip_prefix('@') {
                    check(rest).map_err(serde::de::Error::custom)?;
                    return Ok(Self(text));
                }
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// Names one run: sortable by start time, usable as a folder name.
    RunId
}
text_id! {
    /// Names one node of a graph. Ids that begin with `@` are reserved for the program itself.
    NodeId
}
text_id! {
    /// Names one conversation.
    SessionId
}

impl NodeId {
    /// The pseudo-node under which the planner's calls are logged. A plan cannot contain it,
    /// because `@` is not allowed in ids that people or models write.
    #[must_use]
    pub fn plan() -> Self {
        Self("@plan".to_owned())
    }

    /// The pseudo-node for work on the run as a whole: snapshots, the final answer.
    #[must_use]
    pub fn run() -> Self {
        Self("@run".to_owned())
    }

    /// Whether this is one of the program's own pseudo-nodes.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with('@')
    }
}

/// Position of an event in its run's log, from 1, without gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one effect (model call, tool call, program step) of one attempt of one node.
///
/// The index counts effects within the attempt in the order in which the code asks for them, so the
/// same code gives the same ids again: this is what lets a resumed or replayed run find the recorded
/// result of each call. Written `node#attempt.index`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    /// The node that asked.
    pub node: NodeId,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The effect's number within the attempt, from 1.
    pub index: u32,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}.{}", self.node, self.attempt, self.index)
    }
}

impl FromStr for CallId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = || IdError::BadForm(text.to_owned());
        let (node, rest) = text.rsplit_once('#').ok_or_else(bad)?;
        let (attempt, index) = rest.split_once('.').ok_or_else(bad)?;
        check(node.strip_prefix('@').unwrap_or(node))?;
        Ok(Self {
            node: NodeId(node.to_owned()),
            attempt: attempt.parse().map_err(|_| bad())?,
            index: index.parse().map_err(|_| bad())?,
        })
    }
}

impl Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Content address of a payload: the first 32 hex digits (128 bits) of its BLAKE3 hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BlobRef(String);

impl BlobRef {
    /// Length of the text form.
    pub const HEX_DIGITS: usize = 32;

    /// The address of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex()[..Self::HEX_DIGITS].to_owned())
    }

    /// The address as lower-case hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for BlobRef {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == Self::HEX_DIGITS && text.bytes().all(is_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::BadForm(text.chars().take(64).collect()))
        }
    }
}

impl<'de> Deserialize<'de> for BlobRef {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_leave_a_folder_are_refused() {
        for bad in ["", ".", "..", "a/b", "a b", "@plan", "é", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(NodeId::new(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(NodeId::new("task_001").unwrap().as_str(), "task_001");
    }

    #[test]
    fn call_ids_survive_their_text_form() {
        for node in [NodeId::plan(), NodeId::new("a.b-c_1").unwrap()] {
            let call = CallId { node, attempt: 2, index: 17 };
            let json = serde_json::to_string(&call).unwrap();
            assert_eq!(serde_json::from_str::<CallId>(&json).unwrap(), call);
        }
        assert!("x#1".parse::<CallId>().is_err());
    }

    #[test]
    fn blob_refs_are_content_addresses() {
        assert_eq!(BlobRef::of(b"a"), BlobRef::of(b"a"));
        assert_ne!(BlobRef::of(b"a"), BlobRef::of(b"b"));
        assert!("../../etc/passwd".parse::<BlobRef>().is_err());
    }
}
