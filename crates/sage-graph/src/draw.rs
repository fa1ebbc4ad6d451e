//! Drawings of a graph: for the terminal, as Mermaid, as DOT.
//!
//! All three show the reduced edges (see [`CompiledGraph::reduced_edges`]) and whatever labels the
//! caller gives. Labels may hold text written by a model: control characters are taken out, long
//! text is cut, and what has a meaning in Mermaid or DOT is escaped. No colour: the caller's display
//! adds it or does not.

mod boxes;
mod dot;
mod list;
mod mermaid;
mod text;

use sage_core::NodeId;

use crate::CompiledGraph;

/// What stands in a node's box.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// The first line, such as `task_001 coder`.
    pub title: String,
    /// Further lines; long ones are wrapped.
    pub lines: Vec<String>,
    /// A symbol for the node's state, put before the title.
    pub mark: Option<String>,
}

/// The most further lines of a label that are drawn.
const MAX_LINES: usize = 10;

impl Label {
    /// The label without anything that could disturb a terminal or a layout.
    fn clean(&self) -> Self {
        let lines = self.lines.iter().map(|line| text::clean(line));
        let mark = self.mark.as_deref().map(text::clean);
        Self {
            title: text::clean(&self.title),
            lines: lines.filter(|line| !line.is_empty()).take(MAX_LINES).collect(),
            mark: mark.filter(|mark| !mark.is_empty()),
        }
    }

    /// Mark and title, then the other lines.
    fn text(&self) -> Vec<String> {
        let title = match &self.mark {
            Some(mark) => format!("{mark} {}", self.title),
            None => self.title.clone(),
        };
        std::iter::once(title).chain(self.lines.iter().cloned()).collect()
    }
}

type Labels<'a> = &'a dyn Fn(&NodeId) -> Label;

fn clean_labels(graph: &CompiledGraph, label: Labels<'_>) -> Vec<Label> {
    graph.nodes().iter().map(|node| label(&node.id).clean()).collect()
}

/// Draws the graph in at most `width` columns, as lines that each end with a line feed.
///
/// Boxes with lines between them where the width allows it, otherwise an indented list that names
/// what each node comes after.
#[must_use]
pub fn terminal(graph: &CompiledGraph, label: Labels<'_>, width: usize) -> String {
    let labels = clean_labels(graph, label);
    boxes::draw(graph, &labels, width).unwrap_or_else(|| list::draw(graph, &labels, width))
}

/// Writes the graph as a Mermaid flow chart.
#[must_use]
pub fn mermaid(graph: &CompiledGraph, label: Labels<'_>) -> String {
    mermaid::write(graph, &clean_labels(graph, label))
}

/// Writes the graph in the language of Graphviz.
#[must_use]
pub fn dot(graph: &CompiledGraph, label: Labels<'_>) -> String {
    dot::write(graph, &clean_labels(graph, label))
}

#[cfg(test)]
mod tests;
