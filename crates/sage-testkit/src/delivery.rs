//! Sends an answer that is already in a provider's wire format, with whatever goes wrong on the way.
//!
//! Providers differ in the frames; how frames get lost, late or broken is the same for all.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::http::Connection;
use crate::reply::Reply;
use crate::seen::SeenRequest;
use crate::server::Shared;

/// What a frame of a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Says that an answer begins.
    Head,
    /// A piece of text or of a tool call.
    Body,
    /// Says why the answer ended.
    Finish,
    /// Figures.
    Usage,
    /// Says that the stream ended.
    End,
}

/// One frame: an event of a stream, or a line.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub part: Part,
    pub bytes: Vec<u8>,
}

/// A provider's wire format.
pub(crate) trait Format {
    /// The content type of a stream.
    fn stream_type(&self) -> &'static str;
    /// The answer as a stream.
    fn frames(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Vec<Frame>;
    /// The answer in one piece.
    fn whole(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Value;
    /// Frames that are well-formed and hold no answer.
    fn empty_frames(&self) -> Vec<Frame>;
    /// One piece that is well-formed and holds no answer.
    fn empty_whole(&self) -> Value;
    /// A line that begins like a frame and goes on with `filler`.
    fn giant_line(&self, filler: &str) -> String;
    /// The body of an HTTP error.
    fn error(&self, status: u16, message: &str) -> Value;
    /// An error in the middle of a stream.
    fn error_frame(&self, message: &str) -> Vec<u8>;
}

/// Answers one model call.
pub(crate) fn deliver(
    server: &Shared,
    connection: &mut Connection,
    format: &dyn Format,
    request: &SeenRequest,
    mut reply: Reply,
    fault: Option<Fault>,
) -> io::Result<()> {
    server.pause(reply.delay);
    if !request.stream {
        server.end_call(request.index);
    }
    match &fault {
        Some(Fault::Silent) => {
            connection.hold();
            return Ok(());
        }
        Some(Fault::Reset) => return reset(server, connection),
        Some(Fault::Status(status)) => return refuse(connection, format, *status, &[]),
        Some(Fault::RetryAfter(seconds)) => {
            let header = ("retry-after", seconds.to_string());
            return refuse(connection, format, 429, &[header]);
        }
        Some(Fault::RetryAfterDate(ahead)) => {
            let header = ("retry-after", http_date(SystemTime::now() + *ahead));
            return refuse(connection, format, 429, &[header]);
        }
        Some(Fault::Html) => return connection.respond(200, "text/html", &[], WEB_PAGE),
        Some(Fault::EmptyMessage) => {
            reply.text.clear();
            reply.tool_calls.clear();
        }
        Some(Fault::UnknownFinish) => reply.finish = Some("banana".to_owned()),
        _ => {}
    }
    if request.stream && fault != Some(Fault::JsonInsteadOfStream) {
        stream(server, connection, format, request, &reply, fault.as_ref())
    } else {
        whole(connection, format, request, &reply, fault.as_ref())
    }
}

fn whole(
    connection: &mut Connection,
    format: &dyn Format,
    request: &SeenRequest,
    reply: &Reply,
    fault: Option<&Fault>,
) -> io::Result<()> {
    let body = match fault {
        Some(Fault::Garbage) => GARBAGE.as_bytes().to_vec(),
        Some(Fault::EmptyChoices) => format.empty_whole().to_string().into_bytes(),
        Some(Fault::GiantLine(n_bytes)) => vec![b'['; *n_bytes],
        _ => format.whole(request, reply, fault).to_string().into_bytes(),
    };
    connection.respond(200, "application/json", &[], &body)
}

fn stream(
    server: &Shared,
    connection: &mut Connection,
    format: &dyn Format,
    request: &SeenRequest,
    reply: &Reply,
    fault: Option<&Fault>,
) -> io::Result<()> {
    connection.begin_chunks(format.stream_type())?;
    let mut frames = match fault {
        Some(Fault::EmptyChoices) => format.empty_frames(),
        Some(Fault::Garbage) => vec![Frame { part: Part::Body, bytes: GARBAGE.into() }],
        Some(Fault::GiantLine(n_bytes)) => {
            return send_giant_line(connection, &format.giant_line(""), *n_bytes);
        }
        _ => format.frames(request, reply, fault),
    };
    let n_body = frames.iter().filter(|frame| frame.part == Part::Body).count();
    let first_body = frames.iter().position(|frame| frame.part == Part::Body);
    let first_body = first_body.unwrap_or(frames.len().saturating_sub(1));
    // The middle of the answer: at least one piece, at most half of them.
    let middle = first_body + 1 + n_body.saturating_sub(1) / 2;
    match fault {
        Some(Fault::SilentAfterFirstToken) => frames.truncate(first_body + 1),
        Some(
            Fault::ResetMidStream | Fault::CutMidStream | Fault::Truncated | Fault::ErrorMidStream,
        ) => frames.truncate(middle),
        Some(Fault::NoEndMark) => frames.retain(|frame| frame.part != Part::End),
        Some(Fault::NoUsage) => frames.retain(|frame| frame.part != Part::Usage),
        _ => {}
    }
    for (position, frame) in frames.iter().enumerate() {
        if let Some(Fault::SlowDrip(pause)) = fault {
            server.pause(*pause);
        }
        if position + 1 == frames.len() {
            server.end_call(request.index);
        }
        // Real streams do not respect frame boundaries: every third frame comes in two pieces.
        let cut = if position % 3 == 2 { frame.bytes.len() / 2 } else { 0 };
        connection.chunk(&frame.bytes[..cut])?;
        connection.chunk(&frame.bytes[cut..])?;
    }
    match fault {
        Some(Fault::SilentAfterFirstToken) => {
            connection.hold();
            Ok(())
        }
        Some(Fault::ResetMidStream) => {
            // What was sent must arrive: a reset discards what the client has not been given yet.
            server.pause(Duration::from_millis(30));
            reset(server, connection)
        }
        Some(Fault::CutMidStream) => {
            connection.cut();
            Ok(())
        }
        Some(Fault::ErrorMidStream) => {
            connection.chunk(&format.error_frame("the engine crashed"))?;
            connection.end_chunks()
        }
        _ => connection.end_chunks(),
    }
}

fn send_giant_line(connection: &mut Connection, begin: &str, n_bytes: usize) -> io::Result<()> {
    connection.chunk(begin.as_bytes())?;
    let piece = [b'x'; 64 * 1024];
    let mut left = n_bytes;
    while left > 0 {
        let n_now = left.min(piece.len());
        connection.chunk(&piece[..n_now])?;
        left -= n_now;
    }
    connection.end_chunks()
}

fn reset(server: &Shared, connection: &mut Connection) -> io::Result<()> {
    server.release(connection.id);
    connection.reset();
    Err(io::ErrorKind::ConnectionReset.into())
}

pub(crate) fn refuse(
    connection: &mut Connection,
    format: &dyn Format,
    status: u16,
    headers: &[(&str, String)],
) -> io::Result<()> {
    let message = match status {
        401 => "Incorrect API key provided",
        404 => "The model does not exist or you do not have access to it",
        429 => "Rate limit reached",
        _ => "The server had an error while processing your request",
    };
    let body = format.error(status, message).to_string();
    connection.respond(status, "application/json", headers, body.as_bytes())
}

/// Splits a text into pieces as models write them: several, none in the middle of a character.
pub(crate) fn pieces(text: &str) -> Vec<String> {
    const MIN_CHARS: usize = 4;
    const MAX_PIECES: usize = 24;
    let chars: Vec<char> = text.chars().collect();
    let size = chars.len().div_ceil(MAX_PIECES).max(MIN_CHARS);
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

/// The arguments of a tool call as JSON where they are, as text where they are not.
pub(crate) fn arguments_value(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments))
}

const WEB_PAGE: &[u8] =
    b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n";

const GARBAGE: &str = "data: {\"choices\": [{\"delta\":\n\n{{{{ not json at all\n\ndata: <<<>>>\n\n\
                       event: ?\ndata: {\"a\": \u{fffd}}\n\n";

/// A time as `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let (mut year, mut left) = (1970, days);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let names =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let day = left + 1;
    format!("{weekday}, {day:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", names[month])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_standard() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(http_date(at(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(at(951_782_400)), "Tue, 29 Feb 2000 00:00:00 GMT");
    }

    #[test]
    fn pieces_join_to_the_text() {
        for text in ["", "é", "one two three four", &"ü line\n".repeat(600)] {
            assert_eq!(pieces(text).concat(), text);
        }
    }
}
