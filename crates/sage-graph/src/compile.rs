//! From a [`GraphSpec`] to a [`CompiledGraph`]: every check, all problems at once, and the order.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use sage_core::{NodeId, nearest};

use crate::regions::{self, Partition};
use crate::{
    CompiledGraph, EdgeKind, EdgeSpec, GraphSpec, MAX_ATTEMPTS, MAX_EDGES, MAX_NODES, Problem,
};

/// Unknown names for which a near one is looked up; the look-up compares with every node.
const MAX_SUGGESTIONS: usize = 10;

/// An edge between positions in the spec.
pub(crate) type Edge = (usize, usize, EdgeKind);

impl GraphSpec {
    /// Checks the graph and brings it into order.
    ///
    /// The error lists every problem that was found, in the order: nodes, edges, circles, regions. A
    /// graph without nodes is fine.
    pub fn compile(&self) -> Result<CompiledGraph, Vec<Problem>> {
        let (n_nodes, n_edges) = (self.nodes.len(), self.edges.len());
        if n_nodes > MAX_NODES || n_edges > MAX_EDGES {
            return Err(vec![Problem::TooLarge { n_nodes, n_edges }]);
        }
        let mut problems = self.node_problems();
        let edges = self.resolve_edges(&mut problems);
        let id = |node: usize| self.nodes[node].id.clone();
        let circles = circles(n_nodes, &edges);
        let is_acyclic = circles.is_empty();
        problems.extend(
            circles
                .into_iter()
                .map(|path| Problem::Cycle { path: path.into_iter().map(id).collect() }),
        );
        let partition = regions::partition(n_nodes, &edges);
        if is_acyclic {
            problems.extend(regions::check(&partition, &edges, id));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let order = topological_order(n_nodes, &edges);
        let region_order = region_order(&partition, &edges);
        Ok(CompiledGraph::new(self, &order, &edges, &partition, &region_order))
    }

    fn node_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut n_times = HashMap::<&NodeId, usize>::new();
        for node in &self.nodes {
            *n_times.entry(&node.id).or_default() += 1;
        }
        for node in &self.nodes {
            let id = &node.id;
            // Reported at the first of the namesakes.
            if let Some(n_times) = n_times.remove(id).filter(|n| *n > 1) {
                problems.push(Problem::DuplicateId { id: id.clone(), n_times });
            }
            if id.is_reserved() {
                problems.push(Problem::ReservedId { id: id.clone() });
            }
            if !(1..=MAX_ATTEMPTS).contains(&node.retry.attempts) {
                let attempts = node.retry.attempts;
                problems.push(Problem::BadAttempts { id: id.clone(), attempts });
            }
            if node.timeout_s == Some(0) {
                problems.push(Problem::ZeroTimeout { id: id.clone() });
            }
        }
        problems
    }

    /// The edges whose ends exist and differ, each once.
    fn resolve_edges(&self, problems: &mut Vec<Problem>) -> Vec<Edge> {
        let mut position = HashMap::new();
        for (idx, node) in self.nodes.iter().enumerate() {
            position.entry(&node.id).or_insert(idx);
        }
        let mut edges = Vec::new();
        let mut seen = HashSet::new();
        let mut n_suggestions = 0;
        for edge in &self.edges {
            if !seen.insert(edge) {
                continue;
            }
            match (position.get(&edge.from), position.get(&edge.to)) {
                (Some(from), Some(to)) if from == to => {
                    problems.push(Problem::SelfEdge { id: edge.from.clone() });
                }
                (Some(&from), Some(&to)) => edges.push((from, to, edge.kind)),
                (from, to) => {
                    let ends = [(from, &edge.from), (to, &edge.to)];
                    for (_, unknown) in ends.into_iter().filter(|(found, _)| found.is_none()) {
                        n_suggestions += 1;
                        let nearest = (n_suggestions <= MAX_SUGGESTIONS)
                            .then(|| self.nearest_node(unknown, edge))
                            .flatten();
                        problems.push(Problem::UnknownNode {
                            edge: edge.clone(),
                            unknown: unknown.clone(),
                            nearest,
                        });
                    }
                }
            }
        }
        edges
    }

    /// The node that was probably meant; never the other end of the same edge.
    fn nearest_node(&self, unknown: &NodeId, edge: &EdgeSpec) -> Option<NodeId> {
        let candidates = self.nodes.iter().map(|node| &node.id);
        let candidates = candidates.filter(|id| **id != edge.from && **id != edge.to);
        let found = nearest(unknown.as_str(), candidates.map(NodeId::as_str))?;
        self.nodes.iter().find(|node| node.id.as_str() == found).map(|node| node.id.clone())
    }
}

fn successors(n: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut next = vec![Vec::new(); n];
    for &(from, to, _) in edges {
        next[from].push(to);
    }
    next
}

/// One short circle for each set of nodes that reach each other, found from its first node.
fn circles(n: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut graph = DiGraph::<(), ()>::with_capacity(n, edges.len());
    for _ in 0..n {
        graph.add_node(());
    }
    for &(from, to, _) in edges {
        graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
    }
    let next = successors(n, edges);
    let mut found: Vec<Vec<usize>> = kosaraju_scc(&graph)
        .into_iter()
        .filter(|component| component.len() > 1)
        .filter_map(|component| {
            let members: HashSet<usize> = component.iter().map(|node| node.index()).collect();
            let start = members.iter().copied().min()?;
            circle_through(start, &members, &next)
        })
        .collect();
    found.sort_unstable();
    found
}

/// The shortest circle through `start` within `members`.
fn circle_through(
    start: usize,
    members: &HashSet<usize>,
    next: &[Vec<usize>],
) -> Option<Vec<usize>> {
    let mut before = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(here) = queue.pop_front() {
        for &there in next[here].iter().filter(|node| members.contains(node)) {
            if there == start {
                let mut path = vec![here];
                let mut at = here;
                while let Some(&previous) = before.get(&at) {
                    path.push(previous);
                    at = previous;
                }
                path.reverse();
                return Some(path);
            }
            if let Entry::Vacant(unseen) = before.entry(there) {
                unseen.insert(here);
                queue.push_back(there);
            }
        }
    }
    None
}

/// Always the first in the spec among the nodes that are ready. The edges have no circle.
fn topological_order(n: usize, edges: &[Edge]) -> Vec<usize> {
    let next = successors(n, edges);
    let mut n_open = vec![0_usize; n];
    for &(_, to, _) in edges {
        n_open[to] += 1;
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..n).filter(|&node| n_open[node] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(n);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for &to in &next[node] {
            n_open[to] -= 1;
            if n_open[to] == 0 {
                ready.push(Reverse(to));
            }
        }
    }
    debug_assert_eq!(order.len(), n);
    order
}

/// The regions in topological order; those ready at the same time by their first node in the spec.
fn region_order(partition: &Partition, edges: &[Edge]) -> Vec<usize> {
    let between: Vec<Edge> = edges
        .iter()
        .map(|&(from, to, kind)| (partition.of[from], partition.of[to], kind))
        .filter(|(from, to, _)| from != to)
        .collect();
    topological_order(partition.members.len(), &between)
}

#[cfg(test)]
mod tests;
