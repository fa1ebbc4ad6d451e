//! Regions: the units in which a graph runs. Nodes joined by stream edges run together and form one
//! region; any other node is a region of its own.

use std::collections::VecDeque;

use petgraph::unionfind::UnionFind;
use sage_core::NodeId;

use crate::{EdgeKind, Problem};

/// What is scheduled, retried, timed and resumed as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Region {
    /// One node.
    Task(NodeId),
    /// Nodes joined by stream edges, in topological order.
    Stream(Vec<NodeId>),
}

/// Which region each node belongs to.
pub(crate) struct Partition {
    /// Region of each node; regions are numbered by their first node.
    pub(crate) of: Vec<usize>,
    /// Members of each region, ascending.
    pub(crate) members: Vec<Vec<usize>>,
}

/// Groups `0..n` by stream edges.
pub(crate) fn partition(n: usize, edges: &[(usize, usize, EdgeKind)]) -> Partition {
    let mut sets = UnionFind::<usize>::new(n);
    for &(from, to, _) in edges.iter().filter(|edge| edge.2 == EdgeKind::Stream) {
        sets.union(from, to);
    }
    let mut number = vec![None; n];
    let mut partition = Partition { of: Vec::with_capacity(n), members: Vec::new() };
    for node in 0..n {
        let root = sets.find_mut(node);
        let region = *number[root].get_or_insert_with(|| {
            partition.members.push(Vec::new());
            partition.members.len() - 1
        });
        partition.of.push(region);
        partition.members[region].push(node);
    }
    partition
}

/// Finds stream regions one of whose nodes has to wait for another to end. At most one problem is
/// reported per region.
pub(crate) fn check(
    partition: &Partition,
    edges: &[(usize, usize, EdgeKind)],
    id: impl Fn(usize) -> NodeId,
) -> Vec<Problem> {
    let mut next = vec![Vec::new(); partition.of.len()];
    for &(from, to, _) in edges {
        next[from].push(to);
    }
    let ids = |nodes: &[usize]| nodes.iter().map(|&node| id(node)).collect::<Vec<_>>();
    let streams = partition.members.iter().filter(|members| members.len() > 1);
    let mut problems = Vec::new();
    for members in streams {
        let region = partition.of[members[0]];
        let inner_wait = edges.iter().find(|&&(from, to, kind)| {
            kind != EdgeKind::Stream && partition.of[from] == region && partition.of[to] == region
        });
        let wait = match inner_wait {
            Some(&(from, to, _)) => Some((from, to, Vec::new())),
            None => way_back(partition, region, edges, &next),
        };
        if let Some((from, to, through)) = wait {
            problems.push(Problem::RegionWaitsForItself {
                region: ids(members),
                from: id(from),
                to: id(to),
                through: ids(&through),
            });
        }
    }
    problems
}

/// A path that leaves the region and comes back: where it leaves, where it comes back, and what lies
/// between. Every other region that it meets is crossed as a whole, because all its members end
/// together.
fn way_back(
    partition: &Partition,
    region: usize,
    edges: &[(usize, usize, EdgeKind)],
    next: &[Vec<usize>],
) -> Option<(usize, usize, Vec<usize>)> {
    // Breadth first over regions; `from[r]` is the edge by which region `r` was first entered.
    let mut entered: Vec<Option<(usize, usize)>> = vec![None; partition.members.len()];
    let mut queue = VecDeque::new();
    let leaving = edges.iter().filter(|edge| partition.of[edge.0] == region);
    for &(from, to, _) in leaving.filter(|edge| partition.of[edge.1] != region) {
        let other = partition.of[to];
        if entered[other].is_none() {
            entered[other] = Some((from, to));
            queue.push_back(other);
        }
    }
    while let Some(here) = queue.pop_front() {
        for &from in &partition.members[here] {
            for &to in &next[from] {
                let there = partition.of[to];
                if there == region {
                    return Some(trace(partition, region, &entered, (from, to)));
                }
                if there != here && entered[there].is_none() {
                    entered[there] = Some((from, to));
                    queue.push_back(there);
                }
            }
        }
    }
    None
}

fn trace(
    partition: &Partition,
    region: usize,
    entered: &[Option<(usize, usize)>],
    last: (usize, usize),
) -> (usize, usize, Vec<usize>) {
    let mut through = Vec::new();
    let mut edge = last;
    // Each step goes to a region that was entered earlier, so this ends.
    while partition.of[edge.0] != region {
        through.push(edge.0);
        match entered[partition.of[edge.0]] {
            Some(before) => {
                if before.1 != edge.0 {
                    through.push(before.1);
                }
                edge = before;
            }
            None => break,
        }
    }
    through.reverse();
    (edge.0, last.1, through)
}
