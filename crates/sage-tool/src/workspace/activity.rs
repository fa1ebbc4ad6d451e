//! Who is at work in a tree, so that a command's effects are not confused with somebody else's.
//!
//! Several tasks share one tree. When a command ends, files outside its task's paths have changed for
//! one of three reasons: the command did it, another task's tool did it, or another command did it that
//! runs at the same time. The second is recognised because every tool write is noted here; the third
//! because the paths of running commands are claimed here. What is left unexplained while other
//! commands run waits here until the last of them has ended: taking away a file under a running build
//! would break it.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::FileState;

use super::Workspace;
use crate::grant::PathSet;
use crate::snapshot::Entry;

/// The state behind [`Workspace::claim`] and the attribution of effects.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    next_id: u64,
    claims: BTreeMap<u64, PathSet>,
    running: BTreeSet<u64>,
    /// Counts commands that began.
    n_begun: u64,
    /// Counts tool writes.
    tick: u64,
    /// The last tool write of each path: when, and what it left.
    written: BTreeMap<String, (u64, Option<FileState>)>,
    /// Unexplained changes, with what was there before.
    waiting: BTreeMap<String, Option<Entry>>,
}

impl Activity {
    /// The present moment on the count of tool writes.
    pub(crate) fn now(&self) -> u64 {
        self.tick
    }

    pub(crate) fn note_write(&mut self, path: &str, after: Option<FileState>) {
        self.tick += 1;
        self.written.insert(path.to_owned(), (self.tick, after));
    }

    /// What tools left at `path` since `since`, if they touched it.
    pub(crate) fn written_since(&self, path: &str, since: u64) -> Option<&Option<FileState>> {
        self.written.get(path).filter(|(at, _)| *at > since).map(|(_, state)| state)
    }

    /// Whether somebody works in paths that cover this one.
    pub(crate) fn is_claimed(&self, path: &str) -> bool {
        self.claims.values().any(|paths| paths.contains(path))
    }

    /// Leaves an unexplained change to whoever ends last. What was there first counts.
    pub(crate) fn leave_for_last(&mut self, path: String, before: Option<Entry>) {
        self.waiting.entry(path).or_insert(before);
    }
}

/// Paths in which somebody is at work; ends when dropped.
#[derive(Debug)]
pub struct Claim<'a> {
    workspace: &'a Workspace,
    id: u64,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.workspace.activity().claims.remove(&self.id);
    }
}

/// A command at work; ends when dropped.
#[derive(Debug)]
pub(crate) struct Busy<'a> {
    workspace: &'a Workspace,
    id: u64,
    n_begun: u64,
    was_alone: bool,
}

/// What remains to be cleared up when a command ends.
pub(crate) enum Leaving {
    /// Others are still running: leave what cannot be explained.
    WithOthers,
    /// It is the last one: these changes were left.
    Last {
        waiting: BTreeMap<String, Option<Entry>>,
        /// Whether no other command ran at any time meanwhile.
        was_alone: bool,
    },
}

impl Workspace {
    /// Says that a task works in `paths`: commands of other tasks leave changes there alone.
    #[must_use]
    pub fn claim(&self, paths: PathSet) -> Claim<'_> {
        let mut activity = self.activity();
        activity.next_id += 1;
        let id = activity.next_id;
        activity.claims.insert(id, paths);
        Claim { workspace: self, id }
    }

    /// Says that a command of a task with `paths` runs.
    pub(crate) fn busy(&self, paths: PathSet) -> Busy<'_> {
        let mut activity = self.activity();
        activity.next_id += 1;
        activity.n_begun += 1;
        let (id, n_begun) = (activity.next_id, activity.n_begun);
        let was_alone = activity.running.is_empty();
        activity.claims.insert(id, paths);
        activity.running.insert(id);
        Busy { workspace: self, id, n_begun, was_alone }
    }
}

impl Busy<'_> {
    /// Says that the command has ended; its claim stays until this is dropped.
    pub(crate) fn leave(&self) -> Leaving {
        let mut activity = self.workspace.activity();
        activity.running.remove(&self.id);
        if !activity.running.is_empty() {
            return Leaving::WithOthers;
        }
        Leaving::Last {
            waiting: std::mem::take(&mut activity.waiting),
            was_alone: self.was_alone && activity.n_begun == self.n_begun,
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut activity = self.workspace.activity();
        activity.running.remove(&self.id);
        activity.claims.remove(&self.id);
    }
}
