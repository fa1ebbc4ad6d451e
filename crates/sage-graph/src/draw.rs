//! Drawings of a graph: for the terminal, as Mermaid, as DOT.
//!
//! All three show the reduced edges (see [`CompiledGraph::reduced_edges`]) and whatever labels the
//! caller gives. Labels may hold text written by a model: control characters are taken out, long
//! text is cut, and what has a meaning in Mermaid or DOT is escaped. No colour: the caller's display
//! adds it or does not.

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
    /// The label without anything that could disturb a terminal or a layout, its mark in the title.
    fn clean(&self) -> Self {
        let title = match &self.mark {
            Some(mark) => format!("{mark} {}", self.title),
            None => self.title.clone(),
        };
        let lines = self.lines.iter().map(|line| text::clean(line));
        Self {
            title: text::clean(&title),
            lines: lines.filter(|line| !line.is_empty()).take(MAX_LINES).collect(),
            mark: None,
        }
    }
}

type Labels<'a> = &'a dyn Fn(&NodeId) -> Label;

fn clean_labels(graph: &CompiledGraph, label: Labels<'_>) -> Vec<Label> {
    graph.nodes().iter().map(|node| label(&node.id).clean()).collect()
}

/// Draws the graph in at most `width` columns, as lines that each end with a line feed.
#[must_use]
pub fn terminal(graph: &CompiledGraph, label: Labels<'_>, width: usize) -> String {
    list::draw(graph, &clean_labels(graph, label), width)
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
