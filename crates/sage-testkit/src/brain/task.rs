//! What a model that knows everything beforehand knows about one task.

use std::time::Duration;

use sage_core::AgentRole;
use serde_json::{Value, json};

use crate::reply::WantedTool;
use crate::seen::SeenRequest;

/// One change of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileWrite {
    /// The whole file.
    Whole {
        /// Relative to the project.
        path: String,
        /// All of it.
        content: String,
    },
    /// A part of a file.
    Replace {
        /// Relative to the project.
        path: String,
        /// What is there.
        search: String,
        /// What is to be there.
        replace: String,
    },
}

impl FileWrite {
    /// The whole file.
    pub fn whole(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self::Whole { path: path.into(), content: content.into() }
    }

    /// A part of a file.
    pub fn replace(
        path: impl Into<String>,
        search: impl Into<String>,
        replace: impl Into<String>,
    ) -> Self {
        Self::Replace { path: path.into(), search: search.into(), replace: replace.into() }
    }

    fn path(&self) -> &str {
        match self {
            Self::Whole { path, .. } | Self::Replace { path, .. } => path,
        }
    }

    pub(super) fn as_tool(&self, request: &SeenRequest) -> WantedTool {
        let (name, mut arguments) = match self {
            Self::Whole { path, content } => ("write", json!({"path": path, "content": content})),
            Self::Replace { path, search, replace } => {
                ("edit", json!({"path": path, "search": search, "replace": replace}))
            }
        };
        let takes_overwrite = request.tools.iter().any(|spec| {
            spec.name == "write" && spec.parameters.pointer("/properties/overwrite").is_some()
        });
        if name == "write" && takes_overwrite {
            arguments["overwrite"] = json!(true);
        }
        WantedTool { name: name.to_owned(), arguments: arguments.to_string() }
    }

    pub(super) fn as_text(&self) -> String {
        match self {
            Self::Whole { path, content } => {
                let end = if content.ends_with('\n') { "" } else { "\n" };
                let fence = if content.contains("```") { "````" } else { "```" };
                format!("{path}\n{fence}\n{content}{end}{fence}\n")
            }
            Self::Replace { path, search, replace } => {
                let line = |text: &str| match text {
                    "" => String::new(),
                    text if text.ends_with('\n') => text.to_owned(),
                    text => format!("{text}\n"),
                };
                let (search, replace) = (line(search), line(replace));
                format!(
                    "{path}\n```\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n```\n"
                )
            }
        }
    }
}

/// What the model does about a task at one asking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Tools that are called before anything is written, where tools are offered.
    pub tools: Vec<WantedTool>,
    /// The files.
    pub writes: Vec<FileWrite>,
}

/// A task that the model plans and carries out.
#[derive(Debug, Clone)]
pub struct PlannedTask {
    /// Its id in the plan.
    pub id: String,
    /// What it is about.
    pub description: String,
    /// Who is to do it.
    pub role: AgentRole,
    /// The tasks it needs.
    pub after: Vec<String>,
    /// The declared files; those of the first version when empty.
    pub target_files: Vec<String>,
    /// The command that the plan proposes, or nothing.
    pub verification: String,
    /// Further fields of the node.
    pub extra: Value,
    /// Tools that are called in a turn of their own before the first version, where tools are offered.
    pub looks: Vec<WantedTool>,
    /// What is done at the first asking, at the second, and so on; the last one from then on.
    pub versions: Vec<Version>,
    /// How long the model thinks about it.
    pub delay: Duration,
}

impl PlannedTask {
    /// A coder's task without files.
    pub fn new(id: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            description: description.into(),
            role: AgentRole::Coder,
            after: Vec::new(),
            target_files: Vec::new(),
            verification: String::new(),
            extra: json!({}),
            looks: Vec::new(),
            versions: Vec::new(),
            delay: Duration::ZERO,
        }
    }

    /// A coder's task to write one whole file.
    pub fn file(id: &str, path: &str, content: &str) -> Self {
        Self::new(id, format!("Write {path}")).version(vec![FileWrite::whole(path, content)])
    }

    /// A test engineer's task to write one whole test file and run it with `command`.
    pub fn test(id: &str, path: &str, content: &str, command: &str) -> Self {
        Self { role: AgentRole::TestEngineer, ..Self::file(id, path, content) }.verified_by(command)
    }

    /// Adds what is done at the next asking.
    #[must_use]
    pub fn version(mut self, writes: Vec<FileWrite>) -> Self {
        self.versions.push(Version { tools: Vec::new(), writes });
        self
    }

    /// Calls a tool before writing, in the last version added so far (or a new one).
    #[must_use]
    pub fn calling(mut self, name: &str, arguments: &Value) -> Self {
        if self.versions.is_empty() {
            self.versions.push(Version::default());
        }
        let tool = WantedTool { name: name.to_owned(), arguments: arguments.to_string() };
        self.versions.last_mut().expect("there is one").tools.push(tool);
        self
    }

    /// Calls a tool in a turn before anything is done, so that its result is seen.
    #[must_use]
    pub fn looking(mut self, name: &str, arguments: &Value) -> Self {
        let tool = WantedTool { name: name.to_owned(), arguments: arguments.to_string() };
        self.looks.push(tool);
        self
    }

    /// Assigns the task.
    #[must_use]
    pub fn by(mut self, role: AgentRole) -> Self {
        self.role = role;
        self
    }

    /// Needs these tasks first.
    #[must_use]
    pub fn after(mut self, ids: &[&str]) -> Self {
        self.after = ids.iter().map(|&id| id.to_owned()).collect();
        self
    }

    /// Proposes a command.
    #[must_use]
    pub fn verified_by(mut self, command: &str) -> Self {
        self.verification = command.to_owned();
        self
    }

    /// Declares these files instead of those it writes first.
    #[must_use]
    pub fn targets(mut self, paths: &[&str]) -> Self {
        self.target_files = paths.iter().map(|&path| path.to_owned()).collect();
        self
    }

    /// Sets a further field of the node, such as `paths` or `budget`.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.extra[field] = value;
        self
    }

    /// Thinks this long about it.
    #[must_use]
    pub fn slow(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The node of the plan.
    #[must_use]
    pub fn node(&self) -> Value {
        let mut node = json!({
            "id": self.id, "description": self.description, "dependencies": self.after,
            "assigned_agent": self.role, "target_files": self.targets_or_writes(),
            "verification": self.verification, "task_complexity_score": 0.2,
            "epistemic_flags": [],
        });
        for (field, value) in self.extra.as_object().into_iter().flatten() {
            node[field] = value.clone();
        }
        node
    }

    pub(super) fn targets_or_writes(&self) -> Vec<String> {
        if !self.target_files.is_empty() {
            return self.target_files.clone();
        }
        let first = self.versions.first().map(|version| version.writes.as_slice());
        first.unwrap_or_default().iter().map(|write| write.path().to_owned()).collect()
    }
}
