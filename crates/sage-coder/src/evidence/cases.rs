//! Finds the tests that a file holds: their names, their text, and whether they are switched off.

use std::collections::BTreeMap;

use super::assertion::{Assertion, assertions};
use super::lexer::{Lang, closing, code_only, line_at, parts, slice, without_comments};

mod off;
mod script;

pub use off::Off;

/// Tests that are read from one file, at most.
const MAX_CASES: usize = 2_000;

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, with the class or the group it is in: `SumTest.test_adds`.
    pub name: String,
    /// Line of its beginning, from 1.
    pub line: usize,
    /// Decorators, attributes and the signature, without comments.
    pub head: String,
    /// What it does, without comments.
    pub body: String,
    /// Whether it is switched off.
    pub off: Off,
    /// What it asserts.
    pub assertions: Vec<Assertion>,
}

impl Case {
    /// The name without class or group, as a test runner prints it at least.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.name.rsplit_once('\u{1f}').map_or(&self.name, |(_, name)| name)
    }

    /// The name for people.
    #[must_use]
    pub fn shown_name(&self) -> String {
        self.name.replace('\u{1f}', ".")
    }

    /// The body without what layout adds, by which it is recognised under another name.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        squeezed(&self.body)
    }

    /// Whether nothing that it asserts can fail.
    #[must_use]
    pub fn is_vacuous(&self) -> bool {
        let may_assert = self.assertions.iter().any(|assertion| !assertion.is_always_true());
        !may_assert && self.off == Off::No && !off::fails_otherwise(&self.body)
    }
}

/// Text without white space.
pub(super) fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The tests of a file, in its order.
#[must_use]
pub fn cases(lang: Lang, text: &str) -> Vec<Case> {
    let parts = parts(lang, text);
    let code = code_only(text, &parts);
    let plain = without_comments(text, &parts);
    let file = File { lang, code: &code, plain: &plain };
    let mut found = match lang {
        Lang::Python => python(&file),
        Lang::Script => script::cases(&file),
        Lang::Rust => rust(&file),
        Lang::Go => go(&file),
        Lang::Braces => annotated(&file),
    };
    found.truncate(MAX_CASES);
    // Two tests of one name (in two modules of a file) are told apart by their order.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for case in &mut found {
        let n = seen.entry(case.name.clone()).or_default();
        case.name.push_str(&"'".repeat(*n));
        *n += 1;
    }
    found
}

/// A file to be read.
pub(super) struct File<'a> {
    pub lang: Lang,
    /// Code alone.
    pub code: &'a str,
    /// Code and strings.
    pub plain: &'a str,
}

impl File<'_> {
    fn case(&self, name: String, start: usize, head_end: usize, end: usize) -> Case {
        let head = slice(self.plain, start, head_end).to_owned();
        let body = slice(self.plain, head_end, end).to_owned();
        let first = line_at(self.plain, head_end);
        Case {
            line: line_at(self.plain, start) + 1,
            off: Off::of(self.lang, &head, &body),
            assertions: assertions(self.lang, &body, first + 1),
            name,
            head,
            body,
        }
    }
}

/// `def test_x` on its own or in a class, with the decorators above it.
fn python(file: &File<'_>) -> Vec<Case> {
    let mut found = Vec::new();
    // Classes around the current line: indentation and name.
    let mut classes: Vec<(usize, String, bool)> = Vec::new();
    let mut decorators: Option<usize> = None;
    let lines = logical_lines(file.code);
    let mut at = 0;
    while at < lines.len() {
        let (start, end) = lines[at];
        let line = &file.code[start..end];
        let text = line.trim_start();
        at += 1;
        if text.trim().is_empty() {
            continue;
        }
        let indent = line.len() - text.len();
        classes.retain(|(outer, ..)| *outer < indent);
        if text.starts_with('@') {
            decorators.get_or_insert(start);
            continue;
        }
        let began = decorators.take().unwrap_or(start);
        if let Some(rest) = text.strip_prefix("class ") {
            let decorated = file.plain[began..end].to_owned();
            let is_off = Off::of(Lang::Python, &decorated, "") == Off::Always;
            classes.push((indent, word(rest).to_owned(), is_off));
            continue;
        }
        let rest = text.strip_prefix("async ").map_or(text, str::trim_start);
        let Some(name) = rest.strip_prefix("def ").map(word) else { continue };
        if !name.starts_with("test") {
            continue;
        }
        let body_end = body_end(file.code, &lines, &mut at, indent, end);
        let of_class: String = classes.iter().map(|(_, name, _)| format!("{name}\u{1f}")).collect();
        let mut case = file.case(format!("{of_class}{name}"), began, end, body_end);
        // A one-line body stands behind the colon.
        if case.body.trim().is_empty()
            && let Some((_, rest)) = file.plain[start..end].rsplit_once("):")
        {
            case.body = rest.to_owned();
            case.assertions = assertions(Lang::Python, &case.body, case.line);
        }
        if classes.iter().any(|(.., is_off)| *is_off) {
            case.off = Off::Always;
        }
        found.push(case);
    }
    found
}

/// Skips the lines that are indented further than `indent`; returns where the last one ends.
fn body_end(
    code: &str,
    lines: &[(usize, usize)],
    at: &mut usize,
    indent: usize,
    head_end: usize,
) -> usize {
    let mut body_end = head_end;
    while let Some((start, end)) = lines.get(*at).copied() {
        let line = &code[start..end];
        let text = line.trim_start();
        if !text.trim().is_empty() {
            if line.len() - text.len() <= indent {
                break;
            }
            body_end = end;
        }
        *at += 1;
    }
    body_end
}

/// Lines with what follows inside brackets.
pub(super) fn logical_lines(code: &str) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let (mut start, mut depth) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if depth == 0 => {
                lines.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < code.len() {
        lines.push((start, code.len()));
    }
    lines
}

/// `#[test]` and its like, then `fn name() { ... }`.
fn rust(file: &File<'_>) -> Vec<Case> {
    let mut found = Vec::new();
    let code = file.code;
    let mut at = 0;
    while let Some(mark) = code[at..].find("#[").map(|mark| at + mark) {
        // All the attributes, then what they belong to.
        let (mut end, mut is_test) = (mark, false);
        while code[end..].trim_start().starts_with("#[") {
            let open = end + code[end..].find('[').unwrap_or(0);
            let close = closing(code, open);
            let attribute = slice(code, open + 1, close.saturating_sub(1).max(open + 1)).trim();
            let name = attribute.split(['(', ' ', '=']).next().unwrap_or_default();
            is_test |= name == "test"
                || name.ends_with("::test")
                || name == "rstest"
                || name == "test_case";
            end = close;
        }
        at = end.max(mark + 2);
        if !is_test {
            continue;
        }
        let rest = &code[end..];
        let Some(open) = rest.find('{').map(|open| end + open) else { break };
        let signature = &code[end..open];
        let Some(name) = signature.split("fn ").nth(1).map(word) else { continue };
        let close = closing(code, open);
        found.push(file.case(name.to_owned(), mark, open, close));
        at = close;
    }
    found
}

/// `func TestX(t *testing.T) { ... }`
fn go(file: &File<'_>) -> Vec<Case> {
    let mut found = Vec::new();
    for (at, _) in file.code.match_indices("func ") {
        let is_first = at == 0 || file.code.as_bytes()[at - 1] == b'\n';
        let name = word(&file.code[at + 5..]);
        if !is_first || !(name.starts_with("Test") || name.starts_with("Fuzz")) {
            continue;
        }
        let Some(open) = file.code[at..].find('{').map(|open| at + open) else { continue };
        found.push(file.case(name.to_owned(), at, open, closing(file.code, open)));
    }
    found
}

/// A method below `@Test`, `[Fact]` and their like.
fn annotated(file: &File<'_>) -> Vec<Case> {
    const MARKS: [&str; 9] = [
        "@Test",
        "@ParameterizedTest",
        "@RepeatedTest",
        "@Property",
        "[Fact",
        "[Theory",
        "[Test",
        "[TestMethod",
        "[TestCase",
    ];
    let mut found: Vec<Case> = Vec::new();
    let mut done = 0;
    for (at, _) in file.code.match_indices(['@', '[']) {
        if at < done || !MARKS.iter().any(|mark| file.code[at..].starts_with(mark)) {
            continue;
        }
        let Some(open) = file.code[at..].find('{').map(|open| at + open) else { continue };
        let signature = &file.code[at..open];
        let Some(name) = method_name(signature) else { continue };
        let close = closing(file.code, open);
        // Annotations above the one that says it is a test.
        let above = file.code[..at].rfind([';', '}', '{']).map_or(0, |at| at + 1);
        found.push(file.case(name, above + leading_blank(&file.plain[above..]), open, close));
        done = close;
    }
    found
}

fn leading_blank(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The name before the last brackets of a signature.
fn method_name(signature: &str) -> Option<String> {
    let open = signature.rfind('(')?;
    let before = signature[..open].trim_end();
    let name: String = before
        .chars()
        .rev()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect::<String>()
        .chars()
        .rev()
        .collect();
    (!name.is_empty()).then_some(name)
}

/// The word at the beginning.
pub(super) fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests;
