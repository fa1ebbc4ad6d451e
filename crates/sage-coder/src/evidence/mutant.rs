//! Small faults to put into a change, to see whether its tests notice: a swapped operator, a constant
//! off by one, a negated condition, a changed string, a lost result.
//!
//! A mutant replaces one line. Which mutants there are, and in which order, depends on the text alone.
//! Strings and comments are told from code; nothing more is understood, so some mutants do not compile:
//! whoever runs them must tell that from a test that fails.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::lexer::{Lang, Part, code_only, parts};

/// Mutants of one line, at most.
const MAX_PER_LINE: usize = 6;

/// Lines that are mutated in one file, at most; they are spread over those that were asked for.
const MAX_LINES: usize = 40;

/// Longest line that is mutated, in bytes; longer ones were not written by hand.
const MAX_LINE_BYTES: usize = 400;

/// A fault in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutant {
    /// The line, from 1.
    pub line: usize,
    /// What is done to it, in words.
    pub what: String,
    /// The line with the fault, without its end.
    pub text: String,
}

/// The mutants of these lines (from 1) of a file, those first that tests are likeliest to notice, and
/// each line once before any line a second time. Empty for languages that are not known.
#[must_use]
pub fn mutants(path: &str, text: &str, lines: &BTreeSet<usize>) -> Vec<Mutant> {
    let Some(lang) = Lang::of(path) else { return Vec::new() };
    let parts = parts(lang, text);
    let code = code_only(text, &parts);
    let tests = if lang == Lang::Rust { rust_test_lines(&code) } else { BTreeSet::new() };
    let mut by_line: Vec<Vec<Mutant>> = Vec::new();
    let mut start = 0;
    for (idx, raw) in text.split('\n').enumerate() {
        let end = start + raw.len();
        let number = idx + 1;
        if lines.contains(&number) && !tests.contains(&number) && raw.len() <= MAX_LINE_BYTES {
            let line = Line {
                lang,
                raw: raw.strip_suffix('\r').unwrap_or(raw),
                code: &code[start..end],
                parts: &parts[start..end],
            };
            let found = line.mutants(number);
            if !found.is_empty() {
                by_line.push(found);
            }
        }
        start = end + 1;
    }
    let by_line = spread(by_line, MAX_LINES);
    let most = by_line.iter().map(Vec::len).max().unwrap_or(0);
    (0..most)
        .flat_map(|n| by_line.iter().filter_map(move |of_line| of_line.get(n).cloned()))
        .collect()
}

/// At most `limit` of the items, evenly spread.
pub fn spread<T>(items: Vec<T>, limit: usize) -> Vec<T> {
    let n = items.len();
    if n <= limit {
        return items;
    }
    let chosen: BTreeSet<usize> = (0..limit).map(|k| k * n / limit).collect();
    items
        .into_iter()
        .enumerate()
        .filter(|(at, _)| chosen.contains(at))
        .map(|(_, item)| item)
        .collect()
}

/// Lines (from 1) of modules and functions that are compiled for tests only.
pub(super) fn rust_test_lines(code: &str) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for mark in ["#[cfg(test)]", "#[test]"] {
        for (at, _) in code.match_indices(mark) {
            let Some(open) = code[at..].find('{').map(|open| at + open) else { continue };
            let end = super::lexer::closing(code, open);
            let (first, last) = (super::lexer::line_at(code, at), super::lexer::line_at(code, end));
            lines.extend(first + 1..=last + 1);
        }
    }
    lines
}

/// One line with what is known about its bytes.
struct Line<'a> {
    lang: Lang,
    raw: &'a str,
    code: &'a str,
    parts: &'a [Part],
}

/// Operators and what they become; those with letters or angles need blanks around them.
const COMPARISONS: &[(&str, &str)] = &[
    ("===", "!=="),
    ("!==", "==="),
    ("==", "!="),
    ("!=", "=="),
    (" <= ", " > "),
    (" >= ", " < "),
    (" < ", " >= "),
    (" > ", " <= "),
    (" not in ", " in "),
    (" is not ", " is "),
];
const BOOLEANS: &[(&str, &str)] = &[
    ("&&", "||"),
    ("||", "&&"),
    (" and ", " or "),
    (" or ", " and "),
    ("True", "False"),
    ("False", "True"),
    ("true", "false"),
    ("false", "true"),
];
const ARITHMETIC: &[(&str, &str)] = &[
    (" ** ", " * "),
    (" // ", " * "),
    (" += ", " -= "),
    (" -= ", " += "),
    (" *= ", " += "),
    (" /= ", " *= "),
    (" + ", " - "),
    (" - ", " + "),
    (" * ", " + "),
    (" / ", " * "),
    (" % ", " * "),
    (" << ", " >> "),
    (" >> ", " << "),
    ("++", "--"),
    ("--", "++"),
];

impl Line<'_> {
    fn mutants(&self, line: usize) -> Vec<Mutant> {
        let head = self.code.trim_start();
        // What a file takes from others, attributes, and lines of text say nothing that tests judge.
        const NOT_MUTATED: [&str; 19] = [
            "import ",
            "from ",
            "use ",
            "pub use ",
            "package ",
            "#include",
            "#[",
            "#![",
            "@",
            "extern ",
            "mod ",
            "pub mod ",
            "require(",
            "export * ",
            "export {",
            "module.exports",
            "exports.",
            "__all__",
            "if __name__",
        ];
        if head.trim().is_empty()
            || NOT_MUTATED.iter().any(|start| head.starts_with(start))
            || self.code.contains("require(")
        {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.swaps(COMPARISONS, &mut found);
        self.swaps(BOOLEANS, &mut found);
        self.swaps(ARITHMETIC, &mut found);
        self.negated(&mut found);
        self.constants(&mut found);
        self.strings(&mut found);
        self.lost_results(&mut found);
        let mut seen = BTreeSet::new();
        found
            .into_iter()
            .filter(|(_, text)| text != self.raw && seen.insert(text.clone()))
            .take(MAX_PER_LINE)
            .map(|(what, text)| Mutant { line, what, text })
            .collect()
    }

    fn is_code(&self, at: usize, len: usize) -> bool {
        self.parts[at..at + len].iter().all(|part| *part == Part::Code)
    }

    /// The line with a part of it replaced.
    fn with(&self, at: usize, len: usize, new: &str) -> String {
        format!("{}{new}{}", &self.raw[..at], &self.raw[at + len..])
    }

    fn swaps(&self, table: &[(&str, &str)], found: &mut Vec<(String, String)>) {
        let bytes = self.code.as_bytes();
        let is_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let mut taken = vec![false; self.raw.len()];
        for (old, new) in table {
            for (at, _) in self.code.match_indices(old) {
                let end = at + old.len();
                if end > self.raw.len()
                    || !self.is_code(at, old.len())
                    || taken[at..end].contains(&true)
                {
                    continue;
                }
                let (before, after) =
                    (at.checked_sub(1).and_then(|at| bytes.get(at)), bytes.get(end));
                let is_name = old.starts_with(|c: char| c.is_ascii_alphabetic());
                if is_name && (is_word(before) || is_word(after) || before == Some(&b'.')) {
                    continue;
                }
                let is_symbol = !old.starts_with(' ') && !is_name;
                if is_symbol && (before.is_some_and(is_operator) || after.is_some_and(is_operator))
                {
                    continue;
                }
                // An operator between two values has one before it; `|| 1` of Rust is a closure.
                let value_before = self.code[..at].trim_end().ends_with(|c: char| {
                    c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '}' | '?')
                }) || self.code[..at].trim_end().len()
                    < self.raw[..at].trim_end().len();
                if !is_name && !value_before {
                    continue;
                }
                taken[at..end].fill(true);
                let what = format!("`{}` to `{}`", old.trim(), new.trim());
                found.push((what, self.with(at, old.len(), new)));
            }
        }
    }

    /// `if x` to `if not x`, in the way of the language.
    fn negated(&self, found: &mut Vec<(String, String)>) {
        let indent = self.code.len() - self.code.trim_start().len();
        let head = &self.code[indent..];
        let starts = ["if ", "elif ", "} else if ", "else if "];
        let Some(start) = starts.iter().find(|start| head.starts_with(**start)) else { return };
        let from = indent + start.len();
        let ends_with = if self.lang == Lang::Python { ':' } else { '{' };
        let Some(to) = self.code.rfind(ends_with).filter(|to| *to > from) else { return };
        let condition = self.raw[from..to].trim();
        if condition.is_empty() || condition.contains(';') || self.code[from..].starts_with("let ")
        {
            return;
        }
        let negated = match self.lang {
            Lang::Python => format!("not ({condition})"),
            Lang::Rust | Lang::Go => format!("!({condition}) "),
            // The condition stands in brackets of its own.
            _ if condition.starts_with('(') => format!("(!{condition}) "),
            _ => return,
        };
        found.push(("condition negated".to_owned(), self.with(from, to - from, &negated)));
    }

    /// A whole number that is one more.
    fn constants(&self, found: &mut Vec<(String, String)>) {
        let bytes = self.code.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let end = bytes[at..]
                .iter()
                .position(|b| !b.is_ascii_digit())
                .map_or(bytes.len(), |n| at + n);
            let before = at.checked_sub(1).map(|before| bytes[before]);
            let after = bytes.get(end).copied();
            let is_part = |b: Option<u8>| {
                b.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
            };
            // `1u32` and `1_i64` are numbers as well; `0x1f` and `1.5` are left alone.
            let has_suffix = matches!(after, Some(b'u' | b'i')) && self.lang == Lang::Rust;
            if end <= self.raw.len()
                && !is_part(before)
                && (has_suffix || !is_part(after))
                && let Ok(number) = self.code[at..end].parse::<u64>()
                && let Some(more) = number.checked_add(1)
            {
                let what = format!("`{number}` to `{more}`");
                found.push((what, self.with(at, end - at, &more.to_string())));
            }
            at = end;
        }
    }

    /// A string with another beginning.
    fn strings(&self, found: &mut Vec<(String, String)>) {
        // A line that begins with a string is a docstring, or part of a longer text.
        if self.raw.trim_start().starts_with(['"', '\'', '`']) && self.lang == Lang::Python {
            return;
        }
        let mut at = 0;
        while at < self.raw.len() {
            if self.parts[at] != Part::Text {
                at += 1;
                continue;
            }
            let end = (at..self.raw.len())
                .find(|at| self.parts[*at] != Part::Text)
                .unwrap_or(self.raw.len());
            let text = &self.raw[at..end];
            let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
            let is_char =
                quote == Some('\'') && matches!(self.lang, Lang::Rust | Lang::Go | Lang::Braces);
            let is_closed = quote.is_some_and(|quote| text.len() >= 2 && text.ends_with(quote));
            let is_triple = text.len() > 5 && quote.is_some_and(|q| text[1..].starts_with([q]));
            if is_closed && !is_char && !is_triple {
                let shown: String = text.chars().take(30).collect();
                let what = format!("{shown} begins with `~`");
                found.push((what, self.with(at + 1, 0, "~")));
            }
            at = end;
        }
    }

    /// A result or a statement that is lost.
    fn lost_results(&self, found: &mut Vec<(String, String)>) {
        let indent = &self.raw[..self.raw.len() - self.raw.trim_start().len()];
        let code = self.code.trim();
        let closed = ['(', '[', '{']
            .iter()
            .zip([')', ']', '}'])
            .all(|(open, close)| code.matches(*open).count() == code.matches(close).count());
        if !closed {
            self.early_return(code, found);
            return;
        }
        let result = code.strip_prefix("return ").map(str::trim).filter(|rest| !rest.is_empty());
        let nothing = match self.lang {
            Lang::Python => "None",
            Lang::Script => "null",
            Lang::Rust => "Default::default()",
            Lang::Go | Lang::Braces => "",
        };
        if result.is_some() && !nothing.is_empty() {
            let end = if code.ends_with(';') { ";" } else { "" };
            let text = format!("{indent}return {nothing}{end}");
            found.push(("result lost".to_owned(), text));
            return;
        }
        // An arrow function of one expression.
        if self.lang == Lang::Script
            && let Some(arrow) = self.code.find("=> ").map(|arrow| arrow + 3)
            && !self.code[arrow..].trim_start().starts_with('{')
            && self.code.trim_end().ends_with(';')
        {
            found.push(("result lost".to_owned(), format!("{}null;", &self.raw[..arrow])));
        }
        let is_call = code.ends_with(')') || code.ends_with(");");
        let first =
            code.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let is_word = matches!(
            first,
            "if" | "for"
                | "while"
                | "elif"
                | "else"
                | "return"
                | "def"
                | "class"
                | "fn"
                | "func"
                | "let"
                | "const"
                | "var"
                | "function"
                | "try"
                | "with"
                | "match"
                | "switch"
                | "raise"
                | "throw"
                | "assert"
                | "async"
                | "pub"
                | "await"
                | "yield"
                | "case"
        );
        let binds = code.contains(":=")
            || code.contains(" = ")
                && !code.split(" = ").next().is_some_and(|to| to.contains(['.', '[']));
        let is_statement =
            self.lang == Lang::Python || code.ends_with(';') || self.lang == Lang::Go;
        if is_statement
            && !is_word
            && !binds
            && (is_call || code.contains("= "))
            && !code.ends_with(':')
        {
            let nothing = if self.lang == Lang::Python { "pass" } else { "" };
            found.push(("statement removed".to_owned(), format!("{indent}{nothing}")));
        }
        self.early_return(code, found);
    }

    /// A function that returns nothing in particular, where that may compile.
    fn early_return(&self, code: &str, found: &mut Vec<(String, String)>) {
        let line = self.raw.trim_end();
        let is_function = match self.lang {
            Lang::Rust => code.contains("fn ") && code.contains("->") && code.ends_with('{'),
            Lang::Script => {
                (code.contains("function ") || code.ends_with("=> {")) && code.ends_with('{')
            }
            Lang::Python => {
                (code.starts_with("def ") || code.starts_with("async def ")) && code.ends_with(':')
            }
            Lang::Go | Lang::Braces => false,
        };
        if !is_function {
            return;
        }
        let indent = &self.raw[..self.raw.len() - self.raw.trim_start().len()];
        let rest = match self.lang {
            Lang::Python => format!("{line}\n{indent}    return None"),
            Lang::Rust => format!("{line} return Default::default();"),
            _ => format!("{line} return null;"),
        };
        found.push(("returns at once".to_owned(), rest));
    }
}

fn is_operator(byte: &u8) -> bool {
    b"=<>!&|+-*/%".contains(byte)
}

#[cfg(test)]
mod tests;
