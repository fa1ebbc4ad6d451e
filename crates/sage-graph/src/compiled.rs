//! A graph that is known to be acyclic, with its order worked out. Immutable.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sage_core::NodeId;

use crate::compile::Edge;
use crate::reach::Reach;
use crate::regions::{Partition, Region};
use crate::{EdgeKind, EdgeSpec, GraphSpec, NodeSpec};

/// A checked, ordered graph. Made by [`GraphSpec::compile`].
///
/// Positions (`usize`) that appear inside this crate count nodes in topological order.
#[derive(Debug, Clone, PartialEq)]
pub struct CompiledGraph {
    nodes: Vec<NodeSpec>,
    edges: Vec<EdgeSpec>,
    position: HashMap<NodeId, usize>,
    dependencies: Vec<Vec<NodeId>>,
    dependents: Vec<Vec<NodeId>>,
    successors: Vec<Vec<usize>>,
    /// How many nodes lie on the longest path that leads here.
    depth: Vec<usize>,
    /// Pairs of positions, with what they carry, without those that other edges imply.
    reduced: Vec<(usize, usize, EdgeKind)>,
    reach: Reach,
    regions: Vec<Region>,
}

impl CompiledGraph {
    /// `order` is a topological order of the spec's nodes, `edges` are free of circles and duplicates.
    pub(crate) fn new(
        spec: &GraphSpec,
        order: &[usize],
        edges: &[Edge],
        partition: &Partition,
        region_order: &[usize],
    ) -> Self {
        let n = order.len();
        let nodes: Vec<NodeSpec> = order.iter().map(|&idx| spec.nodes[idx].clone()).collect();
        let mut place = vec![0; n];
        for (position, &idx) in order.iter().enumerate() {
            place[idx] = position;
        }
        let id = |position: usize| nodes[position].id.clone();
        // An edge may be there in several kinds: ordered by ends, the strongest kind wins.
        let mut pairs = BTreeMap::<(usize, usize), EdgeKind>::new();
        for &(from, to, kind) in edges {
            let strongest = pairs.entry((place[from], place[to])).or_default();
            *strongest = kind.max(*strongest);
        }
        let mut successors = vec![Vec::new(); n];
        let mut predecessors = vec![Vec::new(); n];
        for &(from, to) in pairs.keys() {
            successors[from].push(to);
            predecessors[to].push(from);
        }
        let mut depth = vec![0_usize; n];
        for node in 0..n {
            depth[node] =
                predecessors[node].iter().map(|&before| depth[before] + 1).max().unwrap_or(0);
        }
        let reach = Reach::new(&successors);
        let is_implied =
            |from: usize, to: usize| successors[from].iter().any(|&mid| reach.reaches(mid, to));
        let reduced = pairs
            .iter()
            .filter(|((from, to), kind)| **kind != EdgeKind::After || !is_implied(*from, *to))
            .map(|(&(from, to), &kind)| (from, to, kind))
            .collect();
        let regions = region_order
            .iter()
            .map(|&region| {
                let members: BTreeSet<usize> =
                    partition.members[region].iter().map(|&idx| place[idx]).collect();
                match members.first() {
                    Some(&only) if members.len() == 1 => Region::Task(id(only)),
                    _ => Region::Stream(members.into_iter().map(id).collect()),
                }
            })
            .collect();
        let ids = |rows: Vec<Vec<usize>>| -> Vec<Vec<NodeId>> {
            rows.into_iter().map(|row| row.into_iter().map(id).collect()).collect()
        };
        Self {
            edges: edges
                .iter()
                .map(|&(from, to, kind)| EdgeSpec {
                    from: id(place[from]),
                    to: id(place[to]),
                    kind,
                })
                .collect(),
            position: (0..n).map(|position| (id(position), position)).collect(),
            dependencies: ids(predecessors),
            dependents: ids(successors.clone()),
            successors,
            depth,
            reduced,
            reach,
            regions,
            nodes,
        }
    }

    /// The nodes in topological order; among those that could come next, the one that the spec
    /// names first.
    #[must_use]
    pub fn nodes(&self) -> &[NodeSpec] {
        &self.nodes
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&NodeSpec> {
        self.position.get(id).map(|&position| &self.nodes[position])
    }

    /// Every edge as it was written, in the spec's order, without repetitions.
    #[must_use]
    pub fn edges(&self) -> &[EdgeSpec] {
        &self.edges
    }

    /// What the node waits for directly, in topological order; empty for an unknown node.
    #[must_use]
    pub fn dependencies(&self, id: &NodeId) -> &[NodeId] {
        self.position.get(id).map_or(&[], |&position| &self.dependencies[position])
    }

    /// What waits for the node directly, in topological order; empty for an unknown node.
    #[must_use]
    pub fn dependents(&self, id: &NodeId) -> &[NodeId] {
        self.position.get(id).map_or(&[], |&position| &self.dependents[position])
    }

    /// The nodes by the length of the longest path that leads to them: a node depends on something in
    /// the layer right above its own, and on nothing in its own or below.
    #[must_use]
    pub fn layers(&self) -> Vec<Vec<NodeId>> {
        let n_layers = self.depth.iter().max().map_or(0, |deepest| deepest + 1);
        let mut layers = vec![Vec::new(); n_layers];
        for (node, &depth) in self.nodes.iter().zip(&self.depth) {
            layers[depth].push(node.id.clone());
        }
        layers
    }

    /// The units that run, in topological order.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// Whether `to` has to wait for `from`, directly or not. False for a node and itself, and for
    /// unknown nodes.
    #[must_use]
    pub fn reaches(&self, from: &NodeId, to: &NodeId) -> bool {
        match (self.position.get(from), self.position.get(to)) {
            (Some(&from), Some(&to)) => self.reach.reaches(from, to),
            _ => false,
        }
    }

    /// The edges worth drawing: without `after` edges that follow from others. An edge that carries
    /// data is always there. Ordered by their ends' topological positions.
    #[must_use]
    pub fn reduced_edges(&self) -> Vec<EdgeSpec> {
        let id = |position: usize| self.nodes[position].id.clone();
        self.reduced
            .iter()
            .map(|&(from, to, kind)| EdgeSpec { from: id(from), to: id(to), kind })
            .collect()
    }

    pub(crate) fn reduced(&self) -> &[(usize, usize, EdgeKind)] {
        &self.reduced
    }

    pub(crate) fn depth(&self) -> &[usize] {
        &self.depth
    }
}
