//! Merges the rules of several files for one role: each once, in order, within a byte budget.

use std::collections::BTreeSet;

use sage_core::AgentRole;

use super::document::{Item, Kind};
use super::{Layer, RulesFile, Source};

/// The rules that one file contributes.
pub(super) struct Group<'a> {
    pub source: &'a Source,
    pub items: Vec<&'a Item>,
}

/// The rules for `role`, or for all roles, in order; a rule that an earlier file has is dropped, as are headings that
/// nothing stands under any more.
pub(super) fn merged(files: &[RulesFile], role: Option<AgentRole>) -> Vec<Group<'_>> {
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for file in files.iter().filter(|file| file.source.layer.holds_for(role)) {
        let mut items = Vec::new();
        for item in &file.items {
            if item.is_heading() || seen.insert((item.scope.as_str(), item.fingerprint())) {
                items.push(item);
            }
        }
        let items = without_empty_headings(items);
        if !items.is_empty() {
            groups.push(Group { source: &file.source, items });
        }
    }
    groups
}

impl Layer {
    fn holds_for(&self, role: Option<AgentRole>) -> bool {
        match self {
            Self::Home | Self::Project | Self::Legacy | Self::Agents { .. } => true,
            Self::Role(own) => role.is_none_or(|role| role == *own),
            Self::UnknownRole(_) => false,
        }
    }

    /// How binding a layer is when room is short; the lowest gives way first. What was written for
    /// this program and this role outweighs what was written for any agent.
    fn weight(&self) -> usize {
        match self {
            Self::UnknownRole(_) | Self::Legacy => 0,
            Self::Agents { folder } if folder.is_empty() => 1,
            Self::Agents { folder } => 2 + folder.matches('/').count(),
            Self::Home => usize::MAX - 2,
            Self::Project => usize::MAX - 1,
            Self::Role(_) => usize::MAX,
        }
    }
}

fn without_empty_headings(items: Vec<&Item>) -> Vec<&Item> {
    let mut kept: Vec<&Item> = Vec::new();
    // From the end: a heading stays if a rule, or a deeper heading that stays, follows it directly.
    for item in items.into_iter().rev() {
        let stays = match (item.kind, kept.last().map(|next| next.kind)) {
            (Kind::Heading(level), Some(Kind::Heading(next))) => next > level,
            (Kind::Heading(_), None) => false,
            _ => true,
        };
        if stays {
            kept.push(item);
        }
    }
    kept.reverse();
    kept
}

/// The merged rules as Markdown of at most `max_bytes` bytes.
pub(super) fn render(groups: &[Group<'_>], max_bytes: usize) -> String {
    let order = cutting_order(groups);
    // The length falls nearly steadily with the number of rules left out, so search for the number
    // and then step over the small rises that the closing note causes.
    let fits = |n_cut: usize| text_without(groups, &order[..n_cut]).len() <= max_bytes;
    let (mut low, mut high) = (0, order.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    while low < order.len() && !fits(low) {
        low += 1;
    }
    let text = text_without(groups, &order[..low]);
    if text.len() <= max_bytes { text } else { String::new() }
}

/// Positions (group, item) of all rules, the first to give way first.
fn cutting_order(groups: &[Group<'_>]) -> Vec<(usize, usize)> {
    let mut by_weight: Vec<usize> = (0..groups.len()).collect();
    by_weight.sort_by_key(|at| groups[*at].source.layer.weight());
    let rules_from_end = |group: usize| {
        let items = groups[group].items.iter().enumerate().rev();
        items.filter(|(_, item)| !item.is_heading()).map(move |(at, _)| (group, at))
    };
    by_weight.into_iter().flat_map(rules_from_end).collect()
}

fn text_without(groups: &[Group<'_>], cut: &[(usize, usize)]) -> String {
    let cut: BTreeSet<(usize, usize)> = cut.iter().copied().collect();
    let mut text = String::new();
    let mut left_out = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let is_kept = |(item, _): &(usize, &&Item)| !cut.contains(&(at, *item));
        let items: Vec<&Item> =
            group.items.iter().enumerate().filter(is_kept).map(|(_, item)| *item).collect();
        let items = without_empty_headings(items);
        let n_cut = cut.range((at, 0)..(at + 1, 0)).count();
        if n_cut > 0 {
            left_out.push(format!("{n_cut} of {}", group.source.shown));
        }
        if !items.is_empty() {
            text.push_str(&title(group.source));
            items.iter().for_each(|item| push_item(&mut text, item));
        }
    }
    if !left_out.is_empty() {
        text.push_str(&format!("[rules left out to save room: {}]\n", left_out.join(", ")));
    }
    text
}

fn title(source: &Source) -> String {
    match &source.layer {
        Layer::Agents { folder } if !folder.is_empty() => {
            format!("## {} (for files in {folder}/)\n", source.shown)
        }
        _ => format!("## {}\n", source.shown),
    }
}

/// Headings go two levels down, below the title of their file.
fn push_item(text: &mut String, item: &Item) {
    if let Kind::Heading(level) = item.kind {
        text.push_str(&"#".repeat((level + 2).min(6)));
        text.push_str(item.text.trim_start_matches('#'));
    } else {
        text.push_str(&item.text);
    }
    text.push('\n');
}
