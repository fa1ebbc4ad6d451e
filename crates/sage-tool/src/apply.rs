//! A model's answer applied to a folder: everything that it asks for, or nothing.
//!
//! Invariant: no file outside the folder, in `.git` or in `.sage` is written or read, and files change
//! together or not at all. Nothing else of the program is needed: no log, no project, no model.

mod locate;

use serde::Serialize;

use crate::change::{new_file_mode, with_executable};
use crate::edits::{
    Answer, ApplyError, FileChange, Format, Overwrite, ParseError, ReadOptions, Rejected, Rung,
    read_answer, resolve,
};
use crate::error::Error;
use crate::workspace::{Content, Planned, Workspace};
use locate::{Located, locate};
use sage_core::{BlobRef, FileState};

/// Most files that one answer may change.
pub const MAX_FILES: usize = 200;

/// What is known beforehand, and what shall be done.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyOptions<'a> {
    /// The only format to read.
    pub format: Option<Format>,
    /// The file of edits that name none.
    pub file: Option<&'a str>,
    /// Only say what would happen.
    pub check: bool,
}

/// Whether the folder is as the answer asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every edit was applied, and something changed.
    Applied,
    /// Nothing was changed.
    Rejected,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplyReport {
    /// All or nothing.
    pub status: Status,
    /// How the edits are written; `mixed` for several formats, absent where none was found.
    pub format: Option<String>,
    /// The files that changed.
    pub files: Vec<AppliedFile>,
    /// Why nothing was done.
    pub errors: Vec<ApplyProblem>,
}

impl ApplyReport {
    /// The report on an answer that is no text.
    #[must_use]
    pub fn unreadable(message: impl Into<String>) -> Self {
        rejected(None, vec![problem(0, "not_text", message)])
    }
}

/// A file that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedFile {
    /// Where, from the folder.
    pub path: String,
    /// `created`, `changed` or `deleted`.
    pub action: String,
    /// How far the edits were from the file's text.
    pub rung: Rung,
}

/// Why an edit cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplyProblem {
    /// Which edit of the answer, from 1; 0 for the answer as a whole.
    pub block: usize,
    /// A stable word for programs.
    pub kind: String,
    /// What is wrong and what to do, for the model that wrote the edit.
    pub message: String,
    /// The lines of the file that are closest, with their numbers.
    pub closest: Option<String>,
}

/// Applies an answer to the tree. A report is given also when nothing is done.
#[must_use]
pub fn apply_answer(workspace: &Workspace, answer: &str, options: ApplyOptions<'_>) -> ApplyReport {
    let read = ReadOptions { default_path: options.file, format: options.format };
    let found = match read_answer(answer, read) {
        Ok(found) => found,
        Err(error) => return rejected(None, vec![of_parse(&error)]),
    };
    let format = found.format().map(str::to_owned);
    let outcome = plan(workspace, &found, answer, options).and_then(|(files, planned)| {
        if !options.check {
            workspace.change_together(&planned).map_err(|error| vec![of_error(0, &error)])?;
        }
        Ok(files)
    });
    match outcome {
        Ok(files) => ApplyReport { status: Status::Applied, format, files, errors: Vec::new() },
        Err(errors) => rejected(format, errors),
    }
}

fn rejected(format: Option<String>, errors: Vec<ApplyProblem>) -> ApplyReport {
    ApplyReport { status: Status::Rejected, format, files: Vec::new(), errors }
}

fn problem(block: usize, kind: &str, message: impl Into<String>) -> ApplyProblem {
    ApplyProblem { block, kind: kind.to_owned(), message: message.into(), closest: None }
}

type Plan = (Vec<AppliedFile>, Vec<Planned>);

/// What the files shall hold, computed before anything is touched.
fn plan(
    workspace: &Workspace,
    found: &Answer,
    answer: &str,
    options: ApplyOptions<'_>,
) -> Result<Plan, Vec<ApplyProblem>> {
    let edits = &found.edits;
    if edits.is_empty() {
        return Err(vec![no_edits(answer, options)]);
    }
    let mut located = Located::default();
    let mut placed = Vec::with_capacity(edits.len());
    let mut problems = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        match locate(workspace, edit, &mut located) {
            Ok(edit) => placed.push(edit),
            Err(mut problem) => {
                problem.block = index + 1;
                problems.push(problem);
            }
        }
        if located.len() > MAX_FILES {
            let text = format!("the answer is about more than {MAX_FILES} files");
            return Err(vec![problem(0, "too_large", text)]);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let bytes = |path: &str| located.content(path).map(|content| content.bytes.clone());
    let changes = resolve(&placed, Overwrite::Guarded, bytes).map_err(|rejected| {
        rejected.iter().map(|one| of_rejected(workspace, &located, one)).collect::<Vec<_>>()
    })?;
    let mut files = Vec::new();
    let mut planned = Vec::new();
    for change in changes {
        let before = located.content(&change.path).cloned();
        let from = change.moved_from.as_deref().and_then(|path| located.content(path)).cloned();
        let Some((mut file, plan)) = planned_of(change, before, from.as_ref()) else { continue };
        if let Some(before) = &plan.before
            && found.formats.iter().all(|format| *format != Format::Whole)
        {
            file.rung = with_endings(file.rung, found.is_crlf, &before.bytes);
        }
        files.push(file);
        planned.push(plan);
    }
    if planned.is_empty() {
        let text = "the edits change nothing: the files already are like that";
        return Err(vec![problem(0, "no_change", text)]);
    }
    Ok((files, planned))
}

/// The rung of an edit that was read without the carriage returns that all of its answer has.
fn with_endings(rung: Rung, answer_is_crlf: bool, file: &[u8]) -> Rung {
    let has_crlf = file.windows(2).any(|two| two == b"\r\n");
    match rung {
        Rung::Exact if answer_is_crlf && !has_crlf && !file.is_empty() => Rung::LineEndings,
        Rung::LineEndings if answer_is_crlf && has_crlf => Rung::Exact,
        rung => rung,
    }
}

fn planned_of(
    change: FileChange,
    before: Option<Content>,
    from: Option<&Content>,
) -> Option<(AppliedFile, Planned)> {
    let mode = before.as_ref().or(from).map_or_else(new_file_mode, |old| old.state.mode);
    let mode = with_executable(mode, change.executable);
    let after = change.after.map(|bytes| {
        let state = FileState { hash: BlobRef::of(&bytes), mode };
        Content { bytes, state }
    });
    let state = |content: &Option<Content>| content.as_ref().map(|content| content.state.clone());
    if state(&before) == state(&after) {
        return None;
    }
    let action = match (&before, &after) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "changed",
    };
    let file =
        AppliedFile { path: change.path.clone(), action: action.to_owned(), rung: change.rung };
    let path = crate::path::WorkPath::trusted(change.path);
    Some((file, Planned { path, before, after }))
}

fn no_edits(answer: &str, options: ApplyOptions<'_>) -> ApplyProblem {
    let what = options.format.map_or("edit", Format::name);
    let advice = if answer.trim().is_empty() {
        "it is empty"
    } else if options.file.is_none() && answer.contains("```") {
        "write the path of the file on the line before each block"
    } else {
        "write search/replace blocks, a diff, a patch or whole files in code fences, with their paths"
    };
    problem(0, "no_edits", format!("the answer has no {what} in it; {advice}"))
}

fn of_parse(error: &ParseError) -> ApplyProblem {
    problem(error.block, error.kind.word(), error.to_string())
}

fn of_rejected(workspace: &Workspace, located: &Located, rejected: &Rejected) -> ApplyProblem {
    let closest = match &rejected.error {
        ApplyError::NotFound { closest, .. } => closest.as_ref().map(|at| at.excerpt.clone()),
        ApplyError::Ambiguous { lines } => {
            let content = rejected.path.as_deref().and_then(|path| located.content(path));
            content.map(|content| places(&content.bytes, lines)).filter(|text| !text.is_empty())
        }
        _ => None,
    };
    let message = match (&rejected.error, &rejected.path) {
        (ApplyError::Missing, Some(path)) => {
            let path = crate::path::WorkPath::trusted(path.clone());
            format!("edit {}: {}", rejected.block, crate::change::missing(workspace, &path))
        }
        _ => rejected.to_string(),
    };
    ApplyProblem { block: rejected.block, kind: rejected.error.kind().to_owned(), message, closest }
}

/// The first lines of the places that fit, with their numbers.
fn places(bytes: &[u8], lines: &[usize]) -> String {
    const MAX_CHARS: usize = 160;
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.lines().collect();
    let shown = lines.iter().filter_map(|line| {
        let text: String = all.get(line - 1)?.chars().take(MAX_CHARS).collect();
        Some(format!("{line:>5} | {text}"))
    });
    shown.collect::<Vec<_>>().join("\n")
}

fn of_error(block: usize, error: &Error) -> ApplyProblem {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    problem(block, "io", message)
}
