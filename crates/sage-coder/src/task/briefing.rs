//! What a task's conversations start from: rules, project facts, file contents, what came before.
//!
//! Gathered once per attempt and journaled, so that a resumed attempt starts from the same words.

use std::collections::BTreeSet;
use std::future::Future;

use sage_agent::{Conversation, Parts, Prompt};
use sage_core::{AgentRole, CallId, NodeId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Attempt;
use crate::error::Result;
use crate::project::ProjectFacts;
use crate::prompts::instructions;

/// Content of one file that is shown up front, in characters; more is for the read tool.
const MAX_FILE_CHARS: usize = 24_000;

/// Content of all files that are shown up front, in characters.
const MAX_SHOWN_CHARS: usize = 60_000;

/// The part of a window that may be taken by them.
const SHOWN_SHARE: usize = 3;

/// Characters of one token, as they are estimated, rounded down.
const CHARS_PER_TOKEN: usize = 3;

/// Paths of the project that are listed up front.
const MAX_LISTED: usize = 120;

/// The facts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Briefing {
    /// Rules by role, merged.
    pub rules: Vec<(AgentRole, String)>,
    /// Target files that existed when the attempt began.
    pub existing: BTreeSet<String>,
    /// Files shown up front, with their text.
    pub files: Vec<(String, String)>,
    /// Paths of the project, bounded.
    pub listing: Vec<String>,
    /// Number of files of the project.
    pub n_files: usize,
    /// What the tasks before this one handed over.
    pub handovers: Vec<(NodeId, String)>,
    /// Languages and commands of the project.
    pub project: ProjectFacts,
}

impl Briefing {
    /// The rules that a role is given.
    pub fn rules_of(&self, role: AgentRole) -> &str {
        self.rules.iter().find(|(of, _)| *of == role).map_or("", |(_, text)| text.as_str())
    }
}

/// The first message of a conversation, with what it is made of.
pub(super) struct Assignment {
    pub text: String,
    pub parts: Parts,
}

/// Name under which a finished task's words for its dependents are gathered.
const HANDOVER: &str = "handover";

impl Attempt {
    /// Gathers the briefing.
    pub(super) async fn brief(&self) -> Result<Briefing> {
        let value = self
            .gather("briefing", async {
                let briefing = self.compute_briefing().await?;
                Ok(serde_json::to_value(briefing).unwrap_or_default())
            })
            .await?;
        Ok(serde_json::from_value(value).unwrap_or_default())
    }

    async fn compute_briefing(&self) -> Result<Briefing> {
        let files = self.files()?;
        // What the task will add counts: its language decides how it is checked.
        let mut expected = files.clone();
        expected.extend(self.task.target_files.iter().cloned());
        expected.sort();
        expected.dedup();
        let project = crate::survey::project(&self.cx, &expected).await;
        let is_there = |path: &&String| files.binary_search(path).is_ok();
        let existing: BTreeSet<String> =
            self.task.target_files.iter().filter(is_there).cloned().collect();
        let roles = [self.task.assigned_agent, AgentRole::Debugger, AgentRole::Reviewer];
        let rules = crate::survey::rules(&self.cx, &self.task.target_files)?;
        let rules = roles
            .map(|role| (role, rules.for_role(role, self.cx.options.rules_max_bytes)))
            .to_vec();
        let mut shown = existing.clone();
        // Tests are written against what the tasks before produced.
        for dependency in &self.task.dependencies {
            let targets = self.plan.task(dependency).map(|task| &task.target_files);
            shown.extend(targets.into_iter().flatten().filter(is_there).cloned());
        }
        Ok(Briefing {
            rules,
            files: self.texts(shown.into_iter()),
            listing: files.iter().take(MAX_LISTED).cloned().collect(),
            n_files: files.len(),
            handovers: self.handovers(),
            existing,
            project,
        })
    }

    /// Paths of the project as this task may know them, sorted: as the run found them and the tasks
    /// before this one left them. What tasks beside it have added or removed so far is left out, for it
    /// is a matter of chance, and a replay would find it otherwise.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let mut files: BTreeSet<String> = crate::survey::files(&self.cx)?.into_iter().collect();
        let Ok(graph) = self.plan.compile() else { return Ok(files.into_iter().collect()) };
        let is_beside = |call: &CallId| {
            call.node != self.task.id
                && !call.node.is_reserved()
                && !graph.reaches(&call.node, &self.task.id)
        };
        for (path, before) in crate::net::first_states(&self.cx, &is_beside) {
            match before {
                Some(_) => files.insert(path),
                None => files.remove(&path),
            };
        }
        Ok(files.into_iter().collect())
    }

    /// Current text of the given files, each and together bounded.
    pub(super) fn texts(&self, paths: impl Iterator<Item = String>) -> Vec<(String, String)> {
        let mut left = self.max_shown_chars();
        let mut texts = Vec::new();
        for path in paths {
            let Ok(work_path) = self.cx.workspace.resolve(&path) else { continue };
            if !self.cx.wiring.policy.may_read(work_path.as_str()) {
                continue;
            }
            let Ok(bytes) = self.cx.workspace.read(&work_path) else { continue };
            if bytes.contains(&0) {
                continue;
            }
            let text = String::from_utf8_lossy(&bytes);
            let text = sage_core::head_and_tail(&text, MAX_FILE_CHARS.min(left));
            left = left.saturating_sub(text.chars().count());
            texts.push((path, text));
            if left == 0 {
                break;
            }
        }
        texts
    }

    /// Stores this task's words for the tasks that depend on it.
    pub(super) async fn hand_over(&self, text: &str) -> Result<()> {
        let text = Value::String(text.to_owned());
        self.gather(HANDOVER, async { Ok(text) }).await.map(drop)
    }

    fn handovers(&self) -> Vec<(NodeId, String)> {
        let mut found: Vec<(NodeId, String)> = Vec::new();
        for (call, value) in crate::survey::gathered(&self.cx, HANDOVER) {
            if self.task.dependencies.contains(&call.node) {
                found.retain(|(node, _)| *node != call.node);
                found.push((call.node, value.as_str().unwrap_or_default().to_owned()));
            }
        }
        // The log's order of parallel tasks varies; the plan's does not.
        found.sort_by_key(|(node, _)| self.task.dependencies.iter().position(|id| id == node));
        found
    }

    /// Standing instructions for a conversation of this task.
    pub(super) fn system(&self, role: AgentRole, briefing: &Briefing) -> String {
        Prompt {
            role,
            instructions: instructions(role).to_owned(),
            rules: briefing.rules_of(role).to_owned(),
            project: briefing.project.describe(),
        }
        .text()
    }

    /// The task in words, for the first message of a conversation. What is the same for all of its
    /// conversations comes first.
    pub(super) fn assignment(&self, briefing: &Briefing, files: &[(String, String)]) -> Assignment {
        let task = &self.task;
        let mut out = format!(
            "task: {}\ngoal of the whole run: {}\n\n{}\n",
            task.id, self.plan.goal, task.description
        );
        if !task.target_files.is_empty() {
            let name = |path: &String| {
                if briefing.existing.contains(path) {
                    path.clone()
                } else {
                    format!("{path} (new)")
                }
            };
            let names: Vec<String> = task.target_files.iter().map(name).collect();
            out.push_str(&format!("\nfiles of this task: {}\n", names.join(", ")));
        }
        if let Some(paths) = self.paths_beyond_files() {
            out.push_str(&format!("\nonly these paths may change: {paths}\n"));
        }
        if !task.commands().is_empty() {
            out.push_str("\nthe program will run, and these must exit 0:\n");
            for command in task.commands() {
                out.push_str(&format!("  {command}\n"));
            }
        }
        let mut memory = String::new();
        for (node, text) in briefing.handovers.iter().filter(|(_, text)| !text.is_empty()) {
            memory.push_str(&format!("\n{node} is done and says: {text}\n"));
        }
        let mut shown = String::new();
        for (path, text) in files {
            shown.push_str(&format!("\n<file path=\"{path}\">\n{text}"));
            if !text.ends_with('\n') {
                shown.push('\n');
            }
            shown.push_str("</file>\n");
        }
        if briefing.n_files > 0 {
            let more = briefing.n_files.saturating_sub(briefing.listing.len());
            let more = if more > 0 { format!("\n({more} more)") } else { String::new() };
            shown
                .push_str(&format!("\nrepository files:\n{}{more}\n", briefing.listing.join("\n")));
        }
        let parts = Parts::of("", &memory, &shown);
        Assignment { text: out + &memory + &shown, parts }
    }

    /// The paths that the task may change, where its declared files do not say it already.
    fn paths_beyond_files(&self) -> Option<String> {
        const MAX_NAMED: usize = 20;
        let task = &self.task;
        let declared = |path: &&String| {
            task.target_files.iter().any(|file| crate::plan::check::escape_glob(file) == **path)
        };
        let is_told = task.paths.iter().all(|path| declared(&path));
        let named: Vec<&str> = task.paths.iter().take(MAX_NAMED).map(String::as_str).collect();
        (task.writes() && !is_told).then(|| named.join(", "))
    }

    /// A conversation that begins with this.
    pub(super) fn conversation(
        &self,
        role: AgentRole,
        briefing: &Briefing,
        assignment: Assignment,
    ) -> Conversation {
        let rules = Parts::of(briefing.rules_of(role), "", "").rules;
        let parts = Parts { rules, ..assignment.parts };
        let conversation =
            Conversation::new(self.system(role, briefing), assignment.text).made_of(parts);
        match self.task.target_files.as_slice() {
            [only] => conversation.about(only.clone()),
            _ => conversation,
        }
    }

    /// Characters of files that a conversation of this task begins with: bounded, and a part of the window
    /// of the smallest model that may work on it.
    pub(super) fn max_shown_chars(&self) -> usize {
        let roles = [self.task.assigned_agent, AgentRole::Debugger];
        let windows = roles.into_iter().filter_map(|role| {
            let facts = crate::planner::facts_for(&*self.cx.model, &self.task, role)?;
            usize::try_from(facts.context_tokens).ok()
        });
        let room = windows.min().unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN);
        MAX_SHOWN_CHARS.min(room / SHOWN_SHARE)
    }

    /// Journals a value that this program computes from the world.
    pub(super) async fn gather(
        &self,
        name: &str,
        compute: impl Future<Output = Result<Value>> + Send,
    ) -> Result<Value> {
        crate::survey::gather(&self.cx, self.calls.next(), name, compute).await
    }
}
