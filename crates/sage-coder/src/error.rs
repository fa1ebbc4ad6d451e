//! What can end a run before its tasks do.

use std::path::PathBuf;

use sage_core::{ErrorKind, NodeId, RecordError};

use crate::plan::Problem;

/// A failure of the pipeline itself. A task that fails is not an error: it is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log could not be written or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A log on disk could not be opened or is damaged.
    #[error(transparent)]
    Log(#[from] sage_log::Error),
    /// A model call failed for good.
    #[error(transparent)]
    Model(#[from] sage_model::Error),
    /// A tool or the work tree failed in a way that no model can mend.
    #[error(transparent)]
    Tool(#[from] sage_tool::Error),
    /// A conversation could not be held.
    #[error(transparent)]
    Agent(#[from] sage_agent::Error),
    /// A path of the log or of a plan cannot be used.
    #[error(transparent)]
    Path(#[from] sage_tool::PathError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] sage_engine::Error),
    /// A plan handed in by a person is not valid.
    #[error("the plan {path} is not valid:{}", list(.problems))]
    BadPlanFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// A plan handed in by a person is not even JSON.
    #[error("the plan {path} is not JSON: {source}")]
    PlanNotJson {
        /// The file.
        path: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The planner's answers were no valid plan.
    #[error("the planner gave no valid plan in {tries} tries:{}", bullets(.errors))]
    NoPlan {
        /// How often it was asked.
        tries: u32,
        /// What is wrong with the last answer.
        errors: Vec<String>,
    },
    /// The plan was rejected.
    #[error("the plan was rejected")]
    PlanRejected,
    /// A run that cannot be taken up again.
    #[error("run {run} cannot be resumed: {why}")]
    NotResumable {
        /// The run.
        run: sage_core::RunId,
        /// Why.
        why: String,
    },
    /// The run's time is used up.
    #[error("the budget of {allowed_s} s is used up (time_s)")]
    OutOfTime {
        /// The limit, in seconds.
        allowed_s: u64,
    },
    /// There is nothing to undo.
    #[error("run {run} cannot be undone: {why}")]
    NotUndoable {
        /// The run.
        run: sage_core::RunId,
        /// Why.
        why: String,
    },
    /// Another run works in the project.
    #[error("the project is locked: another run works in it")]
    Busy,
    /// Files cannot be restored because they were changed since.
    #[error("{} changed since the run and not by it: {}", count(.paths.len()), .paths.join(", "))]
    ChangedSince {
        /// The files.
        paths: Vec<String>,
    },
    /// Files cannot be restored because later runs changed them.
    #[error("later runs changed the same files:{}", bullets(&in_the_way(.runs)))]
    LaterRuns {
        /// The runs, newest first, with the files.
        runs: Vec<(sage_core::RunId, Vec<String>)>,
    },
    /// A run has no step of this name.
    #[error("run {run} has no step {wanted:?}; it has {n_steps}")]
    NoSuchStep {
        /// The run.
        run: sage_core::RunId,
        /// What was asked for.
        wanted: String,
        /// How many it has.
        n_steps: usize,
    },
    /// A file of ours could not be read or written.
    #[error("{doing} {path}")]
    Io {
        /// `reading` or `writing`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The final answer does not match `--output-schema`.
    #[error("the final answer does not match the schema:{}", bullets(.errors))]
    AnswerDoesNotMatch {
        /// The violations.
        errors: Vec<String>,
    },
    /// git would not do what it was asked.
    #[error("`git {doing}`: {complaint}")]
    Git {
        /// Its arguments.
        doing: String,
        /// What it said.
        complaint: String,
    },
    /// A flag cannot be followed in this repository.
    #[error("{flag}: {why}")]
    Repository {
        /// The flag.
        flag: String,
        /// Why.
        why: String,
        /// Whether the flag's own value is at fault.
        is_usage: bool,
    },
    /// The run was interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Who can do something about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Record(error) => error.kind(),
            Self::Log(error) => error.kind(),
            Self::Model(error) => error.kind(),
            Self::Tool(error) => error.kind(),
            Self::Path(_) => ErrorKind::Config,
            Self::Agent(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::BadPlanFile { .. } | Self::PlanNotJson { .. } => ErrorKind::Config,
            Self::NoPlan { .. } | Self::AnswerDoesNotMatch { .. } => ErrorKind::ModelAnswer,
            Self::PlanRejected => ErrorKind::Rejected,
            Self::NotResumable { .. } | Self::NotUndoable { .. } | Self::NoSuchStep { .. } => {
                ErrorKind::Usage
            }
            Self::OutOfTime { .. } => ErrorKind::Budget,
            Self::ChangedSince { .. } | Self::LaterRuns { .. } => ErrorKind::Rejected,
            Self::Repository { is_usage: true, .. } => ErrorKind::Usage,
            Self::Io { .. } | Self::Busy | Self::Git { .. } | Self::Repository { .. } => {
                ErrorKind::Environment
            }
            Self::Interrupted => ErrorKind::Interrupted,
        }
    }
}

impl Error {
    /// Whether it is the budget of this very node that is used up, not the run's.
    #[must_use]
    pub fn is_own_budget_of(&self, id: &NodeId) -> bool {
        let of_model = match self {
            Self::Model(error) | Self::Agent(sage_agent::Error::Model(error)) => error,
            _ => return false,
        };
        matches!(of_model, sage_model::Error::Budget { node: Some(node), .. } if node == id)
    }
}

fn list(problems: &[Problem]) -> String {
    bullets(&problems.iter().map(Problem::to_string).collect::<Vec<_>>())
}

fn bullets(lines: &[String]) -> String {
    const MAX_SHOWN: usize = 12;
    let mut out: String =
        lines.iter().take(MAX_SHOWN).map(|line| format!("\n  - {line}")).collect();
    if lines.len() > MAX_SHOWN {
        out.push_str(&format!("\n  - and {} more", lines.len() - MAX_SHOWN));
    }
    out
}

fn in_the_way(runs: &[(sage_core::RunId, Vec<String>)]) -> Vec<String> {
    runs.iter().map(|(run, paths)| format!("{run}: {}", paths.join(", "))).collect()
}

fn count(n: usize) -> String {
    if n == 1 { "1 file was".to_owned() } else { format!("{n} files were") }
}
