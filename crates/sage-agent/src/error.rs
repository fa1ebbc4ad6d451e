//! What can go wrong in a conversation.

use std::io;
use std::path::PathBuf;

use sage_core::ErrorKind;

/// Why a conversation, or the work on rules, ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rules file exists and cannot be read.
    #[error("reading rules file {}", .path.display())]
    ReadRules {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A rules file cannot be written.
    #[error("writing rules file {}", .path.display())]
    WriteRules {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A rule to add has no words.
    #[error("the rule to add is empty")]
    EmptyRule,
}

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Who can do something about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ReadRules { .. } | Self::WriteRules { .. } => ErrorKind::Environment,
            Self::EmptyRule => ErrorKind::Usage,
        }
    }
}
