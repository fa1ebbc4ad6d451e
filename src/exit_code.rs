//! What the process reports when it ends: one small table, used by the program, its help and its tests.

use sage_core::{ErrorKind, RunOutcome};

/// Why the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Everything asked for was done and verified.
    Done,
    /// The run ended but a task or its verification failed.
    Failed,
    /// The command line does not make sense.
    Usage,
    /// The plan was rejected or a person cancelled.
    Rejected,
    /// Configuration or environment is invalid.
    Config,
    /// No model could be reached.
    ModelUnavailable,
    /// A budget was used up.
    Budget,
    /// A fault of ours.
    Internal,
    /// Interrupted.
    Interrupted,
    /// That of the command that `sage sandbox` was asked to run.
    OfCommand(u8),
}

impl ExitCode {
    /// Every code, ascending.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Rejected,
        Self::Config,
        Self::ModelUnavailable,
        Self::Budget,
        Self::Internal,
        Self::Interrupted,
    ];

    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Rejected => 3,
            Self::Config => 4,
            Self::ModelUnavailable => 5,
            Self::Budget => 6,
            Self::Internal => 70,
            Self::Interrupted => 130,
            Self::OfCommand(code) => code,
        }
    }

    /// The code with this number; a number that is not ours is a fault of ours.
    pub fn of_number(number: u8) -> Self {
        Self::ALL.into_iter().find(|code| code.number() == number).unwrap_or(Self::Internal)
    }

    /// What it means, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "everything asked for was done and verified",
            Self::Failed => "the run ended, but a task or its verification failed",
            Self::Usage => "the command line does not make sense",
            Self::Rejected => "the plan was rejected, or a person cancelled",
            Self::Config => {
                "the configuration or the environment is invalid; `doctor` is unhealthy"
            }
            Self::ModelUnavailable => "no model could be reached",
            Self::Budget => "a budget was used up; the run can be resumed",
            Self::Internal => "a fault of sage itself",
            Self::Interrupted => "interrupted; the run can be resumed",
            Self::OfCommand(_) => "the exit code of the command that `sage sandbox` ran",
        }
    }
}

impl From<ErrorKind> for ExitCode {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Config | ErrorKind::Environment => Self::Config,
            ErrorKind::ModelUnavailable => Self::ModelUnavailable,
            ErrorKind::ModelAnswer | ErrorKind::Tool => Self::Failed,
            ErrorKind::Budget => Self::Budget,
            ErrorKind::Rejected => Self::Rejected,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::Internal => Self::Internal,
        }
    }
}

impl From<RunOutcome> for ExitCode {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Succeeded | RunOutcome::Planned => Self::Done,
            RunOutcome::Failed => Self::Failed,
            RunOutcome::Rejected => Self::Rejected,
            RunOutcome::ModelUnavailable => Self::ModelUnavailable,
            RunOutcome::OutOfBudget => Self::Budget,
            RunOutcome::Interrupted => Self::Interrupted,
            // A run that the environment ended: the log's own exit code tells which it was.
            RunOutcome::Errored => Self::Internal,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

/// The table as plain text, for `sage help exit-codes`.
pub fn table() -> String {
    let line = |code: &ExitCode| format!("{:>5}  {}\n", code.number(), code.meaning());
    ExitCode::ALL.iter().map(line).collect()
}

/// The table as Markdown, for the documentation.
pub fn markdown() -> String {
    let row = |code: &ExitCode| format!("| {} | {} |\n", code.number(), code.meaning());
    let rows: String = ExitCode::ALL.iter().map(row).collect();
    format!("# Exit codes\n\n| code | meaning |\n|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_scripts_rely_on() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 70, 130]);
    }
}
