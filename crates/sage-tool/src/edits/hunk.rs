//! One change of a diff or a patch, and what is said about its place besides its lines.
//!
//! Invariant: the lines alone place a hunk wherever they fit only once. What else is said decides only
//! between several places at which the lines fit equally well, and only if it leaves exactly one.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::ladder::Placement;
use super::lines::{Line, indent_of};

/// Places of an anchor that are followed; a line that occurs more often says nothing.
const MAX_ANCHOR_PLACES: usize = 200;

/// Lines to be replaced by others, at one place of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hunk {
    /// The lines that are there now, context included.
    pub search: String,
    /// The lines that shall be there.
    pub replace: String,
    /// The first of them, from 1, counted after the hunks before this one; absent unless every number
    /// of the file's diff agrees with every other and with the hunks' lines.
    pub line: Option<usize>,
    /// Lines that stand above the place, outermost first.
    pub anchors: Vec<String>,
    /// The anchors are only the heading that diffs carry for people.
    pub is_heading: bool,
    /// The place is the end of the file.
    pub at_end: bool,
    /// The last old line is said to have no newline.
    pub old_open: bool,
    /// The last new line is said to have no newline.
    pub new_open: bool,
    /// Lines are marked as removed and added: what is removed is not kept by a placeholder.
    pub is_marked: bool,
    /// The lines are all of the file.
    pub is_whole: bool,
    /// The line endings are meant as they are written.
    pub literal_endings: bool,
}

/// Finds the places (by index) whose regions are accepted.
type Which<'w> = dyn Fn(&dyn Fn(&Range<usize>) -> bool) -> Vec<usize> + 'w;

/// Which of several places is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// Index of the place.
    pub(super) index: usize,
    /// The line number decided.
    pub(super) by_line: bool,
}

impl Hunk {
    /// A change about whose place nothing more is said.
    #[must_use]
    pub fn plain(search: impl Into<String>, replace: impl Into<String>) -> Self {
        Self { search: search.into(), replace: replace.into(), ..Self::default() }
    }

    /// Whether a place is possible at all, given what is said about it.
    pub(super) fn allows(&self, region: &Range<usize>, file: &[Line<'_>]) -> bool {
        !self.is_whole || (region.start == 0 && is_at_end(region, file))
    }

    /// Whether an anchor that is in the file says that a place, though the only one, is not meant.
    pub(super) fn contradicts(&self, region: &Range<usize>, file: &[Line<'_>]) -> bool {
        if self.is_heading || self.anchors.is_empty() {
            return false;
        }
        let firsts: Vec<usize> = match self.chains(file, Scope::Rest) {
            Some(scopes) => scopes.iter().map(|scope| scope.start).collect(),
            None => return false,
        };
        !firsts.is_empty() && firsts.iter().all(|at| region.end <= *at)
    }

    /// Decides between places at which the lines fit equally well.
    pub(super) fn choose(&self, places: &[Placement<'_>], file: &[Line<'_>]) -> Option<Choice> {
        let only = |found: Vec<usize>| match found.as_slice() {
            [index] => Some(Choice { index: *index, by_line: false }),
            _ => None,
        };
        let which = |accepts: &dyn Fn(&Range<usize>) -> bool| -> Vec<usize> {
            let index = places.iter().enumerate().filter(|(_, place)| accepts(&place.region));
            index.map(|(index, _)| index).collect()
        };
        if (self.at_end || self.old_open)
            && let Some(choice) = only(which(&|region| is_at_end(region, file)))
        {
            return Some(choice);
        }
        let by_anchor = self.by_anchor(&which, file);
        let by_line = self.line.and_then(|line| {
            let is_exact = |place: &Placement<'_>| place.rung <= super::Rung::LineEndings;
            let index = places
                .iter()
                .position(|place| place.region.start + 1 == line && is_exact(place))?;
            Some(Choice { index, by_line: true })
        });
        match (by_anchor, by_line) {
            // Two signs that disagree are no sign.
            (Some(anchor), Some(line)) if anchor.index != line.index && !self.is_heading => None,
            (_, Some(line)) => Some(line),
            (anchor, None) => anchor,
        }
    }

    fn by_anchor(&self, which: &Which<'_>, file: &[Line<'_>]) -> Option<Choice> {
        if self.anchors.is_empty() {
            return None;
        }
        let only = |found: Vec<usize>| match found.as_slice() {
            [index] => Some(Choice { index: *index, by_line: false }),
            _ => None,
        };
        let blocks = self.chains(file, Scope::Block)?;
        let found = which(&|region| blocks.iter().any(|block| is_in(region, block, file)));
        if !found.is_empty() || self.is_heading {
            return only(found);
        }
        // A patch is read from its anchor on, whatever the layout.
        match self.chains(file, Scope::Rest)?.as_slice() {
            [rest] => only(which(&|region| region.start > rest.start)),
            _ => None,
        }
    }

    /// The parts of the file that the anchors lead to. `None` when a line is not there, or too often.
    fn chains(&self, file: &[Line<'_>], scope: Scope) -> Option<Vec<Range<usize>>> {
        let mut scopes: Vec<Range<usize>> = std::iter::once(0..file.len()).collect();
        for (depth, anchor) in self.anchors.iter().enumerate() {
            let mut next = Vec::new();
            for within in &scopes {
                // An inner anchor lies below the outer one, not on it.
                let from = if depth == 0 { within.start } else { within.start + 1 };
                for at in occurrences_of(anchor, file, from..within.end) {
                    next.push(match scope {
                        Scope::Block => at..block_end(file, at),
                        Scope::Rest => at..file.len(),
                    });
                    if next.len() > MAX_ANCHOR_PLACES {
                        return None;
                    }
                }
            }
            if next.is_empty() {
                return None;
            }
            scopes = next;
        }
        scopes.dedup();
        Some(scopes)
    }
}

/// How far below an anchor the place may lie.
#[derive(Clone, Copy)]
enum Scope {
    /// In the block that it opens.
    Block,
    /// Anywhere.
    Rest,
}

fn is_at_end(region: &Range<usize>, file: &[Line<'_>]) -> bool {
    file[region.end..].iter().all(|line| line.text.trim_ascii().is_empty())
}

/// Inside the block, around its first line, or right below it.
fn is_in(region: &Range<usize>, block: &Range<usize>, file: &[Line<'_>]) -> bool {
    let contains_first = region.contains(&block.start);
    let inside = region.start > block.start && region.end <= block.end;
    let follows = region.start > block.start
        && file[block.start + 1..region.start].iter().all(|line| line.text.trim_ascii().is_empty());
    contains_first || inside || follows
}

/// Lines that an anchor means: those that read like it, else those that begin like it.
fn occurrences_of(anchor: &str, file: &[Line<'_>], within: Range<usize>) -> Vec<usize> {
    let anchor = anchor.trim();
    let which = |accepts: &dyn Fn(&str) -> bool| -> Vec<usize> {
        within.clone().filter(|at| accepts(file[*at].shown().trim())).collect()
    };
    let same = which(&|line| line == anchor);
    if same.is_empty() { which(&|line| line.starts_with(anchor)) } else { same }
}

/// The line after the block that the line at `at` opens: the deeper lines that follow it.
fn block_end(file: &[Line<'_>], at: usize) -> usize {
    let depth = |line: &Line<'_>| indent_of(&line.shown()).chars().count();
    let own = depth(&file[at]);
    let mut end = at + 1;
    for (n, line) in file.iter().enumerate().skip(at + 1) {
        let text = line.text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        // An opening brace on a line of its own belongs to the line above it.
        if depth(line) <= own && !(n == at + 1 && matches!(text, b"{" | b"(" | b"begin" | b"do")) {
            break;
        }
        end = n + 1;
    }
    end
}
