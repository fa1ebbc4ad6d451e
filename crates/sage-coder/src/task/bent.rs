//! What an attempt did to tests that were there: found from the texts, weighed by what the plan asked
//! for, and told to the reviewer, the repair and the person.
//!
//! Without a person to ask, a finding that counts against the task ends it as not done, whatever a model
//! says about it: only the plan, or the person, can want a test gone.

use sage_core::{Answer, HumanEvent, Question, Tampering, WorkspaceEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::changes::Changes;
use super::{Attempt, Failure};
use crate::error::Result;
use crate::evidence::tamper::{FileChange, Mandate, compare, excused, is_about_tests};
use crate::net;
use crate::options::Mode;

/// Larger files are not read for tests.
const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// Why a finding that a person accepted does not count.
const ACCEPTED: &str = "a person accepted it";

/// What was found, as it is journaled.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Compared {
    n_files: u64,
    findings: Vec<Tampering>,
}

impl Attempt {
    /// Compares the tests as they are with those that the attempt found.
    pub(super) async fn compare_tests(
        &self,
        changes: &Changes,
        round: u32,
    ) -> Result<Vec<Tampering>> {
        if changes.files.is_empty() {
            return Ok(Vec::new());
        }
        let value = self
            .gather("tests compared", async {
                let compared = self.find_bent()?;
                Ok(serde_json::to_value(compared).unwrap_or_default())
            })
            .await?;
        let mut compared: Compared = serde_json::from_value(value).unwrap_or_default();
        if compared.findings.iter().any(Tampering::counts_against)
            && self.cx.options.mode == Mode::Research
            && self.is_accepted(&compared.findings).await?
        {
            for finding in compared.findings.iter_mut().filter(|one| one.counts_against()) {
                finding.excuse = ACCEPTED.to_owned();
            }
        }
        // A later round says that an earlier one's findings are gone.
        if compared.n_files > 0 || !compared.findings.is_empty() || round > 0 {
            self.emit_once(WorkspaceEvent::TestsCompared {
                node: self.task.id.clone(),
                attempt: self.number,
                round,
                n_files: compared.n_files,
                findings: compared.findings.clone(),
            })?;
        }
        Ok(compared.findings)
    }

    fn find_bent(&self) -> Result<Compared> {
        let text = |bytes: &Option<Vec<u8>>| {
            bytes
                .as_ref()
                .filter(|bytes| bytes.len() <= MAX_TEXT_BYTES)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let files: Vec<(String, Option<String>, Option<String>)> =
            net::since(&self.cx, self.first_states())?
                .into_iter()
                .map(|file| (file.path, text(&file.before), text(&file.after)))
                .collect();
        let files: Vec<FileChange<'_>> = files
            .iter()
            .map(|(path, before, after)| FileChange {
                path,
                before: before.as_deref(),
                after: after.as_deref(),
            })
            .collect();
        let was_there =
            files.iter().filter(|file| file.before.is_some() && is_about_tests(file)).count();
        let mandate = Mandate {
            target_files: &self.task.target_files,
            description: &self.task.description,
            goal: &self.plan.goal,
        };
        let mut findings = compare(&files);
        for finding in &mut findings {
            finding.excuse = excused(finding, &mandate).unwrap_or_default();
        }
        Ok(Compared { n_files: was_there as u64, findings })
    }

    /// Asks the person, once per set of findings; no answer is no.
    async fn is_accepted(&self, findings: &[Tampering]) -> Result<bool> {
        let lines: Vec<String> =
            findings.iter().filter(|one| one.counts_against()).map(Tampering::text).collect();
        let question = Question {
            text: format!(
                "{} changed tests that were there:\n{}\nIs that as you want it?",
                self.task.id,
                lines.join("\n")
            ),
            choices: vec!["yes".to_owned(), "no".to_owned()],
        };
        let accepted = self
            .gather("tests accepted", async {
                self.cx.emit(HumanEvent::Asked { question: question.text.clone() })?;
                let answer = match self.cx.wiring.interaction.ask(question).await {
                    Answer::Text(text) => text,
                    Answer::None => String::new(),
                };
                self.cx.emit(HumanEvent::Answered { answer: answer.clone() })?;
                Ok(json!(answer.trim().eq_ignore_ascii_case("yes")))
            })
            .await?;
        Ok(accepted.as_bool().unwrap_or(false))
    }

    /// Records a fact unless an earlier process has.
    pub(super) fn emit_once(&self, event: WorkspaceEvent) -> Result<()> {
        let event = sage_core::EventKind::from(event);
        if !self.cx.log.events().iter().any(|known| known.kind == event) {
            self.cx.emit(event)?;
        }
        Ok(())
    }
}

/// Why the task is not done, if something counts against it.
pub(super) fn failure(findings: &[Tampering]) -> Option<Failure> {
    let against: Vec<String> =
        findings.iter().filter(|one| one.counts_against()).map(Tampering::text).collect();
    let first = against.first()?;
    let more = match against.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let detail = format!(
        "Tests that were there, or what runs them, were bent:\n- {}\nPut them back as they were and \
         repair the code instead. The plan of this task does not ask for these changes of tests.",
        against.join("\n- ")
    );
    Some(Failure::repairable(format!("tests were tampered with: {first}{more}"), detail))
}

/// What the reviewer is told.
pub(super) fn for_reviewer(findings: &[Tampering]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = findings.iter().map(Tampering::text).collect();
    format!(
        "\nThe program found that tests, or what runs them, were changed. Fail the review unless each of \
         these is right for the task:\n- {}\n",
        lines.join("\n- ")
    )
}
