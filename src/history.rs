//! Opens recorded runs for the commands that look at them.
//!
//! A damaged run is opened as far as it can be read, with the problem beside it: looking at a run
//! must never fail because of what is wrong with its end.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use sage_core::{ErrorKind, Event, EventKind, RunEvent, RunId};
use sage_log::{Manifest, Payloads, RunSummary, Runs, TornTail};

use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;

/// A run as far as it can be read.
#[derive(Debug, Clone)]
pub struct OpenedRun {
    /// The run.
    pub run: RunId,
    /// Its folder.
    pub dir: PathBuf,
    /// Its manifest, if that can be read.
    pub manifest: Option<Manifest>,
    /// Its events up to the first that cannot be read.
    pub events: Vec<Event>,
    /// What a killed process left at the end.
    pub torn_tail: Option<TornTail>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl OpenedRun {
    /// The plan in effect, as the run recorded it.
    pub fn plan(&self) -> Option<Value> {
        let blob = self.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Run(RunEvent::Planned { plan, .. }) => Some(plan),
            _ => None,
        })?;
        serde_json::from_slice(&Payloads::of(&self.dir).get(blob).ok()?).ok()
    }
}

/// The runs of the project.
pub fn runs(cx: &Context) -> Runs {
    Runs::new(cx.runs())
}

/// Opens the run that `wanted` means: an id, a unique beginning of one, or `last`.
pub fn open(cx: &Context, wanted: &str) -> Result<OpenedRun, Failure> {
    let run = resolve(cx, wanted)?;
    Ok(open_run(cx, run))
}

/// The id that `wanted` means.
pub fn resolve(cx: &Context, wanted: &str) -> Result<RunId, Failure> {
    let is_empty = |known: &[RunId]| known.is_empty();
    match runs(cx).resolve(wanted) {
        Ok(run) => Ok(run),
        Err(sage_log::Error::Unknown { known, .. }) if is_empty(&known) => {
            let message = format!("there is no run in {}", cx.root.display());
            Err(Failure::usage(message)
                .hint("`sage run \"GOAL\"` starts one; `sage demo` shows one"))
        }
        Err(error) if error.kind() == ErrorKind::Usage => {
            Err(Failure::from(error).hint("`sage runs` lists the runs of this project"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a run that exists.
pub fn open_run(cx: &Context, run: RunId) -> OpenedRun {
    let dir = runs(cx).dir(&run);
    match sage_log::read_run(&dir) {
        Ok(loaded) => OpenedRun {
            run,
            dir,
            manifest: Some(loaded.manifest),
            events: loaded.events,
            torn_tail: loaded.torn_tail,
            problem: None,
        },
        Err(error) => {
            let events = readable_events(&dir, &run);
            let problem = Some(format!("{:#}", anyhow::Error::from(error)));
            OpenedRun { run, dir, manifest: None, events, torn_tail: None, problem }
        }
    }
}

/// The summary of one run among all.
pub fn summary(cx: &Context, run: &RunId) -> Result<Option<RunSummary>, Failure> {
    Ok(runs(cx).list()?.into_iter().find(|summary| summary.run == *run))
}

/// The events before the first damage.
fn readable_events(dir: &Path, run: &RunId) -> Vec<Event> {
    let Ok(file) = File::open(dir.join("events.jsonl")) else { return Vec::new() };
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    let event = |(n, line): (usize, Vec<u8>)| {
        let event: Event = serde_json::from_slice(&line).ok()?;
        (event.run == *run && event.seq.0 == n as u64 + 1).then_some(event)
    };
    lines.enumerate().map_while(event).collect()
}

/// A time of the log for people: local, to the minute.
pub fn local_time(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(String::new, |time| {
        time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
    })
}

/// A time of the log for programs: RFC 3339 in UTC.
pub fn utc_time(at_ms: u64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
    Some(time.to_string())
}
