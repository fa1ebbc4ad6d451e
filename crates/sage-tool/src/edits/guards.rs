//! What must never be written: placeholders where code should be, and a few lines in place of a whole
//! file.

use std::collections::HashMap;

use super::diff::{is_text, line_diff_counts};
use super::elision;
use super::error::ApplyError;
use super::language::is_prose;
use super::lines::{BOM, Ending, dominant_ending, split, without_bom};
use super::{Applied, Rung};

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A file with fewer lines than this (blank ones not counted) may be rewritten without asking.
const SMALL_FILE_LINES: usize = 15;

/// Whether `new` throws most of `old` away: it keeps less than a third of its lines (in any order,
/// indentation aside) and is less than two thirds as long. Small files do not count, unless
/// they are emptied.
#[must_use]
pub fn removes_most(old: &[u8], new: &[u8]) -> bool {
    let before = text_lines(old);
    let after = text_lines(new);
    if after.is_empty() && before.len() >= 5 {
        return true;
    }
    if before.len() < SMALL_FILE_LINES || after.len() * 3 >= before.len() * 2 {
        return false;
    }
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for line in &after {
        *counts.entry(line).or_default() += 1;
    }
    let mut n_kept = 0;
    for line in &before {
        if let Some(count) = counts.get_mut(line).filter(|count| **count > 0) {
            *count -= 1;
            n_kept += 1;
        }
    }
    n_kept * 3 < before.len()
}

fn text_lines(bytes: &[u8]) -> Vec<&[u8]> {
    split(bytes)
        .into_iter()
        .map(|line| line.text.trim_ascii())
        .filter(|text| !text.is_empty())
        .collect()
}

/// Whether a whole-file write may replace most of an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Only if it keeps a fair part of it.
    Guarded,
    /// Whatever is there.
    Allowed,
}

/// The bytes to write when a model gives a whole file.
///
/// Over an existing file (`old`), lines that stay keep their bytes, and new ones get the file's line
/// endings; byte order mark and a missing final newline survive. Refused: placeholders that the old
/// file does not have, a text that removes most of the file (see [`removes_most`]) unless allowed,
/// bytes that are not UTF-8 and would be lost, and a text that changes nothing.
pub fn apply_write(
    path: &str,
    old: Option<&[u8]>,
    content: &str,
    overwrite: Overwrite,
) -> Result<Applied, ApplyError> {
    let content = content.strip_prefix('\u{FEFF}').unwrap_or(content);
    let mut rung = Rung::Exact;
    let filled;
    let content = match refuse_placeholder(path, content, old.unwrap_or_default()) {
        Ok(()) => content,
        Err(error) => {
            filled = old.and_then(|old| fill_in(path, content, old)).ok_or(error)?;
            rung = Rung::Elisions;
            &filled
        }
    };
    refuse_markers(path, content, old.unwrap_or_default())?;
    let Some(old) = old else {
        let (lines_added, _) = line_diff_counts(b"", content.as_bytes());
        let content = content.as_bytes().to_vec();
        return Ok(Applied { content, rung: Rung::Exact, lines_added, lines_removed: 0 });
    };
    let is_part = || removes_most(old, content.as_bytes()) || is_excerpt(old, content.as_bytes());
    if overwrite == Overwrite::Guarded && is_part() {
        return Err(ApplyError::RemovesMost {
            n_before: split(old).len(),
            n_after: split(content.as_bytes()).len(),
        });
    }
    let new = if is_text(old) { in_style_of(old, content)? } else { content.as_bytes().to_vec() };
    if new == old {
        return Err(ApplyError::NoChange);
    }
    let (lines_added, lines_removed) = line_diff_counts(old, &new);
    Ok(Applied { content: new, rung, lines_added, lines_removed })
}

/// A whole file with its placeholders filled in from the old one, if that can be done in one way.
fn fill_in(path: &str, content: &str, old: &[u8]) -> Option<String> {
    if !is_text(old) {
        return None;
    }
    let (_, body) = without_bom(old);
    let shown: Vec<String> = split(body).iter().map(|line| line.shown().into_owned()).collect();
    let old_lines: Vec<&str> = shown.iter().map(String::as_str).collect();
    let new_lines: Vec<&str> = content.lines().collect();
    let known = |line: &str| shown.iter().any(|old| old.trim() == line.trim());
    let is_left_out = |line: &str| {
        !known(line) && (is_placeholder(line) || bare_dots(path, line, |_| false).is_some())
    };
    let filled = elision::fill(&old_lines, &new_lines, &is_left_out)?;
    let filled: String = filled.iter().map(|line| format!("{line}\n")).collect();
    refuse_placeholder(path, &filled, old).is_ok().then_some(filled)
}

/// Refuses a whole file with the markers of an unresolved conflict or of an edit that was not read as
/// one, unless they are in the file already or it is prose.
fn refuse_markers(path: &str, new: &str, old: &[u8]) -> Result<(), ApplyError> {
    let is_marker = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
    if is_prose(path) || !new.contains("\n=======\n") {
        return Ok(());
    }
    let known = |line: &str| text_lines(old).contains(&line.trim().as_bytes());
    match new.lines().enumerate().find(|(_, line)| is_marker(line) && !known(line)) {
        Some((at, line)) => Err(ApplyError::Markers { line: at + 1, text: line.to_owned() }),
        None => Ok(()),
    }
}

/// Lines at the beginning of a file that are rarely given up without a replacement.
const HEAD_LINES: usize = 3;
/// Lines at the end of a file that are not given up without asking, if they are a good part of it.
const TAIL_LINES: usize = 10;

/// Whether `new` looks like a part of `old`, given as if it were all of it: it begins in a block that
/// is not there, without the file's first lines, or ends long before the file does.
fn is_excerpt(old: &[u8], new: &[u8]) -> bool {
    let (before, after) = (text_lines(without_bom(old).1), text_lines(new));
    if before.len() < 2 * HEAD_LINES || after.len() >= before.len() {
        return false;
    }
    let indent = |bytes: &[u8]| {
        let first =
            split(without_bom(bytes).1).into_iter().find(|line| !line.text.trim_ascii().is_empty());
        first.is_some_and(|line| line.text.starts_with(b" ") || line.text.starts_with(b"\t"))
    };
    if indent(new) && !indent(old) {
        return true;
    }
    let ops = capture_diff_slices(Algorithm::Myers, &before, &after);
    let lost = |op: Option<&DiffOp>| match op {
        Some(DiffOp::Equal { .. }) | None => 0,
        Some(op) => op.old_range().len().saturating_sub(op.new_range().len()),
    };
    let n_tail = lost(ops.last());
    lost(ops.first()) >= HEAD_LINES || (n_tail >= TAIL_LINES && n_tail * 3 >= before.len())
}

fn in_style_of(old: &[u8], content: &str) -> Result<Vec<u8>, ApplyError> {
    let (has_bom, body) = without_bom(old);
    let before = split(body);
    if before.is_empty() {
        return Ok(if has_bom { [BOM, content.as_bytes()].concat() } else { content.into() });
    }
    let after = split(content.as_bytes());
    let style = dominant_ending(&before);
    let shown_before: Vec<_> = before.iter().map(super::lines::Line::shown).collect();
    let shown_after: Vec<_> = after.iter().map(super::lines::Line::shown).collect();
    let mut output: Vec<(&[u8], Ending)> = Vec::with_capacity(after.len());
    for op in capture_diff_slices(Algorithm::Myers, &shown_before, &shown_after) {
        if let DiffOp::Equal { .. } = op {
            output.extend(before[op.old_range()].iter().map(|line| (line.text, line.ending)));
            continue;
        }
        let lost = op.old_range().find(|at| str::from_utf8(before[*at].text).is_err());
        if let Some(at) = lost
            && shown_after[op.new_range()]
                .iter()
                .any(|line| line.contains(char::REPLACEMENT_CHARACTER))
        {
            return Err(ApplyError::NotText { line: at + 1 });
        }
        output.extend(after[op.new_range()].iter().map(|line| (line.text, style)));
    }
    let ends_open = before.last().is_some_and(|line| line.ending == Ending::None);
    let n_lines = output.len();
    let mut bytes = if has_bom { BOM.to_vec() } else { Vec::new() };
    for (i, (text, ending)) in output.into_iter().enumerate() {
        bytes.extend_from_slice(text);
        let is_last = i + 1 == n_lines;
        bytes.extend_from_slice(match ending {
            _ if is_last && ends_open => b"",
            Ending::None => style.bytes(),
            ending => ending.bytes(),
        });
    }
    Ok(bytes)
}

/// Refuses a text for `path` that has a placeholder which the file does not have already.
pub(super) fn refuse_placeholder(path: &str, new: &str, old: &[u8]) -> Result<(), ApplyError> {
    let known = |line: &str| text_lines(old).contains(&line.trim().as_bytes());
    match placeholder(new, known).or_else(|| bare_dots(path, new, known)) {
        Some((line, text)) => Err(ApplyError::Elided { line, text }),
        None => Ok(()),
    }
}

/// The first line (number from 1, text) that stands for code left out, such as `# ... rest unchanged`,
/// `// ... existing code ...` or `/* rest of the file stays the same */`, unless `is_known`.
pub(super) fn placeholder(text: &str, is_known: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    text.lines()
        .enumerate()
        .find(|(_, line)| is_placeholder(line) && !is_known(line))
        .map(|(at, line)| (at + 1, line.trim().to_owned()))
}

/// Comment openers, longer ones first.
const OPENERS: [&str; 11] = ["<!--", "{/*", "///", "/*", "//", "--", "(*", ";;", "#", ";", "%"];
const CLOSERS: [&str; 4] = ["-->", "*/}", "*/", "*)"];

/// Words of a comment that begins with dots which make it a placeholder.
const KEYWORDS: [&str; 22] = [
    "unchanged",
    "existing",
    "rest",
    "remaining",
    "remainder",
    "omitted",
    "elided",
    "truncated",
    "snip",
    "snipped",
    "same",
    "previous",
    "other",
    "others",
    "original",
    "keep",
    "code",
    "implementation",
    "methods",
    "functions",
    "imports",
    "content",
];
/// What is left out, in a placeholder without leading dots.
const NOUNS: [&str; 20] = [
    "code",
    "file",
    "function",
    "functions",
    "class",
    "classes",
    "method",
    "methods",
    "module",
    "implementation",
    "imports",
    "content",
    "contents",
    "body",
    "tests",
    "logic",
    "lines",
    "script",
    "component",
    "program",
];
/// What is said about it.
const REMARKS: [&str; 9] =
    ["unchanged", "remains", "remain", "same", "stays", "omitted", "here", "before", "untouched"];

/// Whether a line stands for code left out; dots alone count only in a comment.
pub(super) fn is_placeholder(line: &str) -> bool {
    let line = line.trim();
    let (is_comment, core) = match OPENERS.iter().find_map(|opener| line.strip_prefix(opener)) {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let core = CLOSERS.iter().find_map(|closer| core.strip_suffix(closer)).unwrap_or(core).trim();
    let core = core.trim_matches(['(', ')', '[', ']', '<', '>', '{', '}', '*', ' ']);
    let dots_before = core.starts_with("...") || core.starts_with('\u{2026}');
    let dots_after = core.ends_with("...") || core.ends_with('\u{2026}');
    let lower = core.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.len() > 12 {
        return false;
    }
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    // `...rest` spreads a value in some languages.
    let spreads = |c: char| c.is_alphanumeric() || c == '_';
    if dots_before && !is_comment && words.len() == 1 && core[3..].starts_with(spreads) {
        return false;
    }
    if dots_before {
        return if words.is_empty() { is_comment } else { has(&KEYWORDS) };
    }
    let begins = matches!(
        words.as_slice(),
        ["rest" | "remainder" | "remaining" | "existing" | "previous" | "original" | "other", ..]
            | ["the", "rest" | "remainder" | "remaining" | "existing", ..]
            | ["unchanged" | "unmodified", ..]
    );
    is_comment && begins && has(&NOUNS) && (dots_after || has(&REMARKS) || words[0] == "unchanged")
}

/// A line of three dots alone, in a language in which that is not code. In Python it is code in a
/// body, but not at the margin.
fn bare_dots(path: &str, text: &str, is_known: impl Fn(&str) -> bool) -> Option<(usize, String)> {
    const CODE: [&str; 24] = [
        "rs", "go", "js", "jsx", "ts", "tsx", "mjs", "cjs", "java", "kt", "c", "h", "cc", "cpp",
        "hpp", "cs", "rb", "php", "swift", "scala", "lua", "sh", "css", "sql",
    ];
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_python = matches!(extension, "py" | "pyi");
    if !is_python && !CODE.contains(&extension) {
        return None;
    }
    text.lines()
        .enumerate()
        .find(|(_, line)| {
            matches!(line.trim(), "..." | "\u{2026}")
                && !(is_python && line.starts_with([' ', '\t']))
                && !is_known(line)
        })
        .map(|(at, line)| (at + 1, line.trim().to_owned()))
}
