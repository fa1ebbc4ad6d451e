//! Three-way merge of texts by lines.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// How a marking line begins. Longer than git's own marks and than those of edit formats, so that
/// neither is mistaken for it; every marking line goes on with words.
pub const MARKER: &str = "<<<<<<<<< CONFLICT";

/// A region that both sides changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Its first line in the tree's version, from 1.
    pub line: usize,
    /// What both began with.
    pub base: String,
    /// What the tree holds.
    pub ours: String,
    /// What the incoming side has.
    pub theirs: String,
}

/// A merged text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// Every region was changed by one side alone, or by both alike.
    Clean(Vec<u8>),
    /// Some were not.
    Conflict {
        /// The text with conflicts marked, both sides and the base in each.
        marked: Vec<u8>,
        /// The conflicts, first one first.
        hunks: Vec<Hunk>,
    },
}

/// Whether a text still has a conflict marked by [`merge_lines`].
#[must_use]
pub fn has_markers(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(MARKER.as_bytes()))
}

/// Merges by lines; `label` names the incoming side in marked conflicts. Line endings are part of a
/// line, and so is a missing one at the end.
#[must_use]
pub fn merge_lines(base: &[u8], ours: &[u8], theirs: &[u8], label: &str) -> Merge {
    let sides = [base, ours, theirs].map(split);
    let [base, ours, theirs] = &sides;
    let (in_ours, in_theirs) = (places(base, ours), places(base, theirs));
    let mut out = Output { merged: Vec::new(), hunks: Vec::new(), label };
    let (mut b, mut o, mut t) = (0, 0, 0);
    // Each turn passes a base line that all three have, after the region before it.
    for (at, places) in in_ours.into_iter().zip(in_theirs).enumerate() {
        let (Some(at_ours), Some(at_theirs)) = places else { continue };
        out.region(&base[b..at], &ours[o..at_ours], &theirs[t..at_theirs], o);
        out.push(base[at]);
        (b, o, t) = (at + 1, at_ours + 1, at_theirs + 1);
    }
    out.region(&base[b..], &ours[o..], &theirs[t..], o);
    match out.hunks.is_empty() {
        true => Merge::Clean(out.merged),
        false => Merge::Conflict { marked: out.merged, hunks: out.hunks },
    }
}

/// Lines with their endings.
fn split(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Where each line of the base is in a side that kept it.
fn places(base: &[&[u8]], side: &[&[u8]]) -> Vec<Option<usize>> {
    let mut places = vec![None; base.len()];
    for op in capture_diff_slices(Algorithm::Myers, base, side) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for n in 0..len {
                places[old_index + n] = Some(new_index + n);
            }
        }
    }
    places
}

struct Output<'a> {
    merged: Vec<u8>,
    hunks: Vec<Hunk>,
    label: &'a str,
}

impl Output<'_> {
    fn push(&mut self, line: &[u8]) {
        // A line that was the last of its file, and is not the last any more.
        if self.merged.last().is_some_and(|last| *last != b'\n') {
            self.merged.push(b'\n');
        }
        self.merged.extend_from_slice(line);
    }

    /// A region between lines that all have; `line` counts the tree's lines before it.
    fn region(&mut self, base: &[&[u8]], ours: &[&[u8]], theirs: &[&[u8]], line: usize) {
        if theirs == base || theirs == ours {
            return ours.iter().for_each(|line| self.push(line));
        }
        if ours == base {
            return theirs.iter().for_each(|line| self.push(line));
        }
        let number = self.hunks.len() + 1;
        let label = self.label;
        self.mark(&format!("{MARKER} {number}: in the tree now"));
        ours.iter().for_each(|line| self.push(line));
        self.mark("||||||||| before both");
        base.iter().for_each(|line| self.push(line));
        self.mark(&format!("========= by {label}"));
        theirs.iter().for_each(|line| self.push(line));
        self.mark(&format!(">>>>>>>>> END OF CONFLICT {number}"));
        let text = |lines: &[&[u8]]| String::from_utf8_lossy(&lines.concat()).into_owned();
        self.hunks.push(Hunk {
            line: line + 1,
            base: text(base),
            ours: text(ours),
            theirs: text(theirs),
        });
    }

    fn mark(&mut self, text: &str) {
        self.push(text.as_bytes());
        self.merged.push(b'\n');
    }
}
