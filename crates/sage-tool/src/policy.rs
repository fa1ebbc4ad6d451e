//! What the person allows, whatever a task's contract says: rules in front of everything that tools do.
//!
//! It reads a command line as a shell would, as far as that can be told without running it, and holds
//! every part of it, every path and every host against rules. It catches mistakes and plain mischief,
//! and it decides what a person is asked about. It is not a sandbox: a program that is allowed can do
//! anything its user can, and a line that builds a command at run time is only as visible as its text.
//!
//! Rules come in layers: built in, the user's, the project's, the user's for this project, flags. A
//! denial holds whoever made it. Of the rest, a later layer outranks an earlier one, except that a
//! project, which comes with a repository, can only make things stricter. Within a layer the strictest
//! rule that fits decides.

mod example;
mod expand;
mod file;
mod flag;
mod git;
mod guard;
mod harmless;
mod json;
mod paths;
mod remember;
mod rule;
mod shell;
mod verdict;
mod wrappers;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Result;
use file::{KEYS, LEVELS};

pub use file::PolicyFile;
pub use remember::{Doubt, remembering};
pub use rule::{Access, CommandPrefix, Layer, Matcher, PathPattern, Place, Rule, Say};
pub use verdict::{Finding, Judgement, PartFinding, RuleName};

/// How much is let through without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolPolicy {
    /// Everything but what is denied.
    #[default]
    Standard,
    /// Commands that are known to only read or test; everything else is asked about.
    Strict,
}

/// The policy in effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// How much is let through.
    pub tool_policy: ToolPolicy,
    /// Where the work tree is, if not at the project's root; the binary resolves it.
    pub workspace_root: Option<PathBuf>,
    /// Where skills are, if not in the project; the binary resolves it.
    pub skills_root: Option<PathBuf>,
    /// Whether strictness is the project's own wish, so that the project's rules may relax it.
    strict_by_project: bool,
    /// The rules of all layers, in the order of the layers.
    rules: Vec<Rule>,
    /// The project's root; empty where it is not known.
    root: PathBuf,
}

/// What a policy is made of. The binary finds the files; nothing is looked up here.
#[derive(Debug, Clone, Default)]
pub struct PolicyLayers {
    /// The user's file.
    pub user: PolicyFile,
    /// The project's file.
    pub project: PolicyFile,
    /// Rules of flags.
    pub flags: Vec<Rule>,
    /// What the environment says about how much is let through; it wins over files.
    pub tool_policy: Option<ToolPolicy>,
    /// The project's root, for rules of the user's that hold for one project.
    pub root: PathBuf,
}

/// What the policy says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// Ask the person.
    Ask {
        /// The rule that made it a question.
        rule: String,
    },
    /// No.
    Deny {
        /// The rule, with the part of the command it is about.
        rule: String,
    },
}

impl Policy {
    /// Asks about all commands that are not known to only read or test, and has no rules.
    #[must_use]
    pub fn strict() -> Self {
        Self { tool_policy: ToolPolicy::Strict, ..Self::default() }
    }

    /// Puts the layers together.
    #[must_use]
    pub fn of_layers(layers: PolicyLayers) -> Self {
        let PolicyLayers { user, project, flags, tool_policy, root } = layers;
        let is_strict = |file: &PolicyFile| file.tool_policy == Some(ToolPolicy::Strict);
        let by_files = match is_strict(&user) || is_strict(&project) {
            true => ToolPolicy::Strict,
            false => ToolPolicy::Standard,
        };
        let strict_by_project = tool_policy.is_none() && !is_strict(&user) && is_strict(&project);
        let is_here = |rule: &Rule| rule.project.as_ref().is_none_or(|project| *project == root);
        let mut rules: Vec<Rule> =
            [user.rules, project.rules, flags].into_iter().flatten().filter(is_here).collect();
        rules.sort_by_key(|rule| rule.layer);
        Self {
            tool_policy: tool_policy.unwrap_or(by_files),
            workspace_root: project.workspace_root,
            skills_root: project.skills_root,
            strict_by_project,
            rules,
            root,
        }
    }

    /// Reads a project's policy file alone; one that does not exist is the default policy.
    pub fn load(path: &Path) -> Result<Self> {
        Ok(Self::of_project(PolicyFile::load(path, Layer::Project)?))
    }

    /// Reads the text of a project's policy file alone; `path` is for errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        Ok(Self::of_project(PolicyFile::parse(text, path, Layer::Project)?))
    }

    fn of_project(project: PolicyFile) -> Self {
        Self::of_layers(PolicyLayers { project, ..PolicyLayers::default() })
    }

    /// The rules of all layers but the built-in one, earlier layers first.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The project for which approvals can be written down, if it is known.
    #[must_use]
    pub fn project(&self) -> Option<&Path> {
        Some(&*self.root).filter(|root| root.is_absolute())
    }

    /// The settings (not the rules) as a file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut fields = serde_json::Map::new();
        let level = match self.tool_policy {
            ToolPolicy::Standard => LEVELS[0],
            ToolPolicy::Strict => LEVELS[1],
        };
        fields.insert(KEYS[0].to_owned(), Value::from(level));
        for (key, folder) in [(KEYS[1], &self.workspace_root), (KEYS[2], &self.skills_root)] {
            if let Some(folder) = folder {
                fields.insert(key.to_owned(), Value::from(folder.to_string_lossy()));
            }
        }
        serde_json::to_string_pretty(&fields).unwrap_or_default() + "\n"
    }

    /// Decides about a command line that `tool` wants to run in the tree at `root`.
    #[must_use]
    pub fn decide(&self, tool: &str, command: &str, root: &Path) -> Decision {
        self.judge_command(tool, command, root).decision()
    }

    /// Decides whether commands may be given the network as far as `host`. Unless a rule says
    /// otherwise that is a question for the person.
    #[must_use]
    pub fn decide_host(&self, host: &str) -> Decision {
        self.judge_host(host).decision()
    }

    /// Whether a path relative to the work tree may be read by tools without asking.
    #[must_use]
    pub fn may_read(&self, path: &str) -> bool {
        !self.has_paths() || self.judge_path("read", path, Access::Read).say == Say::Allow
    }

    /// Why a path relative to the work tree may not be written, if a rule denies it.
    #[must_use]
    pub fn denies_write(&self, path: &str) -> Option<String> {
        if !self.has_paths() {
            return None;
        }
        let finding = self.judge_path("write", path, Access::Write);
        (finding.say == Say::Deny).then_some(finding.because)
    }

    /// Whether any rule is about paths.
    #[must_use]
    pub fn has_paths(&self) -> bool {
        self.rules.iter().any(|rule| rule.about.path.is_some())
    }
}

#[cfg(test)]
mod tests;
