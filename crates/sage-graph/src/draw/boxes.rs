//! The graph as boxes in rows with lines between them.
//!
//! A layer becomes a row, or several where the width asks for it. A line that passes a row is an item
//! of that row like a box. Nodes with the same targets share one line, and only they do, so that
//! whoever follows a line against or along its direction finds exactly the edges: all that enters a
//! line leads to all that it leaves to. Where two lines cross, the vertical one interrupts the other.
//!
//! The steps: [`rows`] decides what is in which row, [`order`] in which order, [`place`] at which
//! column, [`route`] how the lines run between two rows, [`canvas`] holds the characters.

mod canvas;
mod order;
mod place;
mod route;
mod rows;

use self::canvas::Canvas;
use self::rows::Chart;
use super::{Label, text};
use crate::CompiledGraph;

/// Below this width a list is easier to read.
const MIN_WIDTH: usize = 56;
/// Wider terminals are not filled.
const MAX_WIDTH: usize = 400;
/// Beyond this many nodes boxes stop being an overview.
const MAX_NODES: usize = 120;
/// The widest box.
const MAX_BOX: usize = 44;
/// A row is split before its boxes become narrower than this, unless their text needs less.
const NARROW_BOX: usize = 24;
/// Columns that a box has for each line that arrives.
const PORT: usize = 2;
/// Every box has room for as many lines.
const MIN_PORTS: usize = 2;
/// Columns of a box that are not text.
const FRAME: usize = 4;
/// Lines that the title, and each further line of a label, may be wrapped onto.
const MAX_WRAPPED: usize = 3;

/// Draws the graph, or gives up where a list does better.
pub(super) fn draw(graph: &CompiledGraph, labels: &[Label], width: usize) -> Option<String> {
    let n = labels.len();
    if width < MIN_WIDTH || n > MAX_NODES {
        return None;
    }
    let width = width.min(MAX_WIDTH);
    let mut successors = vec![Vec::new(); n];
    for &(from, to, _) in graph.reduced() {
        successors[from].push(to);
    }
    let mut n_before = vec![0; n];
    graph.reduced().iter().for_each(|&(_, to, _)| n_before[to] += 1);
    let least = |node: usize| FRAME + PORT * n_before[node].max(MIN_PORTS);
    let wanted: Vec<usize> =
        (0..n).map(|node| text_width(&labels[node]).max(least(node))).collect();
    let narrow: Vec<usize> =
        (0..n).map(|node| wanted[node].min(NARROW_BOX).max(least(node))).collect();
    let mut chart = rows::arrange(graph.depth(), &successors, &narrow, width)?;
    order::untangle(&mut chart);
    place::place(&mut chart, &narrow, &wanted, width);
    paint(&chart, labels)
}

/// The width of a box whose text need not be wrapped, within bounds.
fn text_width(label: &Label) -> usize {
    let widest = label.text().iter().map(|line| text::width(line)).max().unwrap_or(0);
    (widest + FRAME).min(MAX_BOX)
}

fn paint(chart: &Chart, labels: &[Label]) -> Option<String> {
    let mut canvas = Canvas::default();
    let mut top = 0;
    for (row, items) in chart.rows.iter().enumerate() {
        let text_of = |item: &usize| {
            let item = &chart.items[*item];
            item.node.map(|node| content(&labels[node], item.width - FRAME))
        };
        let contents: Vec<Option<Vec<String>>> = items.iter().map(text_of).collect();
        let height = contents.iter().flatten().map(Vec::len).max().unwrap_or(0) + 2;
        let gap = match chart.gaps.get(row) {
            Some(nets) => Some(route::route(chart, nets)?),
            None => None,
        };
        for (&item, content) in items.iter().zip(&contents) {
            let item = &chart.items[item];
            match content {
                Some(lines) => canvas.frame(item.left, top, item.width, height, lines),
                None => canvas.vertical_line(item.left, top, height),
            }
        }
        top += height;
        if let Some(gap) = gap {
            for (item, x) in &gap.leaves {
                if chart.items[*item].node.is_some() {
                    canvas.leave(*x, top - 1);
                }
            }
            gap.paint(&mut canvas, top);
            top += gap.height;
        }
    }
    Some(canvas.into_text())
}

fn content(label: &Label, room: usize) -> Vec<String> {
    label.text().iter().flat_map(|line| text::wrap(line, room, MAX_WRAPPED)).collect()
}

#[cfg(test)]
mod tests;
