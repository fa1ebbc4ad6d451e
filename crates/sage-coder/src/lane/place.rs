//! Making lanes, making them again, and removing them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sage_core::{Event, EventKind, FileState, NodeId, RunId, WorkspaceEvent};
use sage_log::Runs;
use sage_tool::{CopyWhat, Covers, Workspace};

use crate::context::{RunCx, Wiring};
use crate::error::{Error, Result};
use crate::git::Git;
use crate::lane::LaneStep;
use crate::options::Lanes;

/// How the folder of a run's lanes is called; the run follows.
const FOLDER: &str = "sage-lanes-";
/// How a lane is called, and so git's record of it.
const LANE: &str = "sage-";

/// The run as a task in a lane sees it: everything is the run's, but the files are the lane's. The lane
/// is made when it is not there yet.
pub(crate) async fn enter(cx: &Arc<RunCx>, node: &NodeId, attempt: u32) -> Result<Arc<RunCx>> {
    let folder = folder(cx);
    create_private(&folder).map_err(|source| Error::Io {
        doing: "creating",
        path: folder.clone(),
        source,
    })?;
    let place = folder.join(format!("{LANE}{}-{node}-{attempt}", cx.run()));
    let root = match opened(cx, node, attempt) {
        Some(root) if root.is_dir() => root,
        Some(root) => {
            make_again(cx, node, attempt, &place).await?;
            root
        }
        None => {
            let step = LaneStep::Opened(node.clone(), attempt);
            cx.turns.in_order(&step).await;
            // What changes between the two is news that the lane gets when it is brought up to date.
            let snapshot = cx.snapshots.take(&cx.workspace, Covers::NotIgnored)?;
            let root = make(cx, &place).await?;
            cx.emit(WorkspaceEvent::LaneOpened {
                node: node.clone(),
                attempt,
                path: root.to_string_lossy().into_owned(),
                snapshot: snapshot.id().clone(),
            })?;
            cx.turns.done(|done| *done == step);
            root
        }
    };
    let mut wiring = cx.wiring.clone();
    wiring.sandbox = Arc::new(wiring.sandbox.also_reading(linked(&wiring, &cx.workspace).await?));
    let cx = RunCx {
        wiring,
        workspace: Arc::new(Workspace::open(&root)?),
        snapshots: Arc::new(cx.snapshots.beside()?),
        in_lane: true,
        ..(**cx).clone()
    };
    Ok(Arc::new(cx))
}

/// What commands in a copy of a tree read outside of it: the dependencies that it links to, and what git
/// knows.
pub(crate) async fn linked(wiring: &Wiring, from: &Workspace) -> Result<Vec<PathBuf>> {
    let mut folders = from.dependencies()?;
    let git = Git::new(from.root(), &wiring.temp, &wiring.child_env);
    let common = git.run(&["rev-parse", "--git-common-dir"]).await?;
    if common.ok {
        folders.push(from.root().join(common.text()));
    }
    Ok(folders)
}

/// Whether an attempt has, or had, a lane.
pub(crate) fn is_open(cx: &RunCx, node: &NodeId, attempt: u32) -> bool {
    opened(cx, node, attempt).is_some()
}

fn opened(cx: &RunCx, of: &NodeId, number: u32) -> Option<PathBuf> {
    cx.log.events().iter().rev().find_map(|event| match &event.kind {
        EventKind::Workspace(WorkspaceEvent::LaneOpened { node, attempt, path, .. })
            if node == of && *attempt == number =>
        {
            Some(PathBuf::from(path))
        }
        _ => None,
    })
}

/// Where the lanes of the run are. Those of a run in a copy lie beside the copy.
fn folder(cx: &RunCx) -> PathBuf {
    let beside = |copy: &PathBuf| {
        let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
        copy.with_file_name(format!("{name}-lanes"))
    };
    match &cx.options.overlay {
        Some(copy) => beside(copy),
        // git remembers the real place.
        None => {
            let temp = fs::canonicalize(&cx.wiring.temp);
            let temp = temp.unwrap_or_else(|_| cx.wiring.temp.clone());
            temp.join(format!("{FOLDER}{}", cx.run()))
        }
    }
}

/// A folder that nobody else can read or has made.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        done => return done,
    }
    let meta = fs::symlink_metadata(folder)?;
    #[cfg(unix)]
    let is_private = std::os::unix::fs::MetadataExt::mode(&meta) & 0o077 == 0;
    #[cfg(not(unix))]
    let is_private = true;
    if meta.is_dir() && is_private {
        return Ok(());
    }
    Err(io::Error::other("it is there already, and others may write to it"))
}

/// Makes a lane from the tree as it is, and returns the folder of it that stands for the project.
async fn make(cx: &RunCx, place: &Path) -> Result<PathBuf> {
    let io = |source| Error::Io { doing: "creating", path: place.to_owned(), source };
    // Left by a process that died before it could say so.
    remove_place(place);
    let registered = register(cx, place).await?;
    let root = match &registered {
        Some(registered) => place.join(&registered.prefix),
        None => place.to_owned(),
    };
    fs::create_dir_all(&root).map_err(io)?;
    cx.workspace.copy_into(&root, CopyWhat::Everything, &cx.wiring.cancel).await?;
    if let Some(registered) = registered {
        settle(cx, place, &registered).await?;
    }
    Ok(root)
}

/// Makes a lane again that somebody removed: the tree from which it was made, and every change since.
async fn make_again(cx: &RunCx, node: &NodeId, attempt: u32, place: &Path) -> Result<()> {
    let io = |source| Error::Io { doing: "creating", path: place.to_owned(), source };
    remove_place(place);
    let registered = register(cx, place).await?;
    let prefix = registered.as_ref().map(|registered| registered.prefix.clone());
    let root = place.join(prefix.unwrap_or_default());
    fs::create_dir_all(&root).map_err(io)?;
    let workspace = Arc::new(Workspace::open(&root)?);
    let store = cx.snapshots.beside()?;
    let (start, states) = recorded(&cx.log.events(), node, attempt);
    if let Some(start) = start {
        store.restore_all(&workspace, &store.load(&start)?)?;
    }
    store.revert(&workspace, &states)?;
    cx.workspace.copy_into(&root, CopyWhat::IgnoredOnly, &cx.wiring.cancel).await?;
    if let Some(registered) = registered {
        settle(cx, place, &registered).await?;
    }
    Ok(())
}

/// What the log has of a lane: its beginning, and the last state of each file that changed.
fn recorded(
    events: &[Event],
    of: &NodeId,
    number: u32,
) -> (Option<sage_core::BlobRef>, BTreeMap<String, Option<FileState>>) {
    let (mut start, mut states) = (None, BTreeMap::new());
    for event in events {
        match &event.kind {
            EventKind::Workspace(WorkspaceEvent::LaneOpened {
                node, attempt, snapshot, ..
            }) if node == of && *attempt == number => start = Some(snapshot.clone()),
            EventKind::Workspace(WorkspaceEvent::LaneChanged { call, path, after, .. })
                if call.node == *of && call.attempt == number =>
            {
                states.insert(path.clone(), after.clone());
            }
            _ => {}
        }
    }
    (start, states)
}

/// A work tree that git knows.
struct Registered {
    /// The project's place in the repository, with a `/` at its end, or nothing.
    prefix: String,
    /// The commit that stands for the tree as it was.
    commit: String,
}

/// Has git make a work tree at `place`. `None` where there is no git that would: a lane is as good
/// without, only that git's commands see nothing in it.
async fn register(cx: &RunCx, place: &Path) -> Result<Option<Registered>> {
    let root = cx.workspace.root();
    // The `.git` of a copy may be a file that leads to the person's repository.
    if cx.options.overlay.is_some() && !root.join(".git").is_dir() {
        return Ok(None);
    }
    let git = Git::new(root, &cx.wiring.temp, &cx.wiring.child_env);
    let said = git.run(&["rev-parse", "--show-prefix"]).await?;
    if !said.ok {
        return Ok(None);
    }
    let prefix = said.text();
    let Some(commit) = commit_of_tree(&git).await? else { return Ok(None) };
    let place_text = place.to_string_lossy();
    // Beside a project that is a folder of its repository, the rest of it is needed too.
    let checkout = if prefix.is_empty() { "--no-checkout" } else { "--checkout" };
    let args = ["worktree", "add", "--quiet", checkout, "--detach", &*place_text, &commit];
    if git.run(&args).await?.ok {
        return Ok(Some(Registered { prefix, commit }));
    }
    remove_place(place);
    Ok(None)
}

/// A commit of the tracked files as they are, uncommitted changes included, that belongs to no branch.
async fn commit_of_tree(git: &Git) -> Result<Option<String>> {
    let (private, _index) = git.with_private_index().await?;
    // The lane's files are copies; this is only what git compares them with. New files are new there too,
    // and what cannot be added (a filter that fails) stays as the index has it.
    private.run(&["add", "--update", "--ignore-errors", ":/"]).await?;
    let tree = private.run(&["write-tree"]).await?;
    let head = git.head().await?;
    let (true, tree) = (tree.ok, tree.text()) else { return Ok(head) };
    let mut args = vec!["commit-tree", "-m", "sage: the tree as a task found it", &tree];
    if let Some(head) = &head {
        args.extend(["-p", head]);
    }
    let mut named = private;
    for who in ["AUTHOR", "COMMITTER"] {
        named = named.with(&format!("GIT_{who}_NAME"), "sage");
        named = named.with(&format!("GIT_{who}_EMAIL"), "sage@localhost");
    }
    let commit = named.run(&args).await?;
    Ok(if commit.ok { Some(commit.text()) } else { head })
}

/// Tells the lane's own index what is in the lane, so that git finds nothing changed there.
async fn settle(cx: &RunCx, place: &Path, registered: &Registered) -> Result<()> {
    let git = Git::new(place, &cx.wiring.temp, &cx.wiring.child_env);
    // The lane works whatever git makes of it.
    git.run(&["read-tree", &registered.commit]).await?;
    git.run(&["update-index", "-q", "--refresh"]).await?;
    Ok(())
}

/// Removes the lane of an attempt that has ended.
pub(crate) fn remove(cx: &RunCx, node: &NodeId, attempt: u32) {
    remove_place(&folder(cx).join(format!("{LANE}{}-{node}-{attempt}", cx.run())));
}

/// Removes the lanes of a run that is over.
pub(crate) async fn remove_all(cx: &RunCx) -> Result<()> {
    let is_opened = |event: &Event| {
        matches!(&event.kind, EventKind::Workspace(WorkspaceEvent::LaneOpened { .. }))
    };
    if cx.log.events().iter().any(is_opened) {
        remove_folder(&folder(cx));
        forget(cx, &|run, _| run == cx.run().as_str()).await?;
    }
    Ok(())
}

fn remove_folder(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        remove_place(&entry.path());
    }
    // What cannot be removed is litter, not a failure of the run.
    let _ = fs::remove_dir(folder);
}

/// Removes a lane and git's record of it, which is ours by its name and leads back to the lane.
fn remove_place(place: &Path) {
    let record = fs::read_to_string(place.join(".git")).ok();
    let record = record.as_deref().and_then(|text| text.trim().strip_prefix("gitdir: "));
    let record = record.map(PathBuf::from);
    // What cannot be removed is litter, not a failure of the run.
    let _ = fs::remove_dir_all(place);
    if let Some(record) = record.filter(|record| lane_of(record).as_deref() == Some(place)) {
        remove_record(&record);
    }
}

/// The lane that git's record of a work tree leads to, if it is a lane.
fn lane_of(record: &Path) -> Option<PathBuf> {
    let is_lane =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LANE));
    let back = fs::read_to_string(record.join("gitdir")).ok()?;
    let place = Path::new(back.trim()).parent()?.to_owned();
    (is_lane(record) && is_lane(&place)).then_some(place)
}

fn remove_record(record: &Path) {
    let _ = fs::remove_dir_all(record);
    // git removes this folder too when it is empty.
    let _ = record.parent().map(fs::remove_dir);
}

/// Removes what runs of this project that died left of their lanes; those of this one stay for it to go
/// on with, but for records that lead nowhere.
pub(crate) async fn clear_old(cx: &RunCx) -> Result<()> {
    if cx.options.lanes != Lanes::Merged || cx.options.overlay.is_some() {
        return Ok(());
    }
    let runs = Runs::new(cx.wiring.state_dir.join("runs"));
    let is_old = |run: &str| {
        run != cx.run().as_str() && RunId::new(run).is_ok_and(|run| runs.dir(&run).is_dir())
    };
    let is_lost = |run: &str, place: &Path| run == cx.run().as_str() && !place.is_dir();
    forget(cx, &|run, place| is_old(run) || is_lost(run, place)).await?;
    for entry in fs::read_dir(&cx.wiring.temp).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().strip_prefix(FOLDER).is_some_and(is_old) {
            remove_folder(&entry.path());
        }
    }
    Ok(())
}

/// The run that a lane's name begins with: two parts that are a time, and one that is anything.
fn run_of(name: &str) -> Option<&str> {
    let run = name.strip_prefix(LANE)?;
    let end = run.match_indices('-').nth(2)?.0;
    Some(&run[..end])
}

/// Removes lanes that git knows, and git's record of them, where their run and place say so.
async fn forget(cx: &RunCx, is_unwanted: &(dyn Fn(&str, &Path) -> bool + Sync)) -> Result<()> {
    let git = Git::new(cx.workspace.root(), &cx.wiring.temp, &cx.wiring.child_env);
    let common = git.run(&["rev-parse", "--git-common-dir"]).await?;
    if !common.ok {
        return Ok(());
    }
    let records = cx.workspace.root().join(common.text()).join("worktrees");
    for record in fs::read_dir(records).into_iter().flatten().flatten() {
        let place = match lane_of(&record.path()) {
            Some(place) => place,
            // git was killed while it made this, and it leads nowhere yet; its name tells whose it is.
            None if !record.path().join("gitdir").exists() => record.path().join("nowhere"),
            None => continue,
        };
        let name = record.file_name().to_string_lossy().into_owned();
        if run_of(&name).is_some_and(|run| is_unwanted(run, &place)) {
            let _ = fs::remove_dir_all(&place);
            remove_record(&record.path());
        }
    }
    Ok(())
}
