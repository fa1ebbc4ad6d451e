//! The format between `*** Begin Patch` and `*** End Patch`: files to add, delete and update, with
//! chunks that need no line numbers.
//!
//! A chunk becomes a replacement of its old lines by its new ones. The text after `@@` names a place
//! for people; nothing is placed by it.

use super::Edit;
use super::error::ParseErrorKind;

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";

/// Whether a line begins a patch.
pub(super) fn begins(line: &str) -> bool {
    line.trim() == BEGIN
}

/// Reads the patch that begins at `lines[start]`; also returns the line after it.
pub(super) fn parse(lines: &[&str], start: usize) -> Result<(Vec<Edit>, usize), ParseErrorKind> {
    let body = &lines[start + 1..];
    let Some(end) = body.iter().position(|line| line.trim() == END) else {
        return Err(ParseErrorKind::Unfinished { expected: END.to_owned() });
    };
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
        if let Some(path) = line.strip_prefix("*** Add File:") {
            edits.push(Edit::Create { path: path.trim().to_owned(), content: added(lines)? });
        } else if let Some(path) = line.strip_prefix("*** Delete File:") {
            if let Some(line) = lines.iter().find(|line| !line.trim().is_empty()) {
                return Err(unsupported(line));
            }
            edits.push(Edit::Delete { path: path.trim().to_owned() });
        } else if let Some(path) = line.strip_prefix("*** Update File:") {
            update(path.trim(), lines, &mut edits)?;
        } else {
            return Err(unsupported(line));
        }
    }
    Ok((edits, start + 1 + end + 1))
}

fn is_file(line: &str) -> bool {
    ["*** Add File:", "*** Delete File:", "*** Update File:"]
        .iter()
        .any(|sign| line.starts_with(sign))
}

fn added(lines: &[&str]) -> Result<String, ParseErrorKind> {
    let n_lines = lines.len() - lines.iter().rev().take_while(|line| line.is_empty()).count();
    lines[..n_lines]
        .iter()
        .map(|line| match line.strip_prefix('+') {
            Some(text) => Ok(format!("{text}\n")),
            None => Err(unsupported(line)),
        })
        .collect()
}

fn update(path: &str, lines: &[&str], edits: &mut Vec<Edit>) -> Result<(), ParseErrorKind> {
    let (mut search, mut replace) = (String::new(), String::new());
    let mut is_changed = false;
    let n_lines = lines.len() - lines.iter().rev().take_while(|line| line.is_empty()).count();
    let mut flush = |search: &mut String, replace: &mut String, is_changed: &mut bool| {
        let (search, replace) = (std::mem::take(search), std::mem::take(replace));
        if std::mem::take(is_changed) {
            edits.push(Edit::Replace { path: Some(path.to_owned()), search, replace });
        }
    };
    for line in &lines[..n_lines] {
        if line.starts_with("@@") || line.trim_end() == "*** End of File" {
            flush(&mut search, &mut replace, &mut is_changed);
            continue;
        }
        let (sign, text) = match line.chars().next() {
            None => (' ', ""),
            Some(sign @ (' ' | '+' | '-')) => (sign, &line[1..]),
            Some(_) => return Err(unsupported(line)),
        };
        is_changed |= sign != ' ';
        if sign != '+' {
            search.push_str(&format!("{text}\n"));
        }
        if sign != '-' {
            replace.push_str(&format!("{text}\n"));
        }
    }
    flush(&mut search, &mut replace, &mut is_changed);
    Ok(())
}

fn unsupported(line: &str) -> ParseErrorKind {
    let line: String = line.chars().take(80).collect();
    ParseErrorKind::Unsupported { what: format!("the line {line:?} in a patch") }
}
