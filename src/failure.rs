//! Why a command ended early: an exit code, an error with its causes, and the next step.
//!
//! Libraries say what happened ([`ErrorKind`]); this adds what the process reports and, from
//! [`crate::hints`], what a person can do about it.

use std::fmt;

use anyhow::anyhow;
use sage_core::ErrorKind;

use crate::exit_code::ExitCode;
use crate::hints;

/// What a command returns.
pub type Outcome = Result<ExitCode, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    /// What the process reports.
    pub code: ExitCode,
    /// What happened, with causes.
    pub error: anyhow::Error,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// An error of this kind, with the hint that fits it.
    pub fn new(kind: ErrorKind, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        let text = format!("{error:#}");
        Self { code: kind.into(), hint: hints::for_error(kind, &text), error }
    }

    /// The command line does not make sense.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { code: ExitCode::Usage, error: anyhow!("{message}"), hint: None }
    }

    /// A configuration file is wrong.
    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Config, anyhow!("{message}"))
    }

    /// The machine lacks something.
    pub fn environment(message: impl fmt::Display) -> Self {
        Self { code: ExitCode::Config, error: anyhow!("{message}"), hint: None }
    }

    /// A fault of ours.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, anyhow!("{message}"))
    }

    /// Several problems of one configuration, each on its own line below `message`.
    pub fn problems(message: impl fmt::Display, problems: &[impl fmt::Display]) -> Self {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let error = match lines.as_slice() {
            [] => anyhow!("{message}"),
            lines => anyhow!("{}", lines.join("\n")).context(message.to_string()),
        };
        Self::new(ErrorKind::Config, error)
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.error = anyhow!("{cause}").context(self.error.to_string());
        self
    }

    /// Replaces the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

macro_rules! from_libraries {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.kind(), error)
            }
        })*
    };
}
from_libraries!(
    sage_core::RecordError,
    sage_log::Error,
    sage_model::Error,
    sage_agent::Error,
    sage_tool::Error
);
