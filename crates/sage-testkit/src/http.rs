//! Just enough of HTTP/1.1 for a server of test doubles: requests with a length or in chunks, answers
//! whole or in chunks, kept-alive connections, and the ways in which a connection can go wrong.
//!
//! Everything read is bounded. Not here: TLS, pipelining, compression.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt::Linger};

const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// How long one write may block on a client that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// One request as it came over the wire.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `GET`, `POST`, in upper case.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// Names in lower case, in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The first header of that name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// One connection, from the server's side.
pub(crate) struct Connection {
    /// Its number in the server.
    pub(crate) id: usize,
    stream: TcpStream,
    unread: Vec<u8>,
    keep_alive: bool,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, id: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        Ok(Self { id, stream, unread: Vec::new(), keep_alive: true })
    }

    /// The next request, or nothing when the client is done or the connection is to be closed.
    pub(crate) fn next_request(&mut self) -> io::Result<Option<HttpRequest>> {
        if !self.keep_alive {
            return Ok(None);
        }
        let Some(head) = self.read_head()? else { return Ok(None) };
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default().to_ascii_uppercase();
        let target = words.next().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        if header(&headers, "expect").is_some() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = self.read_body(&headers)?;
        let request = HttpRequest { method, path, headers, body };
        self.keep_alive = !request.wants_close();
        Ok(Some(request))
    }

    fn read_head(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                let head = self.take(end + 4);
                return Ok(Some(String::from_utf8_lossy(&head[..end]).into_owned()));
            }
            if self.unread.len() > MAX_HEAD_BYTES {
                return Err(io::Error::other("the request's head is too long"));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn read_body(&mut self, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
        let chunked = header(headers, "transfer-encoding").is_some_and(|v| v.contains("chunked"));
        if chunked {
            return self.read_chunks();
        }
        let n_bytes =
            header(headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        self.read_exactly(n_bytes)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_end = loop {
                if let Some(at) = find(&self.unread, b"\r\n") {
                    break at;
                }
                self.fill_or_fail()?;
            };
            let line = self.take(line_end + 2);
            let line = String::from_utf8_lossy(&line[..line_end]).into_owned();
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| io::Error::other("a chunk without a size"))?;
            if body.len() + size > MAX_BODY_BYTES {
                return Err(io::Error::other("the request's body is too long"));
            }
            let chunk = self.read_exactly(size + 2)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn read_exactly(&mut self, n_bytes: usize) -> io::Result<Vec<u8>> {
        if n_bytes > MAX_BODY_BYTES {
            return Err(io::Error::other("the request's body is too long"));
        }
        while self.unread.len() < n_bytes {
            self.fill_or_fail()?;
        }
        Ok(self.take(n_bytes))
    }

    fn take(&mut self, n_bytes: usize) -> Vec<u8> {
        let rest = self.unread.split_off(n_bytes);
        std::mem::replace(&mut self.unread, rest)
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        if self.fill()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 16 * 1024];
        let n_bytes = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..n_bytes]);
        Ok(n_bytes > 0)
    }

    /// Sends a whole answer.
    pub(crate) fn respond(
        &mut self,
        status: u16,
        content_type: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> io::Result<()> {
        let length = ("content-length", body.len().to_string());
        let mut bytes = self.head(status, content_type, headers, &length);
        bytes.extend_from_slice(body);
        self.stream.write_all(&bytes)
    }

    /// Begins an answer in chunks.
    pub(crate) fn begin_chunks(&mut self, content_type: &str) -> io::Result<()> {
        let chunked = ("transfer-encoding", "chunked".to_owned());
        let head = self.head(200, content_type, &[], &chunked);
        self.stream.write_all(&head)
    }

    /// Sends one chunk.
    pub(crate) fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.stream.write_all(&framed)
    }

    /// Ends an answer in chunks.
    pub(crate) fn end_chunks(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }

    /// Keeps the connection open without a word until the client or the server ends it.
    pub(crate) fn hold(&mut self) {
        self.keep_alive = false;
        let mut ignored = [0; 1024];
        while self.stream.read(&mut ignored).is_ok_and(|n_bytes| n_bytes > 0) {}
    }

    /// Ends the connection with a reset instead of an orderly close.
    ///
    /// The caller must drop every other handle of the socket for the reset to be sent.
    pub(crate) fn reset(&mut self) {
        self.keep_alive = false;
        let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = setsockopt(&self.stream, Linger, &at_once);
    }

    /// Ends the connection in order, without finishing the answer.
    pub(crate) fn cut(&mut self) {
        self.keep_alive = false;
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn head(
        &self,
        status: u16,
        content_type: &str,
        headers: &[(&str, String)],
        length: &(&str, String),
    ) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        head.push_str(&format!("content-type: {content_type}\r\n{}: {}\r\n", length.0, length.1));
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(if self.keep_alive { "\r\n" } else { "connection: close\r\n\r\n" });
        head.into_bytes()
    }
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
