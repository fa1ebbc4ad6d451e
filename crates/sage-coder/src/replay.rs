//! Runs a recorded run again: recorded model answers, real tools, in a copy of the files as they were.
//!
//! The same program, rules and tools must give the same events and the same files. Where they do not,
//! the first difference says what a changed rule, tool or version changes, without a model and
//! without cost. Text that differs from run to run by nature (durations, temporary paths) is made
//! alike before it is compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sage_core::{
    BlobRef, CallId, Decider, Event, EventKind, Limits, NodeId, Past, RecordError, Recorder,
    RunEvent, RunId, RunOutcome, Seq, WorkspaceEvent,
};
use sage_log::{Payloads, Runs, read_run};
use sage_model::{ChatModel, ModelsConfig, Replayed};
use sage_tool::{SnapshotStore, Workspace};
use serde::Serialize;

use crate::context::{ModelFactory, Wiring};
use crate::error::{Error, Result};
use crate::lane::LaneStep;
use crate::run::{begin, options_of};
use person::Remembered;

mod compare;
mod normalise;
mod person;

/// What a replay found.
#[derive(Debug, Serialize)]
pub struct Replay {
    /// The recorded run.
    pub run: RunId,
    /// Events compared.
    pub n_events: usize,
    /// Differences, first one first, bounded.
    pub differences: Vec<Difference>,
    /// Files that differ between the end of the recorded run and the end of the replay.
    pub files: Vec<String>,
}

impl Replay {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty() && self.files.is_empty()
    }
}

/// One difference between the record and its replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Position of the recorded event, if it has one.
    pub seq: Option<u64>,
    /// Which event.
    pub event: String,
    /// Which of its fields; empty when the whole event is missing or new.
    pub field: String,
    /// What the record has.
    pub recorded: String,
    /// What the replay has.
    pub replayed: String,
}

/// Replays a finished run. `wiring.project` gives the rules in force now, `config` the facts about
/// models; nothing in the project is written.
///
/// # Errors
/// When the record cannot be read or its files cannot be brought back; differences are no errors.
pub async fn replay(wiring: &Wiring, run: &RunId, config: &ModelsConfig) -> Result<Replay> {
    let dir = Runs::new(wiring.state_dir.join("runs")).dir(run);
    let recorded = read_run(&dir)?;
    let no = |why: String| Error::NotResumable { run: run.clone(), why };
    let mut options = options_of(&recorded.events).map_err(&no)?;
    let before = snapshot(&recorded.events, 0);
    let io = |source| Error::Io { doing: "creating", path: wiring.temp.clone(), source };
    // Of its own, private, and removed when the replay is over, however it ends.
    let scratch =
        tempfile::Builder::new().prefix("sage-replay-").tempdir_in(&wiring.temp).map_err(io)?;
    let tree = scratch.path().join("tree");
    let snapshots = SnapshotStore::open(&wiring.state_dir.join("snapshots"))?;
    match &before {
        Some(id) => bring_back(&snapshots, id, &tree, &wiring.project)?,
        // A run that never got to its first change saw the project as it is.
        None => crate::overlay::copy_tree(&wiring.project, &tree)?,
    }
    let mut recorded_roots = vec![wiring.project.clone()];
    recorded_roots.extend(options.overlay.replace(tree.clone()));
    recorded_roots.extend(options.worktree.take());
    recorded_roots.splice(0..0, lane_roots(&recorded.events));
    // A replay leaves nothing behind.
    options.commit = None;
    if !ended_by_budget(&recorded.events) {
        // A resumed run may have got more than it was started with, and a replay costs nothing.
        options.limits = Limits::NONE;
    }
    let payloads = Payloads::of(&dir);
    let person = Remembered::new(&recorded.events, &|blob| payloads.get(blob).ok());
    let models: ModelFactory = {
        let events = recorded.events.clone();
        let record: Arc<dyn Recorder> = Arc::new(Record(Payloads::of(&dir)));
        let config = config.clone();
        Arc::new(move |live: Arc<dyn Recorder>, _, _| {
            let (record, config) = (record.clone(), config.clone());
            let model: Arc<dyn ChatModel> = Arc::new(Replayed::new(&events, record, live, config));
            Ok(model)
        })
    };
    let state = scratch.path().join("state");
    let wiring = Wiring {
        state_dir: state.clone(),
        models,
        kill_after: None,
        lane_order: LaneStep::of(&recorded.events),
        approver: Decider::Mode,
        interaction: Arc::new(person),
        ..wiring.clone()
    };
    let end = begin(&wiring, run.clone(), options).await?;
    if wiring.cancel.is_cancelled() {
        return Err(Error::Interrupted);
    }
    let new_dir = Runs::new(state.join("runs")).dir(&end.run);
    let replayed = read_run(&new_dir)?;
    let mut replayed_roots = lane_roots(&replayed.events);
    replayed_roots.push(tree.clone());
    let mut differences = compare::events(
        &compare::Side { events: &recorded.events, payloads: &payloads, roots: &recorded_roots },
        &compare::Side {
            events: &replayed.events,
            payloads: &Payloads::of(&new_dir),
            roots: &replayed_roots,
        },
    );
    differences.truncate(compare::MAX_DIFFERENCES);
    let files = changed_files(&snapshots, &state, &recorded.events, &replayed.events)?;
    Ok(Replay { run: run.clone(), n_events: recorded.events.len(), differences, files })
}

/// The payloads of the recorded run; nothing can be added to it.
struct Record(Payloads);

impl Record {
    fn closed() -> RecordError {
        RecordError { doing: "writing to a run that is replayed".to_owned(), source: None }
    }
}

impl Recorder for Record {
    fn put(&self, _: &[u8]) -> std::result::Result<BlobRef, RecordError> {
        Err(Self::closed())
    }

    fn get(&self, blob: &BlobRef) -> std::result::Result<Vec<u8>, RecordError> {
        self.0.get(blob).map_err(|error| RecordError {
            doing: format!("reading payload {blob} of the recorded run"),
            source: Some(Box::new(error)),
        })
    }

    fn emit(&self, _: EventKind) -> std::result::Result<Seq, RecordError> {
        Err(Self::closed())
    }

    fn sync(&self) -> std::result::Result<(), RecordError> {
        Err(Self::closed())
    }

    fn past(&self, _: &CallId) -> Past {
        Past::Nothing
    }
}

/// Makes the tree of a snapshot in a new folder. What the snapshot did not keep (large files, folders
/// that tools fill) comes from the project as it is now.
fn bring_back(snapshots: &SnapshotStore, id: &BlobRef, tree: &Path, project: &Path) -> Result<()> {
    let io = |source| Error::Io { doing: "creating", path: tree.to_owned(), source };
    std::fs::create_dir_all(tree).map_err(io)?;
    let snapshot = snapshots.load(id)?;
    let workspace = Workspace::open(tree)?;
    snapshots.restore_all(&workspace, &snapshot)?;
    for path in snapshot.not_covered() {
        let (from, to) =
            (project.join(path.trim_end_matches('/')), tree.join(path.trim_end_matches('/')));
        if from.is_dir() {
            crate::overlay::copy_tree(&from, &to)?;
        } else if from.is_file() {
            std::fs::copy(&from, &to).map_err(io)?;
        }
    }
    Ok(())
}

/// Where tasks in lanes worked.
fn lane_roots(events: &[Event]) -> Vec<PathBuf> {
    let root = |event: &Event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::LaneOpened { path, .. }) => Some(PathBuf::from(path)),
        _ => None,
    };
    events.iter().filter_map(root).collect()
}

fn ended_by_budget(events: &[Event]) -> bool {
    let last = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Run(RunEvent::Finished { outcome, .. }) => Some(*outcome),
        _ => None,
    });
    last == Some(RunOutcome::OutOfBudget)
}

fn snapshot(events: &[Event], wanted: u32) -> Option<BlobRef> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Snapshotted { node, attempt, snapshot, .. })
            if *node == NodeId::run() && *attempt == wanted =>
        {
            Some(snapshot.clone())
        }
        _ => None,
    })
}

/// Paths whose content or mode differs between the two ends.
fn changed_files(
    snapshots: &SnapshotStore,
    state: &Path,
    recorded: &[Event],
    replayed: &[Event],
) -> Result<Vec<String>> {
    let (Some(old), Some(new)) = (snapshot(recorded, 1), snapshot(replayed, 1)) else {
        return Ok(Vec::new());
    };
    let fresh = SnapshotStore::open(&state.join("snapshots"))?;
    let changes = snapshots.diff(&snapshots.load(&old)?, &fresh.load(&new)?);
    Ok(changes.into_iter().map(|change| change.path).collect())
}
