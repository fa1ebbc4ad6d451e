//! What can go wrong in a conversation.

use std::io;
use std::path::PathBuf;

use sage_core::ErrorKind;

use crate::ask_json::JsonFailure;

/// Why a conversation, or the work on rules, ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No model answered, or the call was not allowed.
    #[error(transparent)]
    Model(#[from] sage_model::Error),
    /// A tool call failed in a way that the model cannot help.
    #[error(transparent)]
    Tool(#[from] sage_tool::Error),
    /// The run was interrupted while a model was answering.
    #[error("interrupted while waiting for a model")]
    Interrupted,
    /// Every answer that should have been JSON was refused.
    #[error("{0}")]
    NoValidJson(JsonFailure),
    /// The system prompt, the task and the last step do not fit into the model's window.
    #[error("the conversation needs about {needed} tokens, but {model} has room for {room}")]
    TooLarge {
        /// The model.
        model: String,
        /// Tokens that cannot be cut.
        needed: u64,
        /// Tokens that its window leaves for the prompt.
        room: u64,
    },
    /// The provider finds a request too long that fits into the window that `models.yaml` gives the model,
    /// and a shorter one too.
    #[error(
        "the provider finds a request of about {estimate} tokens too long, though the model's window is \
         said to be {window} tokens (`context_tokens` in models.yaml)"
    )]
    WindowRefused {
        /// The window as configured.
        window: u64,
        /// The shorter request as estimated.
        estimate: u64,
        /// What the provider said.
        source: sage_model::Error,
    },
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
            Self::Model(error) => error.kind(),
            Self::Tool(error) => error.kind(),
            Self::Interrupted => ErrorKind::Interrupted,
            Self::NoValidJson(_) => ErrorKind::ModelAnswer,
            Self::TooLarge { .. } | Self::WindowRefused { .. } => ErrorKind::Config,
            Self::ReadRules { .. } | Self::WriteRules { .. } => ErrorKind::Environment,
            Self::EmptyRule => ErrorKind::Usage,
        }
    }
}
