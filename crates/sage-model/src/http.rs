//! Requests to a provider: one connection pool, phase by phase time limits, bounded bodies, and failures
//! sorted by what can be done about them.
//!
//! Invariants: the key goes to the configured host only (redirects are not followed); no message holds a
//! key or a url beyond scheme, host and port; nothing here waits without a limit.

mod client;
mod refusal;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::endpoint::Endpoint;
use crate::stream::{Framing, Piece, Pieces, too_big};
use crate::{Failure, Trouble};

use client::{build_client, is_timed_out, root_cause};
pub(crate) use refusal::{QUOTA, explain_json, is_too_long};
use refusal::{explain, sort_status, wish};

/// The longest error body that is read.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
/// A header value shorter than this is no secret, and replacing it would garble every message.
const MIN_SECRET_BYTES: usize = 6;
/// How long the body of an error may take.
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(5);
/// How long a stream is listened to after its answer is complete, for the figures that may follow.
const AFTER_FINISH_LIMIT: Duration = Duration::from_secs(5);
/// How long the end of a finished stream is waited for, so that its connection can be used again.
const DRAIN_LIMIT: Duration = Duration::from_millis(100);

/// Time limits of one model call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallTimeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// From sending the request to the first token.
    pub first_token: Duration,
    /// Between two events of a stream after its first token.
    pub silence: Duration,
    /// The whole call: queueing, retries and fallback included.
    pub whole: Duration,
}

impl CallTimeouts {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(10),
        first_token: Duration::from_secs(120),
        silence: Duration::from_secs(60),
        whole: Duration::from_secs(600),
    };
}

/// The time limits of one try and what they are counted from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocked {
    pub limits: CallTimeouts,
    /// When the whole call has to be over.
    pub deadline: Instant,
    /// Milliseconds since the Unix epoch, for dates that a provider names.
    pub now_ms: u64,
}

/// What an event meant to a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that a reader would see.
    Quiet,
    /// The model wrote something.
    Token,
    /// The stream says that it is over.
    Done,
}

/// Makes sense of the pieces of one answer.
pub(crate) trait Decoder: Send {
    /// Takes one event; `say` passes live text on.
    fn event(&mut self, data: &str, say: &mut (dyn FnMut(&str) + Send)) -> Result<Step, Failure>;

    /// Takes an answer that came as one document.
    fn document(&mut self, body: &Value, say: &mut (dyn FnMut(&str) + Send))
    -> Result<(), Failure>;

    /// Whether the answer is complete, whatever the stream may still say.
    fn is_complete(&self) -> bool;
}

/// An endpoint with its headers and connection pool.
pub(crate) struct Http {
    endpoint: Endpoint,
    headers: HeaderMap,
    /// Values that no message may hold.
    secrets: Vec<String>,
    client: Mutex<Option<(Duration, Client)>>,
}

/// Why a request was not answered with success.
pub(crate) struct Refused {
    pub failure: Failure,
    /// The status, if there was an answer.
    pub status: Option<u16>,
    /// What the provider said about it, one line.
    pub said: String,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, status: None, said: String::new() }
    }
}

impl Http {
    pub(crate) fn new(endpoint: Endpoint, headers: Vec<(HeaderName, HeaderValue)>) -> Self {
        let secrets = headers
            .iter()
            .filter(|(_, value)| value.is_sensitive())
            .filter_map(|(_, value)| value.to_str().ok())
            .map(|value| value.trim_start_matches("Bearer ").to_owned())
            .filter(|value| value.len() >= MIN_SECRET_BYTES)
            .collect();
        let headers = headers.into_iter().collect();
        Self { endpoint, headers, secrets, client: Mutex::new(None) }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a JSON body and returns the response once its status is known to be a success.
    pub(crate) async fn post(
        &self,
        path: &[&str],
        body: &Value,
        clocked: &Clocked,
        first_token_by: Instant,
    ) -> Result<Response, Refused> {
        let request = self.client(clocked.limits.connect)?.post(self.endpoint.join(path));
        self.send(request.json(body), path, clocked, first_token_by).await
    }

    /// Fetches a JSON document.
    pub(crate) async fn get(&self, path: &[&str], clocked: &Clocked) -> Result<Value, Refused> {
        let by = clocked.deadline;
        let request = self.client(clocked.limits.connect)?.get(self.endpoint.join(path));
        let response = self.send(request, path, clocked, by).await?;
        let body = self.body(response, crate::stream::MAX_BODY_BYTES, by).await?;
        serde_json::from_str(&body).map_err(|_| {
            let problem = "what answered does not speak the protocol: its answer is not JSON";
            Failure::new(Trouble::Protocol, problem).into()
        })
    }

    async fn send(
        &self,
        request: RequestBuilder,
        path: &[&str],
        clocked: &Clocked,
        by: Instant,
    ) -> Result<Response, Refused> {
        let by = by.min(clocked.deadline);
        let sent = timeout_at(by, request.headers(self.headers.clone()).send()).await;
        let response = match sent {
            Err(_) => return Err(late(by, clocked, Trouble::NoFirstToken).into()),
            Ok(Err(error)) => return Err(self.sort(error).into()),
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(response, path, clocked).await)
    }

    /// Reads a whole stream into `decoder`. Returns when the first token came.
    ///
    /// Success means that the answer is complete; a stream that ends before that is
    /// [`Trouble::Broken`].
    pub(crate) async fn read(
        &self,
        mut response: Response,
        framing: Framing,
        decoder: &mut dyn Decoder,
        say: &mut (dyn FnMut(&str) + Send),
        clocked: &Clocked,
        first_token_by: Instant,
    ) -> Result<Option<Instant>, Failure> {
        let mut pieces = Pieces::new(framing);
        let mut first_token = None;
        let mut wait_until = first_token_by;
        loop {
            let (by, trouble) = match first_token {
                _ if decoder.is_complete() => (wait_until, Trouble::Silent),
                None => (wait_until, Trouble::NoFirstToken),
                Some(_) => (wait_until, Trouble::Silent),
            };
            let by = by.min(clocked.deadline);
            let ended = match timeout_at(by, response.chunk()).await {
                // What is complete stays complete, however its stream ends.
                Err(_) | Ok(Err(_)) if decoder.is_complete() => return Ok(first_token),
                Err(_) => return Err(late(by, clocked, trouble)),
                Ok(Err(error)) => return Err(self.sort(error)),
                Ok(Ok(Some(bytes))) => {
                    pieces.push(&bytes)?;
                    false
                }
                Ok(Ok(None)) => {
                    pieces.end()?;
                    true
                }
            };
            while let Some(piece) = pieces.next() {
                let step = match piece {
                    Piece::Event(data) => decoder.event(&data, say).map_err(|f| self.clean(f))?,
                    Piece::Document(body) => {
                        let body = serde_json::from_str(&body)
                            .map_err(|_| broken("the answer is not a complete JSON document"))?;
                        decoder.document(&body, say).map_err(|f| self.clean(f))?;
                        Step::Quiet
                    }
                };
                let now = Instant::now();
                if step == Step::Token && first_token.is_none() {
                    first_token = Some(now);
                }
                if first_token.is_some() {
                    wait_until = now + clocked.limits.silence;
                }
                if decoder.is_complete() {
                    wait_until = now + clocked.limits.silence.min(AFTER_FINISH_LIMIT);
                }
                if step == Step::Done {
                    drain(response).await;
                    return Ok(first_token);
                }
            }
            if ended {
                return if decoder.is_complete() {
                    Ok(first_token)
                } else {
                    Err(broken("the stream ended before the answer was complete"))
                };
            }
        }
    }

    /// The client, made at its first use: for https that loads the system's certificates.
    fn client(&self, connect: Duration) -> Result<Client, Failure> {
        let mut held = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = held.as_ref().filter(|(limit, _)| *limit == connect) {
            return Ok(client.clone());
        }
        let client = build_client(&self.endpoint, connect)
            .map_err(|why| Failure::new(Trouble::Refused, format!("no HTTP client: {why}")))?;
        *held = Some((connect, client.clone()));
        Ok(client)
    }

    /// A transport error as a failure.
    fn sort(&self, error: reqwest::Error) -> Failure {
        let host = self.endpoint.shown();
        let cause = root_cause(&error);
        let failure = if error.is_connect() && (error.is_timeout() || is_timed_out(&error)) {
            Failure::new(Trouble::ConnectTimeout, format!("no connection to {host} in time"))
        } else if error.is_connect() {
            Failure::new(Trouble::Refused, format!("no connection to {host}: {cause}"))
        } else if error.is_builder() {
            Failure::new(Trouble::Rejected, format!("the request cannot be sent: {cause}"))
        } else {
            broken(&format!("the connection to {host} broke: {cause}"))
        };
        self.clean(failure)
    }

    async fn refused(&self, response: Response, path: &[&str], clocked: &Clocked) -> Refused {
        let status = response.status();
        let wait = wish(response.headers(), clocked.now_ms);
        if status.is_redirection() {
            let problem = format!("{} redirects elsewhere (HTTP {status})", self.endpoint.shown());
            return Failure::new(Trouble::Protocol, problem).into();
        }
        let by = clocked.deadline.min(Instant::now() + ERROR_BODY_LIMIT);
        // The status alone says enough when the body cannot be had.
        let body = self.body(response, MAX_ERROR_BODY_BYTES, by).await.unwrap_or_default();
        let (said, code) = explain(&body);
        let said = self.redact(&said);
        let trouble = sort_status(status, &said, &code);
        let mut message = format!("HTTP {}", status.as_u16());
        if let Some(reason) = status.canonical_reason() {
            message.push_str(&format!(" {reason}"));
        }
        message.push_str(&format!(" from {}/{}", self.endpoint.shown(), path.join("/")));
        if !said.is_empty() {
            message.push_str(&format!(": {said}"));
        }
        let failure = Failure { retry_after: wait, ..Failure::new(trouble, message) };
        Refused { failure, status: Some(status.as_u16()), said }
    }

    async fn body(
        &self,
        mut response: Response,
        max: usize,
        by: Instant,
    ) -> Result<String, Failure> {
        let mut body = Vec::new();
        loop {
            match timeout_at(by, response.chunk()).await {
                Err(_) => return Err(Failure::new(Trouble::Silent, "the answer took too long")),
                Ok(Err(error)) => return Err(self.sort(error)),
                Ok(Ok(None)) => return Ok(String::from_utf8_lossy(&body).into_owned()),
                Ok(Ok(Some(bytes))) if body.len() + bytes.len() > max => {
                    return Err(too_big("the answer", max));
                }
                Ok(Ok(Some(bytes))) => body.extend_from_slice(&bytes),
            }
        }
    }

    fn clean(&self, failure: Failure) -> Failure {
        Failure { message: self.redact(&failure.message), ..failure }
    }

    /// `text` without the key: some providers repeat it when they refuse it.
    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "[redacted]");
        }
        text
    }
}

fn broken(message: &str) -> Failure {
    Failure::new(Trouble::Broken, message)
}

/// The failure of a wait that ended at `by`.
fn late(by: Instant, clocked: &Clocked, trouble: Trouble) -> Failure {
    let seconds = |limit: Duration| limit.as_secs_f64();
    if by >= clocked.deadline {
        let limit = seconds(clocked.limits.whole);
        return Failure::new(Trouble::Deadline, format!("the whole call took over {limit} s"));
    }
    match trouble {
        Trouble::Silent => {
            let limit = seconds(clocked.limits.silence);
            Failure::new(trouble, format!("the stream fell silent for {limit} s"))
        }
        _ => {
            let limit = seconds(clocked.limits.first_token);
            Failure::new(Trouble::NoFirstToken, format!("no first token within {limit} s"))
        }
    }
}

async fn drain(mut response: Response) {
    let by = Instant::now() + DRAIN_LIMIT;
    while let Ok(Ok(Some(_))) = timeout_at(by, response.chunk()).await {}
}
