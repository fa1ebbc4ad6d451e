//! What is wrong with rules: contradictions, unsafe orders, wishes that nobody can check.
//!
//! These are heuristics over words. They prefer silence to a false alarm: rules that are about
//! different things (another heading, another language) never contradict each other here.

mod contradiction;
mod phrases;

use super::document::Item;
use super::{DEFAULT_RULES_BYTES, Layer, MAX_RULES_FILE_BYTES, RulesFile};

/// One remark about one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file as shown to people.
    pub file: String,
    /// Line in that file, from 1.
    pub line: u32,
    /// What sort of remark.
    pub kind: FindingKind,
    /// The remark, one line.
    pub text: String,
}

/// What a [`Finding`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// Two rules cannot both be followed.
    Contradiction,
    /// The rule asks for something that this program refuses or that harms.
    Unsafe,
    /// The rule is a wish that no check could hold.
    Vague,
    /// The file is longer than what fits in a prompt.
    Overlong,
    /// The file is named after a role that does not exist.
    UnknownRole,
    /// The file was not read.
    Unreadable,
}

impl FindingKind {
    /// The name used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contradiction => "contradiction",
            Self::Unsafe => "unsafe",
            Self::Vague => "vague",
            Self::Overlong => "overlong",
            Self::UnknownRole => "unknown_role",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A rule together with the file it stands in.
#[derive(Clone, Copy)]
struct Placed<'a> {
    layer: &'a Layer,
    file: &'a str,
    item: &'a Item,
}

impl Placed<'_> {
    fn finding(&self, kind: FindingKind, text: String) -> Finding {
        Finding { file: self.file.to_owned(), line: self.item.line, kind, text }
    }
}

pub(super) fn validate(files: &[RulesFile]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        found.extend(about_file(file));
        for rule in rules_of(file) {
            let words = rule.item.text.as_str();
            found.extend(
                phrases::unsafe_order(words, &rule.item.scope)
                    .map(|order| rule.finding(FindingKind::Unsafe, format!("asks to {order}"))),
            );
            found.extend(phrases::vague_wish(words).map(|wish| {
                let text = format!("{wish:?} cannot be checked; say what to do and where");
                rule.finding(FindingKind::Vague, text)
            }));
        }
    }
    let all: Vec<Placed<'_>> = files.iter().flat_map(rules_of).collect();
    found.extend(contradiction::find(&all));
    in_file_order(found, files)
}

fn rules_of(file: &RulesFile) -> impl Iterator<Item = Placed<'_>> {
    let RulesFile { source, items, .. } = file;
    let rules = items.iter().filter(|item| !item.is_heading());
    rules.map(|item| Placed { layer: &source.layer, file: &source.shown, item })
}

fn about_file(file: &RulesFile) -> Vec<Finding> {
    let whole = |kind, text| Finding { file: file.source.shown.clone(), line: 1, kind, text };
    let mut found = Vec::new();
    if let Layer::UnknownRole(unknown) = &file.source.layer {
        found.push(whole(FindingKind::UnknownRole, format!("{unknown} (the file is not used)")));
    }
    let n_bytes = file.n_bytes;
    if n_bytes > MAX_RULES_FILE_BYTES as u64 {
        let text = format!("{n_bytes} bytes; only the first {MAX_RULES_FILE_BYTES} are read");
        found.push(whole(FindingKind::Overlong, text));
    } else if n_bytes > DEFAULT_RULES_BYTES as u64 {
        let text = format!("{n_bytes} bytes; a prompt has room for {DEFAULT_RULES_BYTES}");
        found.push(whole(FindingKind::Overlong, text));
    }
    found
}

fn in_file_order(mut found: Vec<Finding>, files: &[RulesFile]) -> Vec<Finding> {
    let position = |name: &str| files.iter().position(|file| file.source.shown == name);
    found.sort_by_key(|finding| (position(&finding.file), finding.line, finding.kind));
    found
}
