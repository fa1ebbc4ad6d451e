//! Redacts JSON without leaving JSON: each string is decoded, redacted and, if that changed it, encoded
//! again in place. Everything else (layout, numbers, order, duplicate keys) stays byte for byte.

use std::borrow::Cow;
use std::fmt::Write;

use serde::de::IgnoredAny;

use super::{MARK, assignment};

/// How many levels of JSON inside JSON strings are followed (tool arguments are such strings).
pub(super) const MAX_NESTING: u32 = 4;

/// Whether the whole text is one JSON object or array.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Redacts every string of a valid JSON text with `redact`, and the values of keys that name secrets.
pub(super) fn redact_strings<'a>(
    text: &'a str,
    redact: impl for<'b> Fn(&'b str) -> Cow<'b, str>,
) -> Cow<'a, str> {
    let mut kept = String::new();
    let mut copied = 0;
    let mut key: Option<Cow<'_, str>> = None;
    let mut at = 0;
    while let Some(literal) = next_literal(text, at) {
        at = literal.end;
        let decoded = decode(&text[literal.clone()]);
        let is_key = text[at..].trim_start().starts_with(':');
        let kind = match &key {
            // Only a string that follows its key directly is the key's value.
            Some(key) if !is_key => assignment::kind_of_value(key, &decoded),
            _ => None,
        };
        let changed = match kind {
            Some(kind) => Some(format!("{MARK}{kind}]")),
            None => match redact(&decoded) {
                Cow::Owned(changed) => Some(changed),
                Cow::Borrowed(_) => None,
            },
        };
        if let Some(changed) = changed {
            kept.push_str(&text[copied..literal.start]);
            // Writing to a string cannot fail.
            let _ = write!(kept, "{}", serde_json::Value::from(changed));
            copied = literal.end;
        }
        let is_own_value = |rest: &str| rest.trim_start()[1..].trim_start().starts_with('"');
        key = (is_key && is_own_value(&text[at..])).then_some(decoded);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(&text[copied..]);
    Cow::Owned(kept)
}

/// The next string of a valid JSON text, quotes included.
fn next_literal(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let start = from + text[from..].find('"')?;
    let mut at = start + 1;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if bytes[at] == b'"' {
            return Some(start..at + 1);
        }
        at += 2;
    }
}

/// What a JSON string means. `serde_json` borrows where nothing is escaped.
fn decode(literal: &str) -> Cow<'_, str> {
    let inside = &literal[1..literal.len() - 1];
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    match serde_json::from_str::<String>(literal) {
        Ok(decoded) => Cow::Owned(decoded),
        // Valid JSON to a parser that ignores strings, but no text: half a surrogate pair.
        Err(_) => Cow::Borrowed(inside),
    }
}
