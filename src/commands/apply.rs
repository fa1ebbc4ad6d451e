//! `sage apply`: the edits in a model's answer, applied to a folder. Needs no project, git or model.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sage_tool::Workspace;
use sage_tool::apply::{ApplyOptions, ApplyReport, Status, apply_answer};
use sage_tool::edits::{Format, MAX_ANSWER_BYTES, Rung};

use crate::cli::{AnswerFormat, ApplyArgs, GlobalArgs};
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::ui::{Ui, printable, style};

/// Applies the answer, or says why nothing was changed.
pub fn run(args: &ApplyArgs, global: &GlobalArgs, ui: &Ui) -> Outcome {
    let root = args.root.clone().or_else(|| global.project.clone());
    let root = root.unwrap_or_else(|| PathBuf::from("."));
    let workspace = Workspace::open(&root).map_err(|error| {
        Failure::usage(format!("`{}` cannot be opened as a folder", root.display())).because(error)
    })?;
    let answer = read_answer(args)?;
    let options = ApplyOptions {
        format: format_of(args.format),
        file: args.file.as_deref(),
        check: args.check,
    };
    let report = match String::from_utf8(answer) {
        Ok(answer) => apply_answer(&workspace, &answer, options),
        Err(error) => ApplyReport::unreadable(format!("the answer is not UTF-8: {error}")),
    };
    if args.output.json {
        ui.json(&report);
    }
    match report.status {
        Status::Applied => {
            if !args.output.json {
                show(&report, args.check, ui);
            }
            Ok(ExitCode::Done)
        }
        Status::Rejected => {
            for problem in &report.errors {
                let text = printable(&problem.message);
                ui.aside(format!("{} {text}", style::error("error:")));
            }
            ui.aside("nothing was changed");
            Ok(ExitCode::Failed)
        }
    }
}

fn format_of(format: AnswerFormat) -> Option<Format> {
    match format {
        AnswerFormat::Auto => None,
        AnswerFormat::SearchReplace => Some(Format::SearchReplace),
        AnswerFormat::Udiff => Some(Format::Udiff),
        AnswerFormat::Patch => Some(Format::Patch),
        AnswerFormat::Whole => Some(Format::Whole),
    }
}

/// The answer's bytes; a little more than can be applied, so that too much is seen as such.
fn read_answer(args: &ApplyArgs) -> Result<Vec<u8>, Failure> {
    let limit = MAX_ANSWER_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    match &args.input {
        Some(path) => {
            let file = File::open(path);
            file.and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(|error| {
                Failure::usage(format!("reading the answer from `{}`", path.display()))
                    .because(error)
            })?;
        }
        None => {
            io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(|error| {
                Failure::usage("reading the answer from standard input").because(error)
            })?;
        }
    }
    Ok(bytes)
}

fn show(report: &ApplyReport, check: bool, ui: &Ui) {
    for file in &report.files {
        let rung = match file.rung {
            Rung::Exact => String::new(),
            rung => format!(" ({})", rung.words()),
        };
        let would = if check { "would be " } else { "" };
        ui.line(format!("{}: {would}{}{rung}", printable(&file.path), file.action));
    }
}
