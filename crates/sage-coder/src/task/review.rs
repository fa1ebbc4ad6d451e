//! Judging a change with a model, when deterministic checks leave something to decide.

use sage_agent::{Conversation, Parts};
use sage_core::{AgentRole, Tampering};
use sage_model::ResponseSchema;
use serde_json::{Value, json};

use super::briefing::Briefing;
use super::changes::Changes;
use super::{Attempt, Failure, bent};
use crate::error::Result;

/// How often the reviewer is asked for a usable verdict.
const MAX_TRIES: u32 = 2;

/// Changed lines from which a change is reviewed even without `--full`.
const LARGE_CHANGE_LINES: u64 = 400;

/// Removed lines from which a change is reviewed even without `--full`.
const LARGE_REMOVAL_LINES: u64 = 120;

/// Parts of paths that make any change worth a second look.
const SENSITIVE: &[&str] = &[
    "auth",
    "crypt",
    "secret",
    "password",
    "credential",
    "permission",
    "payment",
    "migration",
    ".github/",
    ".gitlab-ci",
    "dockerfile",
    "deploy",
];

impl Attempt {
    /// A review costs a model call, so it happens only where it can decide something.
    pub(super) fn wants_review(&self, changes: &Changes) -> bool {
        if self.task.assigned_agent == AgentRole::Reviewer {
            return true;
        }
        if changes.files.is_empty() {
            return false;
        }
        let deleted = changes.files.iter().any(|file| file.existed && !file.exists);
        let sensitive = changes.files.iter().any(|file| {
            let path = file.path.to_lowercase();
            file.existed && SENSITIVE.iter().any(|part| path.contains(part))
        });
        self.cx.options.full
            || deleted
            || sensitive
            || changes.lines_removed() >= LARGE_REMOVAL_LINES
            || changes.lines_touched() >= LARGE_CHANGE_LINES
    }

    /// Puts a change in front of the reviewer, with what the program found about it.
    pub(super) fn review_conversation(
        &self,
        briefing: &Briefing,
        diff: &str,
        findings: &str,
    ) -> Conversation {
        let subject = format!(
            "task: {}\n{}\n{findings}\nThe change:\n{diff}",
            self.task.id, self.task.description
        );
        let system = self.system(AgentRole::Reviewer, briefing);
        let parts = Parts::of(briefing.rules_of(AgentRole::Reviewer), "", diff);
        Conversation::new(system, subject).made_of(parts)
    }

    /// Asks the reviewer; a verdict of `fail` names what to repair.
    pub(super) async fn review(
        &self,
        briefing: &Briefing,
        changes: &Changes,
        findings: &[Tampering],
    ) -> Result<Option<Failure>> {
        let diff = match self.task.assigned_agent {
            AgentRole::Reviewer => self.diff_of_dependencies(changes).await?,
            _ => changes.diff.clone(),
        };
        let findings = bent::for_reviewer(findings);
        let mut conversation = self.review_conversation(briefing, &diff, &findings);
        let agent = self.agent(AgentRole::Reviewer, self.reading()?, 0);
        let schema = Some(&verdict());
        let asked = agent.ask_json(&mut conversation, schema, &read_verdict, MAX_TRIES).await;
        let issues = match asked {
            Ok(answer) => answer.value,
            Err(sage_agent::Error::NoValidJson(failure)) => {
                let summary = "the review gave no usable verdict";
                let detail = failure.errors().join("\n");
                return Ok(Some(Failure {
                    repairable: false,
                    ..Failure::repairable(summary, detail)
                }));
            }
            Err(error) => return Err(error.into()),
        };
        if issues.is_empty() {
            return Ok(None);
        }
        let summary = format!("review found {} issue(s): {}", issues.len(), issues[0]);
        Ok(Some(Failure::repairable(
            summary,
            format!("The review found:\n- {}", issues.join("\n- ")),
        )))
    }

    /// What the tasks before this one changed, as this one's subject.
    async fn diff_of_dependencies(&self, own: &Changes) -> Result<String> {
        let value = self
            .gather("diff of dependencies", async {
                let mut diff = String::new();
                for dependency in &self.task.dependencies {
                    diff.push_str(&crate::report::diff_of_node(&self.cx, dependency)?);
                }
                Ok(json!(sage_core::head_and_tail(&diff, 24_000)))
            })
            .await?;
        Ok(format!("{}{}", value.as_str().unwrap_or_default(), own.diff))
    }
}

/// The shape of a verdict.
pub(super) fn verdict() -> ResponseSchema {
    ResponseSchema { name: "verdict".to_owned(), schema: verdict_schema() }
}

fn verdict_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "verdict": {"type": "string", "enum": ["pass", "fail"]},
            "issues": {"type": "array", "items": {
                "type": "object",
                "properties": {"file": {"type": "string"}, "what": {"type": "string"}},
                "required": ["file", "what"],
                "additionalProperties": false
            }}
        },
        "required": ["verdict", "issues"],
        "additionalProperties": false
    })
}

/// The issues of a verdict, one line each; empty when it passes.
fn read_verdict(value: &Value) -> std::result::Result<Vec<String>, Vec<String>> {
    let verdict = value.get("verdict").and_then(Value::as_str).map(str::to_lowercase);
    let issues =
        value.get("issues").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let line = |issue: &Value| match issue {
        Value::String(text) => text.clone(),
        other => {
            let text = |name| other.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}: {}", text("file"), text("what"))
        }
    };
    match verdict.as_deref() {
        Some("pass") => Ok(Vec::new()),
        Some("fail") if issues.is_empty() => {
            Err(vec!["a verdict of \"fail\" must name at least one issue".to_owned()])
        }
        Some("fail") => Ok(issues.iter().map(line).collect()),
        _ => Err(vec!["\"verdict\" must be \"pass\" or \"fail\"".to_owned()]),
    }
}
