//! Follows every test from before a change to after it.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::{Severity, TamperKind, Tampering};

use super::assertions::{self, Around};
use super::{FileChange, finding, is_test_file};
use crate::evidence::cases::{Case, Off, cases, squeezed};
use crate::evidence::lexer::Lang;

/// How alike two tests must be to count as one that was renamed and edited, from 0 to 1.
const ALIKE: f64 = 0.5;

/// One test and the file that it is in.
struct Placed {
    file: usize,
    case: Case,
}

/// Whether a file holds tests, before or after.
pub(super) fn holds_tests(change: &FileChange<'_>) -> bool {
    is_test_file(change.path)
        || is_snapshot(change.path)
        || [change.before, change.after]
            .iter()
            .flatten()
            .any(|text| change.path.ends_with(".rs") && text.contains("#[test]"))
}

pub(super) fn compare(changes: &[FileChange<'_>]) -> Vec<Tampering> {
    let before = placed(changes, |change| change.before);
    let after = placed(changes, |change| change.after);
    let mut found = Vec::new();
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    let mut pairs: BTreeMap<usize, usize> = BTreeMap::new();
    let of_name = |file: usize, name: &str| {
        after.iter().position(|other| other.file == file && other.case.name == name)
    };
    for (at, old) in before.iter().enumerate() {
        if let Some(new) = of_name(old.file, &old.case.name) {
            pairs.insert(at, new);
            taken.insert(new);
        }
    }
    let mut gone: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for (at, old) in before.iter().enumerate() {
        if pairs.contains_key(&at) {
            continue;
        }
        match followed(&old.case, &after, &taken) {
            Followed::As(new) => {
                pairs.insert(at, new);
                taken.insert(new);
            }
            Followed::Merged => {}
            Followed::Gone => gone.entry(old.file).or_default().push(&old.case),
        }
    }
    for (old, new) in &pairs {
        let (old, new) = (&before[*old], &after[*new]);
        let path = changes[new.file].path;
        let around = Around {
            path,
            before: changes[old.file].before.unwrap_or_default(),
            after: changes[new.file].after.unwrap_or_default(),
        };
        found.extend(of_pair(&around, &old.case, &new.case));
    }
    for (file, change) in changes.iter().enumerate() {
        let gone = gone.remove(&file).unwrap_or_default();
        found.extend(of_gone(change, changes, &gone));
        found.extend(of_file(change));
    }
    for (_, new) in after.iter().enumerate().filter(|(at, _)| !taken.contains(at)) {
        found.extend(of_new(changes[new.file], &new.case));
    }
    found
}

fn placed(
    changes: &[FileChange<'_>],
    text: impl for<'a> Fn(&FileChange<'a>) -> Option<&'a str>,
) -> Vec<Placed> {
    let mut found = Vec::new();
    for (file, change) in changes.iter().enumerate() {
        let (Some(text), Some(lang)) = (text(change), Lang::of(change.path)) else { continue };
        // A runner finds tests in files of certain names; Rust finds them everywhere.
        if lang == Lang::Rust || is_test_file(change.path) {
            found.extend(cases(lang, text).into_iter().map(|case| Placed { file, case }));
        }
    }
    found
}

/// What became of a test that is not where it was.
enum Followed {
    As(usize),
    Merged,
    Gone,
}

fn followed(old: &Case, after: &[Placed], taken: &BTreeSet<usize>) -> Followed {
    let free = || after.iter().enumerate().filter(|(at, _)| !taken.contains(at));
    let fingerprint = old.fingerprint();
    if let Some((at, _)) = free().find(|(_, new)| new.case.fingerprint() == fingerprint) {
        return Followed::As(at);
    }
    // Moved to another file under its name, and edited there.
    let has_name = |new: &Placed| new.case.short_name() == old.short_name();
    if let Some((at, _)) = free().find(|(_, new)| has_name(new)) {
        return Followed::As(at);
    }
    let keys: BTreeSet<_> =
        old.assertions.iter().map(|one| one.meaning().1.to_owned() + &one.expected).collect();
    let has_all = |new: &Placed| {
        let there: BTreeSet<_> = new
            .case
            .assertions
            .iter()
            .map(|one| one.meaning().1.to_owned() + &one.expected)
            .collect();
        !keys.is_empty() && keys.is_subset(&there) && new.case.off == Off::No
    };
    if let Some((at, _)) = free().find(|(_, new)| has_all(new)) {
        return Followed::As(at);
    }
    if after.iter().any(has_all) {
        return Followed::Merged;
    }
    let words = words_of(old);
    let alike = |new: &Case| {
        let others = words_of(new);
        let both = words.intersection(&others).count();
        let all = words.union(&others).count().max(1);
        both as f64 / all as f64
    };
    let best = free()
        .map(|(at, new)| (alike(&new.case), at))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    match best {
        Some((_, at)) => Followed::As(at),
        None => Followed::Gone,
    }
}

fn words_of(case: &Case) -> BTreeSet<String> {
    let is_gap = |c: char| !c.is_alphanumeric() && c != '_';
    case.body.split(is_gap).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What differs in a test that is still there.
fn of_pair(around: &Around<'_>, old: &Case, new: &Case) -> Vec<Tampering> {
    let path = around.path;
    let mut found = Vec::new();
    if new.off > old.off {
        let severity = match new.off {
            Off::Sometimes | Off::No => Severity::Suspicious,
            Off::Always | Off::OthersAre => Severity::Tampered,
        };
        let head =
            new.head.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let name = format!("{} ({})", new.shown_name(), head);
        found.push(finding(
            TamperKind::TestDisabled,
            severity,
            path,
            new.line,
            &old.shown_name(),
            &name,
        ));
    }
    if returns_at_once(&new.body) && !returns_at_once(&old.body) {
        let name = new.shown_name();
        found.push(finding(TamperKind::EarlyReturn, Severity::Tampered, path, new.line, "", &name));
        return found;
    }
    if let Some(caught) = swallowed(&new.body).filter(|_| swallowed(&old.body).is_none()) {
        found.push(finding(
            TamperKind::FailureSwallowed,
            Severity::Tampered,
            path,
            new.line,
            "",
            &caught,
        ));
    }
    found.extend(assertions::compare(around, old, new));
    found
}

/// Whether a test ends with its first statement.
fn returns_at_once(body: &str) -> bool {
    let text = squeezed(body);
    let text = text.trim_start_matches("=>").trim_start_matches('{');
    // Python's statement ends with its line.
    let line = body.trim_start().lines().next().unwrap_or_default().trim();
    text.starts_with("return;")
        || text.starts_with("return}")
        || line == "return"
        || text == "return"
        || body.trim_start().trim_start_matches('{').trim_start().starts_with("return\n")
}

/// How a failure is caught and dropped.
fn swallowed(body: &str) -> Option<String> {
    // `try: f(); self.fail() except X: pass` asserts that X is raised.
    let asserts_by_hand =
        ["self.fail(", "pytest.fail(", "assert.fail(", "fail(", "AssertionError("];
    if asserts_by_hand.iter().any(|mark| body.contains(mark)) {
        return None;
    }
    let lines: Vec<&str> = body.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let text = squeezed(line);
        let ends = matches!(next, "pass" | "return" | "..." | "continue");
        let in_line =
            ["pass", "return", "..."].iter().any(|end| text.ends_with(&format!(":{end}")));
        let python = text.starts_with("except") && ((text.ends_with(':') && ends) || in_line);
        let suppressed = text.contains("suppress(") && text.starts_with("with");
        let braces = text.contains("catch") && {
            let tail = &text[text.find("catch").unwrap_or(0)..];
            tail.contains("{}") || (tail.ends_with('{') && next.starts_with('}'))
        };
        let others = text.contains("catch_unwind(") || text.contains("recover()");
        if python || suppressed || braces || others {
            return Some((*line).to_owned());
        }
    }
    None
}

/// Tests that are nowhere any more.
fn of_gone(change: &FileChange<'_>, all: &[FileChange<'_>], gone: &[&Case]) -> Vec<Tampering> {
    let path = change.path;
    let Some(before) = change.before else { return Vec::new() };
    if change.after.is_none() && holds_tests(change) {
        let is_moved = all.iter().any(|other| {
            other.path != path
                && is_test_file(other.path)
                && other.before.is_none()
                && other.after.is_some_and(|after| squeezed(after) == squeezed(before))
        });
        let had_cases = Lang::of(path).is_some_and(|lang| !cases(lang, before).is_empty());
        if is_moved || (had_cases && gone.is_empty()) {
            return Vec::new();
        }
        let what = match gone.len() {
            0 => path.to_owned(),
            1 => gone[0].shown_name(),
            n => format!(
                "{n} tests: {}",
                gone.iter().map(|case| case.shown_name()).collect::<Vec<_>>().join(", ")
            ),
        };
        return vec![finding(TamperKind::FileDeleted, Severity::Tampered, path, 1, &what, "")];
    }
    let one = |case: &&Case| {
        finding(
            TamperKind::TestDeleted,
            Severity::Tampered,
            path,
            case.line,
            &case.shown_name(),
            "",
        )
    };
    gone.iter().map(one).collect()
}

/// What is done to all tests of a file at once, and to recorded expectations.
fn of_file(change: &FileChange<'_>) -> Vec<Tampering> {
    let path = change.path;
    if is_snapshot(path) {
        return of_snapshot(change);
    }
    if change.before.is_none() || !holds_tests(change) {
        return Vec::new();
    }
    const MARKS: [&str; 10] = [
        "pytestmark=pytest.mark.skip",
        "pytestmark=[pytest.mark.skip",
        "pytestmark=pytest.mark.xfail",
        "__test__=False",
        "allow_module_level=True",
        "#![cfg(any())]",
        "#![cfg(FALSE)]",
        "#![cfg(not(test))]",
        "//go:buildignore",
        "//+buildignore",
    ];
    let added = change.added().into_iter();
    added
        .filter(|(_, line)| {
            let text = squeezed(line);
            MARKS.iter().any(|mark| {
                text.starts_with(mark) || (mark.contains("module_level") && text.contains(mark))
            }) && !text.contains("skipif(sys")
        })
        .map(|(at, line)| finding(TamperKind::TestDisabled, Severity::Tampered, path, at, "", line))
        .collect()
}

fn is_snapshot(path: &str) -> bool {
    path.ends_with(".snap")
        || path.contains("__snapshots__/")
        || path.ends_with(".golden")
        || path.contains("/golden/")
        || path.contains("tests/expected/")
}

/// Added snapshots are new expectations; others must stay as they are.
fn of_snapshot(change: &FileChange<'_>) -> Vec<Tampering> {
    let Some(_) = change.before else { return Vec::new() };
    let Some((line, was)) = change.removed().into_iter().next() else { return Vec::new() };
    let kind = match change.after {
        None => TamperKind::FileDeleted,
        Some(_) => TamperKind::SnapshotRewritten,
    };
    let now = change.added().into_iter().next().map(|(_, line)| line).unwrap_or_default();
    vec![finding(kind, Severity::Tampered, change.path, line, was, now)]
}

/// A test that was not there before.
fn of_new(change: FileChange<'_>, case: &Case) -> Vec<Tampering> {
    let kind = match case.off {
        Off::OthersAre => {
            // It keeps the tests that were there from running.
            let severity =
                if change.before.is_some() { Severity::Tampered } else { Severity::Suspicious };
            return vec![finding(
                TamperKind::TestDisabled,
                severity,
                change.path,
                case.line,
                "",
                &case.shown_name(),
            )];
        }
        Off::Always => TamperKind::TestDisabled,
        _ if case.is_vacuous() => TamperKind::AlwaysTrue,
        _ => return Vec::new(),
    };
    vec![finding(kind, Severity::Suspicious, change.path, case.line, "", &case.shown_name())]
}
