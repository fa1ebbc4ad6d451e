//! The session of a project: a name for the work that belongs together, kept over runs.
//!
//! `.sage/chat_sessions/active.json` points to it; a run carries its id in its metrics.
//! `SAGE_SESSION_ID` wins over the file.

use std::path::PathBuf;

use sage_core::SessionId;
use serde::{Deserialize, Serialize};

use crate::app::now_ms;
use crate::context::Context;
use crate::failure::Failure;
use crate::files;
use crate::history::utc_time;

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// The session.
    pub id: SessionId,
    /// When it began or was last used, RFC 3339 in UTC.
    pub updated: String,
}

fn file(cx: &Context) -> PathBuf {
    cx.sage("chat_sessions").join("active.json")
}

/// The session that the file points to, if there is one.
pub fn active(cx: &Context) -> Result<Option<Active>, Failure> {
    let path = file(cx);
    let Some(text) = files::read_if_exists(&path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Failure::config(format!("reading {}", path.display()))
            .because(error)
            .hint("`sage session reset` begins a new session")
    })
}

/// The session of this process: `SAGE_SESSION_ID`, else the project's.
pub fn current(cx: &Context) -> Result<Option<SessionId>, Failure> {
    match cx.env.get("SAGE_SESSION_ID") {
        Some(id) => SessionId::new(id)
            .map(Some)
            .map_err(|error| Failure::config("$SAGE_SESSION_ID").because(error)),
        None => Ok(active(cx)?.map(|active| active.id)),
    }
}

/// The session of this process; begins one when there is none.
pub fn current_or_new(cx: &Context) -> Result<SessionId, Failure> {
    match current(cx)? {
        Some(id) => Ok(id),
        None => Ok(begin(cx)?.id),
    }
}

/// Begins a new session.
pub fn begin(cx: &Context) -> Result<Active, Failure> {
    let now_ms = now_ms();
    // Sixteen hex digits, as in chat sessions of earlier versions: the time and some chance.
    let id = format!("{:012x}{:04x}", now_ms, fastrand::u16(..));
    let id = SessionId::new(id)
        .map_err(|error| Failure::internal(format!("naming a session: {error}")))?;
    let active = Active { id, updated: utc_time(now_ms).unwrap_or_default() };
    let text = serde_json::to_string_pretty(&active)
        .map_err(|error| Failure::internal(format!("writing a session: {error}")))?;
    files::write_whole(&file(cx), format!("{text}\n").as_bytes())?;
    Ok(active)
}
