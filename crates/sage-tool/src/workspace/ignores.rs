//! Which files git ignores, and which `.sageignore` hides, folder by folder.
//!
//! Rules come from the ignore files of the tree, of the enclosing repository above it, and from
//! `.git/info/exclude`. The user's global excludes are not read: they lie outside what a library may
//! look at, so such files count as not ignored.

use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Most folders above the root that are searched for the enclosing repository.
const MAX_FOLDERS_ABOVE: usize = 40;

/// The rules that hold in one folder: its own and those of every folder above.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignores {
    innermost: Option<Arc<Layer>>,
}

#[derive(Debug)]
struct Layer {
    git: Option<Gitignore>,
    sage: Option<Gitignore>,
    outer: Option<Arc<Layer>>,
}

/// What the rules say about one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub ignored_by_git: bool,
    pub hidden_by_sage: bool,
}

impl Ignores {
    /// The rules that hold at the root itself, before its own ignore files are read.
    pub(crate) fn above(root: &Path) -> Self {
        let mut ignores = Self::default();
        let is_repository = |folder: &Path| folder.join(".git").exists();
        let above: Vec<&Path> = root.ancestors().skip(1).take(MAX_FOLDERS_ABOVE).collect();
        if !is_repository(root)
            && let Some(top) = above.iter().position(|folder| is_repository(folder))
        {
            for folder in above[..=top].iter().rev() {
                ignores = ignores.entering(folder);
            }
        }
        ignores
    }

    /// The rules inside `folder`, given those outside. Unreadable rules are skipped, as git does.
    #[must_use]
    pub(crate) fn entering(&self, folder: &Path) -> Self {
        let mut git = Vec::new();
        let exclude = folder.join(".git/info/exclude");
        if exclude.is_file() {
            git.push(exclude);
        }
        let own = folder.join(".gitignore");
        if own.is_file() {
            git.push(own);
        }
        let sage = folder.join(".sageignore");
        let sage = if sage.is_file() { vec![sage] } else { Vec::new() };
        if git.is_empty() && sage.is_empty() {
            return self.clone();
        }
        let build = |files: &[std::path::PathBuf]| {
            let mut builder = GitignoreBuilder::new(folder);
            for file in files {
                // A partial error means that some lines are not patterns; the others hold.
                let _ = builder.add(file);
            }
            builder.build().ok().filter(|rules| !rules.is_empty())
        };
        let layer = Layer { git: build(&git), sage: build(&sage), outer: self.innermost.clone() };
        Self { innermost: Some(Arc::new(layer)) }
    }

    /// What holds for one entry of the folder these rules belong to.
    pub(crate) fn of(&self, path: &Path, is_dir: bool) -> Verdict {
        let ask = |pick: fn(&Layer) -> Option<&Gitignore>| {
            let mut layer = self.innermost.as_deref();
            while let Some(here) = layer {
                if let Some(rules) = pick(here) {
                    match rules.matched(path, is_dir) {
                        Match::Ignore(_) => return true,
                        Match::Whitelist(_) => return false,
                        Match::None => {}
                    }
                }
                layer = here.outer.as_deref();
            }
            false
        };
        Verdict {
            ignored_by_git: ask(|layer| layer.git.as_ref()),
            hidden_by_sage: ask(|layer| layer.sage.as_ref()),
        }
    }
}
