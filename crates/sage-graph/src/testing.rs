//! Graphs for tests: a short form to write them in, and random ones.

use proptest::prelude::*;
use sage_core::NodeId;

use crate::{EdgeKind, EdgeSpec, GraphSpec, NodeSpec};

/// Reads statements separated by `;`: either ids, or a chain of ids joined by `->` (after), `=>`
/// (value) or `~>` (stream). Nodes exist from their first mention in a statement without arrows, or in
/// a chain whose ids are single letters or were mentioned before.
pub(crate) fn parse(text: &str) -> GraphSpec {
    let mut spec = GraphSpec::default();
    let statements: Vec<Vec<&str>> =
        text.split(';').map(|statement| statement.split_whitespace().collect()).collect();
    let declares = statements.first().is_some_and(|words| words.len() > 1 && !is_chain(words));
    for words in statements {
        let chain = is_chain(&words);
        for word in words.iter().filter(|word| arrow(word).is_none()) {
            let id = NodeId::new(*word).unwrap();
            let is_new = spec.nodes.iter().all(|node| node.id != id);
            if is_new && !(chain && declares) {
                spec.nodes.push(NodeSpec::new(id, "task"));
            }
        }
        for (idx, word) in words.iter().enumerate() {
            if let Some(kind) = arrow(word) {
                let end = |idx: usize| NodeId::new(words[idx]).unwrap();
                spec.edges.push(EdgeSpec { from: end(idx - 1), to: end(idx + 1), kind });
            }
        }
    }
    spec
}

fn is_chain(words: &[&str]) -> bool {
    words.iter().any(|word| arrow(word).is_some())
}

fn arrow(word: &str) -> Option<EdgeKind> {
    match word {
        "->" => Some(EdgeKind::After),
        "=>" => Some(EdgeKind::Value),
        "~>" => Some(EdgeKind::Stream),
        _ => None,
    }
}

fn node(number: usize) -> NodeId {
    NodeId::new(format!("n{number}")).unwrap()
}

/// Any graph: circles, self edges and all kinds of edges included.
pub(crate) fn any_graph(max_nodes: usize) -> impl Strategy<Value = GraphSpec> {
    graph_with(max_nodes, |from, to, n| (from % n, to % n))
}

/// Graphs without circles whose nodes are not written in a topological order; only `after` edges.
pub(crate) fn acyclic_graph(max_nodes: usize) -> impl Strategy<Value = GraphSpec> {
    graph_with(max_nodes, |from, to, n| {
        let (from, to) = (from % n, to % n);
        (from.min(to), from.max(to))
    })
    .prop_map(|mut spec| {
        spec.edges.retain(|edge| edge.from != edge.to);
        for edge in &mut spec.edges {
            edge.kind = EdgeKind::After;
        }
        let half = spec.nodes.len() / 2;
        spec.nodes.rotate_left(half);
        spec
    })
}

fn graph_with(
    max_nodes: usize,
    ends: impl Fn(usize, usize, usize) -> (usize, usize) + Clone,
) -> impl Strategy<Value = GraphSpec> {
    (1..=max_nodes).prop_flat_map(move |n| {
        let ends = ends.clone();
        let kind = prop_oneof![
            6 => Just(EdgeKind::After),
            2 => Just(EdgeKind::Value),
            1 => Just(EdgeKind::Stream),
        ];
        let edge = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), kind);
        prop::collection::vec(edge, 0..=n * 2).prop_map(move |edges| GraphSpec {
            nodes: (0..n).map(|number| NodeSpec::new(node(number), "task")).collect(),
            edges: edges
                .into_iter()
                .map(|(from, to, kind)| {
                    let (from, to) = ends(from.index(n), to.index(n), n);
                    EdgeSpec { from: node(from), to: node(to), kind }
                })
                .collect(),
        })
    })
}

proptest! {
    #[test]
    fn a_random_graph_is_either_ordered_or_refused_with_a_real_circle(spec in any_graph(12)) {
        let has_edge = |from: &NodeId, to: &NodeId| {
            spec.edges.iter().any(|edge| edge.from == *from && edge.to == *to)
        };
        match spec.compile() {
            Ok(graph) => {
                let layers = graph.layers();
                let layer = |id: &NodeId| layers.iter().position(|row| row.contains(id)).unwrap();
                let place = |id: &NodeId| graph.nodes().iter().position(|n| n.id == *id).unwrap();
                for edge in &spec.edges {
                    prop_assert!(layer(&edge.from) < layer(&edge.to));
                    prop_assert!(place(&edge.from) < place(&edge.to));
                    prop_assert!(graph.reaches(&edge.from, &edge.to));
                    prop_assert!(!graph.reaches(&edge.to, &edge.from));
                }
                prop_assert_eq!(layers.iter().map(Vec::len).sum::<usize>(), spec.nodes.len());
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    if let crate::Problem::Cycle { path } = problem {
                        for (idx, from) in path.iter().enumerate() {
                            prop_assert!(has_edge(from, &path[(idx + 1) % path.len()]));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_reduced_edges_imply_all_the_others(spec in acyclic_graph(12)) {
        let graph = spec.compile().unwrap();
        let reduced = GraphSpec { nodes: spec.nodes.clone(), edges: graph.reduced_edges() };
        let reduced_graph = reduced.compile().unwrap();
        for from in &spec.nodes {
            for to in &spec.nodes {
                prop_assert_eq!(
                    graph.reaches(&from.id, &to.id),
                    reduced_graph.reaches(&from.id, &to.id)
                );
            }
        }
        // And none of them can go.
        for (idx, edge) in reduced.edges.iter().enumerate() {
            let mut without = reduced.clone();
            without.edges.remove(idx);
            prop_assert!(!without.compile().unwrap().reaches(&edge.from, &edge.to));
        }
    }
}
