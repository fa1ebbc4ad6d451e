//! What must hold before a run begins that is to commit: found out before any model is asked.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sage_core::RunId;
use sage_tool::{CopyWhat, Workspace};
use serde::{Deserialize, Serialize};

use crate::context::Wiring;
use crate::error::{Error, Result};
use crate::git::Git;

/// Where the changes of a run are committed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Commit {
    /// A new branch; absent for the one that is checked out.
    pub branch: Option<String>,
    /// The commit on which a new branch begins; found when the run starts.
    pub base: Option<String>,
}

/// Files by which git remembers that it is in the middle of something.
const UNDER_WAY: &[(&str, &str)] = &[
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
];

/// Completes what a run was asked to commit.
///
/// # Errors
/// Everything that would keep it from committing at its end.
pub(crate) async fn prepare(wiring: &Wiring, commit: &mut Commit) -> Result<()> {
    let flag = if commit.branch.is_some() { "--branch" } else { "--commit" };
    let git = Git::new(&wiring.project, &wiring.temp, &wiring.child_env);
    let head = usable(&git, flag).await?;
    named(&git, flag).await?;
    match &commit.branch {
        Some(branch) => new_branch(&git, branch).await?,
        None => {
            if !git.run(&["symbolic-ref", "-q", "HEAD"]).await?.ok {
                let why = "no branch is checked out (HEAD is detached); `--branch NAME` makes one";
                return Err(refused(flag, why, true));
            }
            for (file, what) in UNDER_WAY {
                let place = git.ask(&["rev-parse", "--git-path", file]).await?;
                if wiring.project.join(place).exists() {
                    let why = format!("{what} is under way in this repository; end it first");
                    return Err(refused(flag, &why, false));
                }
            }
        }
    }
    commit.base = Some(head);
    Ok(())
}

/// Makes the work tree in which a whole run happens, on a new branch; returns the project's place in it,
/// and sees to it that the run commits there.
pub(crate) async fn prepare_worktree(
    wiring: &Wiring,
    run: &RunId,
    commit: &mut Option<Commit>,
) -> Result<PathBuf> {
    let flag = "--worktree";
    let git = Git::new(&wiring.project, &wiring.temp, &wiring.child_env);
    let head = usable(&git, flag).await?;
    named(&git, flag).await?;
    let branch = commit.take().and_then(|commit| commit.branch);
    let branch = branch.unwrap_or_else(|| format!("sage/{run}"));
    new_branch(&git, &branch).await?;
    let folder = wiring.state_dir.join("worktrees");
    let io = |source| Error::Io { doing: "creating", path: folder.clone(), source };
    fs::create_dir_all(&folder).map_err(io)?;
    // In projects whose `.sage/.gitignore` is older than this folder.
    fs::write(folder.join(".gitignore"), "*\n").map_err(io)?;
    let place = folder.join(run.as_str());
    let place_text = place.to_string_lossy();
    git.ask(&["worktree", "add", "--quiet", "-b", &branch, &*place_text, &head]).await?;
    let prefix = git.ask(&["rev-parse", "--show-prefix"]).await?;
    let root = place.join(prefix);
    fs::create_dir_all(&root).map_err(io)?;
    let project = Arc::new(Workspace::open(&wiring.project)?);
    project.copy_into(&root, CopyWhat::IgnoredOnly, &wiring.cancel).await?;
    *commit = Some(Commit { branch: None, base: Some(head) });
    Ok(root)
}

/// That there is a repository with a commit.
async fn usable(git: &Git, flag: &str) -> Result<String> {
    if !git.is_usable().await {
        return Err(refused(flag, "the project is in no git work tree", false));
    }
    git.head().await?.ok_or_else(|| no_commit(flag))
}

/// That git knows in whose name to commit.
async fn named(git: &Git, flag: &str) -> Result<()> {
    for name in ["GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"] {
        if !git.run(&["var", name]).await?.ok {
            let why = "git does not know in whose name to commit: `git config user.name \"NAME\"` and \
                       `git config user.email ADDRESS` tell it";
            return Err(refused(flag, why, false));
        }
    }
    Ok(())
}

async fn new_branch(git: &Git, branch: &str) -> Result<()> {
    if !git.run(&["check-ref-format", "--branch", branch]).await?.ok || branch.starts_with('-') {
        return Err(refused("--branch", &format!("{branch:?} is no name for a branch"), true));
    }
    let reference = format!("refs/heads/{branch}");
    if git.run(&["rev-parse", "--verify", "-q", &reference]).await?.ok {
        let why = format!("the branch {branch} exists; the run needs a new one");
        return Err(refused("--branch", &why, true));
    }
    Ok(())
}

pub(super) fn no_commit(flag: &str) -> Error {
    refused(flag, "the repository has no commit yet; make the first one", false)
}

fn refused(flag: &str, why: &str, is_usage: bool) -> Error {
    Error::Repository { flag: flag.to_owned(), why: why.to_owned(), is_usage }
}
