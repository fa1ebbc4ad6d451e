//! The deterministic checks of an attempt: declared files, syntax, generated tests, acceptance.

use std::time::Duration;

use sage_core::{AgentRole, CheckKind};
use sage_tool::{CheckResult, CheckSpec};

use super::briefing::Briefing;
use super::changes::Changes;
use super::implement::Written;
use super::{Attempt, Failure};
use crate::error::Result;
use crate::plan::Task;
use crate::project;

/// Output of a failing command that the repair sees, in characters.
const MAX_OUTPUT_CHARS: usize = 6_000;

/// Files that are checked for syntax per attempt, at most.
const MAX_SYNTAX_CHECKS: usize = 40;

/// Exit code by which a shell says that a program does not exist.
const NOT_FOUND: i32 = 127;

/// Seconds that a syntax check may take.
const SYNTAX_TIMEOUT_S: u64 = 20;

impl Attempt {
    /// The change is there, the declared files exist, and what was written parses.
    pub(super) async fn check(
        &self,
        briefing: &Briefing,
        written: &Written,
        changes: &Changes,
    ) -> Result<Option<Failure>> {
        let task = &self.task;
        if task.writes() && changes.files.is_empty() {
            // A task without files is judged by its commands alone.
            if !task.target_files.is_empty() || task.commands().is_empty() {
                return Ok(Some(nothing_changed(written)));
            }
        }
        let missing: Vec<&str> = task
            .target_files
            .iter()
            .filter(|path| !self.is_settled(path, briefing, changes))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() && task.writes() {
            let summary = format!("not written: {}", missing.join(", "));
            let trouble = written.trouble.clone().unwrap_or_default();
            return Ok(Some(Failure::repairable(summary, trouble)));
        }
        let is_words_only = task.assigned_agent == AgentRole::Architect && !task.writes();
        if is_words_only && task.commands().is_empty() && written.summary.trim().is_empty() {
            return Ok(Some(Failure::repairable(
                "nothing was handed over",
                "The answer was empty.",
            )));
        }
        if let Some(failure) = self.check_syntax(briefing, changes).await? {
            return Ok(Some(failure));
        }
        // With acceptance commands to decide, a conversation that ended badly may still have succeeded.
        match &written.trouble {
            Some(trouble) if task.commands().is_empty() => {
                Ok(Some(Failure::repairable(first_line(trouble), trouble.clone())))
            }
            _ => Ok(None),
        }
    }

    /// A declared file is settled when it exists, or when this attempt deleted it.
    fn is_settled(&self, path: &str, briefing: &Briefing, changes: &Changes) -> bool {
        match changes.files.iter().find(|file| file.path == path) {
            Some(file) => file.exists || file.existed,
            None => briefing.existing.contains(path),
        }
    }

    async fn check_syntax(
        &self,
        briefing: &Briefing,
        changes: &Changes,
    ) -> Result<Option<Failure>> {
        let present = changes.files.iter().filter(|file| file.exists);
        for file in present.take(MAX_SYNTAX_CHECKS) {
            if let Some(error) = self.json_error(&file.path).await? {
                let summary = format!("{} does not parse", file.path);
                return Ok(Some(Failure::repairable(summary, error)));
            }
            let Some(command) = project::syntax_check_for(&file.path, &briefing.project) else {
                continue;
            };
            let shown = format!("parse {}", file.path);
            let timeout_s = SYNTAX_TIMEOUT_S;
            let result = self.run_check(CheckKind::Lint, &shown, command, timeout_s).await?;
            // A missing interpreter says nothing about the file.
            if !result.passed && result.exit_code != Some(NOT_FOUND) {
                let summary = format!("{} does not parse", file.path);
                return Ok(Some(Failure::repairable(summary, excerpt(&shown, &result))));
            }
        }
        Ok(None)
    }

    /// What is wrong with a file that this program can parse itself.
    async fn json_error(&self, path: &str) -> Result<Option<String>> {
        if !path.ends_with(".json") {
            return Ok(None);
        }
        let error = self
            .gather("syntax", async {
                let bytes = self.cx.workspace.read(&self.cx.workspace.resolve(path)?)?;
                let error = project::syntax_error_in(path, &String::from_utf8_lossy(&bytes));
                Ok(serde_json::json!(error))
            })
            .await?;
        Ok(error.as_str().map(str::to_owned))
    }

    /// Test files that this attempt wrote are executed, and at least one test must run.
    pub(super) async fn run_generated_tests(
        &self,
        briefing: &Briefing,
        changes: &Changes,
        round: u32,
    ) -> Result<Option<Failure>> {
        let tests: Vec<&str> = changes
            .files
            .iter()
            .filter(|file| file.exists && project::is_test_file(&file.path))
            .map(|file| file.path.as_str())
            .collect();
        let accepted = self.task.commands();
        let mut entered = false;
        for path in tests {
            // An acceptance command that runs the file is run anyway, just after this.
            if accepted.iter().any(|command| project::runs_test_file(command, path)) {
                continue;
            }
            let Some(command) = project::test_command_for(path, &briefing.project) else {
                if accepted.is_empty() && self.own_commands(briefing).is_empty() {
                    return Ok(Some(nothing_runs(path, briefing)));
                }
                continue;
            };
            if !entered {
                self.enter(sage_core::NodePhase::Test, round)?;
                entered = true;
            }
            let command = project::runnable(&command, &briefing.project);
            let timeout_s = self.cx.options.verify_timeout_s;
            let result = self
                .run_check(CheckKind::GeneratedTest, &command.shown, command.line, timeout_s)
                .await?;
            if let Some(failure) = judge(&command.shown, &result, true) {
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    /// The acceptance commands; where there are none, the project's own verification.
    pub(super) async fn verify(&self, briefing: &Briefing, round: u32) -> Result<Option<Failure>> {
        let accepted: Vec<String> = self.task.commands().into_iter().map(str::to_owned).collect();
        let (kind, commands) = if accepted.is_empty() {
            let own = self.has_the_last_word().then(|| self.own_commands(briefing));
            (CheckKind::Project, own.unwrap_or_default())
        } else {
            (CheckKind::Acceptance, accepted)
        };
        if commands.is_empty() {
            return Ok(None);
        }
        self.enter(sage_core::NodePhase::Verify, round)?;
        for command in commands {
            let command = project::runnable(&command, &briefing.project);
            let timeout_s = self.cx.options.verify_timeout_s;
            let result = self.run_check(kind, &command.shown, command.line, timeout_s).await?;
            let must_run_tests = kind == CheckKind::Acceptance;
            if let Some(mut failure) = judge(&command.shown, &result, must_run_tests) {
                if crate::verify::failed_before(&self.cx, &command.shown, &result.output) {
                    failure.summary.push_str(", as before the run");
                    failure.detail.push_str("\nIt failed in the same way before the run.\n");
                }
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    /// The commands that verify the project as a whole.
    pub(super) fn own_commands(&self, briefing: &Briefing) -> Vec<String> {
        self.cx.options.verify.clone().unwrap_or_else(|| briefing.project.verify_lines())
    }

    /// The project's own verification judges a task only when every other task is done before it:
    /// others may be at work in the same tree, or write the tests of what this one writes.
    pub(super) fn has_the_last_word(&self) -> bool {
        let is_before = |other: &Task| {
            other.id == self.task.id
                || self.plan.compile().is_ok_and(|graph| graph.reaches(&other.id, &self.task.id))
        };
        self.task.is_code() && self.plan.nodes.iter().all(is_before)
    }

    async fn run_check(
        &self,
        kind: CheckKind,
        shown: &str,
        command: String,
        timeout_s: u64,
    ) -> Result<CheckResult> {
        let spec = CheckSpec {
            kind,
            shown: shown.to_owned(),
            command,
            timeout: Duration::from_secs(timeout_s),
        };
        let cx = self.tool_cx(self.grant()?);
        Ok(self.cx.tools.check(&cx, self.calls.next(), spec).await?)
    }
}

/// Whether a command's result counts; a runner that ran no test proves nothing.
fn judge(command: &str, result: &CheckResult, must_run_tests: bool) -> Option<Failure> {
    if result.passed && !(must_run_tests && result.n_tests == Some(0)) {
        return None;
    }
    if !must_run_tests && crate::verify::found_no_test(command, result.exit_code, &result.output) {
        // The project has a runner but no tests yet: no evidence, and no failure.
        return None;
    }
    if result.reason.starts_with("refused:") {
        // No change of the files makes the policy say yes.
        let summary = format!("`{command}` was {}", result.reason);
        return Some(Failure { repairable: false, ..Failure::repairable(summary, String::new()) });
    }
    let why = match (result.timed_out, result.n_tests, result.exit_code) {
        (true, _, _) => "timed out".to_owned(),
        (_, Some(0), Some(0 | 4 | 5)) => "ran no test".to_owned(),
        (_, _, Some(code)) => format!("exited {code}"),
        (_, _, None) => "was killed".to_owned(),
    };
    Some(Failure::repairable(format!("`{command}` {why}"), excerpt(command, result)))
}

fn excerpt(command: &str, result: &CheckResult) -> String {
    let output = project::without_passed(&result.output);
    let output = sage_core::head_and_tail(output.trim_end(), MAX_OUTPUT_CHARS);
    format!("$ {command}\n{output}\n")
}

/// Tests that nobody can run prove nothing, and no repair changes that.
fn nothing_runs(path: &str, briefing: &Briefing) -> Failure {
    let why = match briefing.project.notes.as_slice() {
        [] => "no way to run it is known, and the plan names none".to_owned(),
        notes => notes.join("; "),
    };
    let summary = format!("{path} was written and could not be run: {why}");
    Failure { repairable: false, ..Failure::repairable(summary, String::new()) }
}

fn nothing_changed(written: &Written) -> Failure {
    let detail = written.trouble.clone().unwrap_or_else(|| {
        let said: String = written.summary.chars().take(600).collect();
        format!("No file was changed. The answer was: {said}")
    });
    let summary = match &written.trouble {
        Some(trouble) => format!("nothing was changed: {}", first_line(trouble)),
        None => "nothing was changed".to_owned(),
    };
    Failure::repairable(summary, detail)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
