//! What a refusal means: an HTTP status and whatever the provider put into its body.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::Trouble;
use crate::error::one_line;
use crate::retry::retry_after;

/// OpenAI's word for an account that has nothing left to spend.
pub(crate) const QUOTA: &str = "insufficient_quota";

/// How long the provider asks us to wait.
pub(super) fn wish(headers: &HeaderMap, now_ms: u64) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.trim().parse::<u64>().ok()) {
        return Some(Duration::from_millis(ms));
    }
    // The provider's own clock is the one that its date is meant by.
    let now_ms = text("date").and_then(crate::retry::http_date_ms).unwrap_or(now_ms);
    retry_after(text("retry-after")?, now_ms)
}

/// The message and the code or type of an error body, in the forms that providers use.
pub(super) fn explain(body: &str) -> (String, String) {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        let is_page = body.trim_start().starts_with('<');
        return (if is_page { "a web page".to_owned() } else { one_line(body) }, String::new());
    };
    explain_json(&body)
}

/// Like [`explain`], of a parsed body or of an error event inside a stream.
pub(crate) fn explain_json(body: &Value) -> (String, String) {
    let error = body.get("error").unwrap_or(body);
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let message = match error {
        Value::String(message) => message.clone(),
        _ => ["message", "detail", "msg"]
            .into_iter()
            .map(|name| text(error.get(name)))
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| error.to_string()),
    };
    let kind = text(error.get("type"));
    let mut code = text(error.get("code"));
    // The one type that says more than any code: waiting will not help.
    if code.is_empty() || kind == QUOTA {
        code = kind;
    }
    (one_line(&message), code)
}

/// What can be done about an HTTP status that is not a success.
pub(super) fn sort_status(status: StatusCode, said: &str, code: &str) -> Trouble {
    match status.as_u16() {
        401 | 403 => Trouble::Unauthorised,
        402 => Trouble::Quota,
        404 => Trouble::ModelMissing,
        429 if code == QUOTA => Trouble::Quota,
        408 | 409 | 429 | 500..=599 => Trouble::Overloaded,
        400 | 413 | 422 if is_too_long(said, code) => Trouble::TooLong,
        400..=499 => Trouble::Rejected,
        _ => Trouble::Protocol,
    }
}

/// Whether an error says that the conversation does not fit.
pub(crate) fn is_too_long(said: &str, code: &str) -> bool {
    const SIGNS: [&str; 6] = [
        "maximum context length",
        "context window",
        "context length",
        "context size",
        "too many tokens",
        "prompt is too long",
    ];
    let said = said.to_ascii_lowercase();
    code == "context_length_exceeded" || SIGNS.iter().any(|sign| said.contains(sign))
}
