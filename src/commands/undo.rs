//! `sage undo`: put the files back into the state before a run or one of its steps, and take that back.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sage_coder::{Scope, UndoRequest, Undone};
use sage_core::{Decider, ErrorKind, RunId};
use sage_log::Runs;
use serde_json::json;

use crate::app::{Interrupts, Pipeline, Who};
use crate::cli::UndoArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::Flags;
use crate::ui::live::{Form, Live};
use crate::ui::{Ui, printable, style};

/// Runs the command.
pub fn run(args: &UndoArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let settings = crate::app::settings(cx, &Flags::default())?;
    let (run, step) = target(&args.target, &Runs::new(cx.runs()))?;
    let request = request(args, run.clone(), step, cx)?;
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), Form::Lines { explain_routing: false });
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let wiring = pipeline.wiring(Who::Nobody(Decider::Mode), None)?;
    let done = if args.redo {
        sage_coder::redo(&wiring, &run, args.force, args.dry_run)
    } else {
        sage_coder::undo(&wiring, &request)
    };
    live.finish();
    let done = done.map_err(|error| failure(error, &run, args))?;
    if args.output.json {
        ui.json(&to_json(&done, &run, args));
    } else {
        print(&done, &run, args, ui);
    }
    Ok(if done.failed.is_empty() { ExitCode::Done } else { ExitCode::Failed })
}

/// The run and the step that `RUN[:STEP]` means. A number alone that begins no run is a step of the last.
fn target(text: &str, runs: &Runs) -> Result<(RunId, Option<String>), Failure> {
    let resolve = |wanted: &str| runs.resolve(if wanted.is_empty() { "last" } else { wanted });
    let (run, step) = match text.split_once(':') {
        Some((run, step)) => (resolve(run), Some(step.to_owned())),
        None => match resolve(text) {
            Err(sage_log::Error::Unknown { .. }) if text.bytes().all(|b| b.is_ascii_digit()) => {
                (resolve("last"), Some(text.to_owned()))
            }
            run => (run, None),
        },
    };
    Ok((run.map_err(|error| Failure::new(error.kind(), error))?, step))
}

fn request(
    args: &UndoArgs,
    run: RunId,
    step: Option<String>,
    cx: &Context,
) -> Result<UndoRequest, Failure> {
    if args.redo && step.is_some() {
        return Err(Failure::usage("an undo is taken back as a whole: `--redo` goes with no step"));
    }
    let files = args.file.iter().chain(&args.paths);
    let below = cx.cwd.strip_prefix(&cx.root).unwrap_or(Path::new(""));
    let keep = |pattern: &String| match below.to_str() {
        Some("") | None => pattern.clone(),
        Some(below) => format!("{below}/{pattern}"),
    };
    Ok(UndoRequest {
        run,
        scope: match (args.put_back, step) {
            (true, step) => Scope::PutBack(step),
            (false, Some(step)) => Scope::Step(step),
            (false, None) => Scope::Run,
        },
        files: files.map(|file| in_project(file, cx)).collect::<Result<_, _>>()?,
        keep: args.keep.iter().map(keep).collect(),
        force: args.force,
        dry_run: args.dry_run,
    })
}

/// A path as the log names it: relative to the project. It need not exist.
fn in_project(file: &Path, cx: &Context) -> Result<String, Failure> {
    let base = if cx.cwd.starts_with(&cx.root) { &cx.cwd } else { &cx.root };
    let mut whole = PathBuf::new();
    for part in base.join(file).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    let inside = whole.strip_prefix(&cx.root).map_err(|_| {
        Failure::usage(format!("{} is outside the project {}", file.display(), cx.root.display()))
    })?;
    Ok(sage_tool::recorded_name(inside.as_os_str()))
}

fn failure(error: sage_coder::Error, run: &RunId, args: &UndoArgs) -> Failure {
    let hint = match &error {
        sage_coder::Error::ChangedSince { .. } => Some(
            "`--keep PATH` leaves a file as it is; `--force` restores it, too, and saves your version \
             first (`sage undo --redo` brings it back)"
                .to_owned(),
        ),
        sage_coder::Error::LaterRuns { runs } => runs.first().map(|(later, _)| {
            format!("undo the newest first: `sage undo {later}`; `--keep PATH` leaves a file as it is")
        }),
        sage_coder::Error::NoSuchStep { .. } => {
            Some(format!("`sage runs show {run} --files` lists the steps"))
        }
        sage_coder::Error::NotUndoable { why, .. } if why.contains("undone already") => {
            Some(format!("`sage undo {run} --redo` takes that back; `sage runs` lists the runs"))
        }
        sage_coder::Error::NotUndoable { why, .. } if why.contains("did not change") => {
            Some(format!("`sage runs show {run} --files` lists the files that it changed"))
        }
        sage_coder::Error::Tool(sage_tool::Error::Snapshot { .. }) if args.file.is_empty() => Some(
            "nothing was changed; `--keep PATH` leaves out a file, `--file PATH` restores a single one"
                .to_owned(),
        ),
        _ => None,
    };
    let failure = Failure::new(error.kind(), error);
    match hint {
        Some(hint) => failure.hint(hint),
        None if failure.code == ExitCode::from(ErrorKind::Usage) => {
            failure.hint("`sage runs` lists the runs of this project")
        }
        None => failure,
    }
}

fn to_json(done: &Undone, run: &RunId, args: &UndoArgs) -> serde_json::Value {
    let failed = done.failed.iter().map(|(path, why)| json!({ "path": path, "reason": why }));
    json!({
        "run": run,
        "step": done.step,
        "redo": args.redo,
        "dry_run": args.dry_run,
        "restored": done.restored,
        "not_covered": done.not_covered,
        "still_used": done.still_used,
        "failed": failed.collect::<Vec<_>>(),
        "lost_for_good": done.lost_for_good,
        "forced": done.forced,
        "killed_commands": done.unsure,
    })
}

fn print(done: &Undone, run: &RunId, args: &UndoArgs, ui: &Ui) {
    let verb = if args.dry_run { "would restore" } else { "restored" };
    for path in &done.restored {
        let forced = if done.forced.contains(path) { " (was changed since)" } else { "" };
        ui.line(format!("{verb} {}{forced}", printable(path)));
    }
    if done.restored.is_empty() && done.failed.is_empty() {
        ui.line(match (args.redo || args.put_back, done.step) {
            (true, _) => "nothing to restore: every file is as it was left".to_owned(),
            (false, None) => format!("nothing to restore: every file is as it was before {run}"),
            (false, Some(step)) => {
                format!("nothing to restore: every file is as it was before step {step} of {run}")
            }
        });
    }
    for command in &done.unsure {
        ui.warn(format!(
            "`{}` was killed; what changed after it had begun is taken for its doing",
            printable(command)
        ));
    }
    for path in &done.not_covered {
        ui.warn(format!(
            "{} was not saved (too large, or in a folder that tools fill); it was left as it is",
            printable(path)
        ));
    }
    for path in &done.still_used {
        ui.warn(format!("the folder {} stays: something else is in it", printable(path)));
    }
    for path in &done.lost_for_good {
        let verb = if args.dry_run { "would be removed" } else { "was removed" };
        ui.warn(format!("{} {verb} and is too large to come back", printable(path)));
    }
    for (path, why) in &done.failed {
        ui.warn(format!(
            "{} {}: {}",
            style::error("not restored:"),
            printable(path),
            printable(why)
        ));
    }
    if !args.dry_run && !done.failed.is_empty() {
        ui.hint(format!(
            "correct that and repeat the command, or go back with `sage undo {run} --redo`"
        ));
    } else if !args.dry_run && !done.restored.is_empty() {
        ui.hint(if args.redo {
            format!("`sage undo {run}` undoes it again")
        } else {
            format!("`sage undo {run} --redo` takes this back")
        });
    }
}
