//! Puts a replacement in its place.
//!
//! Invariant: every line outside the region is written back byte for byte, and so is every line
//! inside it that search text and replacement have in common; what the model did not mean to change
//! keeps the file's endings, blanks, indentation and punctuation.

use std::borrow::Cow;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::Rung;
use super::error::ApplyError;
use super::fold;
use super::hunk::Hunk;
use super::ladder::{Placement, Wanted};
use super::lines::{Ending, Line, dominant_ending, indent_of};
use super::reindent::Reindent;

/// Longest changed part, in characters, of which typographic characters are carried over.
const MAX_MERGED_CHARS: usize = 20_000;

/// A line of the result: its text and how it ends.
pub(super) type OutLine<'a> = (Cow<'a, [u8]>, Ending);

/// Why a replacement cannot be put in a place that was found.
pub(super) enum SpliceError {
    /// Its indentation cannot be carried over to the file's.
    Indentation,
    /// As an error of the edit.
    Apply(ApplyError),
}

/// What an edit says about the newline at the end of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FinalNewline {
    /// Nothing: it stays as it is.
    Kept,
    /// There was none, and there shall be one.
    Added,
    /// There was one, and there shall be none.
    Removed,
}

impl FinalNewline {
    pub(super) fn of(hunk: &Hunk) -> Self {
        match (hunk.old_open, hunk.new_open) {
            (true, false) => Self::Added,
            (false, true) => Self::Removed,
            _ => Self::Kept,
        }
    }
}

/// The replacement as lines. With `whole_lines` a final newline ends the last line instead of
/// beginning another one, and a missing one is supplied; without, the text is taken literally.
pub(super) fn replacement_lines(replace: &str, whole_lines: bool) -> Vec<&str> {
    if whole_lines && replace.is_empty() {
        return Vec::new();
    }
    let body = if whole_lines { replace.strip_suffix('\n').unwrap_or(replace) } else { replace };
    let n_lines = body.split('\n').count();
    body.split('\n')
        .enumerate()
        .map(|(i, line)| {
            let is_ended = i + 1 < n_lines || whole_lines;
            if is_ended { line.strip_suffix('\r').unwrap_or(line) } else { line }
        })
        .collect()
}

/// The lines that take the place of `placement.region`.
pub(super) fn splice<'a>(
    file: &[Line<'a>],
    wanted: &Wanted<'_>,
    replace: &'a str,
    placement: &Placement<'_>,
    final_newline: FinalNewline,
) -> Result<Vec<OutLine<'a>>, SpliceError> {
    let new = replacement_lines(replace, wanted.whole_lines);
    let old_texts = framed(&wanted.lines, placement);
    let new_texts = framed(&new, placement);
    let ops = capture_diff_slices(Algorithm::Myers, &old_texts, &new_texts);
    let change = Change { file, wanted, new: &new, placement };
    let reindents = change.usable_reindents(&ops);

    let mut results: Vec<Vec<OutLine<'a>>> = Vec::new();
    for reindent in &reindents {
        let Some(lines) = change.rewrite(&ops, &new_texts, reindent)? else { continue };
        if !results.contains(&lines) {
            results.push(lines);
        }
    }
    // Two readings that disagree are no reading.
    match (results.pop(), results.is_empty()) {
        (Some(lines), true) => Ok(end_lines(file, placement, lines, final_newline)),
        _ => Err(SpliceError::Indentation),
    }
}

/// Adds what the first and last line have outside the match.
fn framed<'a>(lines: &[&'a str], placement: &Placement<'_>) -> Vec<Cow<'a, [u8]>> {
    let mut texts: Vec<Cow<'a, [u8]>> =
        lines.iter().map(|line| Cow::Borrowed(line.as_bytes())).collect();
    if !placement.prefix.is_empty()
        && let Some(first) = texts.first_mut()
    {
        *first = Cow::Owned([placement.prefix, first].concat());
    }
    if !placement.suffix.is_empty()
        && let Some(last) = texts.last_mut()
    {
        *last = Cow::Owned([last, placement.suffix].concat());
    }
    texts
}

struct Change<'c, 'a> {
    file: &'c [Line<'a>],
    wanted: &'c Wanted<'c>,
    new: &'c [&'a str],
    placement: &'c Placement<'c>,
}

impl<'a> Change<'_, 'a> {
    /// The interpretations of the indentation that may be used for new lines. They hold only if the
    /// replacement is indented like the search text: shown by a line that both share, or by their
    /// first lines.
    fn usable_reindents(&self, ops: &[DiffOp]) -> Vec<Reindent> {
        let is_text = |line: &&&str| !line.trim().is_empty();
        let (Some(first_old), Some(first_new)) =
            (self.wanted.lines.iter().find(is_text), self.new.iter().find(is_text))
        else {
            return vec![Reindent::Same];
        };
        let is_anchored = indent_of(first_old) == indent_of(first_new)
            || ops.iter().any(|op| {
                matches!(op, DiffOp::Equal { .. })
                    && self.wanted.lines[op.old_range()].iter().any(|line| is_text(&line))
            });
        if is_anchored {
            return self.placement.reindents.clone();
        }
        match self.placement.reindents.as_slice() {
            [Reindent::Same] => vec![Reindent::Same],
            _ => Vec::new(),
        }
    }

    fn rewrite(
        &self,
        ops: &[DiffOp],
        new_texts: &[Cow<'a, [u8]>],
        reindent: &Reindent,
    ) -> Result<Option<Vec<OutLine<'a>>>, SpliceError> {
        let mut output = Vec::new();
        // The next line of the file that has been neither kept nor dropped.
        let mut next = self.placement.region.start;
        for op in ops {
            if let DiffOp::Equal { .. } = op {
                for line in op.old_range().filter_map(|old| self.placement.map[old]) {
                    // Blank lines that only the file has stay in front of the line they precede.
                    for kept in &self.file[next.min(line)..=line] {
                        output.push((Cow::Borrowed(kept.text), kept.ending));
                    }
                    next = line + 1;
                }
                continue;
            }
            let replaced: Vec<usize> =
                op.old_range().filter_map(|old| self.placement.map[old]).collect();
            // Blank lines that only the file has, in front of what is replaced, were not meant.
            let before = next..replaced.first().copied().unwrap_or(next).max(next);
            for kept in &self.file[before] {
                output.push((Cow::Borrowed(kept.text), kept.ending));
            }
            let Some(lines) = self.new_lines(op, new_texts, reindent)? else { return Ok(None) };
            self.refuse_lost_bytes(&replaced, &lines)?;
            let ending_of = |i: usize| {
                let line = replaced.get(i).or(replaced.last()).copied().unwrap_or(next);
                self.file.get(line).map_or(Ending::None, |line| line.ending)
            };
            output.extend(lines.into_iter().enumerate().map(|(i, line)| (line, ending_of(i))));
            if let Some(last) = replaced.last() {
                next = last + 1;
            }
        }
        Ok(Some(output))
    }

    fn new_lines(
        &self,
        op: &DiffOp,
        new_texts: &[Cow<'a, [u8]>],
        reindent: &Reindent,
    ) -> Result<Option<Vec<Cow<'a, [u8]>>>, SpliceError> {
        if matches!(self.placement.rung, Rung::Exact | Rung::LineEndings) {
            return Ok(Some(new_texts[op.new_range()].to_vec()));
        }
        let drops_blanks = self.search_has_more_blanks();
        let bodies = self.carry_over(op.old_range(), op.new_range());
        let mut lines = Vec::new();
        for (i, index) in op.new_range().enumerate() {
            let line = self.new[index];
            let indent = indent_of(line);
            let text = line.trim();
            let tail = &line[line.trim_end().len()..];
            if text.is_empty() {
                lines.push(Cow::Borrowed(if drops_blanks { &b""[..] } else { line.as_bytes() }));
                continue;
            }
            let is_first = self.new[..index].iter().all(|line| line.trim().is_empty());
            let Some(new_indent) = reindent.apply(indent, is_first) else { return Ok(None) };
            let body = match bodies.as_ref().and_then(|bodies| bodies.get(i)) {
                Some(body) => Cow::Borrowed(body.as_slice()),
                None => Cow::Borrowed(line[indent.len()..].trim_end().as_bytes()),
            };
            let tail = if drops_blanks { b"" } else { tail.as_bytes() };
            lines.push(Cow::Owned([new_indent.as_bytes(), &body, tail].concat()));
        }
        Ok(Some(lines))
    }

    /// Blanks at line ends that only the search text has are an accident of its writer, who will have
    /// had the same accident in the replacement.
    fn search_has_more_blanks(&self) -> bool {
        self.wanted.lines.iter().zip(&self.placement.map).any(|(line, at)| {
            let n_blanks = line.len() - line.trim_end().len();
            at.is_some_and(|at| {
                let shown = self.file[at].shown();
                n_blanks > shown.len() - shown.trim_end().len()
            })
        })
    }

    /// The bodies (without indentation) of the new lines, in which every character that was also in
    /// the search text is written as in the file. `None` when there is nothing to carry over.
    fn carry_over(&self, old: Range<usize>, new: Range<usize>) -> Option<Vec<Vec<u8>>> {
        let mut before: Vec<char> = Vec::new();
        let mut written: Vec<&[u8]> = Vec::new();
        let mut differs = false;
        for index in old {
            let search = self.wanted.lines[index].trim_matches(|c| fold::plain(c).is_whitespace());
            let Some(at) = self.placement.map[index] else { continue };
            let units = fold::units(self.file[at].text);
            let units = fold::trimmed(&units);
            if units.len() != search.chars().count() {
                return None;
            }
            for (found, (unit, bytes)) in search.chars().zip(units) {
                differs |= found != *unit || *unit == char::REPLACEMENT_CHARACTER;
                before.push(found);
                written.push(bytes);
            }
            before.push('\n');
            written.push(b"\n");
        }
        let after: Vec<char> = self.new[new]
            .iter()
            .flat_map(|line| line[indent_of(line).len()..].trim_end().chars().chain(['\n']))
            .collect();
        if !differs || before.len() + after.len() > MAX_MERGED_CHARS {
            return None;
        }
        let mut merged = Vec::new();
        for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
            if let DiffOp::Equal { .. } = op {
                merged.extend(written[op.old_range()].concat());
            } else {
                merged.extend(after[op.new_range()].iter().collect::<String>().into_bytes());
            }
        }
        let body = merged.strip_suffix(b"\n").unwrap_or(&merged);
        Some(body.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect())
    }

    /// A replacement character in a new line stands for bytes that the model could not see.
    fn refuse_lost_bytes(
        &self,
        replaced: &[usize],
        lines: &[Cow<'_, [u8]>],
    ) -> Result<(), SpliceError> {
        let lost = replaced.iter().find(|at| str::from_utf8(self.file[**at].text).is_err());
        let mut sign = [0; 4];
        let sign = char::REPLACEMENT_CHARACTER.encode_utf8(&mut sign).as_bytes();
        match lost {
            Some(at) if lines.iter().any(|line| line.windows(3).any(|bytes| bytes == sign)) => {
                Err(SpliceError::Apply(ApplyError::NotText { line: at + 1 }))
            }
            _ => Ok(()),
        }
    }
}

/// Gives every line but the last of the file an ending, and the last one the ending it had.
fn end_lines<'a>(
    file: &[Line<'_>],
    placement: &Placement<'_>,
    mut lines: Vec<OutLine<'a>>,
    final_newline: FinalNewline,
) -> Vec<OutLine<'a>> {
    let mut near = file[placement.region.clone()].iter().map(|line| line.ending);
    let style = near
        .clone()
        .find(|ending| *ending != Ending::None)
        .unwrap_or_else(|| dominant_ending(file));
    for (_, ending) in &mut lines {
        if *ending == Ending::None {
            *ending = style;
        }
    }
    let was_open = near.next_back() == Some(Ending::None);
    let is_open = match final_newline {
        FinalNewline::Kept => was_open,
        FinalNewline::Added => false,
        FinalNewline::Removed => true,
    };
    if placement.region.end == file.len()
        && is_open
        && let Some((_, ending)) = lines.last_mut()
    {
        *ending = Ending::None;
    }
    lines
}
