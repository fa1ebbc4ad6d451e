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

/// One entry per node in topological order, indented by layer.
pub(super) fn draw(graph: &CompiledGraph, labels: &[Label], width: usize) -> String {
    let mut before = vec![Vec::new(); labels.len()];
    for &(from, to, _) in graph.reduced() {
        before[to].push(graph.nodes()[from].id.as_str());
    }
    let mut out = String::new();
    for (node, label) in labels.iter().enumerate() {
        let indent = (graph.depth()[node] * INDENT).min(width / INDENT_SHARE);
        let room = width.saturating_sub(indent).max(MIN_TEXT);
        let mut put = |indent: usize, line: &str| {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
            out.push('\n');
        };
        put(indent, &text::truncate(&label.title, room));
        let after = match before[node].as_slice() {
            [] => None,
            ids => Some(format!("after: {}", ids.join(", "))),
        };
        for line in label.lines.iter().chain(&after) {
            for part in text::wrap(line, room.saturating_sub(INDENT).max(MIN_TEXT), MAX_WRAPPED) {
                put(indent + INDENT, &part);
            }
        }
    }
    out
}
