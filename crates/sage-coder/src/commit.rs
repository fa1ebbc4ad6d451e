//! Commits of what a run did: one for each finished task, in the order in which they finished.
//!
//! A commit has the task's own changes on top of its parent and nothing else: what the person had
//! changed or staged before is neither in it nor lost. It is built with a private index, without hooks
//! and without a signature; only then a reference moves, and only from where it was seen. A run that
//! did not succeed commits nothing.

use std::sync::Arc;

use sage_agent::CallCounter;
use sage_core::{Event, EventKind, NodeEvent, NodeId, NodeOutcome, RunEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::git::Git;
use crate::plan::Plan;
use crate::survey;

mod changes;
mod index;
mod message;
mod preflight;
mod tree;

pub use preflight::Commit;
pub(crate) use preflight::{prepare, prepare_worktree};

/// The pseudo-attempt of the run under which commits are logged; the verification has those before it.
const ATTEMPT: u32 = 3;

/// Most paths whose omission is named.
const MAX_LEFT_OUT: usize = 20;

/// What was committed, as a gathered fact. Nothing points to the commits before it is recorded.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Made {
    /// Where the branch was.
    parent: String,
    /// The branch did not exist before.
    is_new: bool,
    commits: Vec<MadeCommit>,
    /// Paths that were left out, with why.
    left_out: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct MadeCommit {
    node: NodeId,
    id: String,
    subject: String,
    /// Relative to the repository.
    paths: Vec<String>,
}

/// Commits what the finished tasks did.
pub(crate) async fn record(cx: &Arc<RunCx>, plan: &Plan) -> Result<()> {
    let Some(commit) = &cx.options.commit else { return Ok(()) };
    let git = Git::new(cx.workspace.root(), &cx.wiring.temp, &cx.wiring.child_env);
    let calls = CallCounter::new(NodeId::run(), ATTEMPT);
    let value = survey::gather(cx, calls.next(), "commits", async {
        Ok(json!(make(cx, plan, commit, &git).await?))
    })
    .await?;
    let made: Made = serde_json::from_value(value)
        .map_err(|error| sage_tool::Error::Internal(format!("commits on record: {error}")))?;
    let reference = match &commit.branch {
        Some(branch) => format!("refs/heads/{branch}"),
        None => git.ask(&["symbolic-ref", "HEAD"]).await?,
    };
    let branch = reference.trim_start_matches("refs/heads/").to_owned();
    if let Some(last) = made.commits.last() {
        move_reference(cx, &git, &reference, &made, last).await?;
        if commit.branch.is_none() {
            index::follow(&git, &made.parent, &made.commits).await?;
        }
    }
    say(cx, &branch, &made)
}

/// Makes the commits' objects.
async fn make(cx: &RunCx, plan: &Plan, commit: &Commit, git: &Git) -> Result<Made> {
    let parent = match (&commit.branch, &commit.base) {
        (Some(_), Some(base)) => base.clone(),
        _ => git.head().await?.ok_or_else(|| preflight::no_commit("--commit"))?,
    };
    let is_new = commit.branch.is_some();
    let mut made = Made { parent: parent.clone(), is_new, ..Made::default() };
    let events = cx.log.events();
    let mut builder = tree::Builder::new(cx, git, &parent).await?;
    for node in finished(&events) {
        let changes = changes::of_node(&events, &node);
        let Some(task) = plan.task(&node).filter(|_| !changes.is_empty()) else { continue };
        let message = message::of_task(cx, task, &events);
        if let Some((id, paths)) = builder.commit(changes, &message.text).await? {
            made.commits.push(MadeCommit { node, id, subject: message.subject, paths });
        }
    }
    made.left_out = builder.left_out();
    made.left_out.truncate(MAX_LEFT_OUT);
    Ok(made)
}

/// Tasks that are done, in the order in which they were.
fn finished(events: &[Event]) -> Vec<NodeId> {
    let mut done: Vec<NodeId> = Vec::new();
    for event in events {
        if let EventKind::Node(NodeEvent::Finished { node, outcome: NodeOutcome::Done, .. }) =
            &event.kind
            && !done.contains(node)
        {
            done.push(node.clone());
        }
    }
    done
}

/// Moves the branch from where it was seen. Done already when an earlier process got so far.
async fn move_reference(
    cx: &RunCx,
    git: &Git,
    reference: &str,
    made: &Made,
    last: &MadeCommit,
) -> Result<()> {
    let now = git.run(&["rev-parse", "--verify", "-q", reference]).await?;
    if now.ok && now.text() == last.id {
        return Ok(());
    }
    let old = if made.is_new { "0".repeat(last.id.len()) } else { made.parent.clone() };
    let reason = format!("sage: run {}", cx.run());
    let moved = git.run(&["update-ref", "-m", &reason, reference, &last.id, &old]).await?;
    if moved.ok {
        return Ok(());
    }
    Err(Error::Git {
        doing: format!("update-ref {reference} {}", last.id),
        complaint: format!("{}; the commits are there under that id", moved.complaint),
    })
}

/// Tells the log, once.
fn say(cx: &RunCx, branch: &str, made: &Made) -> Result<()> {
    let events = cx.log.events();
    let is_said = |id: &str| {
        events.iter().any(|event| {
            matches!(&event.kind, EventKind::Run(RunEvent::Committed { commit, .. }) if commit == id)
        })
    };
    for (n, commit) in made.commits.iter().enumerate() {
        if is_said(&commit.id) {
            continue;
        }
        let is_last = n + 1 == made.commits.len();
        cx.emit(RunEvent::Committed {
            branch: branch.to_owned(),
            commit: commit.id.clone(),
            node: commit.node.clone(),
            subject: commit.subject.clone(),
            left_out: if is_last { made.left_out.clone() } else { Vec::new() },
        })?;
    }
    Ok(())
}
