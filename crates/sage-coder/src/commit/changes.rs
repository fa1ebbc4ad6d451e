//! What one task made of each file, from the log.

use std::collections::BTreeMap;

use sage_core::{Event, EventKind, FileState, NodeId, WorkspaceEvent};

/// One file's way through a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub path: String,
    /// Before the task's first change; absent if it did not exist.
    pub before: Option<FileState>,
    /// After its last one; absent if it was deleted.
    pub after: Option<FileState>,
}

/// The changes of a task that were not taken back, by path; those that cancel out are left out.
pub(super) fn of_node(events: &[Event], wanted: &NodeId) -> Vec<Change> {
    type Step = (u32, Option<FileState>, Option<FileState>);
    let mut steps: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Workspace(WorkspaceEvent::Changed { call, path, before, after, .. })
                if call.node == *wanted =>
            {
                let step = (call.attempt, before.clone(), after.clone());
                let of_path = steps.entry(path.clone()).or_default();
                // A call that is taken up again announces the same change again.
                if of_path.last() != Some(&step) {
                    of_path.push(step);
                }
            }
            EventKind::Workspace(WorkspaceEvent::RolledBack { node, attempt, paths })
                if node == wanted =>
            {
                for path in paths {
                    let of_path = steps.entry(path.clone()).or_default();
                    of_path.retain(|(number, ..)| number != attempt);
                }
            }
            _ => {}
        }
    }
    let net = steps.into_iter().filter_map(|(path, steps)| {
        let (first, last) = (steps.first()?, steps.last()?);
        Some(Change { path, before: first.1.clone(), after: last.2.clone() })
    });
    net.filter(|change| change.before != change.after).collect()
}
