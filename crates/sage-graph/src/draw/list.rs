//! The graph as an indented list, for narrow terminals and for graphs too wide for boxes.

use super::{Label, text};
use crate::CompiledGraph;

/// Columns by which each layer is indented.
const INDENT: usize = 2;
/// The share of the width that indentation may take: one part in this many.
const INDENT_SHARE: usize = 4;
/// The least columns that text gets, however narrow the terminal is said to be.
const MIN_TEXT: usize = 8;
/// The most lines that one line of a label is wrapped onto.
const MAX_WRAPPED: usize = 4;

/// What stands before a title without a mark.
const BULLET: &str = "•";

/// One entry per node in topological order, indented by layer.
pub(super) fn draw(graph: &CompiledGraph, labels: &[Label], width: usize) -> String {
    let mut before = vec![Vec::new(); labels.len()];
    for &(from, to, _) in graph.reduced() {
        before[to].push(graph.nodes()[from].id.as_str());
    }
    let mut out = String::new();
    for (node, label) in labels.iter().enumerate() {
        let indent = (graph.depth()[node] * INDENT).min(width / INDENT_SHARE);
        let bullet = label.mark.as_deref().unwrap_or(BULLET);
        let hanging = text::width(bullet) + 1;
        let room = width.saturating_sub(indent + hanging).max(MIN_TEXT);
        let after = match before[node].as_slice() {
            [] => None,
            ids => Some(format!("after: {}", ids.join(", "))),
        };
        let lines = std::iter::once(&label.title).chain(&label.lines).chain(&after);
        let wrapped = lines.flat_map(|line| text::wrap(line, room, MAX_WRAPPED));
        for (idx, line) in wrapped.enumerate() {
            out.extend(std::iter::repeat_n(' ', indent));
            if idx == 0 {
                out.push_str(bullet);
                out.push(' ');
            } else {
                out.extend(std::iter::repeat_n(' ', hanging));
            }
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}
