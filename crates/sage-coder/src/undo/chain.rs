//! What became of each path, step after step, and what others did to the same paths since.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sage_core::{BlobRef, FileState, RunId};
use sage_log::{Payloads, Runs, read_run};
use sage_tool::snapshot::Want;
use sage_tool::{Snapshot, SnapshotStore};

use super::is_undone;
use crate::context::Wiring;
use crate::error::Result;
use crate::steps::{Step, steps_of};

/// The history of every path that the run touched.
pub(super) struct Chain<'a> {
    /// The state before the run.
    first: &'a Snapshot,
    paths: BTreeMap<&'a str, History>,
    /// Folders above files that existed before the steps in question.
    parents: BTreeSet<String>,
}

struct History {
    /// What it was before the first step in question, if one of these touched it.
    target: Option<(Option<FileState>, bool)>,
    /// What the last step before those left.
    earlier: Option<Option<FileState>>,
    known: Vec<Option<FileState>>,
}

impl<'a> Chain<'a> {
    /// Follows all steps; those from number `from` on are the ones in question.
    pub(super) fn of(steps: &'a [Step], first: &'a Snapshot, from: u32) -> Self {
        let mut paths: BTreeMap<&str, History> = BTreeMap::new();
        for step in steps {
            for change in &step.changes {
                let history = paths.entry(&change.path).or_insert_with(|| History {
                    target: None,
                    earlier: None,
                    known: Vec::new(),
                });
                if step.number < from {
                    history.earlier = Some(change.after.clone());
                } else if history.target.is_none() {
                    history.target = Some((change.before.clone(), change.is_covered));
                }
                for state in [&change.before, &change.after] {
                    if !history.known.contains(state) {
                        history.known.push(state.clone());
                    }
                }
            }
        }
        let mut parents = BTreeSet::new();
        for (path, history) in &paths {
            if history.then().is_some_and(Option::is_some) {
                let folders = std::iter::successors(Some(*path), |path| {
                    path.rsplit_once('/').map(|(above, _)| above)
                });
                parents.extend(folders.skip(1).map(str::to_owned));
            }
        }
        Self { first, paths, parents }
    }

    /// What must be put back.
    pub(super) fn wants(&self) -> Vec<Want> {
        let want = |(path, history): (&&str, &History)| {
            let (target, is_covered) = history.target.clone()?;
            Some(Want {
                path: (*path).to_owned(),
                target,
                is_covered,
                known: Some(history.known.clone()),
            })
        };
        self.paths.iter().filter_map(want).collect()
    }

    /// Whether a folder was there before the steps in question.
    pub(super) fn existed(&self, folder: &str) -> bool {
        match self.paths.get(folder).and_then(History::then) {
            Some(state) => state.is_some(),
            None => self.first.state(folder).is_some() || self.parents.contains(folder),
        }
    }
}

impl History {
    /// The state before the steps in question, as far as the steps tell.
    fn then(&self) -> Option<&Option<FileState>> {
        self.target.as_ref().map(|(state, _)| state).or(self.earlier.as_ref())
    }
}

/// Later runs that changed one of these paths and are not undone, with the paths.
pub(super) fn later_runs(
    wiring: &Wiring,
    store: &SnapshotStore,
    run: &RunId,
    root: &Path,
    paths: &BTreeSet<String>,
) -> Result<Vec<(RunId, Vec<String>)>> {
    let runs = Runs::new(wiring.state_dir.join("runs"));
    let mut found = Vec::new();
    if paths.is_empty() {
        return Ok(found);
    }
    // Newest first, so those before it in the list came later.
    for later in runs.list()?.into_iter().take_while(|other| other.run != *run) {
        let dir = runs.dir(&later.run);
        // What cannot be read cannot be asked; the states of the files still tell.
        let Ok(loaded) = read_run(&dir) else { continue };
        // A run in another work tree has files of its own.
        let is_elsewhere = crate::run::options_of(&loaded.events)
            .is_ok_and(|options| options.dry_run || options.root(&wiring.project) != root);
        if is_elsewhere || is_undone(&loaded.events) {
            continue;
        }
        let payloads = Payloads::of(&dir);
        let get = |blob: &BlobRef| payloads.get(blob).ok();
        let steps = steps_of(&loaded.events, &get, Some(store), None)?;
        let changed = steps.all.iter().flat_map(|step| &step.changes);
        let same: BTreeSet<&str> = changed
            .map(|change| change.path.as_str())
            .filter(|path| paths.contains(*path))
            .collect();
        if !same.is_empty() {
            found.push((later.run, same.into_iter().map(str::to_owned).collect()));
        }
    }
    Ok(found)
}
