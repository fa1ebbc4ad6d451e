//! Holding the conversations that change files: the first one of a task, and one per repair.

use std::collections::BTreeSet;

use sage_agent::{Agent, Progressed, TurnLimits, WorkEnd};
use sage_core::{AgentRole, RouteFeatures};
use sage_tool::{Grant, PathSet};

use super::briefing::Briefing;
use super::changes::Changes;
use super::{Attempt, Failure};
use crate::error::Result;
use crate::plan::check::globs;

/// What a conversation left besides changed files.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// What the model says it did.
    pub summary: String,
    /// Why the conversation ended early, if it did; for the repair and the report.
    pub trouble: Option<String>,
    /// Whether it ended because the model went in circles.
    pub has_looped: bool,
}

impl Written {
    /// The failure, with why the conversation had ended early.
    pub fn explain(&self, failure: Failure) -> Failure {
        let why = self.trouble.as_deref().and_then(|trouble| trouble.lines().next());
        match why.filter(|why| !failure.summary.contains(why)) {
            Some(why) => Failure { summary: format!("{}; {why}", failure.summary), ..failure },
            None => failure,
        }
    }
}

impl Attempt {
    /// The first conversation of the attempt.
    pub(super) async fn implement(&self, briefing: &Briefing) -> Result<Written> {
        let role = self.task.assigned_agent;
        if role == AgentRole::Reviewer {
            // A review task judges what others did; it writes only to repair.
            return Ok(Written::default());
        }
        let assignment = self.assignment(briefing, &briefing.files);
        let mut conversation = self.conversation(role, briefing, assignment);
        let agent = self.agent(role, self.grant_to_implement()?, 0);
        let new_files: BTreeSet<String> = self
            .task
            .target_files
            .iter()
            .filter(|path| !briefing.existing.contains(*path))
            .cloned()
            .collect();
        let only_new = !new_files.is_empty() && new_files.len() == self.task.target_files.len();
        // When all that was asked for is new files and all are written, the checks decide at once;
        // a change of existing files is complete only when the model says so.
        let stop =
            |progressed: &Progressed<'_>| only_new && new_files.is_subset(progressed.changed);
        let end = agent.work(&mut conversation, &stop).await?;
        Ok(written(end))
    }

    /// A fresh conversation about a failed check.
    pub(super) async fn repair(
        &self,
        briefing: &Briefing,
        failure: &Failure,
        changes: &Changes,
        repairs: u32,
    ) -> Result<Written> {
        let files = self.files_for_repair(failure, changes).await?;
        let role = AgentRole::Debugger;
        let mut assignment = self.assignment(briefing, &files);
        let message = &mut assignment.text;
        if !changes.diff.is_empty() {
            message.push_str(&format!("\nthe change so far:\n{}\n", changes.diff));
        }
        message
            .push_str(&format!("\nit is not done yet: {}\n{}\n", failure.summary, failure.detail));
        let mut conversation = self.conversation(role, briefing, assignment);
        let agent = self.agent(role, self.grant()?, repairs);
        let end = agent.work(&mut conversation, &|_| false).await?;
        Ok(written(end))
    }

    /// The files of the task, the changed ones, and those that the failure names.
    async fn files_for_repair(
        &self,
        failure: &Failure,
        changes: &Changes,
    ) -> Result<Vec<(String, String)>> {
        let value = self
            .gather("files for repair", async {
                let mut paths: Vec<String> = self.task.target_files.clone();
                paths.extend(changes.files.iter().map(|file| file.path.clone()));
                let all = self.files()?;
                paths.extend(all.into_iter().filter(|path| failure.detail.contains(path.as_str())));
                let mut seen = BTreeSet::new();
                paths.retain(|path| seen.insert(path.clone()));
                let texts = self.texts(paths.into_iter());
                Ok(serde_json::to_value(texts).unwrap_or_default())
            })
            .await?;
        Ok(serde_json::from_value(value).unwrap_or_default())
    }

    /// While tests are first written, the code under test stays as it is: only a repair may change it.
    fn grant_to_implement(&self) -> Result<Grant> {
        let grant = self.grant()?;
        let task = &self.task;
        if task.assigned_agent != AgentRole::TestEngineer || task.target_files.is_empty() {
            return Ok(grant);
        }
        let own: Vec<String> = match globs(&task.paths) {
            Some(paths) => {
                let granted = task.target_files.iter().filter(|path| paths.is_match(path));
                granted.map(|path| globset::escape(path)).collect()
            }
            None => Vec::new(),
        };
        // Nothing is granted here that the task as a whole was not.
        Ok(Grant { paths: PathSet::new(&own)?.within(grant.paths.clone()), ..grant })
    }

    /// Turns of one conversation. From the plan and the run's options, not from what is left of a budget:
    /// what the model reads of it has to be the same when the run is taken up.
    fn max_turns(&self) -> u32 {
        self.task.budget.turns.unwrap_or(self.cx.options.max_turns)
    }

    /// An agent of this attempt; `failures` counts the failed tries so far.
    pub(super) fn agent(&self, role: AgentRole, grant: Grant, failures: u32) -> Agent {
        Agent {
            model: self.cx.model.clone(),
            tools: self.cx.tools.clone(),
            cx: self.tool_cx(grant),
            calls: self.calls.clone(),
            role,
            features: RouteFeatures {
                task_complexity_score: self.task.task_complexity_score,
                primary_failure_count: failures,
                failure_count: failures,
                n_target_files: u32::try_from(self.task.target_files.len()).unwrap_or(u32::MAX),
                prompt_tokens: 0,
            },
            fixed_model: self.task.model.clone(),
            temperature: None,
            limits: TurnLimits { max_turns: self.max_turns(), ..TurnLimits::DEFAULT },
        }
    }
}

fn written(end: WorkEnd) -> Written {
    match end {
        WorkEnd::Finished { summary } => Written { summary, ..Written::default() },
        WorkEnd::Answer(text) => Written { summary: text, ..Written::default() },
        WorkEnd::Stopped => Written::default(),
        WorkEnd::TurnsUsedUp => Written {
            trouble: Some("the conversation used up its turns without finishing".to_owned()),
            ..Written::default()
        },
        WorkEnd::Looping { what } => Written {
            has_looped: true,
            trouble: Some(format!("stopped: looped on {what}")),
            ..Written::default()
        },
        WorkEnd::EditsRefused { error } => Written {
            trouble: Some(format!("the edits do not apply:\n{error}")),
            ..Written::default()
        },
    }
}
