//! What the person allows, whatever a task's contract says: a guard in front of commands.
//!
//! It reads a command line as a shell would, as far as that can be told without running it, and holds
//! every part of it against rules. It catches mistakes and plain mischief, and it decides what a
//! person is asked about. It is not a sandbox: a program that is allowed can do anything its user can,
//! and a line that builds a command at run time is only as visible as its text.

mod rules;
mod shell;

use std::path::{Path, PathBuf};

use sage_core::nearest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

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

/// The rules of a project, from `.sage/policy.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// How much is let through.
    pub tool_policy: ToolPolicy,
    /// Where the work tree is, if not at the project's root; the binary resolves it.
    pub workspace_root: Option<PathBuf>,
    /// Where skills are, if not in the project; the binary resolves it.
    pub skills_root: Option<PathBuf>,
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

const KEYS: [&str; 3] = ["tool_policy", "workspace_root", "skills_root"];
const LEVELS: [&str; 2] = ["standard", "strict"];

impl Policy {
    /// Reads a policy file; one that does not exist is the default policy.
    pub fn load(path: &Path) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Error::io("reading", path, source)),
        }
    }

    /// Reads the text of a policy file; `path` is for errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let fail = |problem: String| Error::Policy { path: path.to_owned(), problem };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| fail(error.to_string()))?;
        let Value::Object(fields) = value else {
            return Err(fail("it must hold a JSON object".to_owned()));
        };
        let mut policy = Self::default();
        for (key, value) in &fields {
            match key.as_str() {
                "tool_policy" => policy.tool_policy = level(value).map_err(fail)?,
                "workspace_root" => policy.workspace_root = folder(key, value).map_err(fail)?,
                "skills_root" => policy.skills_root = folder(key, value).map_err(fail)?,
                _ => {
                    let meant = nearest(key, KEYS).map(|near| format!("; did you mean {near:?}?"));
                    let meant = meant.unwrap_or_else(|| format!("; known are {}", KEYS.join(", ")));
                    return Err(fail(format!("unknown key {key:?}{meant}")));
                }
            }
        }
        Ok(policy)
    }

    /// The file's text.
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
        let _ = tool;
        let line = match shell::read(command) {
            Ok(line) => line,
            Err(problem) => return Decision::Ask { rule: format!("the command {problem}") },
        };
        let plain: String = command.split_whitespace().collect();
        if plain.contains(":(){:|:&}") {
            return Decision::Deny { rule: "a fork bomb is not allowed".to_owned() };
        }
        if let Some(rule) = rules::denied(&line, root) {
            return Decision::Deny { rule };
        }
        if self.tool_policy == ToolPolicy::Strict
            && let Some(rule) = rules::not_known_harmless(&line)
        {
            return Decision::Ask { rule };
        }
        Decision::Allow
    }
}

fn level(value: &Value) -> std::result::Result<ToolPolicy, String> {
    match value.as_str() {
        Some("standard") => Ok(ToolPolicy::Standard),
        Some("strict") => Ok(ToolPolicy::Strict),
        Some(other) => {
            let meant = nearest(other, LEVELS).map(|near| format!("; did you mean {near:?}?"));
            let meant = meant.unwrap_or_default();
            Err(format!("key \"tool_policy\" must be standard or strict, not {other:?}{meant}"))
        }
        None => Err("key \"tool_policy\" must be standard or strict".to_owned()),
    }
}

fn folder(key: &str, value: &Value) -> std::result::Result<Option<PathBuf>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) if text.contains('\0') => Err(format!("key {key:?} contains a NUL")),
        Value::String(text) => Ok(Some(PathBuf::from(text))),
        _ => Err(format!("key {key:?} must be a folder's path")),
    }
}

#[cfg(test)]
mod tests;
