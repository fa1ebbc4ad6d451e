//! `sage session`: the session of a project, and what an interrupted run left to be done.

use sage_core::RunId;
use sage_log::{Handoff, HandoffView, SystemState, project_with};
use serde_json::{Value, json};

use crate::cli::{SessionArgs, SessionCommand};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::history::{self, OpenedRun};
use crate::ui::{Ui, printable, style, table};
use crate::{files, session};

/// Runs what was asked for.
pub fn run(args: SessionArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => status(args.output.json, cx, ui),
        Some(SessionCommand::Status(output)) => status(output.json, cx, ui),
        Some(SessionCommand::Reset(output)) => reset(output.json, cx, ui),
        Some(SessionCommand::Refresh(output)) => refresh(output.json, cx, ui),
        Some(SessionCommand::Handoff { clear, output }) => handoff(clear, output.json, cx, ui),
    }
}

fn status(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let id = session::current(cx)?;
    let path = cx.sage("system_state.json");
    let state = match files::read_if_exists(&path)? {
        None => None,
        Some(text) => Some(serde_json::from_str::<Value>(&text).map_err(|error| {
            Failure::config(format!("reading {}", path.display()))
                .because(error)
                .hint("`sage session refresh` writes it anew from the runs")
        })?),
    };
    if json {
        ui.json(&json!({ "session": id, "state": state }));
        return Ok(ExitCode::Done);
    }
    let shown =
        id.map_or_else(|| style::faint("none yet; the next run begins one"), |id| id.to_string());
    let mut rows = vec![vec!["session".to_owned(), shown]];
    if let Some(Value::Object(fields)) = state {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            rows.push(vec![name.clone(), plain(value)]);
        }
    }
    table::columns(&rows).iter().for_each(|line| ui.line(line));
    Ok(ExitCode::Done)
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    printable(text.lines().next().unwrap_or_default()).into_owned()
}

fn reset(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let path = cx.sage("system_state.json");
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Failure::environment(format!("removing {}", path.display())).because(error));
        }
    }
    let active = session::begin(cx)?;
    if json {
        ui.json(&json!({ "session": active.id }));
    } else {
        ui.line(format!("session {}", style::heading(&active.id)));
        ui.note("runs are kept; `sage runs prune` removes old ones");
    }
    Ok(ExitCode::Done)
}

fn refresh(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, "last")?;
    let state = project_with(SystemState::new(opened.plan().as_ref()), &opened.events);
    let value = serde_json::to_value(&state)
        .map_err(|error| Failure::internal(format!("writing the session's state: {error}")))?;
    let text = format!("{value:#}\n");
    files::write_whole(&cx.sage("system_state.json"), text.as_bytes())?;
    if json {
        ui.json(&value);
    } else {
        ui.note(format!("written from run {}", style::heading(&opened.run)));
    }
    Ok(ExitCode::Done)
}

/// Remembers which hand-off was cleared: the run itself stays.
fn cleared_file(cx: &Context) -> std::path::PathBuf {
    cx.sage("chat_sessions").join("handoff_cleared")
}

fn handoff(clear: bool, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let cleared = files::read_if_exists(&cleared_file(cx))?.unwrap_or_default();
    let found = interrupted(cx, cleared.trim())?;
    let Some((opened, view)) = found else {
        if json {
            ui.json(&Value::Null);
        } else {
            ui.note("no run was interrupted");
        }
        return Ok(ExitCode::Done);
    };
    if json {
        ui.json(&view);
    } else {
        print(&opened.run, &view, ui);
    }
    if clear {
        files::write_whole(&cleared_file(cx), format!("{}\n", opened.run).as_bytes())?;
        ui.note("cleared; the run is kept");
    }
    Ok(ExitCode::Done)
}

/// The newest run, when it can be resumed and its hand-off was not cleared.
fn interrupted(cx: &Context, cleared: &str) -> Result<Option<(OpenedRun, HandoffView)>, Failure> {
    let newest = history::runs(cx).list()?.into_iter().find(|run| run.problem.is_none());
    let Some(newest) = newest.filter(|run| run.resumable && run.run.as_str() != cleared) else {
        return Ok(None);
    };
    let opened = history::open_run(cx, newest.run);
    let Some(manifest) = &opened.manifest else { return Ok(None) };
    let view = project_with(Handoff::new(manifest, opened.plan().as_ref()), &opened.events);
    Ok(Some((opened, view)))
}

fn print(run: &RunId, view: &HandoffView, ui: &Ui) {
    let snapshot = &view.state_snapshot;
    let mut rows = vec![
        vec!["run".to_owned(), style::heading(run)],
        vec!["goal".to_owned(), printable(&snapshot.user_prompt).into_owned()],
        vec![
            "why".to_owned(),
            view.reason.clone().unwrap_or_else(|| "the process died without a word".to_owned()),
        ],
    ];
    if let Some(task) = &snapshot.current_task_id {
        rows.push(vec!["was at".to_owned(), task.clone()]);
    }
    if let Some(error) = &snapshot.last_error {
        rows.push(vec!["last error".to_owned(), printable(error).into_owned()]);
    }
    table::columns(&rows).iter().for_each(|line| ui.line(line));
    if let Some(Value::Array(tasks)) = &snapshot.task_dag {
        ui.line("");
        let row = |task: &Value| {
            vec![
                format!("  {}", plain(&task["id"])),
                plain(&task["status"]),
                plain(&task["description"]),
            ]
        };
        table::columns(&tasks.iter().map(row).collect::<Vec<_>>())
            .iter()
            .for_each(|line| ui.line(line));
    }
    if let Some(command) = &view.resume_command {
        ui.hint(format!("`{command}` goes on"));
    }
}
