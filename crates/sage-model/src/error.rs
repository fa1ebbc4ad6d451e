//! What can go wrong between the program and a model, told apart by who can do something about it.
//!
//! A [`Failure`] is one try that failed and may be followed by another; an [`Error`] is what the caller
//! gets when nothing is left to try. Neither ever holds a key: urls are reduced to scheme, host and port.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sage_core::{AgentRole, CallId, ErrorKind, NodeId, RecordError};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no answer, or no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `models.yaml`, or a script of answers, says something that cannot be.
    #[error("{}", at_line(.path, *.line, .key, .problem))]
    Config {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 when the file as a whole is meant.
        line: u64,
        /// The dotted key, such as `routing.coder.primary`; empty for the file itself.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A trigger is not of the trigger language.
    #[error("trigger {text:?}: {problem}")]
    Trigger {
        /// The trigger as written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A role, profile, provider or model was asked for that the configuration does not have.
    #[error("unknown {what} {found:?}{}", .nearest.as_ref().map(|n| format!("; did you mean {n:?}?")).unwrap_or_default())]
    Unknown {
        /// What sort of name: `profile`, `provider`, `role`.
        what: &'static str,
        /// The name.
        found: String,
        /// The known name closest to it, if one is close.
        nearest: Option<String>,
    },
    /// A value handed in from outside `models.yaml` (a base url, a limit) cannot be used.
    #[error("{what}: {problem}")]
    Setting {
        /// What was set.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No model gave an answer.
    #[error("no model answered for {role}: {}", list(.tried))]
    NoAnswer {
        /// The role that was asked.
        role: AgentRole,
        /// The last failure of each model that was tried or passed over, in order.
        tried: Vec<Tried>,
    },
    /// The next call does not fit into what a budget has left.
    #[error("{}: {}", budget_name(.limit, .node.as_ref()), budget_state(.limit, *.used, *.allowed, *.needed))]
    Budget {
        /// The node whose budget it is; absent for the run's own.
        node: Option<NodeId>,
        /// `calls`, `turns`, `tokens`, `usd` or `time_s`.
        limit: &'static str,
        /// What was used, reservations of calls under way included.
        used: f64,
        /// What the limit allows.
        allowed: f64,
        /// What the next call could need at most.
        needed: f64,
    },
    /// A budget in money was set, but nobody knows what the model costs.
    #[error("{model} of {provider} has no price, so a limit of ${allowed:.2} cannot be kept")]
    PriceUnknown {
        /// The model.
        model: String,
        /// Its provider.
        provider: String,
        /// The limit in US dollars.
        allowed: f64,
    },
    /// The record of an earlier process has another request under the same call.
    #[error("call {call} is not the one that was recorded: {reason}")]
    Diverged {
        /// The call.
        call: CallId,
        /// What differs.
        reason: String,
    },
    /// A replay asked for a call that the recorded run never made.
    #[error("call {call} was not made in the recorded run")]
    NotRecorded {
        /// The call.
        call: CallId,
    },
    /// The recorded run's own failure, told again by a replay.
    #[error("{message}")]
    Replayed {
        /// What sort of failure it was.
        kind: ErrorKind,
        /// Its text.
        message: String,
    },
    /// The log could not be written or read.
    #[error("recording a model call")]
    Record(#[from] RecordError),
    /// A recorded request or answer is not of the form that this version writes.
    #[error("reading the recorded {what} of call {call}")]
    BadRecord {
        /// `request` or `response`.
        what: &'static str,
        /// The call.
        call: CallId,
        /// The cause.
        source: serde_json::Error,
    },
}

impl Error {
    /// Who can do something about it.
    ///
    /// [`Error::NoAnswer`] is [`ErrorKind::ModelAnswer`] when some model was reached and answered with
    /// nothing usable, else [`ErrorKind::ModelUnavailable`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. }
            | Self::Trigger { .. }
            | Self::Setting { .. }
            | Self::PriceUnknown { .. } => ErrorKind::Config,
            Self::Unknown { .. } => ErrorKind::Usage,
            Self::NoAnswer { tried, .. } => {
                if tried.iter().any(|tried| tried.trouble.was_reached()) {
                    ErrorKind::ModelAnswer
                } else {
                    ErrorKind::ModelUnavailable
                }
            }
            Self::Budget { .. } => ErrorKind::Budget,
            Self::NotRecorded { .. } => ErrorKind::ModelUnavailable,
            Self::Diverged { .. } | Self::BadRecord { .. } => ErrorKind::Internal,
            Self::Replayed { kind, .. } => *kind,
            Self::Record(error) => error.kind(),
        }
    }

    /// Whether the conversation was longer than what some model that was tried can take.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        match self {
            Self::NoAnswer { tried, .. } => {
                tried.iter().any(|tried| tried.trouble == Trouble::TooLong)
            }
            Self::Replayed { message, .. } => crate::http::is_too_long(message, ""),
            _ => false,
        }
    }
}

/// One model that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The model.
    pub model: String,
    /// Its provider.
    pub provider: String,
    /// Scheme, host and port of its endpoint; empty for a scripted one.
    pub endpoint: String,
    /// What sort of failure ended it.
    pub trouble: Trouble,
    /// The failure in words.
    pub error: String,
    /// Requests that were made; 0 when it was passed over.
    pub n_tries: u32,
}

/// What went wrong with one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No connection: refused, unknown host, failed TLS handshake.
    Refused,
    /// No connection within the limit.
    ConnectTimeout,
    /// Connected, but no first token within the limit.
    NoFirstToken,
    /// The stream fell silent after its first token.
    Silent,
    /// The whole call took too long.
    Deadline,
    /// The provider is overloaded, limits the rate, or has a fault: 408, 409, 429, 5xx.
    Overloaded,
    /// The account has nothing left to spend.
    Quota,
    /// 401 or 403, or no key to send.
    Unauthorised,
    /// The provider does not have the model (404).
    ModelMissing,
    /// The request was refused (other 4xx).
    Rejected,
    /// The conversation is longer than the model can take.
    TooLong,
    /// The answer broke off, or something in it could not be read.
    Broken,
    /// What answered does not speak the protocol: an HTML page, a redirect.
    Protocol,
    /// The answer exceeds a bound.
    TooBig,
    /// The answer holds neither text nor a tool call.
    Empty,
    /// The provider held the answer back.
    Withheld,
    /// The script has no reply for this.
    Unscripted,
    /// Recent failures opened the provider's circuit.
    CircuitOpen,
}

impl Trouble {
    /// Whether the same request may succeed when it is sent to the same model again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Refused | Self::Overloaded | Self::Broken | Self::Empty)
    }

    /// Whether it concerns every model of the provider alike.
    #[must_use]
    pub const fn is_of_provider(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::ConnectTimeout
                | Self::NoFirstToken
                | Self::Unauthorised
                | Self::Quota
                | Self::Protocol
                | Self::CircuitOpen
        )
    }

    /// Whether the model was reached and it is its answer, or our request, that is no good.
    #[must_use]
    pub const fn was_reached(self) -> bool {
        matches!(
            self,
            Self::Rejected
                | Self::TooLong
                | Self::TooBig
                | Self::Empty
                | Self::Withheld
                | Self::Unscripted
        )
    }
}

/// One try that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What sort of failure.
    pub trouble: Trouble,
    /// The failure in words, one line, without secrets.
    pub message: String,
    /// How long the provider asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a wish for a delay.
    pub fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self { trouble, message: one_line(&message.into()), retry_after: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The longest message that a failure carries, in characters: a provider's error page is not a message.
const MAX_MESSAGE_CHARS: usize = 400;

/// `text` with line ends and control characters turned into spaces, runs of spaces joined, and cut.
pub(crate) fn one_line(text: &str) -> String {
    let text: String = text.chars().take(4 * MAX_MESSAGE_CHARS).collect();
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ");
    if joined.chars().count() <= MAX_MESSAGE_CHARS {
        return joined;
    }
    let mut cut: String = joined.chars().take(MAX_MESSAGE_CHARS).collect();
    cut.push('…');
    cut
}

fn at_line(path: &std::path::Path, line: u64, key: &str, problem: &str) -> String {
    let mut text = path.display().to_string();
    if line > 0 {
        text.push_str(&format!(":{line}"));
    }
    if !key.is_empty() {
        text.push_str(&format!(": {key}"));
    }
    format!("{text}: {problem}")
}

fn list(tried: &[Tried]) -> String {
    if tried.is_empty() {
        return "no model is configured".to_owned();
    }
    let each: Vec<String> = tried.iter().map(ToString::to_string).collect();
    each.join("; ")
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.model, self.provider)?;
        if !self.endpoint.is_empty() {
            write!(f, " at {}", self.endpoint)?;
        }
        match self.n_tries {
            0 => write!(f, ", not tried): {}", self.error),
            1 => write!(f, "): {}", self.error),
            n => write!(f, ", {n} tries): {}", self.error),
        }
    }
}

fn budget_name(limit: &str, node: Option<&NodeId>) -> String {
    match node {
        Some(node) => format!("the budget of {node} ({limit}) does not allow another model call"),
        None => format!("the run's budget ({limit}) does not allow another model call"),
    }
}

fn budget_state(limit: &str, used: f64, allowed: f64, needed: f64) -> String {
    match limit {
        "usd" => {
            format!("${used:.4} of ${allowed:.4} used, the next call may need ${needed:.4}")
        }
        "time_s" => format!("{used:.0} of {allowed:.0} seconds used"),
        _ => format!("{used:.0} of {allowed:.0} used, the next call may need {needed:.0}"),
    }
}
