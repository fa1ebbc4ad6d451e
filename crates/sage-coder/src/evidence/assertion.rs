//! Finds what a test asserts, and how much each assertion asks for.

use super::cases::squeezed;
use super::lexer::{Lang, closing, code_only, line_at, parts, slice};

mod condition;
mod matcher;

/// Assertions that are read from one test, at most.
const MAX_ASSERTIONS: usize = 400;

/// How much an assertion asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Nothing: it always holds.
    Always,
    /// That there is something, of some type.
    Something,
    /// That it counts as true, or that something is raised.
    Truthy,
    /// That it lies on one side of a bound, contains or matches something.
    Bound,
    /// That it is a certain value.
    Exact,
}

/// One assertion.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// As written, without white space.
    pub key: String,
    /// As written, on one line.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
    /// How much it asks for.
    pub strength: Strength,
    /// What is looked at, without white space.
    pub subject: String,
    /// What it is to be, without white space.
    pub expected: String,
    /// How it is compared: `<`, `in`, `approx`.
    pub how: String,
    /// How far it may be away, where that is said.
    pub tolerance: Option<f64>,
}

impl Assertion {
    /// Whether it cannot fail.
    #[must_use]
    pub fn is_always_true(&self) -> bool {
        self.strength == Strength::Always
    }

    /// What is asserted, whatever words say it.
    #[must_use]
    pub fn meaning(&self) -> (Strength, &str, &str, &str) {
        (self.strength, &self.subject, &self.expected, &self.how)
    }
}

/// What an assertion says, before it has a place.
#[derive(Debug, Clone, PartialEq)]
struct Claim {
    strength: Strength,
    subject: String,
    expected: String,
    how: String,
    tolerance: Option<f64>,
}

impl Claim {
    fn new(strength: Strength, subject: &str, expected: &str, how: &str) -> Self {
        Self {
            strength,
            subject: squeezed(subject),
            expected: squeezed(expected),
            how: how.to_owned(),
            tolerance: None,
        }
    }

    /// That one side equals the other; the one that is written out is what is expected.
    fn equal(a: &str, b: &str) -> Self {
        let (a, b) = (a.trim(), b.trim());
        if squeezed(a) == squeezed(b) {
            return Self::new(Strength::Always, a, b, "==");
        }
        let (subject, expected) = if is_literal(a) && !is_literal(b) { (b, a) } else { (a, b) };
        if is_literal(subject) && is_literal(expected) {
            // Two literals: it holds, or the test could never have passed.
            return Self::new(Strength::Always, subject, expected, "==");
        }
        Self::new(Strength::Exact, subject, expected, "==")
    }
}

/// Whether a text is a value written out: no name in it is called or looked up.
pub(super) fn is_literal(text: &str) -> bool {
    let text = text.trim();
    let first = text.chars().next();
    match first {
        None => true,
        Some(c) if c.is_ascii_digit() => {
            text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        }
        // Nothing follows the string.
        Some(c @ ('"' | '\'' | '`')) => {
            text.len() > 1 && text.ends_with(c) && !text[1..text.len() - 1].contains(c)
        }
        Some('-') => text.len() > 1 && is_literal(&text[1..]),
        Some('[' | '{' | '(') => {
            let inner = text.trim_matches(|c| matches!(c, '[' | ']' | '{' | '}' | '(' | ')'));
            inner
                .split(',')
                .all(|part| is_literal(part.rsplit_once(':').map_or(part, |(_, value)| value)))
        }
        _ => {
            let words = [
                "True",
                "False",
                "None",
                "true",
                "false",
                "null",
                "undefined",
                "nil",
                "NaN",
                "Ok(())",
            ];
            let lists = ["vec![", "&["];
            // A string with a prefix is one where nothing is put into it and nothing follows.
            let bare = text.trim_start_matches(['b', 'r', 'f', 'u', 'B', 'R', 'F', 'U']);
            let is_text = text.len() - bare.len() <= 2
                && bare.starts_with(['"', '\''])
                && is_literal(bare)
                && !(text[..text.len() - bare.len()].contains(['f', 'F']) && bare.contains('{'));
            words.contains(&text) || is_text || lists.iter().any(|start| text.starts_with(start))
        }
    }
}

/// The assertions of a test's body; `first_line` is the number of its first line.
#[must_use]
pub fn assertions(lang: Lang, body: &str, first_line: usize) -> Vec<Assertion> {
    let code = code_only(body, &parts(lang, body));
    let mut found: Vec<Assertion> = Vec::new();
    for (start, end) in statements(lang, &code) {
        let text = body[start..end].trim();
        for claim in claims(lang, body, &code, start, end) {
            // In Go, the condition says what is asserted, and the call only that it failed.
            let is_of_condition = lang == Lang::Go && text.starts_with(['t', 'b']);
            let shown = match is_of_condition {
                true => format!("{} {} {}", claim.subject, claim.how, claim.expected),
                false => one_line(text),
            };
            found.push(Assertion {
                key: squeezed(shown.trim_end_matches(';')),
                text: shown,
                line: first_line + line_at(body, start),
                strength: claim.strength,
                subject: claim.subject,
                expected: claim.expected,
                how: claim.how,
                tolerance: claim.tolerance,
            });
        }
        if found.len() >= MAX_ASSERTIONS {
            break;
        }
    }
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where assertions begin and end.
fn statements(lang: Lang, code: &str) -> Vec<(usize, usize)> {
    let starts: &[&str] = match lang {
        Lang::Python => &[
            "assert ",
            "assert(",
            "self.assert",
            "self.fail(",
            "pytest.raises(",
            "raises(",
            "pytest.warns(",
        ],
        Lang::Script => &["assert(", "assert.", "expect(", "t.assert.", "should("],
        Lang::Rust => &["assert", "debug_assert", "prop_assert"],
        Lang::Go => &["t.Error", "t.Fatal", "t.Fail", "assert.", "require.", "b.Error", "b.Fatal"],
        Lang::Braces => &["assert", "Assert.", "Assertions.", "verify(", "fail("],
    };
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        let begins = at == 0 || !is_word(bytes[at - 1]);
        // The words are ASCII, so a match begins a character.
        let hit = begins && starts.iter().any(|start| bytes[at..].starts_with(start.as_bytes()));
        if !hit {
            at += 1;
            continue;
        }
        let end = statement_end(lang, code, at);
        found.push((at, end));
        at = end.max(at + 1);
    }
    found
}

fn statement_end(lang: Lang, code: &str, start: usize) -> usize {
    let bytes = code.as_bytes();
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                let Some(less) = depth.checked_sub(1) else { return at };
                depth = less;
            }
            b';' if depth == 0 => return at,
            b':' if depth == 0 && lang == Lang::Python => return at,
            b'\n' if depth == 0 => {
                // A chain goes on with a dot on the next line.
                let next = code[at..].trim_start();
                if !next.starts_with('.') {
                    return at;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// What the statement between two positions asserts; a conjunction asserts several things.
fn claims(lang: Lang, body: &str, code: &str, start: usize, end: usize) -> Vec<Claim> {
    let (text, shape) = (&body[start..end], &code[start..end]);
    match lang {
        Lang::Python => matcher::python(text, shape),
        Lang::Script => matcher::script(text, shape),
        Lang::Rust => matcher::rust(text, shape),
        Lang::Go => matcher::go(body, code, start, end),
        Lang::Braces => matcher::braces(text, shape),
    }
}

/// The arguments of the brackets that open at `open`; `shape` is the text with code alone.
fn arguments<'a>(text: &'a str, shape: &str, open: usize) -> Vec<&'a str> {
    let close = closing(shape, open);
    let inner_end = close.saturating_sub(1).max(open + 1).min(text.len());
    split(slice(text, open + 1, inner_end), slice(shape, open + 1, inner_end), ",")
}

/// Splits at a separator that is in no brackets.
fn split<'a>(text: &'a str, shape: &str, separator: &str) -> Vec<&'a str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0_usize, 0_usize);
    let bytes = shape.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && bytes[at..].starts_with(separator.as_bytes()) => {
                found.push(text[from..at].trim());
                at += separator.len();
                from = at;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let last = text[from..].trim();
    if !last.is_empty() || !found.is_empty() {
        found.push(last);
    }
    if found.last().is_some_and(|last| last.is_empty()) {
        found.pop();
    }
    found
}

#[cfg(test)]
mod tests;
