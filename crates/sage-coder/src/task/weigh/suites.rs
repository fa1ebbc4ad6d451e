//! What is to be weighed: the new tests of an attempt, the code they are about, and faults for it.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::{CallId, FileState};
use sage_tool::edits::unified_diff;
use serde::{Deserialize, Serialize};

use super::MAX_MUTANTS;
use crate::error::Result;
use crate::evidence::mutant::{Mutant, mutants};
use crate::evidence::{Case, Lang, Off, cases, definitions};
use crate::net::{self, Net};
use crate::project::{self, is_test_file};
use crate::task::Attempt;
use crate::task::briefing::Briefing;

/// Larger files are neither read for tests nor mutated.
const MAX_TEXT_BYTES: usize = 512 * 1024;

/// Files that are mutated because tests speak of them, at most.
const MAX_TARGETS: usize = 4;

/// Everything that a weighing needs, as it is journaled.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Weighing {
    /// Files with new tests.
    pub suites: Vec<Suite>,
    /// Commands that judge the task, as suites of their own.
    pub judges: Vec<Suite>,
    /// The files without the change.
    pub before: BTreeMap<String, Option<FileState>>,
    /// Whether the change is nothing but tests.
    pub is_tests_only: bool,
}

/// New tests of one file, or a command.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Suite {
    /// The file, or the command's line.
    pub subject: String,
    /// Whether it is a file.
    pub is_file: bool,
    /// Names of the new tests, as runners print them; empty where they are not known.
    pub tests: Vec<String>,
    /// All tests in the file that are not switched off, new or not.
    pub n_cases: u64,
    /// Those of them that assert nothing that can fail.
    pub vacuous: Vec<String>,
    /// Commands that run them, best first.
    pub commands: Vec<Command>,
    /// Whether there is a state without the change.
    pub has_before: bool,
    /// Faults to try, with their files.
    pub mutants: Vec<(String, Mutant)>,
}

/// A command to run tests with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Command {
    pub shown: String,
    pub line: String,
}

/// Whether a file of this name may hold tests.
pub(super) fn may_hold_tests(path: &str) -> bool {
    is_test_file(path) || path.ends_with(".rs")
}

/// Whether a file is there for tests alone.
fn is_support(path: &str) -> bool {
    const FOLDERS: [&str; 8] = [
        "tests",
        "test",
        "__tests__",
        "spec",
        "testdata",
        "fixtures",
        "__snapshots__",
        "__mocks__",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    is_test_file(path)
        || name == "conftest.py"
        || path.split('/').rev().skip(1).any(|folder| FOLDERS.contains(&folder))
}

impl Attempt {
    pub(super) fn find_suites(&self, briefing: &Briefing) -> Result<Weighing> {
        let own = net::since(&self.cx, self.first_states())?;
        let mut suites = Vec::new();
        for file in own.iter().filter(|file| file.exists) {
            if let Some(suite) = self.suite_of(briefing, file, &own) {
                suites.push(suite);
            }
        }
        if suites.is_empty() {
            return Ok(Weighing::default());
        }
        let has_tests = |path: &str| suites.iter().any(|suite: &Suite| suite.subject == path);
        let is_subject = |file: &&Net| !is_support(&file.path);
        let is_tests_only = !own.iter().any(|file| is_subject(&file));
        // Tests alone are about what the tasks before this one wrote, if they wrote anything.
        let changed = match is_tests_only {
            false => own,
            true => self.changes_so_far()?,
        };
        let subjects: Vec<&Net> = changed.iter().filter(is_subject).collect();
        // A file that holds tests itself cannot be taken back without them.
        let before: BTreeMap<String, Option<FileState>> = subjects
            .iter()
            .filter(|file| !has_tests(&file.path))
            .map(|file| (file.path.clone(), file.first.clone()))
            .collect();
        // Where all of it is new code, the tests cannot even be loaded without it.
        let has_before =
            before.iter().any(|(path, first)| first.is_some() || Lang::of(path).is_none());
        let code: Vec<(String, String, BTreeSet<usize>)> =
            subjects.iter().filter_map(|file| changed_lines(file)).collect();
        for suite in &mut suites {
            let tests = self.text(&suite.subject).unwrap_or_default();
            suite.has_before = has_before;
            suite.mutants = match code.is_empty() {
                false => faults(&code, &tests),
                true => faults(&self.targets(&suite.subject, &tests)?, &tests),
            };
        }
        let all_tests: String =
            suites.iter().filter_map(|suite| self.text(&suite.subject)).collect();
        let judges = self.judges(briefing).into_iter().map(|command| Suite {
            subject: command.shown.clone(),
            commands: vec![command],
            has_before,
            mutants: faults(&code, &all_tests),
            ..Suite::default()
        });
        Ok(Weighing { judges: judges.collect(), suites, before, is_tests_only })
    }

    fn text(&self, path: &str) -> Option<String> {
        let path = self.cx.workspace.resolve(path).ok()?;
        let bytes = self.cx.workspace.read(&path).ok()?;
        (bytes.len() <= MAX_TEXT_BYTES).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What this task and those before it have changed.
    fn changes_so_far(&self) -> Result<Vec<Net>> {
        let Ok(graph) = self.plan.compile() else { return Ok(Vec::new()) };
        let is_earlier = |call: &CallId| {
            !call.node.is_reserved()
                && call.node != self.task.id
                && graph.reaches(&call.node, &self.task.id)
        };
        let mut first = self.first_states();
        first.extend(net::first_states(&self.cx, &is_earlier));
        net::since(&self.cx, first)
    }

    /// The new tests of one file; `None` where it has none.
    fn suite_of(&self, briefing: &Briefing, file: &Net, own: &[Net]) -> Option<Suite> {
        if !may_hold_tests(&file.path) {
            return None;
        }
        let text = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let after = text(&file.after).filter(|text| text.len() <= MAX_TEXT_BYTES)?;
        let lang = Lang::of(&file.path);
        let (mut tests, mut vacuous, mut n_cases) = (Vec::new(), Vec::new(), 0);
        match lang {
            Some(lang) => {
                let known: Vec<Case> = own
                    .iter()
                    .filter(|other| {
                        may_hold_tests(&other.path) && Lang::of(&other.path) == Some(lang)
                    })
                    .filter_map(|other| text(&other.before))
                    .flat_map(|text| cases(lang, &text))
                    .collect();
                let all = cases(lang, &after);
                let has_cases = !all.is_empty();
                n_cases = all.iter().filter(|case| case.off == Off::No).count() as u64;
                for case in all.iter().filter(|case| is_new(case, &known)) {
                    tests.push(case.short_name().trim_end_matches('\'').to_owned());
                    if case.is_vacuous() {
                        vacuous.push(case.shown_name());
                    }
                }
                // Tests that were there are not weighed, and neither is code that holds none.
                if tests.is_empty() && (has_cases || !is_test_file(&file.path) || file.existed) {
                    return None;
                }
            }
            None if file.existed => return None,
            None => {}
        }
        let mut commands: Vec<Command> = Vec::new();
        if let Some(line) = project::test_command_for(&file.path, &briefing.project) {
            let command = project::runnable(&line, &briefing.project);
            commands.push(Command { shown: command.shown, line: command.line });
        }
        let accepted = self.judges(briefing);
        let runs = |command: &&Command| project::runs_test_file(&command.shown, &file.path);
        commands.extend(accepted.iter().filter(runs).cloned());
        commands.dedup();
        let subject = file.path.clone();
        Some(Suite {
            subject,
            is_file: true,
            tests,
            n_cases,
            vacuous,
            commands,
            ..Suite::default()
        })
    }

    /// The commands that judge the task, and are allowed: they have just passed.
    fn judges(&self, briefing: &Briefing) -> Vec<Command> {
        let accepted: Vec<String> = self.task.commands().into_iter().map(str::to_owned).collect();
        let lines = match accepted.is_empty() {
            true if self.has_the_last_word() => self.own_commands(briefing),
            true => Vec::new(),
            false => accepted,
        };
        let runnable = lines.iter().map(|line| project::runnable(line, &briefing.project));
        runnable.map(|command| Command { shown: command.shown, line: command.line }).collect()
    }

    /// Code that a file of tests speaks of, where the run has changed none.
    fn targets(&self, path: &str, tests: &str) -> Result<Vec<(String, String, BTreeSet<usize>)>> {
        let lang = Lang::of(path);
        let words = words(tests);
        let mut found = Vec::new();
        for candidate in self.files()? {
            let stem = candidate
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .split('.')
                .next()
                .unwrap_or_default();
            let is_spoken_of = words.contains(stem)
                || matches!(stem, "lib" | "main" | "mod" | "__init__" | "index")
                || (lang == Some(Lang::Go));
            if Lang::of(&candidate) != lang || is_support(&candidate) || !is_spoken_of {
                continue;
            }
            let Some(text) = self.text(&candidate) else { continue };
            let lines = spoken_of(&candidate, &text, &words);
            if !lines.is_empty() {
                found.push((candidate, text, lines));
            }
            if found.len() >= MAX_TARGETS {
                break;
            }
        }
        Ok(found)
    }
}

/// Whether a test is new, or asserts something else than before. One that was moved or renamed is not.
fn is_new(case: &Case, known: &[Case]) -> bool {
    let keys = |case: &Case| -> Vec<String> {
        case.assertions.iter().map(|assertion| assertion.key.clone()).collect()
    };
    let is_known = |old: &&Case| {
        (old.name == case.name && keys(old) == keys(case))
            || old.fingerprint() == case.fingerprint()
    };
    case.off == Off::No && !known.iter().any(|old| is_known(&old))
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// Lines of definitions whose names the tests use.
fn spoken_of(path: &str, text: &str, words: &BTreeSet<&str>) -> BTreeSet<usize> {
    let Some(lang) = Lang::of(path) else { return BTreeSet::new() };
    let found =
        definitions(lang, text).into_iter().filter(|(name, _)| words.contains(name.as_str()));
    found.flat_map(|(_, lines)| lines).collect()
}

/// A changed file of code with the lines that are new in it.
fn changed_lines(file: &Net) -> Option<(String, String, BTreeSet<usize>)> {
    Lang::of(&file.path)?;
    let after = file.after.as_ref().filter(|bytes| bytes.len() <= MAX_TEXT_BYTES)?;
    let diff = unified_diff(&file.path, file.before.as_deref(), Some(after), 0);
    let mut lines = BTreeSet::new();
    for head in diff.lines().filter_map(|line| line.strip_prefix("@@ ")) {
        let Some(new) = head.split(' ').find_map(|word| word.strip_prefix('+')) else { continue };
        let (start, count) = new.split_once(',').unwrap_or((new, "1"));
        let (Ok(start), Ok(count)) = (start.parse::<usize>(), count.parse::<usize>()) else {
            continue;
        };
        match count {
            // Something was removed here: what stands around it is what is left of it.
            0 => lines.extend(start.max(1)..=start + 1),
            count => lines.extend(start..start.saturating_add(count)),
        }
    }
    Some((file.path.clone(), String::from_utf8_lossy(after).into_owned(), lines))
}

/// Faults in these lines, those first that the tests speak of, and no file before the others.
fn faults(code: &[(String, String, BTreeSet<usize>)], tests: &str) -> Vec<(String, Mutant)> {
    let words = words(tests);
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for (path, text, lines) in code {
        let spoken_of = spoken_of(path, text, &words);
        let (named, others): (BTreeSet<usize>, BTreeSet<usize>) =
            lines.iter().copied().partition(|line| spoken_of.contains(line));
        first
            .push(mutants(path, text, &named).into_iter().map(|one| (path.clone(), one)).collect());
        then.push(
            mutants(path, text, &others).into_iter().map(|one| (path.clone(), one)).collect(),
        );
    }
    let mut found = in_turn(first);
    found.extend(in_turn(then));
    found.truncate(MAX_MUTANTS);
    found
}

/// One of each list, then the next of each.
fn in_turn<T: Clone>(lists: Vec<Vec<T>>) -> Vec<T> {
    let most = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..most).flat_map(|at| lists.iter().filter_map(move |list| list.get(at).cloned())).collect()
}
