//! A server of canned bytes on loopback: exact control over what is sent, when it stalls and how it ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// What the server does with one request.
#[derive(Clone)]
pub enum Act {
    /// Sends bytes and goes on.
    Send(Vec<u8>),
    /// Does nothing for a while.
    Stall(Duration),
    /// Closes the connection in order.
    Close,
    /// Breaks the connection. Must be the last act, and `Abort` the first.
    Reset,
    /// Leaves the request's body unread, so that closing resets the connection.
    Abort,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub headers: String,
    pub body: Value,
}

/// A running server; it lives as long as the test process.
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    n_connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Answers the n-th request with the n-th list of acts, and every later one with the last.
    pub fn start(answers: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let n_connections = Arc::new(Mutex::new(0));
        let answers = Arc::new((Mutex::new(0_usize), answers));
        let (seen, connected) = (Arc::clone(&requests), Arc::clone(&n_connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                *connected.lock().unwrap() += 1;
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &answers, &seen));
            }
        });
        Self { port, requests, n_connections }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn n_requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub fn n_connections(&self) -> usize {
        *self.n_connections.lock().unwrap()
    }
}

type Answers = (Mutex<usize>, Vec<Vec<Act>>);

fn serve(mut stream: TcpStream, answers: &Answers, seen: &Mutex<Vec<Request>>) {
    loop {
        let Some(head) = read_head(&mut stream) else { return };
        let acts = {
            let mut next = answers.0.lock().unwrap();
            let acts = answers.1.get(*next).or_else(|| answers.1.last()).cloned();
            *next += 1;
            acts.unwrap_or_default()
        };
        let (line, headers) = head.split_once("\r\n").unwrap_or((head.as_str(), ""));
        let length = headers
            .lines()
            .find_map(|header| {
                header.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            })
            .unwrap_or(0);
        let mut body = Vec::new();
        if !matches!(acts.first(), Some(Act::Abort)) {
            body = vec![0; length];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
        }
        seen.lock().unwrap().push(Request {
            line: line.to_owned(),
            headers: headers.to_owned(),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        });
        for act in acts {
            match act {
                Act::Send(bytes) => {
                    if stream.write_all(&bytes).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                }
                Act::Stall(time) => std::thread::sleep(time),
                Act::Close | Act::Reset => return,
                Act::Abort => {}
            }
        }
    }
}

/// Reads up to the empty line, byte by byte, so that the body stays where it is.
fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 || head.len() > 65_536 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// A whole response with a length, on a connection that stays open.
pub fn response(status: &str, headers: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    vec![Act::Send(format!("{head}{body}").into_bytes())]
}

pub fn json(status: &str, body: &Value) -> Vec<Act> {
    response(status, "Content-Type: application/json\r\n", &body.to_string())
}

/// The head of a stream whose end is the end of the connection.
pub fn stream_head() -> Act {
    Act::Send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n".to_vec(),
    )
}

/// A whole stream of bytes, in chunked encoding, on a connection that stays open.
pub fn chunked(body: &str) -> Vec<Act> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.as_bytes().chunks(7) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    vec![Act::Send(bytes)]
}

pub fn send(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// A chat completion stream that says `text` and ends as it should.
pub fn says(text: &str) -> Vec<Act> {
    chunked(&completion(text))
}

pub fn completion(text: &str) -> String {
    let event = |value: Value| format!("data: {value}\n\n");
    event(
        serde_json::json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]}),
    ) + &event(serde_json::json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        + &event(
            serde_json::json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3}}),
        )
        + "data: [DONE]\n\n"
}
