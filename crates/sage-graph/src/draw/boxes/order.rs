//! The order of the items in each row, so that lines cross little.

use super::rows::{Chart, Net};

/// Times that the rows are sorted downwards and upwards again.
const N_SWEEPS: usize = 8;

/// Sorts rows by the mean position of what their items are joined to, again and again, and keeps the
/// best order seen. The same chart always gives the same order.
pub(super) fn untangle(chart: &mut Chart) {
    let mut best = chart.rows.clone();
    let mut fewest = n_crossings(chart);
    for _ in 0..N_SWEEPS {
        if fewest == 0 {
            break;
        }
        for row in 1..chart.rows.len() {
            sort_row(chart, row, row - 1);
        }
        for row in (1..chart.rows.len()).rev() {
            sort_row(chart, row - 1, row);
        }
        let n = n_crossings(chart);
        if n < fewest {
            fewest = n;
            best.clone_from(&chart.rows);
        }
    }
    chart.rows = best;
}

/// Where each item of a row stands, from 0 to 1; items of other rows have no entry.
fn positions(chart: &Chart, row: usize) -> Vec<Option<f64>> {
    let mut position = vec![None; chart.items.len()];
    let n = chart.rows[row].len() as f64;
    for (idx, &item) in chart.rows[row].iter().enumerate() {
        position[item] = Some((idx as f64 + 0.5) / n);
    }
    position
}

/// Sorts `row` by its neighbours in `other`, which is the row above or below.
fn sort_row(chart: &mut Chart, row: usize, other: usize) {
    let position = positions(chart, other);
    let own = positions(chart, row);
    let nets = &chart.gaps[row.min(other)];
    let ends = |net: &Net| -> (Vec<usize>, Vec<usize>) {
        let (sources, targets) = (net.sources.clone(), net.targets.clone());
        if row > other { (targets, sources) } else { (sources, targets) }
    };
    let mut neighbours = vec![Vec::new(); chart.items.len()];
    for (here, there) in nets.iter().map(ends) {
        for item in here {
            neighbours[item].extend(there.iter().filter_map(|&item| position[item]));
        }
    }
    let wish = |item: usize| -> f64 {
        let neighbours = &neighbours[item];
        if neighbours.is_empty() {
            return own[item].unwrap_or(0.5);
        }
        neighbours.iter().sum::<f64>() / neighbours.len() as f64
    };
    // Stable: items with the same wish keep their order.
    chart.rows[row].sort_by(|&a, &b| wish(a).total_cmp(&wish(b)));
}

fn n_crossings(chart: &Chart) -> usize {
    let mut n = 0;
    for (row, nets) in chart.gaps.iter().enumerate() {
        let (above, below) = (positions(chart, row), positions(chart, row + 1));
        let pairs: Vec<(Option<f64>, Option<f64>)> = nets
            .iter()
            .flat_map(|net| {
                net.sources.iter().flat_map(|source| net.targets.iter().map(move |t| (source, t)))
            })
            .map(|(&source, &target)| (above[source], below[target]))
            .collect();
        for (idx, a) in pairs.iter().enumerate() {
            n += pairs[idx + 1..]
                .iter()
                .filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1))
                .count();
        }
    }
    n
}
