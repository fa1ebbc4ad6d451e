//! The columns: how wide each box is, and where it stands.

use super::rows::{Chart, GAP};

/// Times that each row is moved towards what it is joined to.
const N_ROUNDS: usize = 24;

/// Gives every item its width and its left column. `narrow` and `wanted` are widths by node; each row
/// fits into `width` with its boxes narrow.
pub(super) fn place(chart: &mut Chart, narrow: &[usize], wanted: &[usize], width: usize) {
    for row in 0..chart.rows.len() {
        widen(chart, row, narrow, wanted, width);
        pack(chart, row, width);
    }
    let joined = joined(chart);
    for round in 0..N_ROUNDS {
        let n_rows = chart.rows.len();
        for step in 0..n_rows {
            let row = if round % 2 == 0 { step } else { n_rows - 1 - step };
            pull(chart, row, &joined, width);
        }
    }
    straighten(chart, width);
    let leftmost = chart.items.iter().map(|item| item.left).min().unwrap_or(0);
    chart.items.iter_mut().for_each(|item| item.left -= leftmost);
}

/// Shares the room that a row has left among its boxes: those that want little get all they want.
fn widen(chart: &mut Chart, row: usize, narrow: &[usize], wanted: &[usize], width: usize) {
    let items = chart.rows[row].clone();
    let used: usize = items.iter().map(|&item| chart.items[item].width).sum();
    let mut spare = width.saturating_sub(used + GAP * items.len().saturating_sub(1));
    let mut boxes: Vec<usize> = items.iter().filter_map(|&item| chart.items[item].node).collect();
    boxes.sort_by_key(|&node| wanted[node] - narrow[node]);
    let n = boxes.len();
    for (idx, node) in boxes.into_iter().enumerate() {
        let share = (wanted[node] - narrow[node]).min(spare / (n - idx));
        spare -= share;
        chart.items[node].width = narrow[node] + share;
    }
}

/// Puts the items of a row side by side, in the middle.
fn pack(chart: &mut Chart, row: usize, width: usize) {
    let items = &chart.rows[row];
    let used: usize = items.iter().map(|&item| chart.items[item].width).sum();
    let used = used + GAP * items.len().saturating_sub(1);
    let mut left = width.saturating_sub(used) / 2;
    for &item in items {
        chart.items[item].left = left;
        left += chart.items[item].width + GAP;
    }
}

/// For each item the items that lines join it to, and how much that counts: lines that pass several
/// rows should be straight before boxes stand in the middle.
fn joined(chart: &Chart) -> Vec<Vec<(usize, f64)>> {
    let mut joined = vec![Vec::new(); chart.items.len()];
    let passes = |item: usize| chart.items[item].node.is_none();
    for net in chart.gaps.iter().flatten() {
        for &source in &net.sources {
            for &target in &net.targets {
                let weight = match (passes(source), passes(target)) {
                    (true, true) => 8.0,
                    (false, false) => 1.0,
                    _ => 2.0,
                };
                joined[source].push((target, weight));
                joined[target].push((source, weight));
            }
        }
    }
    joined
}

/// Neighbours in a row that want to be closer than they may be, and so move together.
struct Pool {
    sum: f64,
    weight: f64,
    n_items: usize,
}

impl Pool {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

/// Moves a row's items as close as their order and the width allow to the middle of what they are
/// joined to.
///
/// With the widths and gaps to the left subtracted, "in order and apart" becomes "not decreasing":
/// isotonic regression, solved by pooling neighbours that violate it.
fn pull(chart: &mut Chart, row: usize, joined: &[Vec<(usize, f64)>], width: usize) {
    let items = chart.rows[row].clone();
    let mut offset = 0;
    let mut offsets = Vec::with_capacity(items.len());
    let mut pools: Vec<Pool> = Vec::new();
    for &item in &items {
        let (wish, weight) = wish(chart, item, &joined[item]);
        let mut pool = Pool { sum: (wish - offset as f64) * weight, weight, n_items: 1 };
        while let Some(before) = pools.pop_if(|before| before.mean() > pool.mean()) {
            pool.sum += before.sum;
            pool.weight += before.weight;
            pool.n_items += before.n_items;
        }
        pools.push(pool);
        offsets.push(offset);
        offset += chart.items[item].width + GAP;
    }
    let room = (width + GAP).saturating_sub(offset);
    let positions = pools.iter().flat_map(|pool| {
        let position = pool.mean().round().clamp(0.0, room as f64);
        std::iter::repeat_n(position as usize, pool.n_items)
    });
    for ((item, offset), position) in items.into_iter().zip(offsets).zip(positions) {
        chart.items[item].left = position + offset;
    }
}

/// The left column that an item would like, and how strongly.
fn wish(chart: &Chart, item: usize, joined: &[(usize, f64)]) -> (f64, f64) {
    let this = &chart.items[item];
    if joined.is_empty() {
        return (this.left as f64, 1.0);
    }
    let weight: f64 = joined.iter().map(|(_, weight)| weight).sum();
    let sum: f64 = joined.iter().map(|&(other, weight)| centre(chart, other) * weight).sum();
    (sum / weight - (this.width as f64 - 1.0) / 2.0, weight)
}

/// Moves lines that pass several rows into one column, as far down as the items beside them let one
/// column do, then into the next.
fn straighten(chart: &mut Chart, width: usize) {
    let mut next = vec![None; chart.items.len()];
    let mut is_continued = vec![false; chart.items.len()];
    for net in chart.gaps.iter().flatten() {
        let passes = |item: &&usize| chart.items[**item].node.is_none();
        let ends = (net.sources.iter().find(passes), net.targets.iter().find(passes));
        if let (Some(&above), Some(&below)) = ends {
            next[above] = Some(below);
            is_continued[below] = true;
        }
    }
    let room = room_beside(chart, width);
    let starts: Vec<usize> =
        (0..next.len()).filter(|&item| next[item].is_some() && !is_continued[item]).collect();
    for start in starts {
        let line: Vec<usize> = std::iter::successors(Some(start), |&item| next[item]).collect();
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            let (mut low, mut high, mut n) = (0, usize::MAX, 0);
            for &item in rest {
                let (item_low, item_high) = room[item];
                if low.max(item_low) > high.min(item_high) {
                    break;
                }
                (low, high, n) = (low.max(item_low), high.min(item_high), n + 1);
            }
            let (column, others) = rest.split_at(n.max(1));
            let sum: usize = column.iter().map(|&item| chart.items[item].left).sum();
            let x = (sum / column.len()).clamp(low, high.max(low));
            column.iter().for_each(|&item| chart.items[item].left = x);
            rest = others;
        }
    }
}

/// The columns that each line could move to without touching a box or where another line may go.
fn room_beside(chart: &Chart, width: usize) -> Vec<(usize, usize)> {
    let mut room = vec![(0, 0); chart.items.len()];
    for items in &chart.rows {
        for (idx, &item) in items.iter().enumerate() {
            // Two lines side by side do not move towards each other.
            let left = idx.checked_sub(1).map(|left| &chart.items[items[left]]);
            let right = items.get(idx + 1).map(|&right| &chart.items[right]);
            let own = chart.items[item].left;
            let low = match left {
                Some(left) if left.node.is_none() => own,
                Some(left) => left.left + left.width + GAP,
                None => 0,
            };
            let high = match right {
                Some(right) if right.node.is_none() => own,
                Some(right) => right.left.saturating_sub(GAP + 1),
                None => width - 1,
            };
            room[item] = (low.min(own), high.max(own));
        }
    }
    room
}

fn centre(chart: &Chart, item: usize) -> f64 {
    let item = &chart.items[item];
    item.left as f64 + (item.width as f64 - 1.0) / 2.0
}
