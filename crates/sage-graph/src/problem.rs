//! What can be wrong with a graph.

use std::fmt;

use sage_core::{ErrorKind, NodeId};

use crate::{EdgeSpec, MAX_ATTEMPTS, MAX_EDGES, MAX_NODES};

/// One thing that is wrong with a graph. [`crate::GraphSpec::compile`] reports all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The graph is larger than this crate is willing to look at; nothing else was checked.
    #[error(
        "the graph has {n_nodes} nodes and {n_edges} edges; \
         at most {MAX_NODES} nodes and {MAX_EDGES} edges are allowed"
    )]
    TooLarge {
        /// Nodes found.
        n_nodes: usize,
        /// Edges found.
        n_edges: usize,
    },
    /// Two or more nodes have the same id.
    #[error("{n_times} nodes are called {id}")]
    DuplicateId {
        /// The id.
        id: NodeId,
        /// How many nodes have it.
        n_times: usize,
    },
    /// A node has an id that the program keeps for itself.
    #[error("node {id}: ids that begin with '@' are reserved")]
    ReservedId {
        /// The id.
        id: NodeId,
    },
    /// A node asks for no attempts or too many.
    #[error("node {id}: retry.attempts is {attempts}; 1 to {MAX_ATTEMPTS} are allowed")]
    BadAttempts {
        /// The node.
        id: NodeId,
        /// What it asks for.
        attempts: u32,
    },
    /// A node has no time at all.
    #[error("node {id}: timeout_s is 0")]
    ZeroTimeout {
        /// The node.
        id: NodeId,
    },
    /// An edge begins or ends at a node that does not exist.
    #[error(
        "edge {} -> {}: there is no node {unknown}{}",
        edge.from, edge.to,
        nearest.as_ref().map(|id| format!("; did you mean {id}?")).unwrap_or_default()
    )]
    UnknownNode {
        /// The edge.
        edge: EdgeSpec,
        /// The end of it that does not exist.
        unknown: NodeId,
        /// The node whose id is closest, if one is close.
        nearest: Option<NodeId>,
    },
    /// A node waits for itself.
    #[error("node {id} depends on itself")]
    SelfEdge {
        /// The node.
        id: NodeId,
    },
    /// Nodes wait for each other in a circle.
    #[error("a circle of dependencies: {}", Circle(path))]
    Cycle {
        /// The circle, each node once; the last leads back to the first.
        path: Vec<NodeId>,
    },
    /// Nodes that stream to each other run together, yet one must wait for another to end.
    #[error(
        "{} stream to each other and so run together, but {to} must wait for {from} to end{}",
        Names(region),
        if through.is_empty() { String::new() } else { format!(" (through {})", Names(through)) }
    )]
    RegionWaitsForItself {
        /// The nodes that run together.
        region: Vec<NodeId>,
        /// The node of the region that must end first.
        from: NodeId,
        /// The node of the region that waits.
        to: NodeId,
        /// Nodes outside the region on the way from one to the other.
        through: Vec<NodeId>,
    },
}

impl Problem {
    /// Always [`ErrorKind::Usage`]: somebody wrote a graph that does not make sense.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}

/// All problems in one text, one per line.
#[must_use]
pub fn list_problems(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Writes `a, b and c`, or the first few and how many more.
struct Names<'a>(&'a [NodeId]);

/// Names written out before the rest are only counted.
const MAX_NAMES: usize = 12;

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(MAX_NAMES)];
        let n_more = self.0.len() - shown.len();
        for (idx, id) in shown.iter().enumerate() {
            let is_last = idx + 1 == shown.len() && n_more == 0;
            match idx {
                0 => {}
                _ if is_last => f.write_str(" and ")?,
                _ => f.write_str(", ")?,
            }
            write!(f, "{id}")?;
        }
        if n_more > 0 { write!(f, " and {n_more} more") } else { Ok(()) }
    }
}

/// Writes `a -> b -> a`.
struct Circle<'a>(&'a [NodeId]);

impl fmt::Display for Circle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(MAX_NAMES)];
        for id in shown {
            write!(f, "{id} -> ")?;
        }
        let n_more = self.0.len() - shown.len();
        if n_more > 0 {
            write!(f, "({n_more} more) -> ")?;
        }
        match self.0.first() {
            Some(first) => write!(f, "{first}"),
            None => Ok(()),
        }
    }
}
