//! `list`: the files of a folder, as deep as fits.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sage_core::{Effect, ToolSpec};
use serde_json::{Value, json};

use super::{spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::change;
use crate::error::ToolError;
use crate::grant::PathSet;

pub(super) struct List;

/// Lines shown at once.
const MAX_LINES: usize = 400;
/// Deepest level that is tried.
const MAX_LEVELS: usize = 32;

#[async_trait]
impl Tool for List {
    fn spec(&self) -> ToolSpec {
        spec(
            "list",
            "List the files below a folder. Ignored files are left out.",
            &[
                ("path?", "string", "Folder; the whole tree by default"),
                ("glob?", "string", "Only these, such as **/*.py"),
            ],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["ls", "list_files", "list_dir", "list_directory", "glob", "find_files", "tree"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("directory", "path"),
            ("dir", "path"),
            ("folder", "path"),
            ("dir_path", "path"),
            ("file_path", "path"),
            ("pattern", "glob"),
            ("include", "glob"),
        ]
    }

    fn intent(&self, args: &Value) -> Intent {
        let path = text(args, "path");
        let reads = if path.is_empty() { Vec::new() } else { vec![path.to_owned()] };
        let shown = if path.is_empty() { "." } else { path };
        let summary = format!("{shown} {}", text(args, "glob")).trim_end().to_owned();
        Intent { summary, reads, ..Intent::default() }
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let workspace = cx.cx.workspace.clone();
        let given = text(&args, "path");
        let path = workspace.resolve(if given.trim().is_empty() { "." } else { given })?;
        let globs = match text(&args, "glob") {
            "" => None,
            glob => Some(PathSet::new([glob]).map_err(|error| ToolError::told(error.to_string()))?),
        };
        let policy = cx.cx.policy.clone();
        cx.blocking(move |stop| {
            let at = path.under(workspace.root());
            match std::fs::metadata(&at) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => return Err(ToolError::told(format!("{path} is a file; use read"))),
                Err(_) => return Err(ToolError::told(change::missing(&workspace, &path))),
            }
            let listing = workspace.walk_below(&path, stop)?;
            let prefix = if path.is_root() { String::new() } else { format!("{path}/") };
            let below = |file: &str| file.strip_prefix(&prefix).map(str::to_owned);
            // A glob may be meant from the root or from the folder.
            let wanted = |file: &str| match &globs {
                Some(globs) => {
                    globs.contains(file) || below(file).is_some_and(|file| globs.contains(&file))
                }
                None => true,
            };
            let files: Vec<String> = listing
                .files
                .iter()
                .filter(|file| wanted(file.path.as_str()) && policy.may_read(file.path.as_str()))
                .filter_map(|file| below(file.path.as_str()))
                .collect();
            Ok(show(&path.to_string(), &files, listing.truncated))
        })
        .await
    }
}

fn show(folder: &str, files: &[String], truncated: bool) -> ToolResult {
    if files.is_empty() {
        return ToolResult::success(format!("no files in {folder}"));
    }
    let mut lines = at_level(files, 1);
    for level in 2..=MAX_LEVELS {
        let deeper = at_level(files, level);
        if deeper.len() > MAX_LINES {
            break;
        }
        let is_all = deeper.len() == lines.len() && deeper == lines;
        lines = deeper;
        if is_all {
            break;
        }
    }
    let n_left_out = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if n_left_out > 0 {
        lines.push(format!("[... {n_left_out} more; name a folder or a glob]"));
    }
    let more = if truncated { " (more were not looked at)" } else { "" };
    let text = format!("{} files in {folder}{more}:\n{}\n", files.len(), lines.join("\n"));
    ToolResult::success(text).with_details(json!({ "n_files": files.len() }))
}

/// The files down to a level, and for each folder below it how many files it holds.
fn at_level(files: &[String], level: usize) -> Vec<String> {
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let names: Vec<&str> = file.split('/').collect();
        if names.len() <= level {
            rows.insert(file.clone(), 0);
        } else {
            *rows.entry(format!("{}/", names[..level].join("/"))).or_default() += 1;
        }
    }
    let line = |(name, n): (String, usize)| match n {
        0 => name,
        n => format!("{name} ({n} files)"),
    };
    rows.into_iter().map(line).collect()
}
