//! The record around an effect: what an earlier process left about a call, and the facts that this one
//! appends.
//!
//! Invariants: a call that has a recorded result appends nothing and does nothing again; a call that was
//! started and not finished is completed by the rule of its effect class; the same id never stands for
//! two different wishes.

use std::time::Instant;

use sage_core::{BlobRef, CallId, Effect, EventKind, Past, Recorder, ToolEvent, ToolPast};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// The key under which the state before a command is kept beside its arguments.
pub(crate) const BEFORE_KEY: &str = "@before";
/// Longest summary in an event, in characters.
const MAX_SUMMARY_CHARS: usize = 160;
/// Longest reason for a refusal in an event, in characters.
const MAX_REASON_CHARS: usize = 600;

/// Where a call stands.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing is known about it.
    Fresh,
    /// It was started; nobody knows whether it had its effect.
    Interrupted(ToolPast),
    /// It has a result.
    Answered(Vec<u8>),
}

/// The record of one call.
pub(crate) struct Journal<'a> {
    recorder: &'a dyn Recorder,
    pub call: CallId,
    pub tool: String,
    summary: String,
    started: Instant,
}

impl<'a> Journal<'a> {
    pub(crate) fn new(recorder: &'a dyn Recorder, call: CallId, tool: &str, summary: &str) -> Self {
        let summary = one_line(summary);
        Self { recorder, call, tool: tool.to_owned(), summary, started: Instant::now() }
    }

    /// Looks the call up. `args` is what is asked for now; something else on record is an error.
    pub(crate) fn standing(&self, args: &Value) -> Result<Standing> {
        let past = match self.recorder.past(&self.call) {
            Past::Nothing => return Ok(Standing::Fresh),
            Past::Tool(past) => past,
            Past::Model { .. } | Past::ModelUnknown => {
                return Err(self.diverged("a model call".to_owned()));
            }
        };
        if !self.is_same(&past.args, args)? {
            let recorded = self.recorder.get(&past.args).unwrap_or_default();
            return Err(self.diverged(one_line(&String::from_utf8_lossy(&recorded))));
        }
        match &past.result {
            Some((blob, _)) => Ok(Standing::Answered(self.recorder.get(blob)?)),
            None => Ok(Standing::Interrupted(past)),
        }
    }

    fn is_same(&self, recorded: &BlobRef, args: &Value) -> Result<bool> {
        // A call that was refused before it started has no arguments on record.
        if *recorded == BlobRef::of(b"") {
            return Ok(true);
        }
        let wanted = self.put(args)?;
        if *recorded == wanted {
            return Ok(true);
        }
        // Both sides as they are on disk, that is redacted alike.
        let read = |blob: &BlobRef| -> Result<Option<Value>> {
            Ok(serde_json::from_slice::<Value>(&self.recorder.get(blob)?).ok())
        };
        let (mut recorded, wanted) = (read(recorded)?, read(&wanted)?);
        if let Some(Value::Object(fields)) = &mut recorded {
            fields.shift_remove(BEFORE_KEY);
        }
        Ok(recorded.is_some() && recorded == wanted)
    }

    fn diverged(&self, recorded: String) -> Error {
        let wanted = format!("{} {}", self.tool, self.summary);
        Error::Diverged { call: self.call.clone(), wanted, recorded }
    }

    /// The recorded result was not written by this version of the program.
    pub(crate) fn unreadable(&self) -> Error {
        self.diverged("a result that cannot be read".to_owned())
    }

    /// The state before an interrupted command, if it is on record.
    pub(crate) fn before_of(&self, past: &ToolPast) -> Option<BlobRef> {
        let recorded = self.recorder.get(&past.args).ok()?;
        let recorded: Value = serde_json::from_slice(&recorded).ok()?;
        recorded.get(BEFORE_KEY)?.as_str()?.parse().ok()
    }

    /// Says that the effect is about to happen; `durable` before it may.
    pub(crate) fn called(&self, effect: Effect, args: &Value, durable: bool) -> Result<()> {
        let args = self.put(args)?;
        self.emit(ToolEvent::Called {
            call: self.call.clone(),
            tool: self.tool.clone(),
            effect,
            args,
            summary: self.summary.clone(),
        })?;
        if durable {
            self.recorder.sync()?;
        }
        Ok(())
    }

    /// Says that it is over.
    pub(crate) fn finished(&self, ok: bool, result: &impl Serialize, summary: &str) -> Result<()> {
        let result = self.put(result)?;
        self.emit(ToolEvent::Finished {
            call: self.call.clone(),
            tool: self.tool.clone(),
            ok,
            result,
            summary: one_line(summary),
            duration_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Says that a rule did not let it happen.
    pub(crate) fn refused(&self, reason: &str, result: &impl Serialize) -> Result<()> {
        let result = self.put(result)?;
        self.emit(ToolEvent::Refused {
            call: self.call.clone(),
            tool: self.tool.clone(),
            summary: self.summary.clone(),
            reason: shortened(reason, MAX_REASON_CHARS),
            result,
        })
    }

    fn put(&self, value: &impl Serialize) -> Result<BlobRef> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Error::Internal(format!("a tool's data is not JSON: {error}")))?;
        Ok(self.recorder.put(&bytes)?)
    }

    fn emit(&self, event: impl Into<EventKind>) -> Result<()> {
        self.recorder.emit(event.into())?;
        Ok(())
    }
}

/// The first line, shortened.
pub(crate) fn one_line(text: &str) -> String {
    shortened(text, MAX_SUMMARY_CHARS)
}

fn shortened(text: &str, max_chars: usize) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let mut short: String = line.chars().take(max_chars).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
