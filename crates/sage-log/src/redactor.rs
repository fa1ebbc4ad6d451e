//! Takes secrets out of everything before it is written: known values exactly, and texts that look like
//! credentials by pattern. Each becomes `[redacted:kind]`.
//!
//! Invariants: what was redacted once is not changed by redacting it again; JSON stays JSON, because in
//! a JSON text the strings are redacted as they decode, not as they are spelled; ids, hashes, paths and
//! numbers of events are never touched. Paths are the one place where a known value may appear in clear:
//! a path with a hole in it could not be undone or resumed.

use std::borrow::Cow;
use std::sync::Arc;

use crate::redactor::exact::Exact;

mod assignment;
mod event;
mod exact;
mod json;
mod pattern;
mod pem;

/// Shortest known value that is redacted, in bytes: shorter ones would riddle ordinary text.
const MIN_SECRET_BYTES: usize = 6;

/// How each replacement begins.
const MARK: &str = "[redacted:";

/// Redacts texts, bytes and events. Cheap to clone.
#[derive(Clone)]
pub struct Redactor(Option<Arc<Exact>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Redactor(..)" } else { "Redactor(none)" })
    }
}

impl Redactor {
    /// Changes nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Redacts the built-in patterns and each of `secrets` exactly, also as JSON and URLs spell it.
    ///
    /// Ignored are values under 6 bytes, and words that the log's own formats are made of (such as
    /// `assistant`): taking those out would leave a log that cannot be read.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Self(Some(Arc::new(Exact::new(secrets))))
    }

    /// The text without secrets; borrowed when there are none.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.0 {
            Some(exact) => redact_nested(exact, text, json::MAX_NESTING),
            None => Cow::Borrowed(text),
        }
    }

    /// The bytes without secrets. What is not UTF-8 between them is kept as it is.
    #[must_use]
    pub fn redact_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(exact) = &self.0 else { return Cow::Borrowed(bytes) };
        if let Ok(text) = std::str::from_utf8(bytes) {
            return match self.redact(text) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
        }
        if !may_hold_secret(exact, bytes) {
            return Cow::Borrowed(bytes);
        }
        // A secret is UTF-8, so it never reaches over a byte that is not.
        let mut kept = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            let text = chunk.valid();
            if text.len() < MIN_SECRET_BYTES {
                kept.extend_from_slice(text.as_bytes());
            } else {
                kept.extend_from_slice(redact_text(exact, text).as_bytes());
            }
            kept.extend_from_slice(chunk.invalid());
        }
        Cow::Owned(kept)
    }
}

/// Redacts a text that may be JSON, whose strings may be JSON again, down to `depth` levels.
fn redact_nested<'a>(exact: &Exact, text: &'a str, depth: u32) -> Cow<'a, str> {
    if depth > 0 && json::is_json(text) {
        return json::redact_strings(text, |string| redact_nested(exact, string, depth - 1));
    }
    redact_text(exact, text)
}

/// Redacts a text that is not JSON as a whole.
fn redact_text<'a>(exact: &Exact, text: &'a str) -> Cow<'a, str> {
    if !may_hold_secret(exact, text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let text = then(Cow::Borrowed(text), |text| exact.redact(text));
    let text = then(text, pem::redact);
    let text = then(text, pattern::redact);
    then(text, assignment::redact)
}

fn may_hold_secret(exact: &Exact, bytes: &[u8]) -> bool {
    exact.is_in(bytes) || pattern::may_match(bytes)
}

/// One step after another, staying borrowed while nothing changes.
fn then<'a>(text: Cow<'a, str>, step: impl for<'b> Fn(&'b str) -> Cow<'b, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => step(text),
        Cow::Owned(text) => {
            let changed = match step(&text) {
                Cow::Borrowed(_) => None,
                Cow::Owned(changed) => Some(changed),
            };
            Cow::Owned(changed.unwrap_or(text))
        }
    }
}

/// Replaces byte ranges of `text`, given in order and without overlap, each by the mark of its kind.
fn replace<'a>(text: &'a str, found: &[(std::ops::Range<usize>, &str)]) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut end = 0;
    for (range, kind) in found {
        kept.push_str(&text[end..range.start]);
        kept.push_str(MARK);
        kept.push_str(kind);
        kept.push(']');
        end = range.end;
    }
    kept.push_str(&text[end..]);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests;
