//! Accidents of a search text that its writer will have had in the replacement, too.
//!
//! Invariant: what is taken out of the replacement was in the search text and is not in the file; and
//! a cleaned search text fits no place that the search text did not fit.

use super::Rung;
use super::fold::{fold_to, plain, trimmed, units};
use super::ladder::{Placement, Wanted};
use super::lines::Line;

/// Plain characters for which typographic ones are written; those of a group come together.
const GROUPS: [&[char]; 3] = [&['\'', '"'], &['-'], &[' ']];

/// The search text and the replacement without what the search text has wrong: blank lines at either
/// end, and typographic characters where the file has only plain ones. `None` if there is nothing.
pub(super) fn cleaned(
    file: &[Line<'_>],
    wanted: &Wanted<'_>,
    replace: &str,
    placement: &Placement<'_>,
) -> Option<(String, String)> {
    if !wanted.whole_lines || placement.rung < Rung::UnicodePunctuation {
        return None;
    }
    let is_blank = |line: &&&str| line.trim().is_empty();
    let is_loose = placement.rung == Rung::BlankLines;
    let count = |n: usize| if is_loose { n } else { 0 };
    let n_first = count(wanted.lines.iter().take_while(is_blank).count());
    let n_last = count(wanted.lines.iter().rev().take_while(is_blank).count());
    let which = typeset(file, wanted, placement);
    if n_first + n_last == 0 && which.is_empty() {
        return None;
    }
    let search = wanted.lines.get(n_first..wanted.lines.len() - n_last)?;
    let mut new: Vec<&str> = replace.lines().collect();
    let n_new = new.iter().rev().take(n_last).take_while(is_blank).count();
    new.truncate(new.len() - n_new);
    let n_new = new.iter().take(n_first).take_while(is_blank).count();
    new.drain(..n_new);
    let text = |lines: &[&str]| -> String {
        lines.iter().map(|line| format!("{}\n", fold_to(line, &which))).collect()
    };
    Some((text(search), text(&new)))
}

/// The plain characters that the file has wherever the search text has typographic ones, and never
/// the other way round.
fn typeset(file: &[Line<'_>], wanted: &Wanted<'_>, placement: &Placement<'_>) -> Vec<char> {
    let mut typeset: Vec<char> = Vec::new();
    let mut kept: Vec<char> = Vec::new();
    for (line, at) in wanted.lines.iter().zip(&placement.map) {
        let Some(found) = at.and_then(|at| file.get(at)) else { continue };
        let found = units(found.text);
        let line = line.trim_matches(|c| plain(c).is_whitespace());
        for (search, (found, _)) in line.chars().zip(trimmed(&found)) {
            if *found != plain(*found) {
                kept.push(plain(*found));
            } else if search != plain(search) {
                typeset.push(plain(search));
            }
        }
    }
    let has = |group: &&[char], list: &[char]| list.iter().any(|found| group.contains(found));
    let groups = GROUPS.into_iter().filter(|group| has(group, &typeset) && !has(group, &kept));
    groups.flatten().copied().collect()
}
