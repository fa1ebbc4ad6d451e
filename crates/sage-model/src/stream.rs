//! Bodies cut into events while they arrive: server-sent events, JSON lines, or one JSON document.
//!
//! Pure: bytes go in, events come out. Invariant: no buffer grows past [`MAX_LINE_BYTES`] or
//! [`MAX_BODY_BYTES`], whatever the server sends. What an event means is the decoders' business.

use std::collections::VecDeque;

use crate::{Failure, Trouble};

/// The longest line, or event of several lines. A whole file in one tool call must fit.
pub(crate) const MAX_LINE_BYTES: usize = 8 << 20;
/// The longest body.
pub(crate) const MAX_BODY_BYTES: usize = 32 << 20;

/// What a provider says it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `text/event-stream`.
    Sse,
    /// One JSON object per line.
    JsonLines,
}

/// A piece of a body that can be read on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// One event of a stream.
    Event(String),
    /// The whole body, which turned out to be one JSON document.
    Document(String),
}

/// Cuts a body into pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    framing: Framing,
    form: Form,
    n_bytes: usize,
    /// Bytes of a line that has not ended yet; in [`Form::Document`] of the whole body.
    rest: Vec<u8>,
    /// Data lines of an event that has not ended yet.
    data: Vec<String>,
    n_data_bytes: usize,
    after_cr: bool,
    ready: VecDeque<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing but blanks so far.
    Unknown,
    Stream,
    Document,
}

impl Pieces {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            framing,
            form: Form::Unknown,
            n_bytes: 0,
            rest: Vec::new(),
            data: Vec::new(),
            n_data_bytes: 0,
            after_cr: false,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the body.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.n_bytes = self.n_bytes.saturating_add(bytes.len());
        if self.n_bytes > MAX_BODY_BYTES {
            return Err(too_big("the answer", MAX_BODY_BYTES));
        }
        let mut bytes = bytes;
        if self.form == Form::Unknown {
            bytes = self.look(bytes)?;
        }
        match self.form {
            Form::Unknown => Ok(()),
            Form::Document => {
                self.rest.extend_from_slice(bytes);
                Ok(())
            }
            Form::Stream => self.cut_lines(bytes),
        }
    }

    /// The next piece that is complete.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// The body has ended: what is left is a piece too, if it is anything.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        if self.form == Form::Document {
            let document = String::from_utf8_lossy(&self.rest).into_owned();
            self.rest = Vec::new();
            self.ready.push_back(Piece::Document(document));
            return Ok(());
        }
        let line = std::mem::take(&mut self.rest);
        if !line.is_empty() {
            self.line(&line)?;
        }
        self.dispatch();
        Ok(())
    }

    /// Decides by its first byte whether the body is a stream. Servers that do not stream answer a
    /// streaming request with one JSON document, and things that are no model answer with a page.
    fn look<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Failure> {
        const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let n_blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let bytes = &bytes[n_blank..];
        match (bytes.first(), self.framing) {
            (None, _) => {}
            (Some(b'<'), _) => {
                let problem = "what answered sent a web page instead of a completion";
                return Err(Failure::new(Trouble::Protocol, problem));
            }
            (Some(b'{' | b'['), Framing::Sse) => self.form = Form::Document,
            (Some(_), _) => self.form = Form::Stream,
        }
        Ok(bytes)
    }

    fn cut_lines(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            let (line, ended_by) = (&bytes[..end], bytes[end]);
            bytes = &bytes[end + 1..];
            // CR LF is one line end, also when it is split between two reads.
            if std::mem::take(&mut self.after_cr) && ended_by == b'\n' && line.is_empty() {
                continue;
            }
            self.after_cr = ended_by == b'\r';
            if self.rest.len() + line.len() > MAX_LINE_BYTES {
                return Err(too_big("a line of the answer", MAX_LINE_BYTES));
            }
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole)?;
            }
            if self.form == Form::Document {
                self.rest.extend_from_slice(bytes);
                return Ok(());
            }
        }
        if !bytes.is_empty() {
            self.after_cr = false;
        }
        if self.rest.len() + bytes.len() > MAX_LINE_BYTES {
            return Err(too_big("a line of the answer", MAX_LINE_BYTES));
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let line = String::from_utf8_lossy(line);
        if self.framing == Framing::JsonLines {
            self.json_line(&line);
            return Ok(());
        }
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        // Comments begin with ':'; event names, ids and retry hints carry nothing that the data does not.
        let Some(data) = line.strip_prefix("data") else { return Ok(()) };
        let data = match data.strip_prefix(':') {
            Some(data) => data.strip_prefix(' ').unwrap_or(data),
            None if data.is_empty() => "",
            None => return Ok(()),
        };
        self.n_data_bytes += data.len() + 1;
        if self.n_data_bytes > MAX_LINE_BYTES {
            return Err(too_big("an event of the answer", MAX_LINE_BYTES));
        }
        self.data.push(data.to_owned());
        Ok(())
    }

    fn json_line(&mut self, line: &str) {
        let is_first = self.ready.is_empty() && self.n_data_bytes == 0;
        self.n_data_bytes += line.len();
        if line.trim().is_empty() {
            return;
        }
        // A first line that opens an object and does not close it begins a document over many lines.
        if is_first && line.trim_start().starts_with('{') && !is_json(line) {
            self.form = Form::Document;
            self.rest = format!("{line}\n").into_bytes();
        } else {
            self.ready.push_back(Piece::Event(line.to_owned()));
        }
    }

    fn dispatch(&mut self) {
        let lines = std::mem::take(&mut self.data);
        self.n_data_bytes = 0;
        if lines.is_empty() {
            return;
        }
        let joined = lines.join("\n");
        // Some servers forget the blank line between events; each data line is then an event.
        if lines.len() > 1 && !is_json(&joined) && lines.iter().all(|l| l == "[DONE]" || is_json(l))
        {
            self.ready.extend(lines.into_iter().map(Piece::Event));
        } else if !joined.trim().is_empty() {
            self.ready.push_back(Piece::Event(joined));
        }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

pub(crate) fn too_big(what: &str, max_bytes: usize) -> Failure {
    Failure::new(Trouble::TooBig, format!("{what} is longer than {max_bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `body` in chunks of every size and expects the same pieces each time.
    fn check(framing: Framing, body: &str, expected: &[&str]) {
        for size in 1..=body.len() {
            let mut pieces = Pieces::new(framing);
            for chunk in body.as_bytes().chunks(size) {
                pieces.push(chunk).unwrap();
            }
            pieces.end().unwrap();
            let found: Vec<String> = std::iter::from_fn(|| pieces.next())
                .map(|piece| match piece {
                    Piece::Event(text) => text,
                    Piece::Document(text) => format!("document {text}"),
                })
                .collect();
            assert_eq!(found, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn server_sent_events_are_cut_in_every_spelling() {
        check(Framing::Sse, "data: {\"a\":1}\n\ndata: [DONE]\n\n", &["{\"a\":1}", "[DONE]"]);
        check(Framing::Sse, "data:1\r\n\r\ndata:2\r\n\r\n", &["1", "2"]);
        check(Framing::Sse, "data: 1\r\rdata: 2\r\r", &["1", "2"]);
        check(Framing::Sse, ": ping\n\nevent: x\nid: 7\nretry: 1\ndata: 1\n\n", &["1"]);
        check(Framing::Sse, "data: {\ndata: \"a\": 1}\n\n", &["{\n\"a\": 1}"]);
        check(Framing::Sse, "data: 1\ndata: 2\ndata: [DONE]", &["1", "2", "[DONE]"]);
        check(Framing::Sse, "data: {\"a\":\"é\u{1F600}\"}", &["{\"a\":\"é\u{1F600}\"}"]);
        check(Framing::Sse, "garbage\n\ndata\n\ndatabase: 1\n\n", &[]);
        check(Framing::Sse, "\n {\"a\":\n1}\n", &["document {\"a\":\n1}\n"]);
    }

    #[test]
    fn json_lines_are_cut_and_a_document_over_lines_is_recognised() {
        check(Framing::JsonLines, "{\"a\":1}\n\n{\"b\":2}\r\n", &["{\"a\":1}", "{\"b\":2}"]);
        check(Framing::JsonLines, "{\"a\":1}\n{\"b\"", &["{\"a\":1}", "{\"b\""]);
        check(Framing::JsonLines, "{\n \"a\": 1\n}\n", &["document {\n \"a\": 1\n}\n"]);
    }

    #[test]
    fn pages_and_endless_lines_are_refused() {
        let mut pieces = Pieces::new(Framing::Sse);
        assert_eq!(pieces.push(b" <html>").unwrap_err().trouble, Trouble::Protocol);
        let chunk = vec![b'x'; 1 << 20];
        let mut pieces = Pieces::new(Framing::Sse);
        let refused = (0..64).find_map(|_| pieces.push(&chunk).err()).unwrap();
        assert_eq!(refused.trouble, Trouble::TooBig);
        let mut pieces = Pieces::new(Framing::Sse);
        let line = [b"data: ".as_slice(), &chunk, b"\n"].concat();
        let refused = (0..64).find_map(|_| pieces.push(&line).err()).unwrap();
        assert_eq!(refused.trouble, Trouble::TooBig);
        let mut pieces = Pieces::new(Framing::Sse);
        pieces.push(b"{").unwrap();
        assert!((0..64).any(|_| pieces.push(&chunk).is_err()));
    }
}
