//! Puts a project back into the state before a run or before one of its steps, exactly, or not at all;
//! and takes that back again.
//!
//! What was there before is known path by path, from the run's [`steps`](crate::steps). A path is put back
//! only from a state that the run is known to have left; anything else is somebody's work. Before
//! anything is changed the whole tree is saved, and that state is logged: the way back.

mod chain;
mod in_use;
mod redo;

use std::collections::BTreeSet;
use std::path::PathBuf;

use sage_core::{BlobRef, Event, EventKind, Recorder, RunEvent, RunId, Seq, WorkspaceEvent};
use sage_log::{LogOptions, RunLog, Runs};
use sage_tool::snapshot::{Outlook, Want};
use sage_tool::{Covers, PathSet, Snapshot, SnapshotStore, Workspace};

use crate::context::Wiring;
use crate::error::{Error, Result};
use crate::run::options_of;
use crate::state::ProjectLock;
use crate::steps::{Step, Steps, first_snapshot, steps_of};

use chain::Chain;

pub use in_use::in_use;
pub use redo::redo;

/// Bytes of paths in one event, far below what a line of the log may have.
const MAX_LOGGED_BYTES: usize = 2 * 1024 * 1024;

/// How far a run is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Run,
    /// This step and all later ones: its number, or the call as the log prints it.
    Step(String),
    /// Nothing of it: what its commands had left outside their tasks' paths, and what was put back at
    /// once, is brought back. Of this step, or of all.
    PutBack(Option<String>),
}

/// What is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoRequest {
    /// The run.
    pub run: RunId,
    /// How far.
    pub scope: Scope,
    /// Only these files, or what is in these folders; empty for all.
    pub files: Vec<String>,
    /// Not these: paths or patterns.
    pub keep: Vec<String>,
    /// Also files that somebody changed since. Their content is saved like everything else.
    pub force: bool,
    /// Change nothing.
    pub dry_run: bool,
}

/// What an undo did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undone {
    /// The first step that was taken back; absent for a whole run.
    pub step: Option<u32>,
    /// Paths put back.
    pub restored: Vec<String>,
    /// Paths that differ and whose content was never saved: too large, or in a folder that is not
    /// looked into.
    pub not_covered: Vec<String>,
    /// Folders of the run that stay because something else is in them.
    pub still_used: Vec<String>,
    /// Paths that could not be put back, with the reason.
    pub failed: Vec<(String, String)>,
    /// Paths of the run that were too large to save and are gone now.
    pub lost_for_good: Vec<String>,
    /// Paths of somebody else that were overwritten because that was asked for.
    pub forced: Vec<String>,
    /// Commands that were killed: what changed after they began is taken for their doing.
    pub unsure: Vec<String>,
}

/// A project, a run of it, and its files as they are, held by this process alone.
struct Opened {
    _lock: ProjectLock,
    log: RunLog,
    events: Vec<Event>,
    store: SnapshotStore,
    workspace: Workspace,
    /// The work tree as the run names it.
    root: PathBuf,
}

impl Opened {
    fn open(wiring: &Wiring, run: &RunId) -> Result<Self> {
        // The lock keeps a live run from being undone under its feet.
        let lock = ProjectLock::take(&wiring.state_dir)?;
        let dir = Runs::new(wiring.state_dir.join("runs")).dir(run);
        let options = LogOptions {
            clock: wiring.clock.clone(),
            redactor: wiring.redactor.clone(),
            progress: wiring.progress.clone(),
            kill_after: wiring.kill_after,
        };
        let (log, loaded) = RunLog::reopen(&dir, options)?;
        let options = options_of(&loaded.events);
        if options.as_ref().is_ok_and(|options| options.dry_run) {
            return Err(no(run, "it was a dry run and changed nothing"));
        }
        let root = options.map_or_else(|_| wiring.project.clone(), |o| o.root(&wiring.project));
        if !root.is_dir() {
            return Err(no(
                run,
                "the work tree in which it worked is gone, and its changes with it",
            ));
        }
        let store = SnapshotStore::open(&wiring.state_dir.join("snapshots"))?;
        let workspace = Workspace::open(&root)?;
        Ok(Self { _lock: lock, log, events: loaded.events, store, workspace, root })
    }

    /// The state before the run, if it got that far.
    fn first(&self) -> Result<Option<Snapshot>> {
        let Some(first) = first_snapshot(&self.events) else { return Ok(None) };
        let first = self.store.load(&first)?;
        self.workspace.look_like(&first);
        Ok(Some(first))
    }

    fn now(&self) -> Result<Snapshot> {
        Ok(self.store.take(&self.workspace, Covers::Everything)?)
    }

    fn steps(&self, now: &BlobRef) -> Result<Steps> {
        let get = |blob: &BlobRef| self.log.get(blob).ok();
        steps_of(&self.events, &get, Some(&self.store), Some(now))
    }

    fn put(&self, event: WorkspaceEvent) -> Result<()> {
        self.log.emit(event.into())?;
        Ok(self.log.sync()?)
    }
}

/// As many of the paths as an event can hold; the snapshots beside them tell of all.
fn loggable(paths: &[String]) -> Vec<String> {
    let mut n_bytes = 0;
    let fits = |path: &&String| {
        n_bytes += path.len() + 4;
        n_bytes <= MAX_LOGGED_BYTES
    };
    paths.iter().take_while(fits).cloned().collect()
}

fn no(run: &RunId, why: impl Into<String>) -> Error {
    Error::NotUndoable { run: run.clone(), why: why.into() }
}

/// Restores what the run touched, through tools or commands, ignored files included.
///
/// Works after a crash in the run or in an undo. The person's index, stashes and branches are not
/// touched. With `dry_run` no file of the project is written.
///
/// # Errors
/// [`Error::ChangedSince`] names files that are in no state that the run left, [`Error::LaterRuns`] the runs
/// that changed the same files since; then nothing at all is restored. [`Error::NotUndoable`] when there
/// is nothing to undo.
pub fn undo(wiring: &Wiring, request: &UndoRequest) -> Result<Undone> {
    let run = &request.run;
    let opened = Opened::open(wiring, run)?;
    let level = level(&opened.events);
    if level == Some(Seq(0)) && !matches!(request.scope, Scope::PutBack(_)) {
        return Err(no(run, "it is undone already"));
    }
    let Some(first) = opened.first()? else {
        // The run ended before its first change.
        return Ok(Undone::default());
    };
    let now = opened.now()?;
    let steps = opened.steps(now.id())?;
    let from = match &request.scope {
        Scope::Step(wanted) => Some(find(&steps.all, wanted, run)?),
        Scope::Run | Scope::PutBack(None) => None,
        Scope::PutBack(Some(wanted)) => Some(find(&steps.all, wanted, run)?),
    };
    if let (Scope::Step(_), Some(step), Some(level)) = (&request.scope, from, level)
        && step.seq >= level
    {
        return Err(no(run, format!("step {} is undone already", step.number)));
    }
    let is_put_back = matches!(request.scope, Scope::PutBack(_));
    if let (false, Some(problem)) = (is_put_back, steps.problems.first()) {
        let what = "its snapshots are incomplete, and what its commands did is not known";
        return Err(no(run, format!("{what}: {problem}")));
    }
    let chain = Chain::of(&steps.all, &first, from.map_or(1, |step| step.number));
    let wants =
        if is_put_back { put_back_wants(&opened, &steps.all, from)? } else { chain.wants() };
    let wants = chosen(wants, request)?;
    let outlook = opened.store.outlook(&opened.workspace, &wants)?;
    let mut undone = Undone {
        step: from.map(|step| step.number),
        unsure: if is_put_back { Vec::new() } else { unsure(&steps.all, from) },
        ..Undone::default()
    };
    check(wiring, &opened, request, &outlook, &mut undone)?;
    undone.lost_for_good = outlook.lost_for_good(&opened.store);
    if request.dry_run {
        undone.not_covered.clone_from(&outlook.not_covered);
        undone.restored = outlook.paths();
        return Ok(undone);
    }
    if outlook.paths().is_empty() && !request.files.is_empty() {
        undone.not_covered.clone_from(&outlook.not_covered);
        return Ok(undone);
    }
    opened.put(WorkspaceEvent::UndoStarted { before: now.id().clone(), redo: false })?;
    let is_kept = |folder: &str| {
        if is_put_back { now.state(folder).is_some() } else { chain.existed(folder) }
    };
    let restored = opened.store.carry_out(&opened.workspace, outlook, &is_kept)?;
    let after = opened.now()?;
    opened.put(WorkspaceEvent::Undone {
        paths: loggable(&restored.paths),
        from: from.filter(|_| !is_put_back).map(|step| step.seq),
        some: is_put_back || !request.files.is_empty() || !request.keep.is_empty(),
        before: Some(now.id().clone()),
        after: Some(after.id().clone()),
    })?;
    undone.restored = restored.paths;
    undone.not_covered = restored.not_covered;
    undone.still_used = restored.still_used;
    undone.failed = restored.failed;
    Ok(undone)
}

/// Whether somebody else's work is in the way.
fn check(
    wiring: &Wiring,
    opened: &Opened,
    request: &UndoRequest,
    outlook: &Outlook,
    undone: &mut Undone,
) -> Result<()> {
    let mut paths: BTreeSet<String> = outlook.paths().into_iter().collect();
    paths.extend(outlook.foreign.iter().cloned());
    if request.force {
        undone.forced.clone_from(&outlook.foreign);
        // What cannot be saved is not overwritten, whoever asks for it.
        let lost: BTreeSet<String> = outlook.lost_for_good(&opened.store).into_iter().collect();
        let unsaved = outlook.foreign.iter().filter(|path| lost.contains(*path));
        let unsaved: Vec<String> = unsaved.cloned().collect();
        return if unsaved.is_empty() {
            Ok(())
        } else {
            Err(Error::ChangedSince { paths: unsaved })
        };
    }
    let runs = chain::later_runs(wiring, &opened.store, &request.run, &opened.root, &paths)?;
    if !runs.is_empty() {
        return Err(Error::LaterRuns { runs });
    }
    if !outlook.foreign.is_empty() {
        return Err(Error::ChangedSince { paths: outlook.foreign.clone() });
    }
    Ok(())
}

/// The step that a text means.
fn find<'a>(steps: &'a [Step], wanted: &str, run: &RunId) -> Result<&'a Step> {
    let number = wanted.parse::<u32>().ok();
    let is_it = |step: &&Step| number == Some(step.number) || step.call.to_string() == wanted;
    steps.iter().find(is_it).ok_or_else(|| Error::NoSuchStep {
        run: run.clone(),
        wanted: wanted.chars().take(96).collect(),
        n_steps: steps.len(),
    })
}

/// Those of the wanted paths that the person chose.
fn chosen(mut wants: Vec<Want>, request: &UndoRequest) -> Result<Vec<Want>> {
    if !request.files.is_empty() {
        let is_in = |path: &str, file: &str| {
            path.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_unknown = |file: &&String| !wants.iter().any(|want| is_in(&want.path, file));
        let unknown: Vec<String> = request.files.iter().filter(is_unknown).cloned().collect();
        if !unknown.is_empty() {
            let why = format!("it did not change {}", unknown.join(", "));
            return Err(no(&request.run, why));
        }
        wants.retain(|want| request.files.iter().any(|file| is_in(&want.path, file)));
    }
    if !request.keep.is_empty() {
        let keep = PathSet::new(&request.keep)?;
        wants.retain(|want| !keep.contains(&want.path));
    }
    Ok(wants)
}

/// What commands had left, and what was put in its place.
fn put_back_wants(opened: &Opened, steps: &[Step], only: Option<&Step>) -> Result<Vec<Want>> {
    let mut wants: Vec<Want> = Vec::new();
    for step in steps.iter().filter(|step| only.is_none_or(|only| only.number == step.number)) {
        let Some(back) = &step.put_back else { continue };
        for change in opened.store.changes(&back.after, &back.seen)? {
            // The last one of several counts.
            wants.retain(|want| want.path != change.path);
            wants.push(Want {
                path: change.path,
                target: change.after,
                is_covered: true,
                known: Some(vec![change.before]),
            });
        }
    }
    Ok(wants)
}

/// Commands from this step on of which nobody knows when they ended.
fn unsure(steps: &[Step], from: Option<&Step>) -> Vec<String> {
    let first = from.map_or(1, |step| step.number);
    let is_unsure = |step: &&Step| {
        step.number >= first
            && step.ok.is_none()
            && step.changes.iter().any(|c| c.lines_added.is_none())
    };
    steps.iter().filter(is_unsure).map(|step| step.summary.clone()).collect()
}

/// From which event on the run is undone: 0 for all of it, `None` for nothing.
fn level(events: &[Event]) -> Option<Seq> {
    let mut levels: Vec<Option<Seq>> = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::Workspace(WorkspaceEvent::Undone { from, some, .. }) => {
                let before = levels.last().copied().flatten();
                let own = (!some).then(|| from.unwrap_or(Seq(0)));
                levels.push(own.or(before));
            }
            EventKind::Workspace(WorkspaceEvent::Redone { .. }) => drop(levels.pop()),
            EventKind::Workspace(WorkspaceEvent::Changed { .. })
            | EventKind::Run(RunEvent::Resumed { .. }) => levels.clear(),
            _ => {}
        }
    }
    levels.last().copied().flatten()
}

/// Whether files of the run are as they were before it or before one of its steps, because somebody
/// undid it.
#[must_use]
pub fn is_undone(events: &[Event]) -> bool {
    level(events).is_some()
}
