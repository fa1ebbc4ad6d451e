//! One search/replace edit applied to one file's bytes.

use super::closest::{closest, explain};
use super::error::ApplyError;
use super::guards::placeholder;
use super::ladder::{Found, Wanted, find};
use super::lines::{BOM, Ending, Line, dominant_ending, split, without_bom};
use super::splice::{SpliceError, replacement_lines, splice};
use super::{Applied, Rung, line_diff_counts};

/// Replaces the one place of `original` that fits `search` by `replace`.
///
/// A `search` that ends with a newline means whole lines; otherwise it may begin and end inside a
/// line, but not inside a word. It is looked for on each [`Rung`] in turn, and on the first rung on
/// which anything fits exactly one place must fit. Lines that `search` and `replace` share keep the
/// file's bytes; new lines get the file's line endings and, if the place was found by a different
/// indentation, the same offset. Byte order mark, encoding and a missing final newline survive.
///
/// An empty `search` is for a file that is empty or blank, which it fills; on any other file it is
/// an error.
pub fn apply_replace(original: &[u8], search: &str, replace: &str) -> Result<Applied, ApplyError> {
    let (has_bom, body) = without_bom(original);
    let search = search.strip_prefix('\u{FEFF}').unwrap_or(search);
    let replace = replace.strip_prefix('\u{FEFF}').unwrap_or(replace);
    if search == replace {
        return Err(ApplyError::NoChange);
    }
    refuse_new_placeholder(search, replace)?;
    let file = split(body);
    let (content, rung) = if search.is_empty() {
        (fill(&file, replace)?, Rung::Exact)
    } else {
        replace_place(&file, search, replace)?
    };
    let content = if has_bom { [BOM, &content].concat() } else { content };
    if content == original {
        return Err(ApplyError::NoChange);
    }
    let (lines_added, lines_removed) = line_diff_counts(original, &content);
    Ok(Applied { content, rung, lines_added, lines_removed })
}

/// A placeholder that the search text does not have would be written into the file.
fn refuse_new_placeholder(search: &str, replace: &str) -> Result<(), ApplyError> {
    match placeholder(replace, |line| search.lines().any(|old| old.trim() == line.trim())) {
        Some((line, text)) => Err(ApplyError::Elided { line, text }),
        None => Ok(()),
    }
}

fn fill(file: &[Line<'_>], replace: &str) -> Result<Vec<u8>, ApplyError> {
    if file.iter().any(|line| !line.text.trim_ascii().is_empty()) {
        return Err(ApplyError::EmptySearch);
    }
    let newline = dominant_ending(file).bytes();
    let mut content = Vec::with_capacity(replace.len());
    for line in split(replace.as_bytes()) {
        content.extend_from_slice(line.text);
        if line.ending != Ending::None {
            content.extend_from_slice(newline);
        }
    }
    Ok(content)
}

fn replace_place(
    file: &[Line<'_>],
    search: &str,
    replace: &str,
) -> Result<(Vec<u8>, Rung), ApplyError> {
    let wanted = Wanted::new(search);
    let placement = match find(file, &wanted) {
        Found::One(placement) => placement,
        Found::Several(starts) => {
            return Err(ApplyError::Ambiguous { lines: starts.iter().map(|at| at + 1).collect() });
        }
        Found::None(near_miss) => {
            let new = replacement_lines(replace, wanted.whole_lines);
            return Err(ApplyError::NotFound {
                closest: closest(file, &wanted.lines),
                hint: explain(file, &wanted.lines, &new, near_miss),
            });
        }
    };
    let lines = match splice(file, &wanted, replace, &placement) {
        Ok(lines) => lines,
        Err(SpliceError::Apply(error)) => return Err(error),
        Err(SpliceError::Indentation) => {
            return Err(ApplyError::NotFound {
                closest: closest(file, &wanted.lines),
                hint: "its lines are there, but indented differently, and the replacement's \
                       indentation does not tell how to carry that over; copy the lines with their \
                       exact indentation"
                    .to_owned(),
            });
        }
    };
    let mut content = Vec::new();
    for line in &file[..placement.region.start] {
        content.extend_from_slice(line.text);
        content.extend_from_slice(line.ending.bytes());
    }
    for (text, ending) in &lines {
        content.extend_from_slice(text);
        content.extend_from_slice(ending.bytes());
    }
    for line in &file[placement.region.end..] {
        content.extend_from_slice(line.text);
        content.extend_from_slice(line.ending.bytes());
    }
    Ok((content, placement.rung))
}
