//! Placeholders such as `...` or `// ... existing code ...`, and the lines that they stand for.
//!
//! Invariant: a placeholder is filled in only where the lines around it leave one way to do so; it
//! never reaches a file. Where a segment between two placeholders would lose much of what it takes the
//! place of, the answer is unclear and nothing is filled in.

use std::ops::Range;

use super::Rung;
use super::apply::{Placed, of_splice, put};
use super::error::ApplyError;
use super::guards::is_placeholder;
use super::ladder::{Found, MAX_CANDIDATES, MIN_WORD_CHARS, Placement, Wanted, find};
use super::lines::{Line, indent_of, occurrences};
use super::splice::{FinalNewline, splice};

/// Placeholders in one text.
const MAX_ELISIONS: usize = 50;

/// Lines that an anchor may have.
const MAX_ANCHOR_LINES: usize = 12;

/// Lines that a segment may lose beyond those that it adds.
const MAX_SHRINK: usize = 2;

/// Whether a line stands for lines that are left out: a placeholder, or dots alone.
pub(super) fn is_elision(line: &str) -> bool {
    is_placeholder(line) || is_dots(line)
}

fn is_dots(line: &str) -> bool {
    matches!(line.trim(), "..." | "\u{2026}" | "....")
}

/// Replaces the parts between placeholders, each by its counterpart. `None` when the texts have no
/// placeholders, or not the same number of them.
pub(super) fn replace_parts(
    file: &[Line<'_>],
    search: &str,
    replace: &str,
) -> Result<Option<Placed>, ApplyError> {
    let (Some(old), Some(new)) = (parts(search), parts(replace)) else { return Ok(None) };
    if old.len() != new.len() {
        return Ok(None);
    }
    let mut pairs = Vec::new();
    for (n, (old, new)) in old.iter().zip(&new).enumerate() {
        let is_edge = n == 0 || n + 1 == old.len();
        match (old.is_empty(), new.is_empty()) {
            (true, true) if is_edge => {}
            (true, _) => return Ok(None),
            (false, _) => pairs.push((old.as_str(), new.as_str())),
        }
    }
    if pairs.is_empty() {
        return Ok(None);
    }
    let wanted: Vec<Wanted<'_>> = pairs.iter().map(|(old, _)| Wanted::new(old)).collect();
    if wanted.iter().any(|part| part.n_word_chars(MIN_WORD_CHARS) < MIN_WORD_CHARS) {
        return Ok(None);
    }
    let mut places: Vec<Vec<Placement<'_>>> = Vec::new();
    for part in &wanted {
        match find(file, part, MAX_CANDIDATES) {
            Found::One(place) => places.push(vec![*place]),
            Found::Several(several) => places.push(several),
            Found::None(_) => return Ok(None),
        }
    }
    let Some(chosen) = only_chain(&places) else {
        let lines = places.iter().flatten().map(|place| place.region.start + 1);
        return Err(ApplyError::Ambiguous { lines: lines.take(super::MAX_PLACES).collect() });
    };
    // From the last part to the first, so that line numbers stay true.
    let mut content: Option<Vec<u8>> = None;
    for (n, place) in chosen.iter().enumerate().rev() {
        let (old, new) = pairs[n];
        if old == new {
            continue;
        }
        let lines = splice(file, &wanted[n], new, place, FinalNewline::Kept)
            .map_err(|error| of_splice(error, file, &wanted[n]))?;
        content = Some(match content {
            None => put(file, &place.region, &lines),
            Some(bytes) => {
                let now = super::lines::split(&bytes);
                put(&now, &place.region, &lines)
            }
        });
    }
    let line = chosen.first().map_or(1, |place| place.region.start + 1);
    let Some(content) = content else { return Err(ApplyError::NoChange) };
    Ok(Some(Placed { content, rung: Rung::Elisions, by_line: false, line }))
}

/// The texts between placeholders, without blank lines next to these. `None` without any.
fn parts(text: &str) -> Option<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let n_elisions = lines.iter().filter(|line| is_elision(line)).count();
    if !(1..=MAX_ELISIONS).contains(&n_elisions) {
        return None;
    }
    let parts = lines.split(|line| is_elision(line)).enumerate().map(|(n, part)| {
        let part = if n == 0 { part } else { without_first_blanks(part) };
        let part = if n == n_elisions { part } else { without_last_blanks(part) };
        part.iter().map(|line| format!("{line}\n")).collect()
    });
    Some(parts.collect())
}

fn without_first_blanks<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let n = lines.iter().take_while(|line| line.trim().is_empty()).count();
    &lines[n..]
}

fn without_last_blanks<'a, 'b>(lines: &'b [&'a str]) -> &'b [&'a str] {
    let n = lines.iter().rev().take_while(|line| line.trim().is_empty()).count();
    &lines[..lines.len() - n]
}

/// The one way to choose a place for each part, in order and without overlap: the earliest places and
/// the latest ones must be the same.
fn only_chain<'p, 'a>(places: &'p [Vec<Placement<'a>>]) -> Option<Vec<&'p Placement<'a>>> {
    let mut earliest = Vec::new();
    let mut from = 0;
    for candidates in places {
        let place = candidates.iter().find(|place| place.region.start >= from)?;
        from = place.region.end;
        earliest.push(place);
    }
    let mut until = usize::MAX;
    for (candidates, first) in places.iter().zip(&earliest).rev() {
        let place = candidates.iter().rev().find(|place| place.region.end <= until)?;
        if place.region != first.region {
            return None;
        }
        until = place.region.start;
    }
    Some(earliest)
}

/// The replacement with its placeholders filled in from the search text.
pub(super) fn fill_from(search: &str, replace: &str) -> Option<String> {
    let old: Vec<&str> = search.lines().collect();
    let new: Vec<&str> = replace.lines().collect();
    let filled = fill(&old, &new, &|line| is_elision(line))?;
    Some(filled.iter().map(|line| format!("{line}\n")).collect())
}

/// The lines of `new` with every placeholder replaced by the lines of `old` that it stands for.
/// `None` where the lines next to a placeholder do not say for certain which these are.
pub(super) fn fill<'a>(
    old: &[&'a str],
    new: &[&'a str],
    is_left_out: &dyn Fn(&str) -> bool,
) -> Option<Vec<&'a str>> {
    let elisions: Vec<usize> = (0..new.len()).filter(|at| is_left_out(new[*at])).collect();
    if !(1..=MAX_ELISIONS).contains(&elisions.len()) {
        return None;
    }
    let n_elisions = elisions.len();
    let mut filled: Vec<&str> = Vec::new();
    // What the next segment takes the place of begins here.
    let mut from = 0;
    let mut begin = 0;
    for (n, at) in elisions.iter().enumerate() {
        let above = without_last_blanks(&new[begin..*at]);
        let above = if n == 0 { above } else { without_first_blanks(above) };
        let next = elisions.get(n + 1).copied().unwrap_or(new.len());
        let below = without_last_blanks(without_first_blanks(&new[*at + 1..next]));
        let upper = match above {
            [] if n == 0 => 0,
            [] => return None,
            lines => {
                let mut ends = ends_of(old, from, lines, indent_of(new[*at]).len());
                ends.retain(|end| !loses_much(&old[from..*end], lines));
                match ends.as_slice() {
                    [end] => *end,
                    [end, other] if end == other => *end,
                    _ => return None,
                }
            }
        };
        let lower = match below {
            [] if n + 1 == n_elisions => old.len(),
            [] => return None,
            lines if n + 1 == n_elisions => {
                end_start(old, upper, lines).or_else(|| start_of(old, upper, lines))?
            }
            lines => start_of(old, upper, lines)?,
        };
        let kept = old.get(upper..lower)?;
        if kept.iter().all(|line| line.trim().is_empty()) {
            return None;
        }
        filled.extend_from_slice(above);
        filled.extend_from_slice(kept);
        from = lower;
        begin = *at + 1;
    }
    let last = without_first_blanks(&new[begin..]);
    let last = if last.iter().all(|line| line.trim().is_empty()) { &[] } else { last };
    if loses_much(&old[from..], last) {
        return None;
    }
    filled.extend_from_slice(last);
    Some(filled)
}

/// Whether a segment drops more of the lines that it takes the place of than a change would.
fn loses_much(old: &[&str], new: &[&str]) -> bool {
    let text = |lines: &[&str]| -> Vec<String> {
        let trimmed = lines.iter().map(|line| line.trim().to_owned());
        trimmed.filter(|line| !line.is_empty()).collect()
    };
    let (old, new) = (text(old), text(new));
    let mut left: Vec<&String> = new.iter().collect();
    let mut n_kept = 0;
    for line in &old {
        if let Some(at) = left.iter().position(|other| *other == line) {
            left.swap_remove(at);
            n_kept += 1;
        }
    }
    let (n_removed, n_added) = (old.len() - n_kept, left.len());
    n_removed > n_added + MAX_SHRINK || n_kept * 2 < old.len()
}

fn same(a: &str, b: &str) -> bool {
    a.trim_end() == b.trim_end()
}

fn find_all(old: &[&str], pattern: &[&str]) -> Vec<usize> {
    let trimmed = |lines: &[&str]| -> Vec<String> {
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    };
    occurrences(&trimmed(old), &trimmed(pattern), 2)
}

fn says_enough(lines: &[&str]) -> bool {
    let n_chars = lines.iter().flat_map(|line| line.chars()).filter(|c| c.is_alphanumeric());
    n_chars.take(MIN_WORD_CHARS).count() == MIN_WORD_CHARS
}

/// The lines of `old` at which a segment may end: after the lines at its end, if these occur once, and
/// after the whole block that its last heading opens, where the placeholder is indented like it.
fn ends_of(old: &[&str], from: usize, segment: &[&str], indent: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let rest = old.get(from..).unwrap_or_default();
    for n_lines in 1..=segment.len().min(MAX_ANCHOR_LINES) {
        let tail = &segment[segment.len() - n_lines..];
        match find_all(rest, tail).as_slice() {
            [] => break,
            [only] if says_enough(tail) => {
                ends.push(from + only + n_lines);
                break;
            }
            [0, ..] if n_lines == segment.len() && from == 0 => ends.push(n_lines),
            _ => {}
        }
    }
    ends.extend(block_end(old, from, segment, indent));
    ends
}

fn block_end(old: &[&str], from: usize, segment: &[&str], indent: usize) -> Option<usize> {
    let depth = |line: &str| indent_of(line).len();
    let is_heading =
        |line: &&&str| !line.trim().is_empty() && depth(line) <= indent && !is_closer(line);
    let heading = segment.iter().rev().find(is_heading)?;
    if depth(heading) != indent || !says_enough(&[heading]) {
        return None;
    }
    let mut places = (from..old.len()).filter(|at| same(old[*at], heading));
    let start = places.next()?;
    if places.next().is_some() {
        return None;
    }
    let block = block_of(old, start);
    (block.len() > 1).then_some(block.end)
}

/// Where the last segment begins if it is the end of `old`.
fn end_start(old: &[&str], from: usize, segment: &[&str]) -> Option<usize> {
    let text = without_last_blanks(old);
    let start = text.len().checked_sub(segment.len()).filter(|start| *start >= from)?;
    text[start..].iter().zip(segment).all(|(a, b)| same(a, b)).then_some(start)
}

/// The line of `old` at which the lines at the beginning of a segment stand.
fn start_of(old: &[&str], from: usize, segment: &[&str]) -> Option<usize> {
    let rest = old.get(from..)?;
    for n_lines in 1..=segment.len().min(MAX_ANCHOR_LINES) {
        let head = &segment[..n_lines];
        let found = find_all(rest, head);
        match found.as_slice() {
            [] => return None,
            [only] if says_enough(head) => return Some(from + only),
            _ => {}
        }
    }
    None
}

/// A heading, the deeper lines below it, and the closing brackets after them.
fn block_of(lines: &[&str], start: usize) -> Range<usize> {
    let own = indent_of(lines[start]).len();
    let mut end = start + 1;
    for (at, line) in lines.iter().enumerate().skip(start + 1) {
        if line.trim().is_empty() {
            continue;
        }
        let depth = indent_of(line).len();
        if depth == own && is_closer(line) {
            return start..at + 1;
        }
        if depth <= own {
            break;
        }
        end = at + 1;
    }
    start..end
}

fn is_closer(line: &str) -> bool {
    let line = line.trim();
    line.chars().all(|c| matches!(c, '}' | ')' | ']' | ';' | ',')) || line == "end"
}
