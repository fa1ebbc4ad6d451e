//! The one way through the tree: every entry except `.git` (anywhere), `.sage` (at the root) and our
//! own temporary files, each with what the ignore rules say about it. Symbolic links are never followed.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::ignores::Ignores;
use super::write::TEMP_PREFIX;
use crate::error::{Error, Result};
use crate::path::{self, WorkPath};

/// Deepest nesting of folders that is entered.
const MAX_DEPTH: usize = 200;

/// What to go through.
pub(crate) struct Walk {
    /// The folder to begin at.
    pub below: WorkPath,
    /// Whether entries that git ignores are visited too.
    pub ignored: bool,
    /// Whether our own temporary files are visited too.
    pub keep_temp: bool,
}

/// What sort of entry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Link,
    Folder,
    /// A socket, pipe or device.
    Special,
}

/// One entry.
pub(crate) struct Found {
    /// Relative to the root, `/`-separated.
    pub path: String,
    /// Where it is.
    pub at: PathBuf,
    pub kind: Kind,
    /// Of the entry itself, also for links.
    pub meta: Metadata,
    /// Whether git ignores it.
    pub ignored: bool,
    /// How much of `path` names the outermost folder (or the entry itself) that git ignores.
    pub n_ignored_bytes: usize,
    /// Whether `.sageignore` hides it.
    pub hidden: bool,
}

/// What to do after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descend {
    /// Go on, into it if it is a folder.
    Yes,
    /// Go on beside it.
    No,
    /// End the walk.
    Stop,
}

struct Folder {
    at: PathBuf,
    path: String,
    ignored: bool,
    n_ignored_bytes: usize,
    hidden: bool,
    depth: usize,
    ignores: Ignores,
}

/// Visits the entries in no particular order, a folder before what is in it. Folders that cannot be
/// read, and entries that vanish meanwhile, are passed over.
pub(crate) fn walk(
    root: &Path,
    options: &Walk,
    visit: &mut dyn FnMut(Found) -> Result<Descend>,
) -> Result<()> {
    let mut pending = vec![start(root, options)];
    while let Some(folder) = pending.pop() {
        let entries = match fs::read_dir(&folder.at) {
            Ok(entries) => entries,
            Err(error) if folder.path.is_empty() => {
                return Err(Error::io("reading", folder.at, error));
            }
            Err(_) => continue,
        };
        let ignores = folder.ignores.entering(&folder.at);
        for entry in entries {
            let Ok(entry) = entry else { continue };
            let name = path::encode(&entry.file_name());
            if is_ours(&folder.path, &name, options) {
                continue;
            }
            let Ok(meta) = entry.metadata() else { continue };
            let at = entry.path();
            let kind = kind_of(&meta);
            let verdict = ignores.of(&at, kind == Kind::Folder);
            let path = join(&folder.path, &name);
            let found = Found {
                n_ignored_bytes: if folder.ignored { folder.n_ignored_bytes } else { path.len() },
                path,
                kind,
                ignored: folder.ignored || verdict.ignored_by_git,
                hidden: folder.hidden || verdict.hidden_by_sage,
                at,
                meta,
            };
            if found.ignored && !options.ignored {
                continue;
            }
            let next = (kind == Kind::Folder && folder.depth < MAX_DEPTH).then(|| Folder {
                at: found.at.clone(),
                path: found.path.clone(),
                ignored: found.ignored,
                n_ignored_bytes: found.n_ignored_bytes,
                hidden: found.hidden,
                depth: folder.depth + 1,
                ignores: ignores.clone(),
            });
            match visit(found)? {
                Descend::Yes => pending.extend(next),
                Descend::No => {}
                Descend::Stop => return Ok(()),
            }
        }
    }
    Ok(())
}

/// The first folder, with the rules of those above it inside the tree.
fn start(root: &Path, options: &Walk) -> Folder {
    let mut start = Folder {
        at: root.to_owned(),
        path: options.below.as_str().to_owned(),
        ignored: false,
        n_ignored_bytes: options.below.as_str().len(),
        hidden: false,
        depth: 0,
        ignores: Ignores::above(root),
    };
    for name in options.below.as_str().split('/').filter(|name| !name.is_empty()) {
        let ignores = start.ignores.entering(&start.at);
        start.at.push(path::decode(name));
        let verdict = ignores.of(&start.at, true);
        start.ignored |= verdict.ignored_by_git;
        start.hidden |= verdict.hidden_by_sage;
        start.ignores = ignores;
    }
    // Somebody who names an ignored folder wants to see what is in it.
    start.ignored &= options.ignored;
    start.hidden = false;
    start
}

fn is_ours(folder: &str, name: &str, options: &Walk) -> bool {
    path::is_git(name)
        || (folder.is_empty() && path::is_protected(name))
        || (!options.keep_temp && name.starts_with(TEMP_PREFIX))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

pub(crate) fn kind_of(meta: &Metadata) -> Kind {
    let kind = meta.file_type();
    if kind.is_symlink() {
        Kind::Link
    } else if kind.is_dir() {
        Kind::Folder
    } else if kind.is_file() {
        Kind::File
    } else {
        Kind::Special
    }
}
