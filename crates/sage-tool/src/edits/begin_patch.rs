//! The format between `*** Begin Patch` and `*** End Patch`: files to add, delete, move and update, with
//! chunks that need no line numbers.
//!
//! A chunk becomes a replacement of its old lines by its new ones. The lines after `@@` stand above the
//! place: they decide between places that fit equally well.

use super::error::ParseErrorKind;
use super::{Edit, Hunk};

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File:";
const DELETE: &str = "*** Delete File:";
const UPDATE: &str = "*** Update File:";
const MOVE: &str = "*** Move to:";
const END_OF_FILE: &str = "*** End of File";

/// Whether a line begins a patch.
pub(super) fn begins(line: &str) -> bool {
    line.trim() == BEGIN
}

/// Whether a line is of a patch, as far as it can be told without its beginning.
pub(super) fn is_stray(line: &str) -> bool {
    is_file(line.trim_start()) || line.trim() == END
}

/// Reads the patch that begins at `lines[start]`; also returns the line after it.
pub(super) fn parse(lines: &[&str], start: usize) -> Result<(Vec<Edit>, usize), ParseErrorKind> {
    let body = &lines[start + 1..];
    let Some(end) = body.iter().position(|line| line.trim() == END || begins(line)) else {
        return Err(ParseErrorKind::Unfinished { expected: END.to_owned() });
    };
    if begins(body[end]) {
        return Err(ParseErrorKind::Unfinished { expected: END.to_owned() });
    }
    // The whole patch may be indented, as in a list.
    let indent = lines[start].len() - lines[start].trim_start_matches(' ').len();
    let is_indented = |line: &&str| {
        line.trim().is_empty() || line.bytes().take(indent).filter(|b| *b == b' ').count() == indent
    };
    let n_stripped = if body[..end].iter().all(is_indented) { indent } else { 0 };
    let body: Vec<&str> = body[..end]
        .iter()
        .map(|line| line.get(n_stripped..).unwrap_or_default().trim_end_matches('\r'))
        .collect();
    let mut edits = Vec::new();
    let mut at = 0;
    while at < end {
        let line = body[at].trim_end();
        at += 1;
        if line.is_empty() {
            continue;
        }
        let next = at + body[at..end].iter().position(|line| is_file(line)).unwrap_or(end - at);
        let lines = &body[at..next];
        at = next;
        if let Some(path) = line.strip_prefix(ADD) {
            edits.push(Edit::Create { path: name(path)?, content: added(lines)? });
        } else if let Some(path) = line.strip_prefix(DELETE) {
            if let Some(line) = lines.iter().find(|line| !line.trim().is_empty()) {
                return Err(unsupported(line));
            }
            edits.push(Edit::Delete { path: name(path)? });
        } else if let Some(path) = line.strip_prefix(UPDATE) {
            update(name(path)?, lines, &mut edits)?;
        } else {
            return Err(unsupported(line));
        }
    }
    Ok((edits, start + 1 + end + 1))
}

fn is_file(line: &str) -> bool {
    [ADD, DELETE, UPDATE].iter().any(|sign| line.starts_with(sign))
}

fn name(text: &str) -> Result<String, ParseErrorKind> {
    match text.trim().trim_matches(['`', '"']) {
        "" => {
            Err(ParseErrorKind::Unsupported { what: "a patch of a file without a name".to_owned() })
        }
        name => Ok(name.to_owned()),
    }
}

fn added(lines: &[&str]) -> Result<String, ParseErrorKind> {
    let n_lines = lines.len() - lines.iter().rev().take_while(|line| line.is_empty()).count();
    let mut lines = &lines[..n_lines];
    if let Some((last, rest)) = lines.split_last()
        && last.trim_end() == END_OF_FILE
    {
        lines = rest;
    }
    lines
        .iter()
        .map(|line| match line.strip_prefix('+') {
            Some(text) => Ok(format!("{text}\n")),
            None => Err(unsupported(line)),
        })
        .collect()
}

fn update(mut path: String, lines: &[&str], edits: &mut Vec<Edit>) -> Result<(), ParseErrorKind> {
    let n_lines = lines.len() - lines.iter().rev().take_while(|line| line.is_empty()).count();
    let mut lines = &lines[..n_lines];
    let n_edits = edits.len();
    if let Some((first, rest)) = lines.split_first()
        && let Some(to) = first.strip_prefix(MOVE)
    {
        let to = name(to)?;
        edits.push(Edit::Move { path: std::mem::replace(&mut path, to.clone()), to });
        lines = rest;
    }
    let mut chunk = Chunk::default();
    for line in lines {
        if let Some(anchor) = line.strip_prefix("@@") {
            chunk.flush(&path, edits);
            let anchor = anchor.trim().trim_end_matches("@@").trim();
            if !anchor.is_empty() && !is_range(anchor) {
                chunk.hunk.anchors.push(anchor.to_owned());
            }
            continue;
        }
        if line.trim_end() == END_OF_FILE {
            chunk.hunk.at_end = true;
            chunk.flush(&path, edits);
            continue;
        }
        let (sign, text) = match line.chars().next() {
            None => (' ', ""),
            Some(sign @ (' ' | '+' | '-')) => (sign, &line[1..]),
            Some(_) => return Err(unsupported(line)),
        };
        chunk.is_changed |= sign != ' ';
        chunk.has_lines = true;
        if sign != '+' {
            chunk.hunk.search.push_str(&format!("{text}\n"));
        }
        if sign != '-' {
            chunk.hunk.replace.push_str(&format!("{text}\n"));
        }
    }
    chunk.flush(&path, edits);
    if edits.len() == n_edits {
        return Err(ParseErrorKind::Unsupported {
            what: format!("an update of {path} without changes"),
        });
    }
    Ok(())
}

/// Line numbers, as in another kind of diff: they say nothing here.
fn is_range(anchor: &str) -> bool {
    anchor.starts_with('-')
        && anchor.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | ',' | ' '))
}

#[derive(Default)]
struct Chunk {
    hunk: Hunk,
    is_changed: bool,
    has_lines: bool,
}

impl Chunk {
    /// Ends the chunk. Anchors that follow each other lead from the outside to the inside.
    fn flush(&mut self, path: &str, edits: &mut Vec<Edit>) {
        if !self.has_lines && !self.hunk.at_end {
            return;
        }
        let mut chunk = std::mem::take(self);
        chunk.hunk.is_marked = true;
        if chunk.is_changed {
            edits.push(Edit::Hunk { path: Some(path.to_owned()), hunk: chunk.hunk });
        }
    }
}

fn unsupported(line: &str) -> ParseErrorKind {
    let line: String = line.chars().take(80).collect();
    ParseErrorKind::Unsupported { what: format!("the line {line:?} in a patch") }
}
