//! What ends the running of a graph, as opposed to a node that fails.

use sage_core::{ErrorKind, NodeId, RecordError};

/// Why a graph could not be run to an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The graph holds nodes that stream to each other.
    #[error("nodes that stream to each other cannot be run: {}", names(.nodes))]
    StreamRegion {
        /// The nodes of the first such region.
        nodes: Vec<NodeId>,
    },
    /// The run's log could not be written.
    #[error("recording what happened to a node")]
    Record(#[from] RecordError),
}

/// The result of running a graph.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::StreamRegion { .. } => ErrorKind::Usage,
            Self::Record(error) => error.kind(),
        }
    }
}

fn names(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(", ")
}
