//! Search/replace blocks:
//!
//! ```text
//! src/hello.py
//! <<<<<<< SEARCH
//! old lines
//! =======
//! new lines
//! >>>>>>> REPLACE
//! ```
//!
//! Invariant: a block whose parts cannot be told apart for certain is an error. Markers may have five
//! to nine characters; where marker lines are part of the text itself, markers of at least
//! [`CLEAR_MARKER_CHARS`] characters around the block tell them apart.

use super::error::ParseErrorKind;
use super::labels::label;

/// Marker characters that models write for the seven that are asked for.
const MARKER_CHARS: std::ops::RangeInclusive<usize> = 5..=9;

/// A block with markers this long may contain shorter marker lines as text.
const CLEAR_MARKER_CHARS: usize = 9;

/// A block as parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// A path on the opening marker line.
    pub(super) path: Option<String>,
    pub(super) search: String,
    pub(super) replace: String,
    /// The line of the file (from 1) at which the search text is said to begin.
    pub(super) line: Option<usize>,
    /// The line after the block.
    pub(super) end: usize,
}

enum Marker {
    Head(usize),
    Divider(usize),
    End(usize),
}

/// Whether a line opens a block.
pub(super) fn is_head(line: &str) -> bool {
    matches!(marker(line), Some(Marker::Head(_)))
}

/// Whether a text has the lines of a block in it, in order.
pub(super) fn has_block(lines: &[&str]) -> bool {
    let mut markers = lines.iter().filter_map(|line| marker(line));
    markers.any(|found| matches!(found, Marker::Head(_)))
        && markers.any(|found| matches!(found, Marker::Divider(_)))
        && markers.any(|found| matches!(found, Marker::End(_)))
}

fn marker(line: &str) -> Option<Marker> {
    let line = line.trim();
    let run = |sign: char| {
        let n = line.chars().take_while(|found| *found == sign).count();
        MARKER_CHARS.contains(&n).then(|| (n, line[n..].trim()))
    };
    let word = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        rest[..end].to_ascii_uppercase()
    };
    if let Some((n, rest)) = run('<') {
        return matches!(word(rest).as_str(), "SEARCH" | "ORIGINAL").then_some(Marker::Head(n));
    }
    if let Some((n, rest)) = run('>') {
        return matches!(word(rest).as_str(), "REPLACE" | "UPDATED").then_some(Marker::End(n));
    }
    if let Some((n, "SEARCH")) = run('-') {
        return Some(Marker::Head(n));
    }
    if let Some((n, "REPLACE")) = run('+') {
        return Some(Marker::End(n));
    }
    match run('=') {
        Some((n, "")) => Some(Marker::Divider(n)),
        _ => None,
    }
}

/// Parses the block that opens on `lines[start]`.
pub(super) fn parse(lines: &[&str], start: usize) -> Result<Block, ParseErrorKind> {
    let Some(Marker::Head(n_head)) = lines.get(start).and_then(|line| marker(line)) else {
        return Err(ParseErrorKind::NoDivider);
    };
    let body = &lines[start + 1..];
    let is_clear = n_head >= CLEAR_MARKER_CHARS;
    let end = body.iter().position(|line| match marker(line) {
        Some(Marker::End(n)) => !is_clear || n == n_head,
        _ => false,
    });
    let next_head = body.iter().position(|line| match marker(line) {
        Some(Marker::Head(n)) => !is_clear || n == n_head,
        _ => false,
    });
    let end = match (end, next_head) {
        (Some(end), Some(next)) if next < end => None,
        (end, _) => end,
    };
    let region = &body[..end.or(next_head).unwrap_or(body.len())];
    let dividers: Vec<(usize, usize)> = region
        .iter()
        .enumerate()
        .filter_map(|(at, line)| match marker(line) {
            Some(Marker::Divider(n)) if !is_clear || n == n_head => Some((at, n)),
            _ => None,
        })
        .collect();
    let Some(end) = end else {
        let expected = if dividers.is_empty() { "=======" } else { ">>>>>>> REPLACE" };
        return Err(ParseErrorKind::Unfinished { expected: expected.to_owned() });
    };
    let divider = match dividers.as_slice() {
        [] => return Err(ParseErrorKind::NoDivider),
        [(at, _)] => *at,
        // A line of equal signs under a heading is rarely as long as the markers of the block.
        several => {
            match several.iter().filter(|(_, n)| *n == n_head).collect::<Vec<_>>().as_slice() {
                [(at, _)] => *at,
                _ => return Err(ParseErrorKind::UnclearMarkers),
            }
        }
    };
    let (line, n_said) = said_line(&body[..divider]);
    let indent = lines[start].len() - lines[start].trim_start().len();
    Ok(Block {
        path: head_path(lines[start]),
        search: joined(&body[n_said..divider], indent),
        replace: joined(&body[divider + 1..end], indent),
        line,
        end: start + 1 + end + 1,
    })
}

/// A line number in front of the search text, `:start_line:12` and a rule, and how many lines say it.
fn said_line(lines: &[&str]) -> (Option<usize>, usize) {
    let number = |line: &&str| line.trim().strip_prefix(":start_line:")?.trim().parse().ok();
    let Some(line) = lines.first().and_then(number) else { return (None, 0) };
    let is_rule = |line: &str| line.trim().len() >= 5 && line.trim().bytes().all(|b| b == b'-');
    let said = lines.iter().take(3).position(|line| is_rule(line)).map_or(1, |at| at + 1);
    (Some(line), said)
}

/// A path behind the opening marker: `<<<<<<< SEARCH src/a.py`.
fn head_path(line: &str) -> Option<String> {
    let rest = line.trim().trim_start_matches('<').trim();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    label(rest[end..].trim_matches(['>', ':', ' ']))
}

/// The lines as text. If the whole block is indented by `indent`, as in a list, so is its text.
fn joined(lines: &[&str], indent: usize) -> String {
    let is_indented = lines.iter().all(|line| {
        line.trim().is_empty() || line.bytes().take(indent).filter(|b| *b == b' ').count() == indent
    });
    let n_stripped = if is_indented { indent } else { 0 };
    lines.iter().map(|line| format!("{}\n", line.get(n_stripped..).unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(String, String), ParseErrorKind> {
        let lines: Vec<&str> = text.lines().collect();
        parse(&lines, 0).map(|block| (block.search, block.replace))
    }

    fn parts(search: &str, replace: &str) -> Result<(String, String), ParseErrorKind> {
        Ok((search.to_owned(), replace.to_owned()))
    }

    #[test]
    fn the_number_of_marker_characters_may_vary() {
        for (head, divider, end) in [(7, 7, 7), (5, 7, 9), (9, 9, 9), (6, 8, 7)] {
            let text = format!(
                "{} SEARCH\na\n{}\nb\n{} REPLACE\n",
                "<".repeat(head),
                "=".repeat(divider),
                ">".repeat(end)
            );
            assert_eq!(check(&text), parts("a\n", "b\n"), "{text}");
        }
        assert_eq!(check("<<<<<<< search\n=======\nb\n>>>>>>> replace```"), parts("", "b\n"));
        assert_eq!(check("<<<<<<< ORIGINAL\na\n=======\n>>>>>>> UPDATED"), parts("a\n", ""));
        assert_eq!(
            check("  <<<<<<< SEARCH\n  a\n\n    b\n  =======\n  c\n  >>>>>>> REPLACE"),
            parts("a\n\n  b\n", "c\n")
        );
    }

    #[test]
    fn an_unfinished_block_is_an_error() {
        let unfinished =
            |expected: &str| Err(ParseErrorKind::Unfinished { expected: expected.into() });
        assert_eq!(check("<<<<<<< SEARCH\na\n=======\nb\n"), unfinished(">>>>>>> REPLACE"));
        assert_eq!(check("<<<<<<< SEARCH\na\n"), unfinished("======="));
        assert_eq!(
            check(
                "<<<<<<< SEARCH\na\n=======\nb\n<<<<<<< SEARCH\nc\n=======\nd\n>>>>>>> REPLACE\n"
            ),
            unfinished(">>>>>>> REPLACE")
        );
        assert_eq!(check("<<<<<<< SEARCH\na\n>>>>>>> REPLACE"), Err(ParseErrorKind::NoDivider));
    }

    #[test]
    fn text_that_looks_like_a_marker_is_told_apart_or_refused() {
        assert_eq!(
            check("<<<<<<< SEARCH\nTitle\n=====\n=======\nOther\n=====\n>>>>>>> REPLACE"),
            parts("Title\n=====\n", "Other\n=====\n")
        );
        assert_eq!(
            check("<<<<<<< SEARCH\nHeading\n=======\n=======\nSubject\n=======\n>>>>>>> REPLACE"),
            Err(ParseErrorKind::UnclearMarkers)
        );
        let inner = "<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n";
        assert_eq!(
            check(&format!("<<<<<<<<< SEARCH\n{inner}=========\nz\n>>>>>>>>> REPLACE")),
            parts(inner, "z\n")
        );
    }
}
