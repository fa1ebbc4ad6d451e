//! One edit of a place applied to one file's bytes.

use super::clean::cleaned;
use super::closest::{closest, explain, present};
use super::elision;
use super::error::ApplyError;
use super::guards::placeholder;
use super::hunk::Hunk;
use super::ladder::{Found, MAX_CANDIDATES, Placement, Wanted, find};
use super::lines::{BOM, Ending, Line, dominant_ending, split, without_bom};
use super::splice::{FinalNewline, OutLine, SpliceError, replacement_lines, splice};
use super::{Applied, MAX_PLACES, Rung, line_diff_counts};

/// Replaces the one place of `original` that fits `search` by `replace`.
///
/// A `search` that ends with a newline means whole lines; otherwise it may begin and end inside a
/// line, but not inside a word. It is looked for on each [`Rung`] in turn, and on the first rung on
/// which anything fits exactly one place must fit. Lines that `search` and `replace` share keep the
/// file's bytes; new lines get the file's line endings and, if the place was found by a different
/// indentation, the same offset. Byte order mark, encoding and a missing final newline survive.
///
/// Placeholders (`...`) on their own lines stand for what is there, if both texts have the same
/// number of them, or if those of `replace` stand for lines of `search`.
///
/// An empty `search` is for a file that is empty or blank, which it fills; on any other file it is
/// an error.
pub fn apply_replace(original: &[u8], search: &str, replace: &str) -> Result<Applied, ApplyError> {
    apply_hunk(original, &Hunk::plain(search, replace))
}

/// Like [`apply_replace`] for a hunk of a diff or a patch.
pub fn apply_hunk(original: &[u8], hunk: &Hunk) -> Result<Applied, ApplyError> {
    let placed = place(original, hunk)?;
    let (lines_added, lines_removed) = line_diff_counts(original, &placed.content);
    Ok(Applied { content: placed.content, rung: placed.rung, lines_added, lines_removed })
}

/// The outcome of one edit, and what was decided by a line number.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) content: Vec<u8>,
    pub(super) rung: Rung,
    /// The place was one of several, and the hunk's line number decided.
    pub(super) by_line: bool,
    /// The first line of the place, from 1.
    pub(super) line: usize,
}

pub(super) fn place(original: &[u8], hunk: &Hunk) -> Result<Placed, ApplyError> {
    let (has_bom, body) = without_bom(original);
    let search = hunk.search.strip_prefix('\u{FEFF}').unwrap_or(&hunk.search);
    let replace = hunk.replace.strip_prefix('\u{FEFF}').unwrap_or(&hunk.replace);
    let file = split(body);
    if search == replace && hunk.old_open == hunk.new_open {
        return Err(idle(&file, search));
    }
    let mut placed = if search.is_empty() {
        refuse_new_placeholder("", replace)?;
        let content = fill(&file, hunk, replace)?;
        Placed { content, rung: Rung::Exact, by_line: false, line: 1 }
    } else {
        replace_place(&file, hunk, search, replace)?
    };
    if has_bom {
        placed.content = [BOM, &placed.content].concat();
    }
    if placed.content == original {
        return Err(ApplyError::NoChange);
    }
    Ok(placed)
}

/// What to say of an edit that asks for no change: at least its text should be there.
fn idle(file: &[Line<'_>], search: &str) -> ApplyError {
    let wanted = Wanted::new(search);
    match find(file, &wanted, 1) {
        Found::None(near_miss) if !search.is_empty() => ApplyError::NotFound {
            closest: closest(file, &wanted.lines),
            hint: explain(file, &wanted.lines, near_miss),
        },
        _ => ApplyError::NoChange,
    }
}

/// A placeholder that the search text does not have would be written into the file.
fn refuse_new_placeholder(search: &str, replace: &str) -> Result<(), ApplyError> {
    match placeholder(replace, |line| search.lines().any(|old| old.trim() == line.trim())) {
        Some((line, text)) => Err(ApplyError::Elided { line, text }),
        None => Ok(()),
    }
}

/// Lines for a file that has none, or for the end of one.
fn fill(file: &[Line<'_>], hunk: &Hunk, replace: &str) -> Result<Vec<u8>, ApplyError> {
    let is_blank = file.iter().all(|line| line.text.trim_ascii().is_empty());
    if !is_blank && !hunk.at_end {
        return Err(ApplyError::EmptySearch);
    }
    let newline = dominant_ending(file).bytes();
    let mut content = Vec::with_capacity(replace.len());
    if !is_blank {
        content = joined(file.iter().map(|line| (line.text, line.ending)));
        if file.last().is_some_and(|line| line.ending == Ending::None) {
            content.extend_from_slice(newline);
        }
    }
    for line in split(replace.as_bytes()) {
        content.extend_from_slice(line.text);
        if line.ending != Ending::None {
            content.extend_from_slice(newline);
        }
    }
    if hunk.new_open && content.ends_with(newline) {
        content.truncate(content.len() - newline.len());
    }
    Ok(content)
}

fn joined<'a>(lines: impl Iterator<Item = (&'a [u8], Ending)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (text, ending) in lines {
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(ending.bytes());
    }
    bytes
}

fn replace_place(
    file: &[Line<'_>],
    hunk: &Hunk,
    search: &str,
    replace: &str,
) -> Result<Placed, ApplyError> {
    let wanted = Wanted::new(search);
    let mut by_line = false;
    let placement = match find(file, &wanted, MAX_CANDIDATES) {
        Found::One(placement) => allowed(file, hunk, &wanted, *placement)?,
        Found::Several(places) => {
            let mut places = places;
            if let Some(at) =
                places.iter().position(|place| hunk.is_whole && hunk.allows(&place.region, file))
            {
                places.swap_remove(at)
            } else if let Some(choice) = hunk.choose(&places, file) {
                by_line = choice.by_line;
                places.swap_remove(choice.index)
            } else {
                let lines = places.iter().map(|place| place.region.start + 1);
                return Err(ApplyError::Ambiguous { lines: lines.take(MAX_PLACES).collect() });
            }
        }
        Found::None(near_miss) => {
            if let Some(placed) = elision::replace_parts(file, search, replace)? {
                return Ok(placed);
            }
            let new = replacement_lines(replace, wanted.whole_lines);
            if let Some(line) = present(file, &new) {
                return Err(ApplyError::AlreadyThere { line });
            }
            return Err(ApplyError::NotFound {
                closest: closest(file, &wanted.lines),
                hint: explain(file, &wanted.lines, near_miss),
            });
        }
    };
    if let Some((search, replace)) = cleaned(file, &wanted, replace, &placement) {
        let mut placed = replace_place(file, hunk, &search, &replace)?;
        placed.rung = placed.rung.max(placement.rung);
        placed.by_line |= by_line;
        return Ok(placed);
    }
    if stands_there(file, &wanted, replace, &placement) {
        return Err(ApplyError::AlreadyThere { line: placement.region.start + 1 });
    }
    let full = match refuse_new_placeholder(search, replace) {
        Ok(()) => None,
        // The placeholder may stand for lines of the search text.
        Err(error) => {
            let full = elision::fill_from(search, replace).filter(|_| !hunk.is_marked);
            // What stands for all of the search text asks for nothing, which was not meant.
            Some(full.filter(|full| full != search).ok_or(error)?)
        }
    };
    let new = full.as_deref().unwrap_or(replace);
    if new == search && hunk.old_open == hunk.new_open {
        return Err(ApplyError::NoChange);
    }
    let lines = match splice(file, &wanted, new, &placement, FinalNewline::of(hunk)) {
        Ok(lines) => lines,
        Err(error) => return Err(of_splice(error, file, &wanted)),
    };
    let lines = if hunk.literal_endings && placement.rung == Rung::Exact {
        with_own_endings(lines, new, hunk)
    } else {
        lines
    };
    let rung = if full.is_some() { Rung::Elisions } else { placement.rung };
    let line = placement.region.start + 1;
    Ok(Placed { content: put(file, &placement.region, &lines), rung, by_line, line })
}

/// Whether a replacement that adds lines to the search text is around the place already.
fn stands_there(
    file: &[Line<'_>],
    wanted: &Wanted<'_>,
    replace: &str,
    placement: &Placement<'_>,
) -> bool {
    let new = replacement_lines(replace, wanted.whole_lines);
    let n_old = wanted.lines.len();
    if !wanted.whole_lines || new.len() <= n_old || n_old != placement.region.len() {
        return false;
    }
    let alike = |at: usize, line: &str| {
        file.get(at).is_some_and(|found| found.shown().trim() == line.trim())
    };
    (0..=new.len() - n_old).filter(|offset| new[*offset..offset + n_old] == wanted.lines[..]).any(
        |offset| {
            let added = new[..offset].iter().chain(&new[offset + n_old..]);
            let says_something = added.flat_map(|line| line.chars()).any(char::is_alphanumeric);
            says_something
                && placement.region.start.checked_sub(offset).is_some_and(|start| {
                    new.iter().enumerate().all(|(n, line)| alike(start + n, line))
                })
        },
    )
}

/// The only place, unless something that is said about it speaks against it.
fn allowed<'a>(
    file: &[Line<'a>],
    hunk: &Hunk,
    wanted: &Wanted<'_>,
    placement: Placement<'a>,
) -> Result<Placement<'a>, ApplyError> {
    let hint = if !hunk.allows(&placement.region, file) {
        "its lines are there, but the file goes on where the hunk says that it ends"
    } else if hunk.contradicts(&placement.region, file) {
        "its lines are there, but above the line that is given after @@"
    } else {
        return Ok(placement);
    };
    Err(ApplyError::NotFound { closest: closest(file, &wanted.lines), hint: hint.to_owned() })
}

pub(super) fn of_splice(error: SpliceError, file: &[Line<'_>], wanted: &Wanted<'_>) -> ApplyError {
    match error {
        SpliceError::Apply(error) => error,
        SpliceError::Indentation => ApplyError::NotFound {
            closest: closest(file, &wanted.lines),
            hint: "its lines are there, but indented differently, and the replacement's \
                   indentation does not tell how to carry that over; copy the lines with their \
                   exact indentation"
                .to_owned(),
        },
    }
}

/// The file with new lines in a region.
pub(super) fn put(
    file: &[Line<'_>],
    region: &std::ops::Range<usize>,
    lines: &[OutLine<'_>],
) -> Vec<u8> {
    let size = |lines: &[Line<'_>]| -> usize { lines.iter().map(|line| line.text.len() + 2).sum() };
    let mut content = Vec::with_capacity(size(file));
    let mut push = |text: &[u8], ending: Ending| {
        content.extend_from_slice(text);
        content.extend_from_slice(ending.bytes());
    };
    file[..region.start].iter().for_each(|line| push(line.text, line.ending));
    lines.iter().for_each(|(text, ending)| push(text, *ending));
    file[region.end..].iter().for_each(|line| push(line.text, line.ending));
    content
}

/// Gives each line the ending with which the replacement has it; the last one keeps its own where the
/// file or the hunk leaves it open.
fn with_own_endings<'a>(
    mut lines: Vec<OutLine<'a>>,
    replace: &str,
    hunk: &Hunk,
) -> Vec<OutLine<'a>> {
    let written = split(replace.as_bytes());
    if written.len() != lines.len() {
        return lines;
    }
    let n_lines = lines.len();
    for (n, ((_, ending), line)) in lines.iter_mut().zip(&written).enumerate() {
        let is_open = n + 1 == n_lines && (hunk.new_open || *ending == Ending::None);
        if !is_open && line.ending != Ending::None {
            *ending = line.ending;
        }
    }
    lines
}
