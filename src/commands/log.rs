//! `sage log RUN`: the events of a run, as text or JSON, optionally following a run that goes on.

use std::time::Duration;

use sage_core::{Event, EventKind, RunEvent, ToolEvent, WorkspaceEvent};

use crate::cli::LogArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::history::{self, OpenedRun};
use crate::ui::{Ui, printable, style};

/// How often a followed run is looked at.
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);

/// Prints the events.
pub fn run(args: &LogArgs, cx: &Context, ui: &Ui) -> Outcome {
    let opened = history::open(cx, &args.run)?;
    let filter = Filter { node: args.node.as_deref(), type_prefix: args.type_prefix.as_deref() };
    if let Some(seq) = args.seq {
        return one(&opened, seq, args.output.json, ui);
    }
    filter.check(&opened)?;
    let mut printer = Printer { filter, json: args.output.json, start_ms: None, n_seen: 0 };
    printer.print(&opened.events, ui);
    if args.follow {
        return follow(cx, opened, &mut printer, ui);
    }
    if let Some(torn) = opened.torn_tail {
        ui.warn(format!(
            "line {} is incomplete ({} bytes): the process that wrote it died",
            torn.line, torn.bytes
        ));
    }
    match opened.problem {
        None => Ok(ExitCode::Done),
        Some(problem) => Err(damaged(&problem)),
    }
}

/// One event, and what its command printed.
fn one(opened: &OpenedRun, seq: u64, json: bool, ui: &Ui) -> Outcome {
    let Some(event) = opened.events.iter().find(|event| event.seq.0 == seq) else {
        let failure = Failure::usage(format!("run {} has no event {seq}", opened.run));
        return Err(failure.hint(format!("its events are 1 to {}", opened.events.len())));
    };
    if json {
        ui.json(event);
        return Ok(ExitCode::Done);
    }
    ui.line(format!("{} {}", style::faint(format!("#{seq}")), sage_log::describe(event)));
    let output = match &event.kind {
        EventKind::Workspace(WorkspaceEvent::Checked { output, exit_code, .. }) => {
            let code = exit_code.map_or("none".to_owned(), |code| code.to_string());
            ui.line(format!("exit code: {code}"));
            Some(output)
        }
        EventKind::Tool(ToolEvent::Finished { result, .. }) => Some(result),
        _ => None,
    };
    if let EventKind::Workspace(WorkspaceEvent::TestsCompared { findings, .. }) = &event.kind {
        findings.iter().for_each(|finding| ui.line(printable(&finding.text())));
    }
    if let Some(output) = output {
        match sage_log::Payloads::of(&opened.dir).get(output) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                text.lines().for_each(|line| ui.line(printable(line)));
            }
            Err(error) => ui.warn(format!("its payload cannot be read: {error}")),
        }
    }
    Ok(ExitCode::Done)
}

fn damaged(problem: &str) -> Failure {
    Failure::environment("the log cannot be read to its end")
        .because(problem)
        .hint("what comes before the damage is above; the run cannot be resumed or replayed")
}

fn follow(cx: &Context, mut opened: OpenedRun, printer: &mut Printer<'_>, ui: &Ui) -> Outcome {
    // Ends when the run does, when its process dies, or when nobody reads any more.
    loop {
        let is_finished = matches!(
            opened.events.last().map(|event| &event.kind),
            Some(EventKind::Run(RunEvent::Finished { .. }))
        );
        if is_finished || ui.answer_is_unread() {
            return Ok(ExitCode::Done);
        }
        let is_live = history::summary(cx, &opened.run)?.is_some_and(|summary| summary.live);
        std::thread::sleep(FOLLOW_PAUSE);
        opened = history::open_run(cx, opened.run);
        printer.print(&opened.events, ui);
        if let Some(problem) = &opened.problem {
            return Err(damaged(problem));
        }
        if !is_live {
            return Ok(ExitCode::Done);
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Filter<'a> {
    node: Option<&'a str>,
    type_prefix: Option<&'a str>,
}

impl Filter<'_> {
    fn takes(&self, event: &Event) -> bool {
        let is_of_node = |wanted: &str| {
            event.kind.node().is_some_and(|node| {
                node.as_str().trim_start_matches('@') == wanted.trim_start_matches('@')
            })
        };
        self.node.is_none_or(is_of_node)
            && self.type_prefix.is_none_or(|prefix| event.kind.type_name().starts_with(prefix))
    }

    /// A name that no event has is a mistake, not an empty answer.
    fn check(&self, opened: &OpenedRun) -> Result<(), Failure> {
        if let Some(wanted) = self.node {
            let mut names: Vec<&str> = opened
                .events
                .iter()
                .filter_map(|event| event.kind.node())
                .map(sage_core::NodeId::as_str)
                .collect();
            names.dedup();
            let is_known = names
                .iter()
                .any(|name| name.trim_start_matches('@') == wanted.trim_start_matches('@'));
            if !is_known {
                let near = sage_core::nearest(wanted, names.iter().copied());
                let failure =
                    Failure::usage(format!("run {} has no event of a task {wanted:?}", opened.run));
                return Err(match near {
                    Some(near) => failure.hint(format!("did you mean `{near}`?")),
                    None => failure.hint("`sage status` lists the tasks of a run"),
                });
            }
        }
        let groups = ["run", "node", "model", "tool", "human", "workspace"];
        if let Some(prefix) = self.type_prefix {
            let group = prefix.split('.').next().unwrap_or_default();
            if !groups.iter().any(|known| known.starts_with(group)) {
                let failure = Failure::usage(format!("no type of event begins with {prefix:?}"));
                return Err(match sage_core::nearest(group, groups) {
                    Some(near) => failure.hint(format!("did you mean `{near}`?")),
                    None => failure.hint(format!("types begin with `{}`", groups.join("`, `"))),
                });
            }
        }
        Ok(())
    }
}

struct Printer<'a> {
    filter: Filter<'a>,
    json: bool,
    start_ms: Option<u64>,
    n_seen: usize,
}

impl Printer<'_> {
    fn print(&mut self, events: &[Event], ui: &Ui) {
        let start_ms = *self.start_ms.get_or_insert(events.first().map_or(0, |event| event.at_ms));
        for event in events.iter().skip(self.n_seen).filter(|event| self.filter.takes(event)) {
            if self.json {
                ui.json(event);
            } else {
                let offset = offset(event.at_ms.saturating_sub(start_ms));
                ui.line(format!("{} {}", style::faint(offset), sage_log::describe(event)));
            }
        }
        self.n_seen = self.n_seen.max(events.len());
    }
}

/// Time since the first event: `+mm:ss.mmm`, with hours where there are any.
fn offset(ms: u64) -> String {
    let (s, ms) = (ms / 1000, ms % 1000);
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("+{h}:{m:02}:{s:02}.{ms:03}") } else { format!("+{m:02}:{s:02}.{ms:03}") }
}
