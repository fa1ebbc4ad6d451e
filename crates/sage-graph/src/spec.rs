//! The graph as people and planners write it. Nothing here is checked beyond its shape; see
//! [`GraphSpec::compile`].

use sage_core::NodeId;
use serde::{Deserialize, Serialize};

/// The most nodes that a graph may have.
pub const MAX_NODES: usize = 4096;
/// The most edges that a graph may have.
pub const MAX_EDGES: usize = 65_536;
/// The most attempts that a node may ask for.
pub const MAX_ATTEMPTS: u32 = 100;

/// A graph: nodes, and edges that order them or carry data between them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphSpec {
    /// The nodes; their order breaks ties between nodes that could start at the same time.
    pub nodes: Vec<NodeSpec>,
    /// The edges, in any order; an edge written twice counts once.
    #[serde(default)]
    pub edges: Vec<EdgeSpec>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// Its name, unique in the graph.
    pub id: NodeId,
    /// Which kind of node it is; its meaning belongs to whoever runs it.
    #[serde(rename = "type")]
    pub node_type: String,
    /// How often it is tried.
    #[serde(default)]
    pub retry: Retry,
    /// The longest that one attempt may take, in seconds; absent is unbounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// What a resumed run does with an attempt that began and never ended.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// Parameters of its type.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub params: serde_json::Value,
}

impl NodeSpec {
    /// A node that is tried once, without a time limit and without parameters.
    pub fn new(id: NodeId, node_type: impl Into<String>) -> Self {
        Self {
            id,
            node_type: node_type.into(),
            retry: Retry::default(),
            timeout_s: None,
            on_unknown: OnUnknown::default(),
            params: serde_json::Value::Null,
        }
    }
}

/// How often a node is tried, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts in all, from 1 to [`MAX_ATTEMPTS`].
    pub attempts: u32,
    /// Milliseconds before the second attempt; doubled before each further one.
    pub backoff_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, backoff_ms: 0 }
    }
}

/// What to do with an attempt whose outcome is unknown, because the process ended in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Take it up again.
    #[default]
    Retry,
    /// Ask a person whether to take it up again.
    Ask,
    /// Count it as failed.
    Fail,
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeSpec {
    /// The node that comes first.
    pub from: NodeId,
    /// The node that waits for it.
    pub to: NodeId,
    /// What the edge carries.
    #[serde(default)]
    pub kind: EdgeKind,
}

impl EdgeSpec {
    /// An edge that only orders.
    #[must_use]
    pub fn after(from: NodeId, to: NodeId) -> Self {
        Self { from, to, kind: EdgeKind::After }
    }
}

/// What an edge carries, from the least to the most.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Nothing: it only orders.
    #[default]
    After,
    /// A whole result, stored.
    Value,
    /// Batches, while both ends run: they form one region.
    Stream,
}
