//! The graph as a Mermaid flow chart.

use std::fmt::Write as _;

use super::Label;
use crate::{CompiledGraph, EdgeKind};

/// Nodes are called `n0`, `n1`, ... in topological order, so that no id can clash with a keyword of
/// the language; ids and labels appear as escaped text only.
pub(super) fn write(graph: &CompiledGraph, labels: &[Label]) -> String {
    let mut out = String::from("flowchart TD\n");
    for (node, label) in labels.iter().enumerate() {
        let text = label.text().iter().map(|line| escape(line)).collect::<Vec<_>>().join("<br/>");
        // Writing to a String cannot fail.
        let _ = writeln!(out, "    n{node}[\"{text}\"]");
    }
    for &(from, to, kind) in graph.reduced() {
        let arrow = match kind {
            EdgeKind::After => "-->",
            EdgeKind::Value => "-- value -->",
            EdgeKind::Stream => "== stream ==>",
        };
        let _ = writeln!(out, "    n{from} {arrow} n{to}");
    }
    out
}

/// Everything but letters, digits, spaces and a few harmless signs becomes a character code, which
/// Mermaid writes `#NNN;`.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let is_harmless = !c.is_ascii()
            || c.is_ascii_alphanumeric()
            || matches!(
                c,
                ' ' | '_' | '-' | '.' | ',' | ':' | '/' | '(' | ')' | '+' | '=' | '?' | '!'
            );
        if is_harmless {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}
