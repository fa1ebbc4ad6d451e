//! Reads a run's log, strictly: every line must be an event of this run and follow the one before.
//!
//! The one tolerance is the end: bytes after the last newline are what a process left that died in the
//! middle of a write, and are set aside as a [`TornTail`]. Reading takes no lock and changes nothing, so
//! it works on a run that is being written.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use sage_core::{EVENT_FORMAT_VERSION, Event, EventKind, RunEvent, Seq};

use crate::{Error, Manifest, Result};

/// The log's file name within a run's folder.
pub(crate) const FILE_NAME: &str = "events.jsonl";

/// The longest line of a log, newline included. Longer ones are refused on writing and on reading.
pub(crate) const MAX_LINE_BYTES: usize = 16 << 20;

/// A run as read from disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its events, in order; at least one.
    pub events: Vec<Event>,
    /// What was after the last complete line, if anything was.
    pub torn_tail: Option<TornTail>,
}

/// The beginning of an event whose writer died, or has not finished writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// Its line, from 1.
    pub line: u64,
    /// Its length.
    pub bytes: u64,
}

/// Reads the run in `dir` without locking or changing it.
///
/// # Errors
/// [`Error::Damaged`] naming file and line for anything but a torn last line, [`Error::Empty`] when
/// there is no complete event, [`Error::Newer`] for a format of the future, [`Error::Io`].
pub fn read_run(dir: &Path) -> Result<Loaded> {
    let manifest = Manifest::read(dir)?;
    let mut events = Vec::new();
    let torn_tail = read_events(dir, &manifest, |event| events.push(event))?;
    Ok(Loaded { manifest, events, torn_tail })
}

/// Hands each event to `take`, in order, holding one line at a time.
pub(crate) fn read_events(
    dir: &Path,
    manifest: &Manifest,
    mut take: impl FnMut(Event),
) -> Result<Option<TornTail>> {
    let path = dir.join(FILE_NAME);
    let file = File::open(&path).map_err(Error::io("opening", &path))?;
    let mut lines = Lines { path: path.clone(), from: BufReader::new(file), line: Vec::new() };
    let mut n_lines = 0;
    loop {
        let torn = match lines.next().map_err(Error::io("reading", &path))? {
            Line::Whole => None,
            Line::End if n_lines == 0 => return Err(Error::Empty { path }),
            Line::End => return Ok(None),
            Line::Torn if n_lines == 0 => return Err(Error::Empty { path }),
            Line::Torn => Some(TornTail { line: n_lines + 1, bytes: lines.line.len() as u64 }),
            Line::TooLong => {
                let reason = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                return Err(Error::Damaged { path, line: n_lines + 1, reason });
            }
        };
        if torn.is_some() {
            return Ok(torn);
        }
        n_lines += 1;
        take(lines.event(n_lines, manifest)?);
    }
}

/// The lines of a log, one at a time in a reused buffer.
struct Lines {
    path: PathBuf,
    from: BufReader<File>,
    line: Vec<u8>,
}

enum Line {
    Whole,
    Torn,
    TooLong,
    End,
}

impl Lines {
    fn next(&mut self) -> io::Result<Line> {
        self.line.clear();
        (&mut self.from).take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut self.line)?;
        Ok(match self.line.last() {
            None => Line::End,
            Some(b'\n') => Line::Whole,
            Some(_) if self.line.len() < MAX_LINE_BYTES => Line::Torn,
            Some(_) => Line::TooLong,
        })
    }

    /// The current line as the event that must be number `expected` of the run.
    fn event(&self, expected: u64, manifest: &Manifest) -> Result<Event> {
        let damaged = |reason| Error::Damaged { path: self.path.clone(), line: expected, reason };
        let event: Event =
            serde_json::from_slice(&self.line).map_err(|error| damaged(reason_of(&error)))?;
        if let EventKind::Run(RunEvent::Started { format_version, .. }) = &event.kind
            && *format_version > EVENT_FORMAT_VERSION
        {
            return Err(Error::Newer {
                path: self.path.clone(),
                found: *format_version,
                supported: EVENT_FORMAT_VERSION,
            });
        }
        if event.seq != Seq(expected) {
            return Err(damaged(format!("event {} stands where {expected} belongs", event.seq)));
        }
        if event.run != manifest.run {
            return Err(damaged(format!("the event belongs to run {}", event.run)));
        }
        Ok(event)
    }
}

/// What is wrong with a line. The parser's own line number is always 1 here, so only its column is kept.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what} (column {})", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
