//! What a person asked of a run. Stored with its first event, so that a resume or a replay asks the same.

use std::path::{Path, PathBuf};

use sage_core::Limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commit::Commit;

/// How much a person takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A person reviews the plan.
    Research,
    /// No review; only policy questions remain.
    Auto,
    /// Never asks; a failed task is skipped with what depends on it, the rest goes on.
    Silent,
}

impl Mode {
    /// The name used in files and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Research => "research",
            Self::Auto => "auto",
            Self::Silent => "silent",
        }
    }
}

/// What becomes of tasks without an order between them that may write the same files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lanes {
    /// They wait for each other.
    #[default]
    Off,
    /// Each works in a copy of the tree, and they are merged.
    Merged,
    /// They would be merged, but the project has no git.
    NoGit,
}

impl Lanes {
    /// What a project allows, for whoever wants lanes. Looks only for a repository, and asks it nothing.
    #[must_use]
    pub fn of_project(project: &Path, is_wanted: bool, max_parallel: usize) -> Self {
        let has_git = || project.ancestors().any(|folder| folder.join(".git").exists());
        match is_wanted && max_parallel > 1 {
            false => Self::Off,
            true if has_git() => Self::Merged,
            true => Self::NoGit,
        }
    }
}

/// Everything about a run that is not the machine it runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// The goal as typed.
    pub goal: String,
    /// How much a person takes part.
    pub mode: Mode,
    /// Deep verification: whole test suite before and after, second review of every change.
    pub full: bool,
    /// Stop after the plan.
    pub plan_only: bool,
    /// Work in a copy and leave the work tree as it is.
    pub dry_run: bool,
    /// Where that copy is.
    pub overlay: Option<PathBuf>,
    /// Work in a git work tree of its own, on a new branch, and leave both to the person.
    #[serde(default)]
    pub in_worktree: bool,
    /// The project's place in that work tree.
    #[serde(default)]
    pub worktree: Option<PathBuf>,
    /// Where to commit what the run did; nowhere when absent.
    #[serde(default)]
    pub commit: Option<Commit>,
    /// The plan handed in, as its file's name and text.
    pub plan_file: Option<(String, String)>,
    /// Globs that bound what is looked at and written.
    pub include: Vec<String>,
    /// Whether the planner may ask the person questions.
    pub clarify: bool,
    /// Tasks that run at the same time.
    pub max_parallel: usize,
    /// Whether tasks that may write the same files work in lanes and are merged, instead of one after
    /// the other.
    #[serde(default)]
    pub lanes: Lanes,
    /// What the run may spend.
    pub limits: Limits,
    /// Repairs per attempt.
    pub max_repairs: u32,
    /// Turns of one conversation.
    pub max_turns: u32,
    /// Seconds that one verification command may take.
    pub verify_timeout_s: u64,
    /// Verification commands that the project's configuration names; they replace detected ones.
    pub verify: Option<Vec<String>>,
    /// Keep a failed task's changes instead of rolling them back.
    pub keep_failed: bool,
    /// How much of the rules a model is given, in bytes.
    pub rules_max_bytes: usize,
    /// JSON Schema of the final answer.
    pub output_schema: Option<Value>,
    /// The session that the run belongs to.
    pub session_id: Option<String>,
    /// An id of the caller's that the run carries.
    pub trace_id: Option<String>,
    /// Routing profile and overrides by role, for the record.
    pub routing: Value,
    /// Rules of policy that flags gave, such as `allow command:npm install`.
    #[serde(default)]
    pub rules: Vec<String>,
}

impl RunOptions {
    /// The folder whose files the run works on.
    #[must_use]
    pub fn root(&self, project: &Path) -> PathBuf {
        let elsewhere = self.overlay.as_ref().or(self.worktree.as_ref());
        elsewhere.map_or_else(|| project.to_owned(), Clone::clone)
    }

    /// Model calls that a task may make when its plan does not say: the first conversation's turns, and
    /// a few for each repair and its review.
    #[must_use]
    pub const fn calls_for(max_turns: u32, max_repairs: u32) -> u32 {
        const TURNS_PER_REPAIR: u32 = 6;
        max_turns.saturating_add(max_repairs.saturating_mul(TURNS_PER_REPAIR))
    }

    /// Tokens that a task may use when its plan does not say.
    pub const DEFAULT_TOKENS: u64 = 400_000;
}
