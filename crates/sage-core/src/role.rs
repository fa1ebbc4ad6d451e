//! The roles a model can be asked to play. A role changes instructions, tools and model, not machinery.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::nearest;

/// A role, as written in `models.yaml` and in plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentRole {
    /// Turns a goal into a plan.
    Planner,
    /// Decides on structure before code is written.
    Architect,
    /// Writes code.
    Coder,
    /// Repairs code that failed its checks.
    Debugger,
    /// Judges a change.
    Reviewer,
    /// Writes tests.
    TestEngineer,
    /// Writes documentation.
    Documentation,
    /// Condenses memory.
    MemoryOptimizer,
    /// Routes a line typed in the shell.
    ShellRouter,
    /// Chats in the shell.
    ShellChat,
    /// Turns text into vectors.
    Embedding,
}

impl AgentRole {
    /// Every role, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Planner,
        Self::Architect,
        Self::Coder,
        Self::Debugger,
        Self::Reviewer,
        Self::TestEngineer,
        Self::Documentation,
        Self::MemoryOptimizer,
        Self::ShellRouter,
        Self::ShellChat,
        Self::Embedding,
    ];

    /// The roles that a node of a plan may be assigned to.
    pub const IN_PLANS: [Self; 5] =
        [Self::Architect, Self::Coder, Self::Reviewer, Self::TestEngineer, Self::Documentation];

    /// The name used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Architect => "architect",
            Self::Coder => "coder",
            Self::Debugger => "debugger",
            Self::Reviewer => "reviewer",
            Self::TestEngineer => "test_engineer",
            Self::Documentation => "documentation",
            Self::MemoryOptimizer => "memory_optimizer",
            Self::ShellRouter => "shell_router",
            Self::ShellChat => "shell_chat",
            Self::Embedding => "embedding",
        }
    }
}

impl fmt::Display for AgentRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role {found:?}{}", .nearest.map(|n| format!("; did you mean {n:?}?")).unwrap_or_default())]
pub struct UnknownRole {
    /// The text.
    pub found: String,
    /// The role whose name is closest, if any is close.
    pub nearest: Option<&'static str>,
}

impl FromStr for AgentRole {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole {
            found: text.chars().take(64).collect(),
            nearest: nearest(text, Self::ALL.iter().map(|role| role.as_str())),
        })
    }
}
