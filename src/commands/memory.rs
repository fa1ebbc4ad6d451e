//! `sage memory`: what is remembered of a project, and a digest of its recent runs.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::{MemoryArgs, MemoryCommand};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::ui::{Ui, style, table};

mod digest;

/// Most files that are listed.
const MAX_FILES: usize = 10_000;

/// Runs what was asked for.
pub fn run(args: MemoryArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => list(args.output.json, cx, ui),
        Some(MemoryCommand::List(output)) => list(output.json, cx, ui),
        Some(MemoryCommand::Digest { out, days, output }) => {
            let out = out
                .map_or_else(|| cx.sage("memory").join("weekly_digest.md"), |out| cx.cwd.join(out));
            write_digest(&out, days, output.json, cx, ui)
        }
    }
}

fn list(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let folder = cx.sage("memory");
    let found = files_below(&folder)?;
    let rows: Vec<(String, u64)> = found
        .iter()
        .map(|(path, size)| {
            (path.strip_prefix(&folder).unwrap_or(path).display().to_string(), *size)
        })
        .collect();
    if json {
        rows.iter().for_each(|(path, size)| ui.json(&json!({ "path": path, "size_bytes": size })));
        return Ok(ExitCode::Done);
    }
    if rows.is_empty() {
        ui.note("nothing is remembered yet");
        ui.hint("`sage memory digest` writes a digest of the recent runs");
    }
    let cells: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(path, size)| vec![style::hint(path), format!("{size} bytes")])
        .collect();
    table::columns(&cells).iter().for_each(|line| ui.line(line));
    Ok(ExitCode::Done)
}

/// The files below a folder with their sizes, by path; links are not followed.
fn files_below(folder: &Path) -> Result<Vec<(PathBuf, u64)>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed =
            |error| Failure::environment(format!("reading {}", folder.display())).because(error);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let metadata = entry.metadata().map_err(failed)?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() && found.len() < MAX_FILES {
                found.push((entry.path(), metadata.len()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn write_digest(out: &Path, days: u32, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let digest = digest::of_runs(cx, days)?;
    files::write_whole(out, digest.text.as_bytes())?;
    if json {
        ui.json(&json!({ "file": out, "n_runs": digest.n_runs, "days": days }));
    } else {
        ui.note(format!(
            "{} run(s) in {days} day(s): {}",
            digest.n_runs,
            style::hint(cx.shown(out))
        ));
    }
    Ok(ExitCode::Done)
}
