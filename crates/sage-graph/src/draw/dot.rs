//! The graph in the language of Graphviz.

use std::fmt::Write as _;

use super::Label;
use crate::{CompiledGraph, EdgeKind};

/// Nodes are called `n0`, `n1`, ... in topological order; ids and labels appear as quoted text only.
pub(super) fn write(graph: &CompiledGraph, labels: &[Label]) -> String {
    let mut out = String::from("digraph plan {\n    node [shape=box, fontname=\"sans-serif\"];\n");
    for (node, label) in labels.iter().enumerate() {
        // `\l` ends a line that is set flush left.
        let text: String = label.text().iter().map(|line| escape(line) + "\\l").collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "    n{node} [label=\"{text}\"];");
    }
    for &(from, to, kind) in graph.reduced() {
        let style = match kind {
            EdgeKind::After => "",
            EdgeKind::Value => " [label=\"value\"]",
            EdgeKind::Stream => " [label=\"stream\", style=bold]",
        };
        let _ = writeln!(out, "    n{from} -> n{to}{style};");
    }
    out.push_str("}\n");
    out
}

/// Inside double quotes only the quote and the backslash mean something; labels hold no line feeds.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
