//! Compares what one test asserted with what it asserts now.

use sage_core::{Severity, TamperKind, Tampering};

use super::finding;
use crate::evidence::assertion::{Assertion, Strength, is_literal};
use crate::evidence::cases::{Case, logical_lines, squeezed};
use crate::evidence::lexer::{Lang, code_only, parts, without_comments};

/// Nearness that is only about how floating point numbers are kept.
const ROUNDING: f64 = 1e-6;

/// The files that a test is in.
pub(super) struct Around<'a> {
    pub path: &'a str,
    pub before: &'a str,
    pub after: &'a str,
}

pub(super) fn compare(around: &Around<'_>, old: &Case, new: &Case) -> Vec<Tampering> {
    let (mut lost, mut fresh) = (Vec::new(), new.assertions.clone());
    for assertion in &old.assertions {
        match fresh.iter().position(|other| is_same(assertion, other)) {
            Some(at) => drop(fresh.remove(at)),
            None => lost.push(assertion),
        }
    }
    lost.retain(|assertion| !assertion.is_always_true());
    let mut found = Vec::new();
    for assertion in lost {
        found.extend(judge(around, assertion, &mut fresh, new));
    }
    found
}

fn is_same(a: &Assertion, b: &Assertion) -> bool {
    a.key == b.key
        || (a.strength == b.strength
            && canonical(&a.subject) == canonical(&b.subject)
            && canonical(&a.expected) == canonical(&b.expected)
            && a.how == b.how
            && a.tolerance == b.tolerance)
}

/// Values that are written in another way are the same values.
fn canonical(text: &str) -> String {
    let text =
        text.replace(['\'', '`'], "\"").replace(",)", ")").replace(",]", "]").replace(",}", "}");
    let chars: Vec<char> = text.chars().collect();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let is_group =
        |at: usize| chars[at] == '_' && is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
    chars.iter().enumerate().filter(|(at, _)| !is_group(*at)).map(|(_, c)| *c).collect()
}

/// What became of an assertion that is not there as it was.
fn judge(
    around: &Around<'_>,
    old: &Assertion,
    fresh: &mut Vec<Assertion>,
    case: &Case,
) -> Option<Tampering> {
    let subject = canonical(&old.subject);
    let same_subject = fresh
        .iter()
        .enumerate()
        .filter(|(_, new)| canonical(&new.subject) == subject)
        .max_by_key(|(_, new)| new.strength)
        .map(|(at, _)| at);
    if let Some(at) = same_subject {
        let new = fresh.remove(at);
        return of_same_subject(around, old, &new);
    }
    let expected = canonical(&old.expected);
    let same_value = |new: &&mut Assertion| {
        !expected.is_empty() && resolves_to(around.after, &new.expected, &expected)
    };
    if let Some(new) = fresh.iter_mut().find(same_value) {
        if new.strength >= old.strength {
            // Asked of something else that goes by another name; each may stand for one only.
            new.expected.clear();
            return None;
        }
        return Some(weakened(around, old, new));
    }
    if is_elsewhere(around, old, case) || is_in_a_table(old, case) {
        return None;
    }
    let as_strict = fresh.iter().position(|new| new.strength >= old.strength);
    if let Some(at) = as_strict {
        let new = fresh.remove(at);
        let kind = TamperKind::AssertionReplaced;
        return Some(finding(
            kind,
            Severity::Suspicious,
            around.path,
            new.line,
            &old.text,
            &new.text,
        ));
    }
    if !fresh.is_empty() {
        let new = fresh.remove(0);
        return Some(weakened(around, old, &new));
    }
    let kind = TamperKind::AssertionRemoved;
    Some(finding(kind, Severity::Tampered, around.path, case.line, &old.text, ""))
}

fn of_same_subject(around: &Around<'_>, old: &Assertion, new: &Assertion) -> Option<Tampering> {
    let tampered =
        |kind| Some(finding(kind, Severity::Tampered, around.path, new.line, &old.text, &new.text));
    if new.strength < old.strength {
        return Some(weakened(around, old, new));
    }
    if new.strength > old.strength {
        return None;
    }
    let expected = canonical(&old.expected);
    let is_wider = match (old.tolerance, new.tolerance) {
        (Some(old), Some(new)) => new > old,
        (None, Some(new)) => old.how == "approx" && new > ROUNDING,
        _ => false,
    };
    if is_wider {
        return tampered(TamperKind::ToleranceWidened);
    }
    if resolves_to(around.after, &new.expected, &expected) {
        return None;
    }
    let bounds = (number(&old.expected), number(&new.expected));
    match (old.how.as_str(), new.how.as_str(), bounds) {
        ("<", "<", (Some(was), Some(is))) if is <= was => None,
        (">", ">", (Some(was), Some(is))) if is >= was => None,
        ("<", "<", (Some(_), Some(_))) | (">", ">", (Some(_), Some(_))) => {
            tampered(TamperKind::ToleranceWidened)
        }
        (was, is, _) if was == is && matches!(old.strength, Strength::Exact | Strength::Bound) => {
            let is_error = matches!(is, "raises" | "throws");
            if is_error || is_settled(around.after, &new.expected) {
                return tampered(TamperKind::ExpectationChanged);
            }
            // Worked out, or given by a table: nobody can tell from here what it is.
            let kind = TamperKind::ExpectationChanged;
            Some(finding(kind, Severity::Suspicious, around.path, new.line, &old.text, &new.text))
        }
        (was, is, _) if was == is => None,
        ("", _, _) | (_, "", _) if old.strength <= Strength::Truthy => None,
        _ => {
            let kind = TamperKind::AssertionReplaced;
            Some(finding(kind, Severity::Suspicious, around.path, new.line, &old.text, &new.text))
        }
    }
}

fn weakened(around: &Around<'_>, old: &Assertion, new: &Assertion) -> Tampering {
    let kind = match new.is_always_true() {
        true => TamperKind::AlwaysTrue,
        false => TamperKind::AssertionWeakened,
    };
    // Numbers that are compared with some care for how they are kept.
    let is_rounding = new.how == "approx"
        && canonical(&new.expected) == canonical(&old.expected)
        && new.tolerance.is_none_or(|tolerance| tolerance <= ROUNDING);
    let severity = if is_rounding { Severity::Suspicious } else { Severity::Tampered };
    finding(kind, severity, around.path, new.line, &old.text, &new.text)
}

/// Whether an expected value is the one it was, under a name perhaps.
fn resolves_to(text: &str, expected: &str, wanted: &str) -> bool {
    if canonical(expected) == *wanted {
        return true;
    }
    let is_name = !expected.is_empty()
        && expected.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
        && !expected.starts_with(|c: char| c.is_ascii_digit());
    is_name && {
        let name = expected.rsplit('.').next().unwrap_or(expected);
        let text = canonical(&squeezed(text));
        let with_type = |rest: &str| {
            let rest = rest
                .strip_prefix(':')
                .map_or(rest, |rest| rest.split_once('=').map_or(rest, |(_, v)| v));
            rest.trim_start_matches(['=', ':']).starts_with(wanted)
        };
        text.match_indices(name).any(|(at, _)| {
            let rest = &text[at + name.len()..];
            rest.starts_with([':', '=']) && !rest.starts_with("==") && with_type(rest)
        })
    }
}

/// Whether an expected value is written out, here or where its name is given to it.
fn is_settled(text: &str, expected: &str) -> bool {
    is_literal(expected) || is_made_of_literals(expected) || {
        let is_name = expected.chars().all(|c| c.is_alphanumeric() || c == '_');
        let text = squeezed_lines(text);
        is_name
            && text.iter().any(|line| {
                let line = ["const", "let", "var"]
                    .iter()
                    .find_map(|word| line.strip_prefix(word))
                    .unwrap_or(line);
                let value = line.strip_prefix(expected).map(|rest| rest.trim_start_matches(':'));
                value
                    .and_then(|rest| rest.strip_prefix('='))
                    .is_some_and(|value| is_literal(value.trim_end_matches(';')))
            })
    }
}

/// `Some(5)`, `json!({"a": 1})`: a call with values alone.
fn is_made_of_literals(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('(') else { return false };
    let Some(inner) = rest.strip_suffix(')') else { return false };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '!' | '&');
    !name.is_empty()
        && name.chars().all(is_name)
        && (inner.is_empty() || is_literal(inner) || is_literal(&format!("({inner})")))
}

fn squeezed_lines(text: &str) -> Vec<String> {
    text.lines().map(squeezed).collect()
}

/// Whether the assertion was moved into a function that the test calls, or is made there now.
fn is_elsewhere(around: &Around<'_>, old: &Assertion, case: &Case) -> bool {
    let (before, after) = (count(around, around.before, old), count(around, around.after, old));
    if after >= before && after > 0 {
        return true;
    }
    // `check(add(2, 3), 5)`: somebody is handed both.
    let (subject, expected) = (canonical(&old.subject), canonical(&old.expected));
    !subject.is_empty()
        && !expected.is_empty()
        && case.body.lines().any(|line| {
            let text = canonical(&squeezed(line));
            let name = text.split('(').next().unwrap_or_default();
            let is_talk = ["print", "console.log", "println!", "log", "eprintln!", "fmt.Println"]
                .contains(&name);
            text.contains('(') && !is_talk && !name.contains('=') && {
                let rest = &text[name.len()..];
                rest.contains(&subject) && rest.replacen(&subject, "", 1).contains(&expected)
            }
        })
}

/// How often a file makes an assertion, wherever.
fn count(around: &Around<'_>, text: &str, assertion: &Assertion) -> usize {
    let Some(lang) = Lang::of(around.path) else { return 0 };
    let parts = parts(lang, text);
    let (plain, code) = (without_comments(text, &parts), code_only(text, &parts));
    let key = assertion.key.as_str();
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([';', ',', '}', ')']);
    let of_line = |(start, end): &(usize, usize)| {
        let line = squeezed(&plain[*start..*end]);
        line.match_indices(key).filter(|(at, _)| ends(&line[at + key.len()..])).count()
    };
    logical_lines(&code).iter().map(of_line).sum()
}

/// Whether a test that goes through a table has the values that the assertion had.
fn is_in_a_table(old: &Assertion, case: &Case) -> bool {
    let text = canonical(&squeezed(&format!("{}{}", case.head, case.body)));
    let marks = [
        "for",
        "parametrize",
        ".each(",
        ".forEach(",
        "subTest(",
        "t.Run(",
        "rstest",
        "#[case",
        "test_case",
    ];
    let is_table = marks.iter().any(|mark| text.contains(mark));
    let is_strict = case.assertions.iter().any(|new| new.strength >= old.strength);
    let key = canonical(&old.key);
    let literals: Vec<&str> = key
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '"' | '_' | '.' | '-')))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '"' || c == '-'))
        .collect();
    is_table && is_strict && !literals.is_empty() && literals.iter().all(|word| text.contains(word))
}

fn number(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok()
}
