//! `sage runs show --files` and `--diff`: what each step of a run did to every path.

use std::collections::BTreeMap;

use sage_coder::{Action, Step, StepChange, Steps, steps_of};
use sage_core::{BlobRef, FileState};
use sage_log::Payloads;
use sage_tool::SnapshotStore;
use sage_tool::edits::{line_diff_counts, unified_diff};
use sage_tool::snapshot::{FOLDER_MODE, LINK_MODE};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::history::{self, OpenedRun, utc_time};
use crate::ui::{Ui, printable, style, table};

/// Context lines around a change.
const DIFF_CONTEXT: usize = 3;
/// Larger contents are not compared line by line.
const MAX_COUNTED_BYTES: usize = 1024 * 1024;
/// Digits of a hash that are shown.
const HASH_DIGITS: usize = 8;

/// Prints the steps, and every file with its changes over time.
pub fn files(wanted: &str, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, wanted)?;
    let store = open_store(cx)?;
    let mut steps = read(&opened, store.as_ref())?;
    if let Some(store) = &store {
        count_lines(&mut steps, store);
    }
    if json {
        ui.json(&to_json(&opened, &steps));
    } else {
        print(&opened, &steps, store.as_ref(), ui);
    }
    Ok(ExitCode::Done)
}

/// Prints what a step, or the whole run for an empty `step`, changed.
pub fn diff(wanted: &str, step: &str, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, wanted)?;
    let store = open_store(cx)?;
    let steps = read(&opened, store.as_ref())?;
    let is_it = |found: &&Step| {
        step.parse() == Ok(found.number) || found.call.to_string() == step || step.is_empty()
    };
    let chosen: Vec<&Step> = steps.all.iter().filter(is_it).collect();
    if chosen.is_empty() && !step.is_empty() {
        let n_steps = steps.all.len();
        let message = format!("run {} has no step {step:?}; it has {n_steps}", opened.run);
        let hint = format!("`sage runs show {} --files` lists the steps", opened.run);
        return Err(Failure::usage(message).hint(hint));
    }
    for (path, (before, after)) in net(&chosen) {
        let text = one_diff(path, before, after, store.as_ref());
        if json {
            ui.json(&json!({ "path": path, "before": before, "after": after, "diff": text }));
        } else {
            ui.text(printable(&text));
        }
    }
    warn(&steps, ui);
    Ok(ExitCode::Done)
}

fn open_store(cx: &Context) -> Result<Option<SnapshotStore>, Failure> {
    let dir = cx.sage("snapshots");
    // Looking at a run makes nothing.
    Ok(if dir.is_dir() { Some(SnapshotStore::open(&dir)?) } else { None })
}

fn read(opened: &OpenedRun, store: Option<&SnapshotStore>) -> Result<Steps, Failure> {
    let payloads = Payloads::of(&opened.dir);
    let get = |blob: &BlobRef| payloads.get(blob).ok();
    steps_of(&opened.events, &get, store, None).map_err(|error| Failure::new(error.kind(), error))
}

/// Counts the lines of changes of which the journal does not tell.
fn count_lines(steps: &mut Steps, store: &SnapshotStore) {
    let read = |state: &Option<FileState>| match state {
        None => Some(Vec::new()),
        Some(state) if is_file(state) => store.read(&state.hash).ok(),
        Some(_) => None,
    };
    for change in steps.all.iter_mut().flat_map(|step| &mut step.changes) {
        if change.lines_added.is_some() || change.folder || change.action == Action::Mode {
            continue;
        }
        if let (Some(before), Some(after)) = (read(&change.before), read(&change.after))
            && before.len().max(after.len()) <= MAX_COUNTED_BYTES
        {
            let (added, removed) = line_diff_counts(&before, &after);
            (change.lines_added, change.lines_removed) = (Some(added), Some(removed));
        }
    }
}

fn is_file(state: &FileState) -> bool {
    state.mode != LINK_MODE && state.mode & FOLDER_MODE == 0
}

fn by_path(steps: &Steps) -> BTreeMap<&str, Vec<(&Step, &StepChange)>> {
    let mut files: BTreeMap<&str, Vec<(&Step, &StepChange)>> = BTreeMap::new();
    for step in &steps.all {
        for change in &step.changes {
            files.entry(&change.path).or_default().push((step, change));
        }
    }
    files
}

fn to_json(opened: &OpenedRun, steps: &Steps) -> Value {
    let step = |step: &Step| {
        json!({
            "number": step.number, "seq": step.seq, "call": step.call, "task": step.call.node,
            "tool": step.tool, "summary": step.summary, "at": utc_time(step.at_ms), "ok": step.ok,
            "n_changes": step.changes.len(),
            "n_put_back": step.put_back.as_ref().map_or(0, |back| back.n_paths),
        })
    };
    let change = |(step, change): &(&Step, &StepChange)| {
        json!({
            "step": step.number, "task": step.call.node, "tool": step.tool,
            "summary": step.summary, "action": change.action,
            "renamed_from": change.renamed_from,
            "lines_added": change.lines_added, "lines_removed": change.lines_removed,
            "before": change.before, "after": change.after, "is_covered": change.is_covered,
        })
    };
    let file = |(path, changes): (&str, Vec<(&Step, &StepChange)>)| {
        json!({
            "path": path,
            "ignored": changes.iter().any(|(_, change)| change.ignored),
            "folder": changes.iter().any(|(_, change)| change.folder),
            "changes": changes.iter().map(change).collect::<Vec<_>>(),
        })
    };
    json!({
        "run": opened.run,
        "steps": steps.all.iter().map(step).collect::<Vec<_>>(),
        "files": by_path(steps).into_iter().map(file).collect::<Vec<_>>(),
        "problems": steps.problems,
    })
}

fn print(opened: &OpenedRun, steps: &Steps, store: Option<&SnapshotStore>, ui: &Ui) {
    ui.line(style::heading(&opened.run));
    let mut rows = Vec::new();
    for step in &steps.all {
        let n = step.changes.len();
        let mut what = match n {
            0 => String::new(),
            1 => "1 path".to_owned(),
            n => format!("{n} paths"),
        };
        if step.ok.is_none() {
            what = "killed".to_owned();
        }
        if let Some(back) = &step.put_back {
            what = format!("{what} ({} put back)", back.n_paths).trim_start().to_owned();
        }
        rows.push(vec![
            format!("  {}", step.number),
            step.call.node.to_string(),
            printable(&step.tool).into_owned(),
            what,
            first_line(&step.summary),
        ]);
    }
    section("Steps", &rows, ui);
    let mut rows = Vec::new();
    for (path, changes) in by_path(steps) {
        let ignored = changes.iter().any(|(_, change)| change.ignored);
        let folder = if changes.iter().any(|(_, change)| change.folder) { "/" } else { "" };
        let note = if ignored { style::faint("ignored by git") } else { String::new() };
        rows.push(vec![format!("  {}{folder}", style::hint(one_line(path))), note]);
        for (step, change) in changes {
            rows.push(vec![
                format!("    step {}", step.number),
                action(change),
                lines(change),
                hash(change),
                format!("{} {}: {}", step.call.node, step.tool, first_line(&step.summary)),
            ]);
        }
    }
    section("Files", &rows, ui);
    print_put_back(opened, steps, store, ui);
    warn(steps, ui);
    if let Some(problem) = &opened.problem {
        ui.warn(format!("the log is read only as far as it is whole: {}", printable(problem)));
    }
}

/// What commands had changed outside their tasks' paths.
fn print_put_back(opened: &OpenedRun, steps: &Steps, store: Option<&SnapshotStore>, ui: &Ui) {
    let mut rows = Vec::new();
    let mut first = None;
    for step in &steps.all {
        let Some((back, store)) = step.put_back.as_ref().zip(store) else { continue };
        first = first.or(Some(step.number));
        for change in store.changes(&back.after, &back.seen).unwrap_or_default() {
            let action = match (&change.before, &change.after) {
                (None, _) => "had been created",
                (_, None) => "had been deleted",
                _ => "had been changed",
            };
            let path = format!("  {}", one_line(&change.path));
            rows.push(vec![path, format!("step {}", step.number), action.to_owned()]);
        }
    }
    section("Put back", &rows, ui);
    if let Some(step) = first {
        let run = &opened.run;
        ui.hint(format!(
            "`sage undo {run}:{step} --put-back --file PATH` brings such a change back"
        ));
    }
}

fn warn(steps: &Steps, ui: &Ui) {
    for problem in &steps.problems {
        ui.warn(format!("what a command did is not known: {}", printable(problem)));
    }
}

fn action(change: &StepChange) -> String {
    match (change.action, &change.renamed_from) {
        (Action::Renamed, Some(from)) => format!("renamed from {}", one_line(from)),
        (Action::Renamed, None) | (Action::Created, _) => "created".to_owned(),
        (Action::Modified, _) => format!("modified{}", modes(change)),
        (Action::Deleted, _) => "deleted".to_owned(),
        (Action::Mode, _) => modes(change).trim_start().to_owned(),
    }
}

/// ` mode 644 -> 755` where that changed.
fn modes(change: &StepChange) -> String {
    let bits = |state: &FileState| state.mode & 0o7777;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) if bits(before) != bits(after) => {
            format!(" mode {:o} -> {:o}", bits(before), bits(after))
        }
        _ => String::new(),
    }
}

fn lines(change: &StepChange) -> String {
    match (change.lines_added, change.lines_removed) {
        (Some(added), Some(removed)) => format!("+{added} -{removed}"),
        _ => String::new(),
    }
}

fn hash(change: &StepChange) -> String {
    let state = change.after.as_ref().filter(|_| !change.folder);
    state.map_or_else(String::new, |state| state.hash.as_str()[..HASH_DIGITS].to_owned())
}

fn section(name: &str, rows: &[Vec<String>], ui: &Ui) {
    if rows.is_empty() {
        return;
    }
    ui.line("");
    ui.line(style::heading(name));
    table::columns(rows).iter().for_each(|line| ui.line(line));
}

fn first_line(text: &str) -> String {
    printable(text.lines().next().unwrap_or_default()).into_owned()
}

/// A path in one line, whatever characters it has.
fn one_line(path: &str) -> String {
    printable(&path.replace('\n', "\\n").replace('\r', "\\r")).into_owned()
}

type Net<'a> = (Option<&'a FileState>, Option<&'a FileState>);

/// What the steps changed on the whole: of each path the first state and the last.
fn net<'a>(steps: &[&'a Step]) -> BTreeMap<&'a str, Net<'a>> {
    let mut net: BTreeMap<&str, Net<'a>> = BTreeMap::new();
    for change in steps.iter().flat_map(|step| &step.changes) {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        net.entry(&change.path).and_modify(|(_, last)| *last = after).or_insert((before, after));
    }
    net.retain(|_, (before, after)| before != after);
    net
}

fn one_diff(
    path: &str,
    before: Option<&FileState>,
    after: Option<&FileState>,
    store: Option<&SnapshotStore>,
) -> String {
    let name = one_line(path);
    let mut text = String::new();
    if let (Some(before), Some(after)) = (before, after)
        && before.mode != after.mode
    {
        text = format!("{name}: mode {:o} -> {:o}\n", before.mode & 0o7777, after.mode & 0o7777);
    }
    let is_folder = |state: Option<&FileState>| {
        state.is_some_and(|state| state.mode != LINK_MODE && state.mode & FOLDER_MODE != 0)
    };
    if is_folder(before) || is_folder(after) {
        match (before, after) {
            (None, _) => text.push_str(&format!("{name}/: created\n")),
            (_, None) => text.push_str(&format!("{name}/: deleted\n")),
            _ => {}
        }
        if is_folder(before.or(after)) && (is_folder(after) || after.is_none()) {
            return text;
        }
    }
    let content = |state: Option<&FileState>| match state.filter(|state| !is_folder(Some(*state))) {
        None => Ok(None),
        Some(state) => match store.map(|store| store.read(&state.hash)) {
            Some(Ok(bytes)) => Ok(Some(bytes)),
            _ => Err(()),
        },
    };
    match (content(before), content(after)) {
        (Ok(old), Ok(new)) => {
            text.push_str(&unified_diff(&name, old.as_deref(), new.as_deref(), DIFF_CONTEXT));
        }
        _ => text.push_str(&format!("{name}: its content was not saved\n")),
    }
    text
}
