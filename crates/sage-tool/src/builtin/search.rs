//! `search`: a regular expression over the tree.

use async_trait::async_trait;
use regex::{Regex, RegexBuilder};
use sage_core::{Effect, ToolSpec};
use serde_json::{Value, json};

use super::{spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::change;
use crate::edits::is_text;
use crate::error::ToolError;
use crate::grant::PathSet;
use crate::workspace::{Listing, WorkFile, Workspace};

pub(super) struct Search;

/// Matching lines shown.
const MAX_MATCHES: usize = 100;
/// Matching lines shown of one file.
const MAX_PER_FILE: usize = 20;
/// Characters of a line that are shown.
const MAX_LINE_CHARS: usize = 240;
/// Larger files are not searched.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Bound on a compiled expression, in bytes.
const MAX_REGEX_BYTES: usize = 4 * 1024 * 1024;

#[async_trait]
impl Tool for Search {
    fn spec(&self) -> ToolSpec {
        spec(
            "search",
            "Search the files of the tree for a regular expression.",
            &[
                ("pattern", "string", ""),
                ("path?", "string", "Folder or file to search"),
                ("glob?", "string", "Only these files, such as *.py"),
                ("ignore_case?", "boolean", ""),
            ],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["grep", "search_files", "rg", "ripgrep", "grep_search", "search_code", "find_in_files"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("query", "pattern"),
            ("regex", "pattern"),
            ("search", "pattern"),
            ("text", "pattern"),
            ("directory", "path"),
            ("dir", "path"),
            ("folder", "path"),
            ("file_path", "path"),
            ("file", "path"),
            ("include", "glob"),
            ("file_pattern", "glob"),
            ("case_insensitive", "ignore_case"),
        ]
    }

    fn intent(&self, args: &Value) -> Intent {
        let path = text(args, "path");
        let reads = if path.is_empty() { Vec::new() } else { vec![path.to_owned()] };
        let summary = format!("{:?} {path}", text(args, "pattern")).trim_end().to_owned();
        Intent { summary, reads, ..Intent::default() }
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let workspace = cx.cx.workspace.clone();
        let pattern = text(&args, "pattern").to_owned();
        if pattern.is_empty() {
            return Err(ToolError::told("the pattern is empty"));
        }
        let ignore_case = args["ignore_case"].as_bool().unwrap_or(false);
        let (regex, note) = compile(&pattern, ignore_case)?;
        let globs = match text(&args, "glob") {
            "" => None,
            // A bare name pattern means files of that name anywhere, as in every search tool.
            glob if !glob.contains('/') => Some(globs(&format!("**/{glob}"))?),
            glob => Some(globs(glob)?),
        };
        let given = text(&args, "path");
        let path = workspace.resolve(if given.trim().is_empty() { "." } else { given })?;
        let policy = cx.cx.policy.clone();
        cx.blocking(move |stop| {
            let at = path.under(workspace.root());
            let listing = match std::fs::metadata(&at) {
                Ok(meta) if meta.is_dir() => workspace.walk_below(&path, stop)?,
                Ok(meta) => {
                    Listing { files: vec![WorkFile { path, size: meta.len() }], truncated: false }
                }
                Err(_) => return Err(ToolError::told(change::missing(&workspace, &path))),
            };
            let wanted = |file: &&WorkFile| {
                globs.as_ref().is_none_or(|globs| globs.contains(file.path.as_str()))
            };
            let wanted: Vec<&WorkFile> = listing.files.iter().filter(wanted).collect();
            let n_wanted = wanted.len();
            let files: Vec<&WorkFile> =
                wanted.into_iter().filter(|file| policy.may_read(file.path.as_str())).collect();
            let mut result = find(&workspace, &files, &regex, note, stop)?;
            if files.len() < n_wanted {
                let n_hidden = n_wanted - files.len();
                result.text = format!(
                    "{}\n[{n_hidden} files were not searched: policy does not let them be read]\n",
                    result.text.trim_end()
                );
            }
            Ok(result)
        })
        .await
    }
}

fn globs(glob: &str) -> Result<PathSet, ToolError> {
    PathSet::new([glob]).map_err(|error| ToolError::told(error.to_string()))
}

/// The expression; one that is not valid is searched for as plain text.
fn compile(pattern: &str, ignore_case: bool) -> Result<(Regex, &'static str), ToolError> {
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .size_limit(MAX_REGEX_BYTES)
            .dfa_size_limit(MAX_REGEX_BYTES)
            .build()
    };
    match build(pattern) {
        Ok(regex) => Ok((regex, "")),
        Err(_) => build(&regex::escape(pattern))
            .map(|regex| (regex, " (not a valid regular expression: searched as plain text)"))
            .map_err(|error| ToolError::told(format!("the pattern cannot be used: {error}"))),
    }
}

fn find(
    workspace: &Workspace,
    files: &[&WorkFile],
    regex: &Regex,
    note: &str,
    stop: &dyn Fn() -> bool,
) -> Result<ToolResult, ToolError> {
    let mut lines = Vec::new();
    let mut n_matches = 0;
    let mut n_files = 0;
    for file in files {
        if stop() {
            return Err(crate::error::Error::Cancelled.into());
        }
        if file.size > MAX_BYTES {
            continue;
        }
        let Ok(Some(content)) = workspace.content(&file.path) else { continue };
        // A link's text is where it leads, not what it holds.
        if content.state.mode == crate::workspace::LINK_MODE || !is_text(&content.bytes) {
            continue;
        }
        let found = String::from_utf8_lossy(&content.bytes);
        let mut n_here = 0;
        for (number, line) in found.lines().enumerate().filter(|(_, line)| regex.is_match(line)) {
            n_here += 1;
            if n_here <= MAX_PER_FILE && lines.len() < MAX_MATCHES {
                let mut shown: String = line.trim_end().chars().take(MAX_LINE_CHARS).collect();
                if shown.len() < line.trim_end().len() {
                    shown.push('…');
                }
                lines.push(format!("{}:{}: {shown}", file.path, number + 1));
            }
        }
        n_matches += n_here;
        n_files += usize::from(n_here > 0);
    }
    if n_matches == 0 {
        return Ok(ToolResult::success(format!("no match in {} files{note}", files.len())));
    }
    let n_shown = lines.len();
    let mut out =
        format!("{n_matches} matching lines in {n_files} files{note}:\n{}\n", lines.join("\n"));
    if n_shown < n_matches {
        let rest = n_matches - n_shown;
        out.push_str(&format!("[... {rest} more; narrow the pattern, path or glob]\n"));
    }
    let details = json!({ "n_matches": n_matches, "n_files": n_files });
    Ok(ToolResult::success(out).with_details(details))
}
