//! Building commits in a private index.

use std::collections::BTreeMap;

use sage_core::FileState;
use sage_tool::merge::{FileMerge, Version, merge_file};

use super::changes::Change;
use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::git::{Git, PrivateIndex};

/// Mode bits of a symbolic link in a file's state.
const LINK_MODE: u32 = 0o120_777;

/// Commits on top of each other.
pub(super) struct Builder<'a> {
    cx: &'a RunCx,
    git: Git,
    _index: PrivateIndex,
    /// The project's place in the repository, with a `/` at its end, or nothing.
    prefix: String,
    parent: String,
    tree: String,
    /// Folders of other repositories.
    submodules: Vec<String>,
    /// What the last commit has of the files looked at so far, as they are in a work tree.
    committed: BTreeMap<String, Option<Version>>,
    left_out: BTreeMap<String, &'static str>,
}

impl<'a> Builder<'a> {
    pub(super) async fn new(cx: &'a RunCx, git: &Git, parent: &str) -> Result<Self> {
        let prefix = git.ask(&["rev-parse", "--show-prefix"]).await?;
        let (git, index) = git.with_private_index().await?;
        git.ask(&["read-tree", parent]).await?;
        let tree = git.ask(&["write-tree"]).await?;
        let entries = git.run(&["ls-files", "--stage", "--full-name", "-z", ":/"]).await?;
        let submodules = String::from_utf8_lossy(&entries.stdout)
            .split('\0')
            .filter(|entry| entry.starts_with("160000 "))
            .filter_map(|entry| Some(format!("{}/", entry.split_once('\t')?.1)))
            .collect();
        Ok(Self {
            cx,
            git,
            _index: index,
            prefix,
            parent: parent.to_owned(),
            tree,
            submodules,
            committed: BTreeMap::new(),
            left_out: BTreeMap::new(),
        })
    }

    /// Paths that are in no commit, with why.
    pub(super) fn left_out(&self) -> Vec<String> {
        self.left_out.iter().map(|(path, why)| format!("{path}: {why}")).collect()
    }

    /// Commits these changes; returns the commit and its paths, or nothing where nothing is left of them.
    pub(super) async fn commit(
        &mut self,
        changes: Vec<Change>,
        message: &str,
    ) -> Result<Option<(String, Vec<String>)>> {
        let mut entries = Vec::new();
        let mut paths = Vec::new();
        for change in changes {
            let path = format!("{}{}", self.prefix, change.path);
            match self.entry(&path, &change).await? {
                Ok(Some(entry)) => {
                    entries.extend_from_slice(entry.as_bytes());
                    entries.push(0);
                    paths.push(path);
                }
                Ok(None) => {}
                Err(why) => {
                    self.left_out.insert(change.path, why);
                }
            }
        }
        if paths.is_empty() {
            return Ok(None);
        }
        let args = ["update-index", "-z", "--index-info"];
        let said = self.git.run_with(&args, &entries).await?;
        if !said.ok {
            return Err(Error::Git { doing: args.join(" "), complaint: said.complaint });
        }
        let tree = self.git.ask(&["write-tree"]).await?;
        if tree == self.tree {
            return Ok(None);
        }
        let args = ["commit-tree", "-p", &self.parent, "-F", "-", &tree];
        let said = self.git.run_with(&args, message.as_bytes()).await?;
        if !said.ok {
            return Err(Error::Git { doing: "commit-tree".to_owned(), complaint: said.complaint });
        }
        self.tree = tree;
        self.parent = said.text();
        Ok(Some((self.parent.clone(), paths)))
    }

    /// The index entry for a change, or why there can be none.
    async fn entry(
        &mut self,
        path: &str,
        change: &Change,
    ) -> Result<std::result::Result<Option<String>, &'static str>> {
        if self.submodules.iter().any(|folder| path.starts_with(folder.as_str())) {
            return Ok(Err("it is in a submodule"));
        }
        let ours = match self.committed.get(path) {
            Some(known) => known.clone(),
            None => self.checked_out(path).await?,
        };
        if ours.is_none() && self.is_ignored(path).await? {
            return Ok(Err("git ignores it"));
        }
        let base = self.version(change.before.as_ref())?;
        let theirs = self.version(change.after.as_ref())?;
        // Modes come in more kinds than git keeps.
        let alike = |a: &Option<Version>, b: &Option<Version>| match (a, b) {
            (Some(a), Some(b)) => a.bytes == b.bytes && git_mode(a.mode) == git_mode(b.mode),
            (None, None) => true,
            _ => false,
        };
        let merged = match alike(&base, &ours) {
            true => theirs,
            false => match merge_file(base.as_ref(), ours.as_ref(), theirs.as_ref(), "sage") {
                FileMerge::AsOurs => ours.clone(),
                FileMerge::To(version) => version,
                FileMerge::Conflict { .. } if ours.is_none() => {
                    return Ok(Err(
                        "it was not committed before the run, so all of it is yours to commit",
                    ));
                }
                FileMerge::Conflict { .. } => {
                    return Ok(Err(
                        "its changes cannot be told apart from what was uncommitted before",
                    ));
                }
            },
        };
        if alike(&merged, &ours) {
            return Ok(Ok(None));
        }
        let entry = match &merged {
            None => format!("0 {}\t{path}", "0".repeat(self.parent.len())),
            Some(version) => {
                let blob = self.blob(path, version).await?;
                format!("{} {blob}\t{path}", git_mode(version.mode))
            }
        };
        self.committed.insert(path.to_owned(), merged);
        Ok(Ok(Some(entry)))
    }

    fn version(&self, state: Option<&FileState>) -> Result<Option<Version>> {
        let read = |state: &FileState| -> Result<Version> {
            Ok(Version { bytes: self.cx.snapshots.read(&state.hash)?, mode: state.mode })
        };
        state.map(read).transpose()
    }

    /// What the parent has at a path, as a work tree would have it.
    async fn checked_out(&self, path: &str) -> Result<Option<Version>> {
        let listed =
            self.git.run(&["ls-tree", "-z", "--full-tree", &self.parent, "--", path]).await?;
        let entry = listed.text();
        let Some((mode, kind)) = entry.split_once(' ') else { return Ok(None) };
        if !kind.starts_with("blob") {
            return Ok(None);
        }
        let mode = match mode {
            "120000" => LINK_MODE,
            "100755" => 0o755,
            _ => 0o644,
        };
        let object = format!("{}:{path}", self.parent);
        let how = if mode == LINK_MODE { "blob" } else { "--filters" };
        let said = self.git.run(&["cat-file", how, &object]).await?;
        Ok(said.ok.then_some(Version { bytes: said.stdout, mode }))
    }

    async fn is_ignored(&self, path: &str) -> Result<bool> {
        let path = format!("./{}", self.relative(path));
        Ok(self.git.run(&["check-ignore", "--quiet", "--", &path]).await?.ok)
    }

    async fn blob(&self, path: &str, version: &Version) -> Result<String> {
        // A file goes through the filters of its path, as `git add` would send it.
        let filters = format!("--path={}", self.relative(path));
        let how = if version.mode == LINK_MODE { "--no-filters" } else { filters.as_str() };
        let said =
            self.git.run_with(&["hash-object", "-w", "--stdin", how], &version.bytes).await?;
        if said.ok {
            return Ok(said.text());
        }
        Err(Error::Git { doing: format!("hash-object {path}"), complaint: said.complaint })
    }

    fn relative<'p>(&self, path: &'p str) -> &'p str {
        path.strip_prefix(self.prefix.as_str()).unwrap_or(path)
    }
}

fn git_mode(mode: u32) -> &'static str {
    match mode {
        LINK_MODE => "120000",
        mode if mode & 0o111 != 0 => "100755",
        _ => "100644",
    }
}
