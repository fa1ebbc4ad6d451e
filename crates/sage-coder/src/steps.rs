//! The steps of a run: each call that could change something, with what it did to every path.
//!
//! A step is numbered by the order in which calls were announced, so its number never changes. What it
//! did comes from two sources: `workspace.changed` for the files of its task, and the snapshots around
//! a command for everything else (ignored files, folders, modes). A command that was killed has no
//! snapshot after it: what differs until the next one is taken for its doing.

use std::collections::{BTreeMap, BTreeSet};

use sage_core::{
    BlobRef, CallId, Effect, Event, EventKind, FileState, NodeId, Seq, ToolEvent, WorkspaceEvent,
};
use sage_tool::SnapshotStore;
use sage_tool::snapshot::{Difference, FOLDER_MODE};
use serde::Serialize;
use serde_json::Value;

use crate::error::Result;

/// The key of a command's arguments under which the state before it stands.
pub(crate) const BEFORE_KEY: &str = "@before";

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It did not exist.
    Created,
    /// Its content is another.
    Modified,
    /// It exists no more.
    Deleted,
    /// It is what another path was before the step.
    Renamed,
    /// Its content is the same, its mode another.
    Mode,
}

/// What a step did to one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepChange {
    /// Relative to the project.
    pub path: String,
    /// What became of it.
    pub action: Action,
    /// The path that it was renamed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Before.
    pub before: Option<FileState>,
    /// After.
    pub after: Option<FileState>,
    /// Lines added; absent where they were not counted.
    pub lines_added: Option<u64>,
    /// Lines removed, likewise.
    pub lines_removed: Option<u64>,
    /// Whether git ignores it.
    pub ignored: bool,
    /// Whether it is a folder.
    pub folder: bool,
    /// Whether what was there before is kept.
    pub is_covered: bool,
}

/// A call that could change something.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// From 1.
    pub number: u32,
    /// The event that announced it.
    pub seq: Seq,
    /// The call.
    pub call: CallId,
    /// The tool.
    pub tool: String,
    /// Its arguments in one line.
    pub summary: String,
    /// When it was announced.
    pub at_ms: u64,
    /// Whether it ended well; absent when nobody knows.
    pub ok: Option<bool>,
    /// What it did, by path.
    pub changes: Vec<StepChange>,
    /// The states between which something was put back, and how many paths: what it had left, and after.
    #[serde(skip)]
    pub put_back: Option<PutBack>,
}

/// What a command had left outside its task's paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// As it left it.
    pub seen: BlobRef,
    /// After it was put back.
    pub after: BlobRef,
    /// How many paths.
    pub n_paths: u64,
}

/// The steps of a run.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// In order.
    pub all: Vec<Step>,
    /// Snapshots that are gone, so that what some commands did is not known.
    pub problems: Vec<String>,
}

/// The first state of a run's tree, if it got that far.
pub(crate) fn first_snapshot(events: &[Event]) -> Option<BlobRef> {
    events.iter().find_map(|event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Snapshotted {
            node, attempt: 0, snapshot, ..
        }) if *node == NodeId::run() => Some(snapshot.clone()),
        _ => None,
    })
}

/// Finds the steps of a run. `get` reads its payloads; without a `store` only the journal speaks; `now` is a snapshot of the tree as it is, for a
/// command of which nobody knows how it ended.
pub fn steps_of(
    events: &[Event],
    get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>,
    store: Option<&SnapshotStore>,
    now: Option<&BlobRef>,
) -> Result<Steps> {
    let read = Reading::of(events, get);
    let mut steps = Steps::default();
    for (n, found) in read.steps.iter().enumerate() {
        let mut changes = found.journaled.clone();
        for (from, to, until) in found.spans(&read, now) {
            match store.map(|store| store.changes(&from, &to)) {
                Some(Ok(differences)) => {
                    let others = read.journaled_by_others(found, until);
                    add_observed(&mut changes, differences, &others);
                }
                Some(Err(error)) => steps.problems.push(format!("{}: {error}", found.call)),
                None => steps.problems.push(format!("{}: there are no snapshots", found.call)),
            }
        }
        let mut changes: Vec<StepChange> = changes.into_values().collect();
        // What came back to what it was is no change.
        changes.retain(|change| change.before != change.after);
        find_renames(&mut changes);
        steps.all.push(Step {
            number: u32::try_from(n + 1).unwrap_or(u32::MAX),
            seq: found.seq,
            call: found.call.clone(),
            tool: found.tool.clone(),
            summary: found.summary.clone(),
            at_ms: found.at_ms,
            ok: found.ok,
            changes,
            put_back: found.put_back.clone(),
        });
    }
    Ok(steps)
}

/// A call as the log tells of it.
struct Found {
    seq: Seq,
    call: CallId,
    tool: String,
    summary: String,
    at_ms: u64,
    ok: Option<bool>,
    /// States before each time it was begun, with the event.
    begun: Vec<(Seq, BlobRef)>,
    /// States before and after, with the event.
    observed: Vec<(Seq, BlobRef, BlobRef)>,
    journaled: BTreeMap<String, StepChange>,
    put_back: Option<PutBack>,
}

impl Found {
    /// The pairs of states between which it worked, with the event that ended each.
    fn spans(&self, read: &Reading, now: Option<&BlobRef>) -> Vec<(BlobRef, BlobRef, Seq)> {
        let mut spans: Vec<_> = self
            .observed
            .iter()
            .map(|(seq, before, after)| (before.clone(), after.clone(), *seq))
            .collect();
        let last_known = self.observed.last().map_or(Seq(0), |(seq, ..)| *seq);
        let is_over = self.ok.is_some();
        for (n, (seq, before)) in self.begun.iter().enumerate() {
            let is_last = n + 1 == self.begun.len();
            if *seq < last_known || (is_last && is_over) {
                continue;
            }
            let next = read.states.iter().find(|(at, _)| at > seq).map(|(at, state)| (*at, state));
            if let Some((until, state)) = next.or(now.map(|now| (Seq(u64::MAX), now))) {
                spans.push((before.clone(), state.clone(), until));
            }
        }
        spans
    }
}

#[derive(Default)]
struct Reading {
    steps: Vec<Found>,
    /// Every known state of the project's tree, by event.
    states: Vec<(Seq, BlobRef)>,
    /// Journaled changes of single files: when, by which call, where.
    journal: Vec<(Seq, CallId, String)>,
    /// Attempts that work in a copy: what their commands do there, they do not do to the project.
    elsewhere: BTreeSet<(NodeId, u32)>,
}

impl Reading {
    fn of(events: &[Event], get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Self {
        let root = events.iter().find_map(|event| match &event.kind {
            EventKind::Workspace(WorkspaceEvent::Snapshotted { root, .. }) => root.clone(),
            _ => None,
        });
        let mut reading = Self::default();
        let mut by_call: BTreeMap<CallId, usize> = BTreeMap::new();
        for event in events {
            reading.take(event, &mut by_call, root.as_ref(), get);
        }
        reading
    }

    fn take(
        &mut self,
        event: &Event,
        by_call: &mut BTreeMap<CallId, usize>,
        root: Option<&BlobRef>,
        get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>,
    ) {
        let seq = event.seq;
        match &event.kind {
            EventKind::Tool(ToolEvent::Called { call, tool, effect, args, summary })
                if matches!(effect, Effect::Write | Effect::Execute) =>
            {
                let n = *by_call.entry(call.clone()).or_insert_with(|| {
                    self.steps.push(Found {
                        seq,
                        call: call.clone(),
                        tool: tool.clone(),
                        summary: summary.clone(),
                        at_ms: event.at_ms,
                        ok: None,
                        begun: Vec::new(),
                        observed: Vec::new(),
                        journaled: BTreeMap::new(),
                        put_back: None,
                    });
                    self.steps.len() - 1
                });
                if *effect == Effect::Execute
                    && !self.elsewhere.contains(&(call.node.clone(), call.attempt))
                    && let Some(before) = before_of(args, get)
                {
                    self.steps[n].begun.push((seq, before.clone()));
                    self.states.push((seq, before));
                }
            }
            EventKind::Tool(ToolEvent::Finished { call, ok, .. }) => {
                if let Some(n) = by_call.get(call) {
                    self.steps[*n].ok = Some(*ok);
                }
            }
            EventKind::Workspace(WorkspaceEvent::Changed {
                call,
                path,
                before,
                after,
                lines_added,
                lines_removed,
            }) => {
                self.journal.push((seq, call.clone(), path.clone()));
                let Some(n) = by_call.get(call) else { return };
                let journaled = &mut self.steps[*n].journaled;
                // A call that is taken up again announces the same change again.
                let is_new = journaled.get(path).is_none_or(|known| known.after != *after);
                let change = journaled.entry(path.clone()).or_insert_with(|| StepChange {
                    lines_added: Some(0),
                    lines_removed: Some(0),
                    ..change(path.clone(), before.clone(), None, false, true)
                });
                if is_new {
                    let add = |sum: &mut Option<u64>, more: u64| {
                        *sum = sum.map(|sum| sum.saturating_add(more));
                    };
                    add(&mut change.lines_added, *lines_added);
                    add(&mut change.lines_removed, *lines_removed);
                }
                change.after.clone_from(after);
                change.action = action(&change.before, &change.after);
            }
            EventKind::Workspace(WorkspaceEvent::Observed {
                call,
                root: of,
                before,
                after,
                seen,
                n_put_back,
                ..
            }) if root.is_none_or(|root| root == of) => {
                self.states.push((seq, after.clone()));
                let Some(n) = by_call.get(call) else { return };
                let step = &mut self.steps[*n];
                step.observed.push((seq, before.clone(), after.clone()));
                if let Some(seen) = seen {
                    let (seen, after) = (seen.clone(), after.clone());
                    step.put_back = Some(PutBack { seen, after, n_paths: *n_put_back });
                }
            }
            EventKind::Workspace(WorkspaceEvent::LaneOpened { node, attempt, .. }) => {
                self.elsewhere.insert((node.clone(), *attempt));
            }
            EventKind::Workspace(
                WorkspaceEvent::Snapshotted { snapshot: state, .. }
                | WorkspaceEvent::UndoStarted { before: state, .. },
            ) => self.states.push((seq, state.clone())),
            _ => {}
        }
    }

    /// Files that other calls changed while this one was at work; they answer for those themselves.
    fn journaled_by_others(&self, step: &Found, until: Seq) -> BTreeSet<&str> {
        let is_meanwhile = |(at, call, _): &&(Seq, CallId, String)| {
            *at > step.seq && *at < until && *call != step.call
        };
        self.journal.iter().filter(is_meanwhile).map(|(.., path)| path.as_str()).collect()
    }
}

fn before_of(args: &BlobRef, get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Option<BlobRef> {
    let args: Value = serde_json::from_slice(&get(args)?).ok()?;
    args.get(BEFORE_KEY)?.as_str()?.parse().ok()
}

/// What the snapshots tell beyond the journal.
fn add_observed(
    changes: &mut BTreeMap<String, StepChange>,
    differences: Vec<Difference>,
    of_others: &BTreeSet<&str>,
) {
    for found in differences {
        let Difference { path, before, after, is_covered, ignored } = found;
        match changes.get_mut(&path) {
            Some(known) => {
                if known.before == before {
                    // The journal does not say what was too large to keep.
                    (known.is_covered, known.ignored) = (is_covered, ignored);
                }
                known.after = after;
                known.action = action(&known.before, &known.after);
            }
            None if of_others.contains(path.as_str()) => {}
            None => {
                let new = change(path.clone(), before, after, ignored, is_covered);
                changes.insert(path, new);
            }
        }
    }
}

fn change(
    path: String,
    before: Option<FileState>,
    after: Option<FileState>,
    ignored: bool,
    is_covered: bool,
) -> StepChange {
    let is_folder = |state: &FileState| state.mode & FOLDER_MODE != 0;
    StepChange {
        action: action(&before, &after),
        renamed_from: None,
        folder: before.as_ref().or(after.as_ref()).is_some_and(is_folder),
        path,
        before,
        after,
        lines_added: None,
        lines_removed: None,
        ignored,
        is_covered,
    }
}

fn action(before: &Option<FileState>, after: &Option<FileState>) -> Action {
    match (before, after) {
        (None, _) => Action::Created,
        (_, None) => Action::Deleted,
        (Some(before), Some(after)) if before.hash == after.hash => Action::Mode,
        _ => Action::Modified,
    }
}

/// A file that is new and holds what a deleted one held was renamed. Of several that held the same, the one
/// of the same name counts, or else the only one of the same folder, or else the only one.
fn find_renames(changes: &mut [StepChange]) {
    let empty = BlobRef::of(b"");
    let mut gone: BTreeMap<BlobRef, Vec<String>> = BTreeMap::new();
    for change in changes.iter().filter(|change| !change.folder) {
        if let (Some(before), None) = (&change.before, &change.after)
            && before.hash != empty
        {
            gone.entry(before.hash.clone()).or_default().push(change.path.clone());
        }
    }
    let parts = |path: &str| {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        (folder.to_owned(), name.to_owned())
    };
    for change in changes.iter_mut().filter(|change| !change.folder) {
        let (None, Some(after)) = (&change.before, &change.after) else { continue };
        let Some(candidates) = gone.get_mut(&after.hash) else { continue };
        let (folder, name) = parts(&change.path);
        let only = |is_it: &dyn Fn(&str) -> bool| {
            let mut fitting = candidates.iter().enumerate().filter(|(_, path)| is_it(path));
            fitting.next().map(|(n, _)| n).filter(|_| fitting.next().is_none())
        };
        let found = only(&|path| parts(path).1 == name)
            .or_else(|| only(&|path| parts(path).0 == folder))
            .or_else(|| only(&|_| true));
        if let Some(n) = found {
            change.action = Action::Renamed;
            change.renamed_from = Some(candidates.remove(n));
        }
    }
}
