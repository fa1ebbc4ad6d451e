//! The runs of a project: one folder each under `.sage/runs`.
//!
//! Listing reads every log once, holding one event at a time, and never fails for the sake of a single
//! run: what is wrong with it stands in its summary.

use std::cmp::Reverse;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sage_core::{EventKind, ModelEvent, NodeEvent, NodeOutcome, RunEvent, RunId, RunOutcome};

use crate::lock::{self, Lock};
use crate::read::read_events;
use crate::{Error, Manifest, Result};

/// The folder of all runs of a project.
#[derive(Debug, Clone)]
pub struct Runs {
    root: PathBuf,
}

/// One line of a list of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// Its goal; empty when the manifest cannot be read.
    pub goal: String,
    /// When it was created, milliseconds since the Unix epoch; when the manifest cannot be read, the
    /// time of the last change of its folder.
    pub started_at_ms: u64,
    /// When it finished, by its last `run.finished` that no resume followed.
    pub ended_at_ms: Option<u64>,
    /// How it finished.
    pub outcome: Option<RunOutcome>,
    /// Whether `resume` can take it up: it did not finish, or stopped in a way that can be resumed.
    pub resumable: bool,
    /// Whether a process is writing to it now.
    pub live: bool,
    /// Number of tasks of its plan; 0 while there is none.
    pub n_tasks: u32,
    /// Tasks that are done.
    pub n_done: u32,
    /// Tasks whose last attempt failed.
    pub n_failed: u32,
    /// US dollars spent on model calls.
    pub usd: f64,
    /// What is wrong with its files, if anything is; such a run is neither resumed nor replayed.
    pub problem: Option<String>,
}

impl Runs {
    /// The runs in `root`, which need not exist.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of a run, whether it exists or not.
    #[must_use]
    pub fn dir(&self, run: &RunId) -> PathBuf {
        self.root.join(run.as_str())
    }

    /// Every run, newest first, the damaged ones with their problem.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder of all runs cannot be read; a missing one is an empty list.
    pub fn list(&self) -> Result<Vec<RunSummary>> {
        let mut runs: Vec<RunSummary> = self
            .ids()?
            .into_iter()
            .map(|run| {
                let dir = self.dir(&run);
                summarise(run, &dir)
            })
            .collect();
        runs.sort_by_key(|run| Reverse((run.started_at_ms, run.run.clone())));
        Ok(runs)
    }

    /// The run that `wanted` means: `last`, an id, or the beginning of exactly one id.
    ///
    /// # Errors
    /// [`Error::Unknown`] and [`Error::Ambiguous`] with the runs that exist or match, [`Error::Io`].
    pub fn resolve(&self, wanted: &str) -> Result<RunId> {
        let mut runs = self.ids()?;
        runs.sort_by_cached_key(|run| Reverse((started_at_ms(&self.dir(run)), run.clone())));
        if let Some(run) = runs.iter().find(|run| run.as_str() == wanted) {
            return Ok(run.clone());
        }
        let unknown = |known| Error::Unknown { wanted: wanted.chars().take(96).collect(), known };
        if wanted == "last" {
            return runs.into_iter().next().ok_or_else(|| unknown(Vec::new()));
        }
        let mut matching: Vec<RunId> =
            runs.iter().filter(|run| run.as_str().starts_with(wanted)).cloned().collect();
        match matching.len() {
            _ if wanted.is_empty() => Err(unknown(runs)),
            0 => Err(unknown(runs)),
            1 => Ok(matching.swap_remove(0)),
            _ => Err(Error::Ambiguous { wanted: wanted.to_owned(), candidates: matching }),
        }
    }

    /// Whether a process is writing to the run now.
    #[must_use]
    pub fn is_live(&self, run: &RunId) -> bool {
        lock::is_held(&self.dir(run)).unwrap_or(false)
    }

    /// Deletes a run's folder.
    ///
    /// # Errors
    /// [`Error::Locked`] when a process is writing to it, [`Error::Unknown`], [`Error::Io`].
    pub fn remove(&self, run: &RunId) -> Result<()> {
        let dir = self.dir(run);
        if !dir.is_dir() {
            return Err(Error::Unknown { wanted: run.to_string(), known: Vec::new() });
        }
        let _lock = Lock::take(&dir)?;
        fs::remove_dir_all(&dir).map_err(Error::io("removing", &dir))
    }

    /// Folders whose names are run ids, in no order.
    fn ids(&self) -> Result<Vec<RunId>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(Error::Io { doing: "reading", path: self.root.clone(), source });
            }
        };
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("reading", &self.root))?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let (true, Some(name)) = (is_dir, entry.file_name().to_str())
                && let Ok(id) = RunId::new(name)
            {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

/// When the run in `dir` was created, as well as can be told.
fn started_at_ms(dir: &Path) -> u64 {
    Manifest::read(dir).map_or_else(|_| changed_at_ms(dir), |manifest| manifest.started_at_ms)
}

fn changed_at_ms(dir: &Path) -> u64 {
    let since_epoch = fs::metadata(dir)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_epoch.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn summarise(run: RunId, dir: &Path) -> RunSummary {
    let mut summary = RunSummary {
        run,
        goal: String::new(),
        started_at_ms: 0,
        ended_at_ms: None,
        outcome: None,
        resumable: false,
        live: lock::is_held(dir).unwrap_or(false),
        n_tasks: 0,
        n_done: 0,
        n_failed: 0,
        usd: 0.0,
        problem: None,
    };
    match read_into(&mut summary, dir) {
        Ok(()) => {
            summary.resumable = !summary.live && can_resume(summary.outcome);
        }
        // A run is created before its first event is appended.
        Err(Error::Empty { .. }) if summary.live => {}
        Err(error) => summary.problem = Some(crate::run_log::reason_of(&error)),
    }
    summary
}

fn can_resume(outcome: Option<RunOutcome>) -> bool {
    matches!(
        outcome,
        None | Some(
            RunOutcome::Interrupted | RunOutcome::OutOfBudget | RunOutcome::ModelUnavailable
        )
    )
}

/// Fills in what the files tell, as far as they can be read.
fn read_into(summary: &mut RunSummary, dir: &Path) -> Result<()> {
    summary.started_at_ms = changed_at_ms(dir);
    let manifest = Manifest::read(dir)?;
    summary.goal.clone_from(&manifest.goal);
    summary.started_at_ms = manifest.started_at_ms;
    let mut nodes = std::collections::HashMap::new();
    let read = read_events(dir, &manifest, |event| match event.kind {
        EventKind::Run(RunEvent::Planned { n_tasks, .. }) => summary.n_tasks = n_tasks,
        EventKind::Run(RunEvent::Resumed { .. }) => {
            summary.ended_at_ms = None;
            summary.outcome = None;
        }
        EventKind::Run(RunEvent::Finished { outcome, .. }) => {
            summary.ended_at_ms = Some(event.at_ms);
            summary.outcome = Some(outcome);
        }
        EventKind::Node(NodeEvent::Finished { node, outcome, .. }) => {
            nodes.insert(node, outcome);
        }
        EventKind::Model(ModelEvent::Answered { usd, .. }) => summary.usd += usd,
        _ => {}
    });
    let count = |wanted| {
        u32::try_from(nodes.values().filter(|outcome| **outcome == wanted).count())
            .unwrap_or(u32::MAX)
    };
    summary.n_done = count(NodeOutcome::Done);
    summary.n_failed = count(NodeOutcome::Failed);
    read.map(|_| ())
}

#[cfg(test)]
mod tests;
