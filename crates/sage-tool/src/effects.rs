//! What a command did to the files, found by comparing the tree before and after.
//!
//! Changes inside the task's paths are logged as its own. Changes outside them (and not to ignored
//! files) are put back and the model is told; caches that language tools leave behind are removed
//! without a word. A check leaves no trace: everything it changed is put back, except that a lock file
//! which the task may write follows the manifest that the task changed. Folders that say of themselves
//! that they are caches stay for the next command; [`SnapshotStore::remove_new_caches`] ends that.
//!
//! The state before a command is a snapshot whose address is logged with the call, so that a process
//! that takes up an interrupted command knows what the first try may have done: changes since then in
//! the task's own paths are logged, changes elsewhere are only reported, because between the two
//! tries other tasks and the person may have worked there.
//!
//! The states before and after, ignored files and empty folders included, are logged as
//! `workspace.observed`: with them whatever the command did can be undone. Where something was put back,
//! the state before that is logged, too. Nothing is lost, even if it was the person who changed a file
//! while a command ran: `sage undo --put-back` brings it back.
//!
//! What is not seen: what is inside closed folders (see [`crate::snapshot`]), and anything outside the
//! work tree, which is the sandbox's business.

mod byproducts;
mod telling;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sage_core::{BlobRef, CallId, FileState, WorkspaceEvent};
use tokio_util::sync::CancellationToken;

use crate::call::{ToolCx, blocking};
use crate::edits::line_diff_counts;
use crate::error::{Error, Result};
use crate::grant::PathSet;
use crate::path::WorkPath;
use crate::snapshot::{
    Covers, Entry, Look, MAX_FILE_BYTES, Snapshot, SnapshotStore, Staged, StatCache, Trace,
    is_tagged, put_back, scan, state_on_disk,
};
use crate::workspace::{Activity, Busy, FOLDER_MODE, Leaving, Workspace};

use byproducts::{is_cache, is_lock};
use telling::{Back, named, tell};

/// After a cancel, a tree that takes longer to look at is not looked at.
const MAX_LOOK_AFTER_CANCEL: Duration = Duration::from_millis(300);
/// Larger contents are not compared line by line.
const MAX_COUNTED_BYTES: usize = 1024 * 1024;
/// What becomes of a command's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterCommand {
    /// Those inside the task's paths stay.
    KeepGranted,
    /// None stays.
    PutBackAll,
}

/// What came of a command's changes.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Paths that stay changed, sorted.
    pub kept: Vec<String>,
    /// Remarks for the model.
    pub notes: Vec<String>,
    /// What was refused, if something was.
    pub refused: Option<String>,
    /// Paths that were put back, with the address of what was overwritten, if it was a file.
    pub put_back: Vec<(String, Option<BlobRef>)>,
}

/// A tree under observation, from before a command to after it.
pub(crate) struct Watched<'a> {
    workspace: &'a Arc<Workspace>,
    store: Option<Arc<SnapshotStore>>,
    rule: AfterCommand,
    /// What the tree is compared with.
    before: Snapshot,
    /// The state before the first try, where an interrupted one is taken up.
    first: Option<BlobRef>,
    /// Found changed since an interrupted try, in the task's paths.
    by_first_try: Vec<String>,
    /// Found changed since an interrupted try, elsewhere.
    meanwhile: Vec<String>,
    /// Tool writes up to here are in `before`.
    since: u64,
    busy: Busy<'a>,
    cache: Arc<Mutex<StatCache>>,
    /// How long looking at the tree takes.
    look_took: Duration,
}

impl<'a> Watched<'a> {
    /// Records the tree as it is; `earlier` is the record of an interrupted try.
    pub(crate) async fn begin(
        cx: &'a ToolCx,
        call: &CallId,
        earlier: Option<BlobRef>,
        rule: AfterCommand,
    ) -> Result<Self> {
        let workspace = &cx.workspace;
        let own = if cx.grant.read_only { PathSet::none() } else { cx.grant.paths.clone() };
        let busy = workspace.busy(own);
        let since = workspace.activity().now();
        let store = cx.snapshots.clone();
        let cache = Arc::new(Mutex::new(StatCache::default()));
        let started = Instant::now();
        let stop = cx.cancel.child_token();
        let _stop_on_drop = stop.clone().drop_guard();
        let found = look(workspace, &store, &cache, stop).await?;
        let look_took = started.elapsed();
        let mut watched = Self {
            workspace,
            store,
            rule,
            before: found,
            first: None,
            by_first_try: Vec::new(),
            meanwhile: Vec::new(),
            since,
            busy,
            cache,
            look_took,
        };
        // A record that is gone is as good as none.
        let earlier = watched.store.as_ref().zip(earlier).and_then(|(s, id)| s.load(&id).ok());
        if let Some(earlier) = earlier {
            watched.take_up(cx, call, earlier)?;
        }
        Ok(watched)
    }

    /// Accounts for what changed since an interrupted try began.
    fn take_up(&mut self, cx: &ToolCx, call: &CallId, earlier: Snapshot) -> Result<()> {
        let is_new_cache = |path: &str| is_cache(path) && earlier.entry(path).is_none();
        let mut kept = Vec::new();
        self.first = Some(earlier.id().clone());
        for difference in earlier.difference(&self.before) {
            if difference.ignored {
                continue;
            }
            let path = WorkPath::trusted(difference.path);
            if is_new_cache(path.as_str()) {
                continue;
            }
            if cx.may_change(path.as_str()) {
                let before = earlier.entry(path.as_str()).cloned();
                kept.push(Kept { path, before, now: difference.after });
            } else {
                self.meanwhile.push(path.as_str().to_owned());
            }
        }
        self.log_kept(cx, call, &kept)?;
        self.by_first_try = kept.iter().map(|change| change.path.as_str().to_owned()).collect();
        // Caches of the first try count as new, and go at the end.
        self.before = self.before.without(&is_new_cache);
        Ok(())
    }

    /// Where the state before is kept.
    pub(crate) fn before_ref(&self) -> Option<&BlobRef> {
        self.store.as_ref().map(|_| self.before.id())
    }

    /// Compares, logs what stays, and puts back what must not.
    pub(crate) async fn end(self, cx: &ToolCx, call: &CallId) -> Result<Effects> {
        if cx.cancel.is_cancelled() && self.look_took > MAX_LOOK_AFTER_CANCEL {
            // Somebody waits for us to end; the call is taken up again when the run is.
            return Ok(Effects::default());
        }
        let (mut changes, seen) = self.sort(cx).await?;
        let mut after = seen.clone();
        let first: BTreeMap<String, Option<Entry>> = changes
            .outside
            .iter()
            .filter(|(path, before)| decides_what_is_seen(self.workspace, path, before))
            .map(|(path, before)| (path.clone(), before.clone()))
            .collect();
        if !first.is_empty() {
            let back = self.put_back(first)?;
            (changes, after) = self.sort(cx).await?;
            changes.already_back = back;
        }
        self.log_kept(cx, call, &changes.kept)?;
        let mut effects = Effects { kept: self.by_first_try.clone(), ..Effects::default() };
        effects.kept.extend(changes.kept.iter().map(|change| change.path.as_str().to_owned()));
        effects.kept.sort_unstable();
        effects.kept.dedup();
        if !self.meanwhile.is_empty() {
            effects.notes.push(format!(
                "[changed since this command was interrupted, by it or by somebody else, and left as \
                 found: {}]",
                named(&self.meanwhile)
            ));
        }
        let n_already = changes.already_back.n_changed;
        let (n_back, n_in_all) = match self.busy.leave() {
            Leaving::WithOthers => {
                // Its own paths are nobody else's; the rest waits.
                let (own, rest) = changes
                    .outside
                    .into_iter()
                    .partition::<BTreeMap<_, _>, _>(|(path, _)| cx.grant.paths.contains(path));
                let mut back = changes.already_back;
                back.merge(self.put_back(own)?);
                let mut activity = self.workspace.activity();
                for (path, before) in rest {
                    activity.leave_for_last(path, before);
                }
                drop(activity);
                let n_in_all = back.n_changed;
                (tell(&mut effects, back, self.rule, false), n_in_all)
            }
            Leaving::Last { waiting, was_alone } => {
                let mut all = waiting;
                all.extend(changes.outside);
                let mut back = changes.already_back;
                back.merge(self.put_back(all)?);
                let n_in_all = back.n_changed;
                (tell(&mut effects, back, self.rule, was_alone), n_in_all)
            }
        };
        if n_in_all > n_already {
            after = self.look().await?;
        }
        self.log_observed(cx, call, (n_back > 0).then_some(&seen), &after, n_back)?;
        Ok(effects)
    }

    async fn look(&self) -> Result<Snapshot> {
        look(self.workspace, &self.store, &self.cache, CancellationToken::new()).await
    }

    /// Says in which states the command found and left the tree.
    fn log_observed(
        &self,
        cx: &ToolCx,
        call: &CallId,
        seen: Option<&Snapshot>,
        after: &Snapshot,
        n_back: usize,
    ) -> Result<()> {
        let Some(store) = &self.store else { return Ok(()) };
        let before = self.first.as_ref().unwrap_or(self.before.id());
        let n_changed = store.changes(before, after.id())?.len() as u64;
        if n_changed == 0 && n_back == 0 {
            return Ok(());
        }
        cx.recorder.emit(
            WorkspaceEvent::Observed {
                call: call.clone(),
                root: self.workspace.root_ref(),
                before: before.clone(),
                after: after.id().clone(),
                n_changed,
                seen: seen.map(|seen| seen.id().clone()),
                n_put_back: n_back as u64,
            }
            .into(),
        )?;
        Ok(())
    }

    /// What changed, sorted by what becomes of it, and the tree as it is now.
    async fn sort(&self, cx: &ToolCx) -> Result<(Changes, Snapshot)> {
        let after = self.look().await?;
        let mut changes = Changes::default();
        for difference in self.before.difference(&after) {
            if difference.ignored {
                continue;
            }
            let path = WorkPath::trusted(difference.path);
            // Seen from the disk: a snapshot cannot tell "gone" from "ignored now".
            let now = match after.entry(path.as_str()) {
                Some(Entry::Uncovered { .. }) => difference.after,
                _ => self.state(&path, difference.after)?,
            };
            if now == difference.before || self.is_a_tools(&self.workspace.activity(), &path, &now)
            {
                continue;
            }
            let before = self.before.entry(path.as_str()).cloned();
            if before.is_none() && self.is_build_folder(&path, after.entry(path.as_str())) {
                continue;
            }
            let granted = cx.may_change(path.as_str());
            // Nobody's tools write where a rule denies it, whosever path it is.
            let is_denied = !granted && cx.policy.denies_write(path.as_str()).is_some();
            let is_cache = before.is_none() && is_cache(path.as_str());
            let is_known_lock = before.is_some() && is_lock(path.as_str());
            let stays = self.rule == AfterCommand::KeepGranted || is_known_lock;
            if granted && stays && !is_cache {
                changes.kept.push(Kept { path, before, now });
            } else if granted || is_denied || !self.workspace.activity().is_claimed(path.as_str()) {
                changes.outside.insert(path.as_str().to_owned(), before);
            }
        }
        Ok((changes, after))
    }

    /// Whether a build tool keeps its intermediate files there, and says so. The next command goes on
    /// faster with them; whoever ends the run removes them.
    fn is_build_folder(&self, path: &WorkPath, entry: Option<&Entry>) -> bool {
        matches!(entry, Some(Entry::Folder { closed: true, .. }))
            && !is_cache(path.as_str())
            && is_tagged(&path.under(self.workspace.root()))
    }

    /// What is at a path now; `hidden` where a folder on the way was closed to us.
    fn state(&self, path: &WorkPath, hidden: Option<FileState>) -> Result<Option<FileState>> {
        match state_on_disk(self.workspace, path) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => {
                Ok(hidden)
            }
            state => state,
        }
    }

    fn is_a_tools(&self, activity: &Activity, path: &WorkPath, now: &Option<FileState>) -> bool {
        activity.written_since(path.as_str(), self.since).is_some_and(|left| left == now)
    }

    fn log_kept(&self, cx: &ToolCx, call: &CallId, kept: &[Kept]) -> Result<()> {
        for change in kept {
            let before = change.before.as_ref().map(Entry::state);
            if is_folder(&before) || is_folder(&change.now) {
                continue;
            }
            let (lines_added, lines_removed) = self.line_counts(change);
            cx.recorder.emit(
                WorkspaceEvent::Changed {
                    call: call.clone(),
                    path: change.path.as_str().to_owned(),
                    before,
                    after: change.now.clone(),
                    lines_added,
                    lines_removed,
                }
                .into(),
            )?;
            self.workspace.activity().note_write(change.path.as_str(), change.now.clone());
        }
        Ok(())
    }

    fn line_counts(&self, change: &Kept) -> (u64, u64) {
        let before = match (&change.before, &self.store) {
            (None, _) => Some(Vec::new()),
            (Some(Entry::File { hash, size, .. }), Some(store))
                if *size <= MAX_COUNTED_BYTES as u64 =>
            {
                store.read(hash).ok()
            }
            _ => None,
        };
        let after = self.workspace.content(&change.path).ok();
        let after = after.map(|content| content.map(|c| c.bytes).unwrap_or_default());
        match (before, after) {
            (Some(before), Some(after)) if after.len() <= MAX_COUNTED_BYTES => {
                line_diff_counts(&before, &after)
            }
            _ => (0, 0),
        }
    }

    /// Keeps what is about to be overwritten, if it changed since the tree was looked at.
    fn keep(&self, path: &WorkPath, now: &Option<FileState>) -> Result<()> {
        let Some((store, now)) = self.store.as_ref().zip(now.as_ref()) else { return Ok(()) };
        let size = || std::fs::symlink_metadata(path.under(self.workspace.root())).map(|m| m.len());
        if now.mode & FOLDER_MODE == 0
            && !store.has(&now.hash)
            && size().is_ok_and(|size| size <= MAX_FILE_BYTES)
            && let Ok(Some(content)) = self.workspace.content(path)
        {
            store.keep(&content.bytes)?;
        }
        Ok(())
    }

    /// Puts paths back to what they were; those that changed once more meanwhile are left alone.
    fn put_back(&self, paths: BTreeMap<String, Option<Entry>>) -> Result<Back> {
        let mut back = Back::default();
        let mut traces = Vec::new();
        let _lock = self.workspace.write_lock();
        for (path, before) in paths {
            let path = WorkPath::trusted(path);
            let now = self.state(&path, None)?;
            let is_back = now == before.as_ref().map(Entry::state);
            if is_back || self.is_a_tools(&self.workspace.activity(), &path, &now) {
                continue;
            }
            let can_be = match (&before, &self.store) {
                (Some(Entry::File { hash, .. }), Some(store)) => store.has(hash),
                (Some(Entry::File { .. }), None) | (Some(Entry::Uncovered { .. }), _) => false,
                (None | Some(Entry::Link { .. } | Entry::Folder { .. }), _) => true,
            };
            if can_be {
                self.keep(&path, &now)?;
                traces.push(Trace { path, now, target: before });
            } else {
                back.impossible.push(path.as_str().to_owned());
            }
        }
        let is_kept = |path: &str| self.before.entry(path).is_some();
        let store = self.store.as_deref();
        let staged = Staged::default();
        // What fails is found by looking, below.
        put_back(store, self.workspace, &traces, &staged, &is_kept, &mut |_, _| Ok(()))?;
        back.n_changed = traces.len();
        for trace in traces {
            let before = trace.target.as_ref().map(Entry::state);
            let is_new = before.is_none();
            let is_folder = is_folder(&trace.now);
            let path = trace.path.as_str().to_owned();
            if self.state(&trace.path, trace.now.clone())? != before {
                // A new folder stays when something in it is ignored: tools make such folders.
                if !(is_new && is_folder) {
                    back.impossible.push(path);
                }
            } else if !(is_new && (is_cache(&path) || is_lock(&path))) {
                let held = trace.now.filter(|now| now.mode & FOLDER_MODE == 0);
                back.done.push((path, held.map(|now| now.hash)));
            }
        }
        Ok(back)
    }
}

/// A change that stays.
struct Kept {
    path: WorkPath,
    before: Option<Entry>,
    now: Option<FileState>,
}

#[derive(Default)]
struct Changes {
    kept: Vec<Kept>,
    /// What must go back, with what was there before.
    outside: BTreeMap<String, Option<Entry>>,
    already_back: Back,
}

async fn look(
    workspace: &Arc<Workspace>,
    store: &Option<Arc<SnapshotStore>>,
    cache: &Arc<Mutex<StatCache>>,
    stop: CancellationToken,
) -> Result<Snapshot> {
    let (workspace, store, cache) = (workspace.clone(), store.clone(), cache.clone());
    blocking(move || {
        let stop = || stop.is_cancelled();
        match store {
            Some(store) => store.take_unless(&workspace, Covers::Everything, &stop),
            None => {
                let (covers, now_ns) = (Covers::NotIgnored, i64::MIN);
                let look = Look { covers, like: None, objects: None, now_ns, stop: &stop };
                let scanned = scan(&workspace, &cache, &look)?;
                Ok(Snapshot::unsaved(scanned.manifest))
            }
        }
    })
    .await?
}

/// Whether a change hides other changes: rules about what is ignored, and folders that were closed. These
/// go back first, and then the tree is looked at again.
fn decides_what_is_seen(workspace: &Workspace, path: &str, before: &Option<Entry>) -> bool {
    let is_folder_now = || WorkPath::trusted(path).under(workspace.root()).is_dir();
    path.rsplit('/').next() == Some(".gitignore")
        || (matches!(before, Some(Entry::Folder { .. })) && is_folder_now())
}

fn is_folder(state: &Option<FileState>) -> bool {
    state.as_ref().is_some_and(|state| state.mode & FOLDER_MODE != 0)
}

#[cfg(test)]
mod tests;
