//! Decides what runs next, from nothing but the graph, the rules and the events so far.
//!
//! What the end of an attempt means (`node.finished`):
//!
//! | outcome | error | the node | the run |
//! |---|---|---|---|
//! | `done` | | is done | its dependents may start |
//! | `failed` | none, `tool`, `model_answer` | is tried again while `attempt < retry.attempts`, after its back-off; then failed | dependents of a failed node are skipped |
//! | `failed` | `usage`, `config`, `environment`, `rejected` | has failed | dependents are skipped |
//! | `failed` | `model_unavailable`, `budget`, `interrupted`, `internal` | is interrupted | nothing more is started, running nodes finish |
//! | `interrupted` | any | is interrupted | nothing more is started, running nodes finish |
//!
//! What a resumed run ([`Scheduler::take_up`], or a `run.resumed` event) does with a node:
//!
//! | last known | then |
//! |---|---|
//! | done, skipped, failed | nothing: it stays so |
//! | failed, with attempts left | the next attempt, after its back-off |
//! | interrupted (as above) | the same attempt again, [`Begin::Again`] |
//! | started, no end known | the same attempt again, [`Begin::Unknown`]: the driver asks `on_unknown` |
//! | never started | starts when its dependencies are done |
//!
//! Neither kind of "again" is announced by a second `node.started`. A node that waits out its back-off
//! keeps its slot. With [`OnFailure::StopStarting`] a failed node also keeps anything from being started
//! that had not begun; that survives a resume, because the failure does.

use std::collections::HashMap;
use std::sync::Arc;

use sage_core::{ErrorKind, Event, EventKind, NodeEvent, NodeId, NodeOutcome, RunEvent};
use sage_graph::{CompiledGraph, Retry};

/// The longest back-off, in milliseconds.
pub const MAX_BACKOFF_MS: u64 = 60_000;

/// What holds for the whole graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The most nodes that run at one time; 0 counts as 1.
    pub max_parallel: usize,
    /// What a failed node means for nodes that do not depend on it.
    pub on_failure: OnFailure,
}

/// What a failed node means for nodes that do not depend on it. Its dependents are skipped either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Nothing: they go on.
    SkipDependents,
    /// None of them is started any more; those that run finish.
    StopStarting,
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run an attempt.
    Start {
        /// The node.
        node: NodeId,
        /// Its attempt, from 1.
        attempt: u32,
        /// Milliseconds to wait first.
        delay_ms: u64,
        /// Whether the attempt is new.
        begin: Begin,
    },
    /// Record that the node will not run.
    Skip {
        /// The node.
        node: NodeId,
        /// The failed node on whose account.
        because: NodeId,
    },
}

/// How an attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Begin {
    /// For the first time: it is announced by `node.started`.
    New,
    /// Again, after an end that can be taken up.
    Again,
    /// Again, after a process that ended without telling what became of it.
    Unknown,
}

/// Where each node of the graph ended up, each list in topological order. Every node is in one list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphOutcome {
    /// Done.
    pub done: Vec<NodeId>,
    /// Failed, without an attempt left.
    pub failed: Vec<NodeId>,
    /// Not run, because something they depend on failed.
    pub skipped: Vec<NodeId>,
    /// Begun and not brought to an end; a resumed run goes on with them.
    pub interrupted: Vec<NodeId>,
    /// Not begun, because the run stopped before.
    pub not_started: Vec<NodeId>,
}

impl GraphOutcome {
    /// Whether every node is done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        let others = [&self.failed, &self.skipped, &self.interrupted, &self.not_started];
        others.iter().all(|list| list.is_empty())
    }
}

/// Whether a failure of this kind leaves room for another attempt.
#[must_use]
pub fn can_be_tried_again(error: Option<ErrorKind>) -> bool {
    matches!(error, None | Some(ErrorKind::Tool | ErrorKind::ModelAnswer))
}

/// Whether a failure of this kind says nothing about the node: the run stops, and a resumed run takes
/// the same attempt up again.
#[must_use]
pub fn can_be_taken_up(error: Option<ErrorKind>) -> bool {
    matches!(
        error,
        Some(
            ErrorKind::ModelUnavailable
                | ErrorKind::Budget
                | ErrorKind::Interrupted
                | ErrorKind::Internal
        )
    )
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Running {
        attempt: u32,
    },
    /// The attempt before `next` failed.
    Retrying {
        next: u32,
    },
    /// The attempt began and was not brought to an end.
    Stopped {
        attempt: u32,
        begin: Begin,
    },
    Done,
    Failed,
    Skipped {
        because: NodeId,
    },
}

/// Decides what runs next. See the table in the module's source for what it makes of events.
///
/// Clone it to look ahead: it holds no handle to anything.
#[derive(Debug, Clone)]
pub struct Scheduler {
    graph: Arc<CompiledGraph>,
    rules: Rules,
    /// By position in the graph's topological order.
    states: Vec<State>,
    dependencies: Vec<Vec<usize>>,
    position: HashMap<NodeId, usize>,
    is_stopping: bool,
}

impl Scheduler {
    /// A scheduler for a graph of which nothing has happened yet.
    #[must_use]
    pub fn new(graph: Arc<CompiledGraph>, rules: Rules) -> Self {
        let ids = graph.nodes().iter().map(|node| node.id.clone());
        let position: HashMap<NodeId, usize> = ids.zip(0..).collect();
        let dependencies = graph.nodes().iter().map(|node| {
            let dependencies = graph.dependencies(&node.id);
            dependencies.iter().filter_map(|id| position.get(id).copied()).collect()
        });
        Self {
            states: vec![State::Waiting; graph.nodes().len()],
            dependencies: dependencies.collect(),
            position,
            rules,
            is_stopping: false,
            graph,
        }
    }

    /// Takes note of an event. Events about other things than this graph's nodes mean nothing here,
    /// except `run.resumed`, which is [`Self::take_up`].
    pub fn apply(&mut self, event: &Event) {
        self.apply_kind(&event.kind);
    }

    pub(crate) fn apply_kind(&mut self, event: &EventKind) {
        match event {
            EventKind::Run(RunEvent::Resumed { .. }) => self.take_up(),
            EventKind::Node(NodeEvent::Started { node, attempt }) => {
                self.set(node, State::Running { attempt: *attempt });
            }
            EventKind::Node(NodeEvent::Finished { node, attempt, outcome, error, .. }) => {
                self.finished(node, *attempt, *outcome, *error);
            }
            EventKind::Node(NodeEvent::Skipped { node, because }) => {
                self.set(node, State::Skipped { because: because.clone() });
            }
            EventKind::Run(_)
            | EventKind::Node(NodeEvent::EnteredPhase { .. })
            | EventKind::Model(_)
            | EventKind::Tool(_)
            | EventKind::Human(_)
            | EventKind::Workspace(_) => {}
        }
    }

    fn finished(
        &mut self,
        id: &NodeId,
        attempt: u32,
        outcome: NodeOutcome,
        error: Option<ErrorKind>,
    ) {
        let Some(node) = self.graph.node(id) else { return };
        let state = match outcome {
            NodeOutcome::Done => State::Done,
            NodeOutcome::Failed if can_be_tried_again(error) && attempt < node.retry.attempts => {
                State::Retrying { next: attempt.saturating_add(1) }
            }
            NodeOutcome::Failed if !can_be_taken_up(error) => State::Failed,
            NodeOutcome::Failed | NodeOutcome::Interrupted => {
                self.is_stopping = true;
                State::Stopped { attempt, begin: Begin::Again }
            }
        };
        self.set(id, state);
    }

    fn set(&mut self, node: &NodeId, state: State) {
        if let Some(&position) = self.position.get(node) {
            self.states[position] = state;
        }
    }

    /// Says that the events so far are another process's: what it left running is not running any
    /// more, and what stopped it does not stop this one.
    pub fn take_up(&mut self) {
        self.is_stopping = false;
        for state in &mut self.states {
            if let State::Running { attempt } = *state {
                *state = State::Stopped { attempt, begin: Begin::Unknown };
            }
        }
    }

    /// Starts nothing from here on; what runs may finish.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Whether nothing is started any more, because of [`Self::stop`] or of how a node ended.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// What is to be done now: skips first, then starts, both in topological order. Each action is
    /// given out once; the caller performs it and applies the events that result.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "not an iterator: an empty answer is not the end"
    )]
    pub fn next(&mut self) -> Vec<Action> {
        let mut actions = self.skips();
        self.starts(&mut actions);
        actions
    }

    fn skips(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        // In topological order one pass is enough: a skip is seen by those who depend on it.
        for idx in 0..self.states.len() {
            if self.states[idx] != State::Waiting {
                continue;
            }
            let because = self.dependencies[idx].iter().find_map(|&dep| match &self.states[dep] {
                State::Failed => Some(self.id(dep)),
                State::Skipped { because } => Some(because.clone()),
                _ => None,
            });
            if let Some(because) = because {
                self.states[idx] = State::Skipped { because: because.clone() };
                actions.push(Action::Skip { node: self.id(idx), because });
            }
        }
        actions
    }

    fn starts(&mut self, actions: &mut Vec<Action>) {
        let is_running = |state: &&State| matches!(state, State::Running { .. });
        let n_running = self.states.iter().filter(is_running).count();
        let mut n_free = self.rules.max_parallel.max(1).saturating_sub(n_running);
        let may_begin = self.rules.on_failure == OnFailure::SkipDependents
            || !self.states.contains(&State::Failed);
        for idx in 0..self.states.len() {
            if n_free == 0 {
                break;
            }
            if let Some((attempt, begin)) = self.startable(idx, may_begin) {
                n_free -= 1;
                let node = &self.graph.nodes()[idx];
                let delay_ms = match begin {
                    Begin::New => backoff_ms(node.retry, attempt),
                    Begin::Again | Begin::Unknown => 0,
                };
                actions.push(Action::Start { node: node.id.clone(), attempt, delay_ms, begin });
                self.states[idx] = State::Running { attempt };
            }
        }
    }

    /// Which attempt of a node could start now; `may_begin` allows attempts that are new.
    fn startable(&self, idx: usize, may_begin: bool) -> Option<(u32, Begin)> {
        if self.is_stopping {
            return None;
        }
        match self.states[idx] {
            State::Stopped { attempt, begin } => Some((attempt, begin)),
            State::Retrying { next } if may_begin => Some((next, Begin::New)),
            State::Waiting if may_begin && self.dependencies_are_done(idx) => Some((1, Begin::New)),
            _ => None,
        }
    }

    fn dependencies_are_done(&self, idx: usize) -> bool {
        self.dependencies[idx].iter().all(|&dependency| self.states[dependency] == State::Done)
    }

    fn id(&self, idx: usize) -> NodeId {
        self.graph.nodes()[idx].id.clone()
    }

    /// Whether nothing runs and nothing is left to be done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let is_running = self.states.iter().any(|state| matches!(state, State::Running { .. }));
        !is_running && self.clone().next().is_empty()
    }

    /// Where the nodes are now; what still runs or waits for another attempt counts as interrupted.
    #[must_use]
    pub fn outcome(&self) -> GraphOutcome {
        let mut outcome = GraphOutcome::default();
        for (node, state) in self.graph.nodes().iter().zip(&self.states) {
            let list = match state {
                State::Done => &mut outcome.done,
                State::Failed => &mut outcome.failed,
                State::Skipped { .. } => &mut outcome.skipped,
                State::Running { .. } | State::Retrying { .. } | State::Stopped { .. } => {
                    &mut outcome.interrupted
                }
                State::Waiting => &mut outcome.not_started,
            };
            list.push(node.id.clone());
        }
        outcome
    }
}

/// The wait before an attempt: none before the first, then doubling up to [`MAX_BACKOFF_MS`].
fn backoff_ms(retry: Retry, attempt: u32) -> u64 {
    let Some(doublings) = attempt.checked_sub(2) else { return 0 };
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    retry.backoff_ms.saturating_mul(factor).min(MAX_BACKOFF_MS)
}

#[cfg(test)]
mod tests;
