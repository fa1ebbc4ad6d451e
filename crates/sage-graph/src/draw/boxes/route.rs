//! How the lines run in the gap between two rows: where they leave and arrive, and on which level
//! each one runs sideways.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::canvas::Canvas;
use super::rows::{Chart, Item, Net};

/// Up to this many lines every order of levels is tried.
const MAX_PERMUTED: usize = 6;
/// Columns between two lines that arrive at one box, if it is wide enough.
const PORT_SPACING: usize = 4;
/// A line that would arrive this close to the column that it comes from arrives there instead.
const SNAP: usize = 3;

/// The lines of one gap, ready to be painted.
pub(super) struct Gap {
    /// Lines of text that the gap takes.
    pub(super) height: usize,
    /// Where a line leaves an item: the item and the column.
    pub(super) leaves: BTreeMap<usize, usize>,
    wires: Vec<Wire>,
    /// The columns at which a line arrives at a box.
    arrows: Vec<usize>,
}

/// One line in columns.
#[derive(Debug, Default)]
struct Wire {
    from: Vec<usize>,
    to: Vec<usize>,
    level: usize,
}

impl Wire {
    fn span(&self) -> (usize, usize) {
        let xs = || self.from.iter().chain(&self.to).copied();
        (xs().min().unwrap_or(0), xs().max().unwrap_or(0))
    }

    fn is_straight(&self) -> bool {
        let (left, right) = self.span();
        left == right
    }
}

/// Routes the lines below a row, or gives up when a box is too narrow for its lines or two lines would
/// have to share a column.
pub(super) fn route(chart: &Chart, nets: &[Net]) -> Option<Gap> {
    if nets.is_empty() {
        return Some(Gap {
            height: 0,
            leaves: BTreeMap::new(),
            wires: Vec::new(),
            arrows: Vec::new(),
        });
    }
    let mut ports = Ports::new(chart, nets);
    ports.straighten();
    ports.arrive();
    if !ports.arrivals.iter().all(|((_, target), x)| reach(&chart.items[*target]).contains(x)) {
        return None;
    }
    let mut wires: Vec<Wire> = nets
        .iter()
        .enumerate()
        .map(|(idx, net)| Wire {
            from: net.sources.iter().map(|source| ports.leaves[source]).collect(),
            to: net.targets.iter().map(|&target| ports.arrivals[&(idx, target)]).collect(),
            level: 0,
        })
        .collect();
    let n_levels = choose_levels(&mut wires)?;
    let is_box = |target: usize| chart.items[target].node.is_some();
    let arrows = ports.arrivals.iter().filter(|((_, target), _)| is_box(*target));
    Some(Gap {
        height: n_levels + 1,
        arrows: arrows.map(|(_, &x)| x).collect(),
        leaves: ports.leaves,
        wires,
    })
}

/// Where lines leave and arrive.
struct Ports<'a> {
    chart: &'a Chart,
    nets: &'a [Net],
    /// By source.
    leaves: BTreeMap<usize, usize>,
    /// By line and target.
    arrivals: BTreeMap<(usize, usize), usize>,
}

/// The columns at which a line can leave or enter an item: not at a box's corners.
fn reach(item: &Item) -> RangeInclusive<usize> {
    match item.node {
        Some(_) => item.left + 2..=item.left + item.width - 3,
        None => item.left..=item.left,
    }
}

fn middle(item: &Item) -> usize {
    item.left + (item.width - 1) / 2
}

impl<'a> Ports<'a> {
    fn new(chart: &'a Chart, nets: &'a [Net]) -> Self {
        let sources = nets.iter().flat_map(|net| &net.sources);
        let leaves = sources.map(|&source| (source, middle(&chart.items[source]))).collect();
        Self { chart, nets, leaves, arrivals: BTreeMap::new() }
    }

    /// How many lines arrive at an item.
    fn n_arriving(&self, item: usize) -> usize {
        self.nets.iter().filter(|net| net.targets.contains(&item)).count()
    }

    /// Lines between one source and one target run straight down where the two overlap.
    fn straighten(&mut self) {
        for (idx, net) in self.nets.iter().enumerate() {
            let ([source], [target]) = (net.sources.as_slice(), net.targets.as_slice()) else {
                continue;
            };
            if self.n_arriving(*target) > 1 {
                continue;
            }
            let (above, below) = (&self.chart.items[*source], &self.chart.items[*target]);
            let low = *reach(above).start().max(reach(below).start());
            let high = *reach(above).end().min(reach(below).end());
            if low <= high {
                let x = usize::midpoint(middle(above), middle(below)).clamp(low, high);
                self.leaves.insert(*source, x);
                self.arrivals.insert((idx, *target), x);
            }
        }
    }

    /// Spreads the other lines over the tops of their targets, in the order in which they come.
    fn arrive(&mut self) {
        let mut arriving = BTreeMap::<usize, Vec<usize>>::new();
        for (idx, net) in self.nets.iter().enumerate() {
            for &target in &net.targets {
                if !self.arrivals.contains_key(&(idx, target)) {
                    arriving.entry(target).or_default().push(idx);
                }
            }
        }
        for (target, mut lines) in arriving {
            lines.sort_by_key(|&line| self.mean_source(line));
            for (line, x) in lines.iter().zip(self.spread(target, &lines)) {
                self.arrivals.insert((*line, target), x);
            }
        }
    }

    /// Ten times the mean column from which a line comes.
    fn mean_source(&self, line: usize) -> usize {
        let sources = &self.nets[line].sources;
        sources.iter().map(|source| self.leaves[source] * 10).sum::<usize>() / sources.len().max(1)
    }

    /// A column on the target for each of the lines, ascending.
    fn spread(&self, target: usize, lines: &[usize]) -> Vec<usize> {
        let item = &self.chart.items[target];
        let (low, high) = reach(item).into_inner();
        let n = lines.len();
        if low == high {
            return vec![low; n];
        }
        let spacing = ((high - low) / n).clamp(1, PORT_SPACING);
        let closest = spacing.min(2);
        let first = middle(item).saturating_sub(spacing * (n - 1) / 2).max(low);
        let mut taken = Vec::with_capacity(n);
        for (place, &line) in lines.iter().enumerate() {
            let low = taken.last().map_or(low, |last| last + closest);
            let high = high.saturating_sub((n - 1 - place) * closest).max(low);
            let wanted = self.snapped(line, first + place * spacing).clamp(low, high);
            taken.push(self.unshared(line, wanted, low, high));
        }
        taken
    }

    /// A column from which the line comes, if there is one close by.
    fn snapped(&self, line: usize, x: usize) -> usize {
        let sources = self.nets[line].sources.iter().map(|source| self.leaves[source]);
        let close = sources.filter(|from| from.abs_diff(x) <= SNAP);
        close.min_by_key(|from| from.abs_diff(x)).unwrap_or(x)
    }

    /// The column closest to `x` from which no other line comes down.
    fn unshared(&self, line: usize, x: usize, low: usize, high: usize) -> usize {
        let is_free = |x: &usize| {
            let others = self.leaves.iter().filter(|(_, from)| *from == x);
            others.into_iter().all(|(source, _)| self.nets[line].sources.contains(source))
        };
        let free = (low..=high).filter(is_free);
        free.min_by_key(|free| free.abs_diff(x)).unwrap_or(x)
    }
}

/// Puts lines that run sideways on levels, so that few cross, and says how many levels there are.
fn choose_levels(wires: &mut [Wire]) -> Option<usize> {
    let mut bent: Vec<usize> = (0..wires.len()).filter(|&idx| !wires[idx].is_straight()).collect();
    bent.sort_by_key(|&idx| wires[idx].span());
    let mut best: Option<(usize, usize, Vec<usize>)> = None;
    let mut consider = |order: &[usize]| {
        let Some(levels) = stack(wires, order) else { return };
        let n_levels = order.iter().map(|&wire| levels[wire] + 1).max().unwrap_or(0);
        let cost = (n_crossings(wires, &levels), n_levels);
        if best.as_ref().is_none_or(|best| cost < (best.0, best.1)) {
            best = Some((cost.0, cost.1, levels));
        }
    };
    if bent.len() <= MAX_PERMUTED {
        permute(&mut bent, 0, &mut consider);
    } else {
        consider(&bent);
        bent.reverse();
        consider(&bent);
    }
    let (_, n_levels, levels) = best?;
    for (wire, level) in wires.iter_mut().zip(levels) {
        wire.level = level;
    }
    Some(n_levels)
}

/// Calls `visit` with every order of `items[fixed..]`; at most [`MAX_PERMUTED`] deep.
fn permute(items: &mut Vec<usize>, fixed: usize, visit: &mut impl FnMut(&[usize])) {
    if fixed + 1 >= items.len() {
        return visit(items);
    }
    for idx in fixed..items.len() {
        items.swap(fixed, idx);
        permute(items, fixed + 1, visit);
        items.swap(fixed, idx);
    }
}

/// The level of each wire, when those of `order` take the highest one that is free in turn. A wire
/// that comes down in a column where another one arrives must bend above it; nothing if that is
/// impossible in this order.
fn stack(wires: &[Wire], order: &[usize]) -> Option<Vec<usize>> {
    let must_be_above =
        |a: usize, b: usize| a != b && wires[a].from.iter().any(|x| wires[b].to.contains(x));
    let mut levels = vec![0; wires.len()];
    let mut placed: Vec<usize> = Vec::new();
    for &wire in order {
        if placed.iter().any(|&other| must_be_above(wire, other)) {
            return None;
        }
        let above = placed.iter().filter(|&&other| must_be_above(other, wire));
        let first = above.map(|&other| levels[other] + 1).max().unwrap_or(0);
        let (left, right) = wires[wire].span();
        let is_free = |level: &usize| {
            placed.iter().filter(|&&other| levels[other] == *level).all(|&other| {
                let (other_left, other_right) = wires[other].span();
                other_right + 1 < left || right + 1 < other_left
            })
        };
        // With as many levels as wires there is always a free one.
        levels[wire] = (first..=first + placed.len()).find(is_free)?;
        placed.push(wire);
    }
    Some(levels)
}

fn n_crossings(wires: &[Wire], levels: &[usize]) -> usize {
    let mut n = 0;
    for (idx, wire) in wires.iter().enumerate() {
        for (other_idx, other) in wires.iter().enumerate() {
            let (left, right) = other.span();
            if idx == other_idx || left == right {
                continue;
            }
            let is_inside = |x: &&usize| left < **x && **x < right;
            let (level, other_level) = (levels[idx], levels[other_idx]);
            if wire.is_straight() || level > other_level {
                n += wire.from.iter().filter(is_inside).count();
            }
            if !wire.is_straight() && level < other_level {
                n += wire.to.iter().filter(is_inside).count();
            }
        }
    }
    n
}

impl Gap {
    /// Paints the lines below `top`.
    pub(super) fn paint(&self, canvas: &mut Canvas, top: usize) {
        for wire in &self.wires {
            canvas.wire((top, self.height), wire.level, &wire.from, &wire.to);
        }
        for &x in &self.arrows {
            canvas.arrow(x, top + self.height - 1);
        }
    }
}
