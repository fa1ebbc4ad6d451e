//! `read`: a file's text with line numbers.

use async_trait::async_trait;
use sage_core::{Effect, ToolSpec};
use serde_json::{Value, json};

use super::{count, spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::change;
use crate::edits::is_text;
use crate::error::{Error, ToolError};
use crate::outputs::{OUTPUT_PREFIX, lines_of};

pub(super) struct Read;

/// Lines shown at once.
const MAX_LINES: usize = 800;
/// Characters shown at once.
const MAX_CHARS: usize = 40_000;
/// Characters of one line that are shown.
const MAX_LINE_CHARS: usize = 1000;
/// Largest file that is read.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        spec(
            "read",
            "Read a file. Lines are shown with their numbers.",
            &[
                ("path", "string", ""),
                ("start_line?", "integer", "From 1"),
                ("end_line?", "integer", ""),
            ],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Read
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["read_file", "view", "cat", "open", "open_file", "view_file", "get_file"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("file_path", "path"),
            ("filepath", "path"),
            ("filename", "path"),
            ("file_name", "path"),
            ("file", "path"),
            ("target_file", "path"),
            ("absolute_path", "path"),
            ("offset", "start_line"),
            ("start", "start_line"),
            ("line_start", "start_line"),
            ("from", "start_line"),
            ("end", "end_line"),
            ("line_end", "end_line"),
            ("to", "end_line"),
        ]
    }

    fn intent(&self, args: &Value) -> Intent {
        let path = text(args, "path").to_owned();
        let mut summary = path.clone();
        if let Some(start) = count(args, "start_line") {
            summary.push_str(&format!(":{start}"));
        }
        if let Some(end) = count(args, "end_line") {
            summary.push_str(&format!("-{end}"));
        }
        let reads = if output_name(&path).is_some() { Vec::new() } else { vec![path] };
        Intent { summary, reads, ..Intent::default() }
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let range = (count(&args, "start_line"), count(&args, "end_line"));
        let page_chars = MAX_CHARS.min(cx.cx.outputs.page_chars());
        if let Some(name) = output_name(text(&args, "path")) {
            let Some(blob) = cx.cx.outputs.find(name) else {
                return Err(ToolError::told(format!(
                    "there is no output {name}; outputs that were cut in this conversation say their name"
                )));
            };
            let bytes = cx.cx.recorder.get(&blob)?;
            let whole = String::from_utf8_lossy(&bytes);
            return show(text(&args, "path"), &lines_of(&whole), range, page_chars);
        }
        let workspace = &*cx.cx.workspace;
        let path = workspace.resolve(text(&args, "path"))?;
        let at = path.under(workspace.root());
        let meta = match std::fs::metadata(&at) {
            Ok(meta) => meta,
            Err(error) if crate::workspace::is_absent(&error) => {
                return Err(ToolError::told(change::missing(workspace, &path)));
            }
            Err(error) => return Err(ToolError::of_io("reading", path.as_str(), error)),
        };
        if meta.is_dir() {
            return Err(ToolError::told(format!("{path} is a folder; use list")));
        }
        if !meta.is_file() {
            return Err(ToolError::told(format!("{path} is not a regular file")));
        }
        if meta.len() > MAX_BYTES {
            return Err(ToolError::told(format!(
                "{path} has {} bytes; files up to {MAX_BYTES} bytes can be read",
                meta.len()
            )));
        }
        let bytes = match workspace.read(&path) {
            Ok(bytes) => bytes,
            Err(Error::Io { doing, source, .. }) => {
                return Err(ToolError::of_io(doing, path.as_str(), source));
            }
            Err(error) => return Err(error.into()),
        };
        if !is_text(&bytes) {
            return Err(ToolError::told(format!(
                "{path} is not text ({} bytes of binary data)",
                bytes.len()
            )));
        }
        let lossy = String::from_utf8_lossy(&bytes);
        show(path.as_str(), &lossy.lines().collect::<Vec<_>>(), range, page_chars)
    }
}

/// The name of an output that was cut, where it stands for a path.
fn output_name(path: &str) -> Option<&str> {
    path.trim().strip_prefix(OUTPUT_PREFIX).map(str::trim)
}

fn show(
    path: &str,
    lines: &[&str],
    (start, end): (Option<usize>, Option<usize>),
    page_chars: usize,
) -> Result<ToolResult, ToolError> {
    let n_lines = lines.len();
    if n_lines == 0 {
        return Ok(ToolResult::success(format!("{path} is empty")));
    }
    let start = start.unwrap_or(1).max(1);
    let wanted_end = end.unwrap_or(n_lines).min(n_lines);
    if start > n_lines {
        return Err(ToolError::told(format!("{path} has only {n_lines} lines")));
    }
    if wanted_end < start {
        return Err(ToolError::told(format!("end_line {wanted_end} is before start_line {start}")));
    }
    let mut out = String::new();
    let mut last = start - 1;
    let mut n_chars = 0;
    let width = wanted_end.to_string().len();
    for (number, line) in lines.iter().enumerate().take(wanted_end).skip(start - 1) {
        let line_chars = line.chars().count();
        let shown = line_chars.min(MAX_LINE_CHARS);
        if number + 1 - start >= MAX_LINES || (n_chars + shown > page_chars && last >= start) {
            break;
        }
        n_chars += shown + width + 2;
        out.push_str(&format!("{:>width$}\t", number + 1));
        out.extend(line.chars().take(MAX_LINE_CHARS));
        if line_chars > shown {
            out.push_str(&format!(" [... {} more characters]", line_chars - shown));
        }
        out.push('\n');
        last = number + 1;
    }
    if last < wanted_end {
        out.push_str(&format!(
            "[lines {start} to {last} of {n_lines}; for more set start_line to {}]\n",
            last + 1
        ));
    } else if start > 1 || last < n_lines {
        out.push_str(&format!("[lines {start} to {last} of {n_lines}]\n"));
    }
    let details = json!({ "path": path, "n_lines": n_lines, "from": start, "to": last });
    Ok(ToolResult::success(out).with_details(details))
}
