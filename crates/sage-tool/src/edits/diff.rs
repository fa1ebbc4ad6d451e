//! Differences between two versions of a file, for people and for the log.

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

use super::lines::{Ending, Line, split};

/// Longest text that [`unified_diff`] returns; the rest is summed up in one line.
pub const MAX_DIFF_BYTES: usize = 400_000;

/// Bytes looked at to tell text from anything else, as git does it.
const SNIFFED_BYTES: usize = 8_000;

/// Lines `(added, removed)` between two versions; a line that differs only in its ending counts. For
/// versions that have next to nothing in common the figures may exceed the smallest possible ones.
#[must_use]
pub fn line_diff_counts(old: &[u8], new: &[u8]) -> (u64, u64) {
    let (old, new) = (split(old), split(new));
    let mut counts = (0, 0);
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if !matches!(op, DiffOp::Equal { .. }) {
            counts.0 += op.new_range().len() as u64;
            counts.1 += op.old_range().len() as u64;
        }
    }
    counts
}

/// Whether the bytes are text as far as one can tell: no NUL near the beginning.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    !bytes[..bytes.len().min(SNIFFED_BYTES)].contains(&0)
}

/// A unified diff with `context` lines around each change, as `git diff` prints it. `None` stands for
/// a file that does not exist. Files that are not text are summed up in a line, and so is what exceeds
/// [`MAX_DIFF_BYTES`]. Equal versions give an empty text.
#[must_use]
pub fn unified_diff(path: &str, old: Option<&[u8]>, new: Option<&[u8]>, context: usize) -> String {
    if old == new {
        return String::new();
    }
    let (before, after) = (old.unwrap_or_default(), new.unwrap_or_default());
    let side = |mark: &str, file: Option<&[u8]>| match file {
        Some(_) => format!("{mark}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let (from, to) = (side("a", old), side("b", new));
    if !is_text(before) || !is_text(after) {
        return format!(
            "Binary files {from} and {to} differ ({} and {} bytes)\n",
            before.len(),
            after.len()
        );
    }
    let (before, after) = (split(before), split(after));
    let ops = capture_diff_slices(Algorithm::Myers, &before, &after);
    let mut text = format!("--- {from}\n+++ {to}\n");
    let groups = group_diff_ops(ops, context);
    for (i, group) in groups.iter().enumerate() {
        let hunk = hunk_text(&before, &after, group);
        if text.len() + hunk.len() > MAX_DIFF_BYTES {
            text.push_str(&format!("[... {} more places not shown ...]\n", groups.len() - i));
            break;
        }
        text.push_str(&hunk);
    }
    text
}

fn hunk_text(before: &[Line<'_>], after: &[Line<'_>], ops: &[DiffOp]) -> String {
    let (Some(first), Some(last)) = (ops.first(), ops.last()) else { return String::new() };
    let old = first.old_range().start..last.old_range().end;
    let new = first.new_range().start..last.new_range().end;
    let range = |range: &std::ops::Range<usize>| {
        // An empty range names the line before it.
        let start = if range.is_empty() { range.start } else { range.start + 1 };
        if range.len() == 1 { start.to_string() } else { format!("{start},{}", range.len()) }
    };
    let mut text = format!("@@ -{} +{} @@\n", range(&old), range(&new));
    let mut push = |sign: char, line: &Line<'_>| {
        text.push(sign);
        text.push_str(&line.shown());
        match line.ending {
            Ending::Lf => text.push('\n'),
            Ending::CrLf => text.push_str("\r\n"),
            Ending::None => text.push_str("\n\\ No newline at end of file\n"),
        }
    };
    for op in ops {
        if let DiffOp::Equal { .. } = op {
            before[op.old_range()].iter().for_each(|line| push(' ', line));
        } else {
            before[op.old_range()].iter().for_each(|line| push('-', line));
            after[op.new_range()].iter().for_each(|line| push('+', line));
        }
    }
    text
}
