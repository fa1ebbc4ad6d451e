//! Whether the tests that an attempt wrote can fail at all.
//!
//! A test that passes whatever the code does proves nothing. So, once everything else has passed, each
//! file of new tests is run in a copy of the project: on the change as it is (they must pass, or nothing
//! can be learnt there), without the change, and with small faults put into it, until they fail once.
//! Tests that never fail do not count. A task whose evidence is nothing but such tests is not done.
//!
//! What it costs: nothing where no test was written; otherwise two or three runs of one test file as a
//! rule, and [`MAX_MUTANTS`] more at worst, within [`BUDGET_MS`].

mod suites;
mod trial;

use sage_core::{AgentRole, CallId, Severity, TamperKind, Tampering, TestWorth, WorkspaceEvent};
use sage_tool::{CheckResult, read_test_output};

use super::briefing::Briefing;
use super::changes::Changes;
use super::{Attempt, Failure};
use crate::error::Result;
use crate::project;
use suites::{Command, Suite, Weighing};
use trial::{State, Trials};

/// Mutants that one file of tests is tried on, at most.
pub(super) const MAX_MUTANTS: usize = 12;

/// Files of tests that are weighed per attempt and round, at most.
pub(super) const MAX_SUITES: usize = 4;

/// Time that all trials of one weighing may take; no trial is begun after it.
const BUDGET_MS: u64 = 180_000;

/// Seconds that tests may take on a mutant. One that takes longer tells nothing.
const TRIAL_TIMEOUT_S: u64 = 60;

/// Exit codes by which a shell says that nothing was run.
const NOT_RUN: [i32; 2] = [126, 127];

/// What was found about one suite or command.
struct Verdict {
    worth: TestWorth,
    call: Option<CallId>,
    detail: String,
}

impl Verdict {
    fn untried(detail: impl Into<String>) -> Self {
        Self { worth: TestWorth::Untried, call: None, detail: detail.into() }
    }
}

impl Attempt {
    /// Weighs the tests of the attempt; a failure when nothing but worthless tests speaks for the task.
    pub(super) async fn weigh(
        &self,
        briefing: &Briefing,
        changes: &Changes,
        round: u32,
    ) -> Result<Option<Failure>> {
        if !changes.files.iter().any(|file| file.exists && suites::may_hold_tests(&file.path)) {
            return Ok(None);
        }
        let value = self
            .gather("tests to weigh", async {
                let weighing = self.find_suites(briefing)?;
                Ok(serde_json::to_value(weighing).unwrap_or_default())
            })
            .await?;
        let weighing: Weighing = serde_json::from_value(value).unwrap_or_default();
        if weighing.suites.is_empty() {
            return Ok(None);
        }
        let mut trials = Trials::new(self, &weighing);
        let (mut counts, mut worthless) = (false, Vec::new());
        for (at, suite) in weighing.suites.iter().enumerate() {
            let verdict = match at < MAX_SUITES {
                true => trials.weigh(suite).await?,
                false => Verdict::untried(format!("only {MAX_SUITES} files of tests are tried")),
            };
            self.tell(round, suite, &verdict)?;
            match verdict.worth {
                TestWorth::Worthless => worthless.push((suite, verdict.detail)),
                _ => counts = true,
            }
        }
        self.tell_of_fewer(round, &trials.fewer)?;
        if counts || self.is_shown_otherwise(&weighing, &mut trials, round).await? {
            return Ok(None);
        }
        Ok(Some(failure(&worthless)))
    }

    /// Whether a command that judged the task can fail on account of the change. Where the change is
    /// nothing but tests, only the tests can speak for it.
    async fn is_shown_otherwise(
        &self,
        weighing: &Weighing,
        trials: &mut Trials<'_>,
        round: u32,
    ) -> Result<bool> {
        let is_tests_only =
            weighing.is_tests_only || self.task.assigned_agent == AgentRole::TestEngineer;
        if is_tests_only {
            return Ok(false);
        }
        for suite in &weighing.judges {
            let verdict = trials.weigh(suite).await?;
            self.tell(round, suite, &verdict)?;
            if verdict.worth.is_shown() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records files of which not every test ran: two of one name, or a program that ended early.
    fn tell_of_fewer(&self, round: u32, fewer: &[(String, Option<u64>, u64)]) -> Result<()> {
        if fewer.is_empty() {
            return Ok(());
        }
        let finding = |(path, ran, n_cases): &(String, Option<u64>, u64)| Tampering {
            kind: TamperKind::FewerTestsRan,
            severity: Severity::Suspicious,
            path: path.clone(),
            line: 1,
            before: String::new(),
            after: format!("{} of {n_cases} ran", ran.unwrap_or_default()),
            excuse: String::new(),
        };
        self.emit_once(WorkspaceEvent::TestsCompared {
            node: self.task.id.clone(),
            attempt: self.number,
            round,
            n_files: 0,
            findings: fewer.iter().map(finding).collect(),
        })
    }

    fn tell(&self, round: u32, suite: &Suite, verdict: &Verdict) -> Result<()> {
        self.emit_once(WorkspaceEvent::TestsWeighed {
            node: self.task.id.clone(),
            attempt: self.number,
            round,
            subject: suite.subject.clone(),
            n_tests: suite.tests.len() as u64,
            worth: verdict.worth,
            call: verdict.call.clone(),
            detail: verdict.detail.clone(),
        })
    }
}

impl Trials<'_> {
    /// Weighs one suite. A project that cannot be copied says nothing about its tests.
    async fn weigh(&mut self, suite: &Suite) -> Result<Verdict> {
        match self.try_to_fail(suite).await {
            Err(_) if self.trouble.is_some() => {
                let why = self.trouble.clone().unwrap_or_default();
                Ok(Verdict::untried(format!("the project cannot be copied: {why}")))
            }
            other => other,
        }
    }

    /// Tries to make the tests fail, cheapest first.
    async fn try_to_fail(&mut self, suite: &Suite) -> Result<Verdict> {
        let Some(command) = self.control(suite).await? else {
            return Ok(Verdict::untried("the tests do not pass in a copy of the project"));
        };
        let mut tried = Vec::new();
        let mut is_cut_off = false;
        if suite.has_before {
            let (call, result) = self.run(&command, &State::Before, TRIAL_TIMEOUT_S).await?;
            if fails(&command, &result, suite) {
                let detail = format!("`{}` fails without the change", command.shown);
                return Ok(Verdict { worth: TestWorth::FailsBefore, call: Some(call), detail });
            }
            if result.passed {
                tried.push("without the change: passed".to_owned());
            }
        }
        for (path, mutant) in &suite.mutants {
            if self.spent_ms > BUDGET_MS {
                is_cut_off = true;
                break;
            }
            let state = State::Mutant(path.clone(), mutant.clone());
            let (call, result) = self.run(&command, &state, TRIAL_TIMEOUT_S).await?;
            let what = format!("{path}:{}: {}", mutant.line, mutant.what);
            if fails(&command, &result, suite) {
                return Ok(Verdict {
                    worth: TestWorth::KillsMutant,
                    call: Some(call),
                    detail: what,
                });
            }
            // One that does not compile, or does not end, says nothing about the tests.
            if result.passed {
                tried.push(format!("{what}: passed"));
            }
        }
        if tried.is_empty() || is_cut_off {
            let why = match is_cut_off {
                true => "the time for trials was used up",
                false => "nothing in the change could be broken so that the tests still run",
            };
            return Ok(Verdict::untried(why));
        }
        let worth = TestWorth::Worthless;
        Ok(Verdict { worth, call: None, detail: format!("tried {}", tried.join("; ")) })
    }

    /// The first command by which the tests pass in the copy, with the change as it is.
    async fn control(&mut self, suite: &Suite) -> Result<Option<Command>> {
        for command in &suite.commands {
            let limit = self.attempt.cx.options.verify_timeout_s;
            let (_, result) = self.run(command, &State::After, limit).await?;
            if result.passed && result.n_tests != Some(0) {
                if suite.is_file && result.n_tests.is_some_and(|ran| ran < suite.n_cases) {
                    self.fewer.push((suite.subject.clone(), result.n_tests, suite.n_cases));
                }
                return Ok(Some(command.clone()));
            }
        }
        Ok(None)
    }
}

/// Whether tests ran and failed: those of the suite, by name where their names are known. A file that
/// cannot be loaded or compiled is no failing test.
fn fails(command: &Command, result: &CheckResult, suite: &Suite) -> bool {
    if result.passed || result.timed_out || result.exit_code.is_none_or(|code| code == 0) {
        return false;
    }
    let names = project::failures_in(&result.output);
    let mut failed = names.iter().filter(|name| is_a_test(name));
    if !suite.tests.is_empty() {
        let is_wanted = |name: &String| suite.tests.iter().any(|test| names_test(name, test));
        return failed.any(is_wanted);
    }
    if failed.next().is_some() {
        return true;
    }
    let count = read_test_output(&command.shown, &result.output, result.exit_code);
    match count.ran {
        // No runner of tests: the command itself says whether it holds.
        None => {
            !suite.is_file
                && names.is_empty()
                && !result.exit_code.is_some_and(|code| NOT_RUN.contains(&code))
        }
        // A runner whose failures have no names that are known here.
        Some(ran) => names.is_empty() && ran > 0 && count.failed.is_some_and(|failed| failed > 0),
    }
}

/// Whether a failure has the name of a test, and not of a file that could not be loaded.
fn is_a_test(name: &str) -> bool {
    const FILES: [&str; 9] = [".py", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".mts", ".cts"];
    !name.contains("_FailedTest")
        && !name.contains("unittest.loader")
        && !name.starts_with("package ")
        && !name.starts_with("error")
        && !FILES.iter().any(|end| name.ends_with(end))
}

/// Whether a failure's name is that of a test: as a word of it, or at its end.
fn names_test(name: &str, test: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    name.match_indices(test).any(|(at, _)| {
        let before = name[..at].chars().next_back();
        let after = name[at + test.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn failure(worthless: &[(&Suite, String)]) -> Failure {
    let mut detail = String::new();
    for (suite, tried) in worthless {
        let tests = match suite.tests.as_slice() {
            [] => String::new(),
            tests => format!(" ({})", tests.join(", ")),
        };
        detail.push_str(&format!(
            "These tests pass without your change and survive every mutant: {}{tests}\n  {}\n",
            suite.subject,
            tried.replace("; ", "\n  ")
        ));
        for vacuous in &suite.vacuous {
            detail.push_str(&format!("  {vacuous} asserts nothing that can fail\n"));
        }
    }
    detail.push_str(
        "They do not count, and nothing else shows that the task is done. Write tests that assert what \
         the code does, so that they fail when it is wrong.\n",
    );
    let subjects: Vec<&str> = worthless.iter().map(|(suite, _)| suite.subject.as_str()).collect();
    let summary = format!(
        "the tests do not count: {} pass{} without the change and survive every mutant",
        subjects.join(", "),
        if subjects.len() == 1 { "es" } else { "" }
    );
    Failure::repairable(summary, detail)
}

#[cfg(test)]
mod tests;
