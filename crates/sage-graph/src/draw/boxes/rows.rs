//! What is in which row: boxes, and lines that only pass.

/// Columns between two items of a row.
pub(super) const GAP: usize = 2;

/// A drawing before it has characters.
pub(super) struct Chart {
    pub(super) items: Vec<Item>,
    /// Items of each row, from left to right.
    pub(super) rows: Vec<Vec<usize>>,
    /// The lines below each row; the last row has none.
    pub(super) gaps: Vec<Vec<Net>>,
}

/// A box, or a line that passes a row.
pub(super) struct Item {
    /// The node whose box it is.
    pub(super) node: Option<usize>,
    pub(super) left: usize,
    pub(super) width: usize,
    /// Nodes below that a line from here leads to.
    leads_to: Vec<usize>,
}

/// A line between two neighbouring rows: every source leads to every target.
pub(super) struct Net {
    pub(super) sources: Vec<usize>,
    pub(super) targets: Vec<usize>,
}

/// Puts each layer into as few rows as the width allows. `narrow` is the least width of each node's
/// box. Nothing if even single boxes do not fit beside the lines that pass them.
pub(super) fn arrange(
    depth: &[usize],
    successors: &[Vec<usize>],
    narrow: &[usize],
    width: usize,
) -> Option<Chart> {
    let n_layers = depth.iter().max().map_or(0, |deepest| deepest + 1);
    let mut layers = vec![Vec::new(); n_layers];
    for (node, &depth) in depth.iter().enumerate() {
        layers[depth].push(node);
    }
    let mut n_rows = vec![1; n_layers];
    // Each round adds a row, and no layer gets more rows than nodes.
    loop {
        let rows: Vec<(usize, &[usize])> = layers
            .iter()
            .enumerate()
            .flat_map(|(layer, nodes)| {
                let per_row = nodes.len().div_ceil(n_rows[layer]);
                nodes.chunks(per_row).map(move |chunk| (layer, chunk))
            })
            .collect();
        let chart = connect(&rows, successors, narrow);
        let too_wide = chart.rows.iter().position(|items| {
            let widths = items.iter().map(|&item| chart.items[item].width).sum::<usize>();
            widths + GAP * items.len().saturating_sub(1) > width
        });
        let Some(row) = too_wide else { return Some(chart) };
        let layer = rows[row].0;
        let n_chunks = rows.iter().filter(|(of, _)| *of == layer).count();
        // The next number of rows that makes them shorter.
        let n_nodes = layers[layer].len();
        let per_row = n_nodes.div_ceil(n_chunks);
        n_rows[layer] = (n_chunks + 1..=n_nodes).find(|&rows| n_nodes.div_ceil(rows) < per_row)?;
    }
}

/// Draws the lines from row to row, adding an item wherever one passes.
fn connect(rows: &[(usize, &[usize])], successors: &[Vec<usize>], narrow: &[usize]) -> Chart {
    let mut row_of = vec![0; successors.len()];
    for (row, (_, nodes)) in rows.iter().enumerate() {
        nodes.iter().for_each(|&node| row_of[node] = row);
    }
    // The boxes come first, so that a node's number is that of its box.
    let boxes = narrow.iter().zip(successors).enumerate().map(|(node, (&width, successors))| {
        Item { node: Some(node), left: 0, width, leads_to: successors.clone() }
    });
    let mut items: Vec<Item> = boxes.collect();
    let mut chart_rows: Vec<Vec<usize>> = rows.iter().map(|(_, nodes)| nodes.to_vec()).collect();
    let mut gaps = Vec::new();
    for row in 1..rows.len() {
        let mut nets = Vec::new();
        for (leads_to, sources) in by_targets(&items, &chart_rows[row - 1]) {
            let (mut targets, further): (Vec<_>, Vec<_>) =
                leads_to.into_iter().partition(|&node| row_of[node] == row);
            if !further.is_empty() {
                let line = items.len();
                items.push(Item { node: None, left: 0, width: 1, leads_to: further });
                chart_rows[row].push(line);
                targets.push(line);
            }
            nets.push(Net { sources, targets });
        }
        gaps.push(nets);
    }
    Chart { items, rows: chart_rows, gaps }
}

/// The items of a row that lead anywhere, grouped by where they lead, in the order of the first.
fn by_targets(items: &[Item], row: &[usize]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for &item in row {
        let leads_to = &items[item].leads_to;
        match groups.iter_mut().find(|(targets, _)| targets == leads_to) {
            _ if leads_to.is_empty() => {}
            Some((_, sources)) => sources.push(item),
            None => groups.push((leads_to.clone(), vec![item])),
        }
    }
    groups
}
