//! The person's index after the branch under it has moved: the committed paths follow, everything else
//! stays as it was staged.

use sage_tool::merge::{FileMerge, Version, merge_file};

use super::MadeCommit;
use crate::error::{Error, Result};
use crate::git::Git;

/// An entry as git lists it: mode and blob.
type Entry = Option<(String, String)>;

/// Brings the committed paths of the index from `parent` to the last commit.
pub(super) async fn follow(git: &Git, parent: &str, commits: &[MadeCommit]) -> Result<()> {
    let Some(last) = commits.last() else { return Ok(()) };
    let mut paths: Vec<&str> =
        commits.iter().flat_map(|commit| &commit.paths).map(String::as_str).collect();
    paths.sort_unstable();
    paths.dedup();
    let top = git.ask(&["rev-parse", "--show-toplevel"]).await?;
    let git = git.at(std::path::Path::new(&top));
    let mut lines = Vec::new();
    for path in paths {
        let staged = staged(&git, path).await?;
        let (old, new) = (at(&git, parent, path).await?, at(&git, &last.id, path).await?);
        let wanted =
            if staged == old { new } else { merged(&git, old, staged.clone(), new).await? };
        if wanted == staged {
            continue;
        }
        let (mode, blob) = wanted.unwrap_or_else(|| ("0".to_owned(), "0".repeat(last.id.len())));
        lines.extend_from_slice(format!("{mode} {blob}\t{path}").as_bytes());
        lines.push(0);
    }
    if lines.is_empty() {
        return Ok(());
    }
    let args = ["update-index", "-z", "--index-info"];
    let said = git.run_with(&args, &lines).await?;
    if !said.ok {
        return Err(Error::Git { doing: args.join(" "), complaint: said.complaint });
    }
    // So that the next look need not read the files again; what it says is not ours to judge.
    git.run(&["update-index", "-q", "--refresh"]).await?;
    Ok(())
}

async fn staged(git: &Git, path: &str) -> Result<Entry> {
    let said = git.run(&["ls-files", "--stage", "-z", "--", &format!(":(literal){path}")]).await?;
    let text = said.text();
    let mut words = text.split([' ', '\t', '\0']);
    Ok(words
        .next()
        .filter(|mode| !mode.is_empty())
        .map(str::to_owned)
        .zip(words.next().map(str::to_owned)))
}

async fn at(git: &Git, commit: &str, path: &str) -> Result<Entry> {
    let said = git.run(&["ls-tree", "-z", "--full-tree", commit, "--", path]).await?;
    let text = said.text();
    let mut words = text.split([' ', '\t', '\0']);
    let (mode, _kind) = (words.next().filter(|mode| !mode.is_empty()), words.next());
    Ok(mode.map(str::to_owned).zip(words.next().map(str::to_owned)))
}

/// What a person has staged in a committed file stays staged on top of the commit, where it can.
async fn merged(git: &Git, old: Entry, staged: Entry, new: Entry) -> Result<Entry> {
    let mut versions = Vec::new();
    for entry in [&old, &staged, &new] {
        versions.push(match entry {
            None => None,
            Some((mode, blob)) => {
                let said = git.run(&["cat-file", "blob", blob]).await?;
                let mode = u32::from_str_radix(mode, 8).unwrap_or(0o100_644);
                said.ok.then_some(Version { bytes: said.stdout, mode })
            }
        });
    }
    let [old, ours, theirs] = versions.as_slice() else { return Ok(staged) };
    Ok(match merge_file(old.as_ref(), ours.as_ref(), theirs.as_ref(), "sage") {
        FileMerge::AsOurs | FileMerge::Conflict { .. } => staged,
        FileMerge::To(None) => None,
        FileMerge::To(Some(version)) => {
            let args = ["hash-object", "-w", "--stdin", "--no-filters"];
            let said = git.run_with(&args, &version.bytes).await?;
            if said.ok { Some((format!("{:o}", version.mode), said.text())) } else { staged }
        }
    })
}
