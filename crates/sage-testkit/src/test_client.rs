//! A client that is independent of the server's own reading and writing, for this crate's tests.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An answer as read until its end, or until something went wrong.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// What ended the reading before its time.
    pub broken: Option<io::ErrorKind>,
}

/// A connection that is kept alive.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(base_url: &str) -> Self {
        let rest = base_url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(rest.split('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str, headers: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut answer =
            Answer { status: 0, head: String::new(), body: String::new(), broken: None };
        if let Err(error) = self.read(&mut answer) {
            answer.broken = Some(error.kind());
        }
        answer
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string(), "")
    }

    fn read(&mut self, answer: &mut Answer) -> io::Result<()> {
        let mut length = 0;
        let mut chunked = false;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let lower = line.to_ascii_lowercase();
            if answer.head.is_empty() {
                answer.status = line.split(' ').nth(1).unwrap().parse().unwrap();
            }
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            chunked |= lower.starts_with("transfer-encoding: chunked");
            answer.head.push_str(&lower);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = Vec::new();
        let result = if chunked {
            self.read_chunks(&mut body)
        } else {
            body.resize(length, 0);
            self.stream.read_exact(&mut body)
        };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        result
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(());
            }
        }
    }
}

impl Answer {
    /// The JSON behind each `data:` line.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").map(|d| serde_json::from_str(d).unwrap()).collect()
    }

    /// The JSON on each line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
