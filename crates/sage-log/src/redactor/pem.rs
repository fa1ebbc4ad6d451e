//! Private keys in PEM armour, also with line numbers before the lines or with the end cut off.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::{pattern::constant, replace};

/// A key is not longer than this; an end further away belongs to something else.
const MAX_BYTES: usize = 32 << 10;

static BEGIN: LazyLock<Regex> =
    LazyLock::new(|| constant(r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"));
static END: LazyLock<Regex> =
    LazyLock::new(|| constant(r"-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"));
/// Lines of a key whose end is missing.
static BODY: LazyLock<Regex> =
    LazyLock::new(|| constant(r"^(?:[\s0-9|:>]|\\[nr])*[A-Za-z0-9+/=]{24,}"));

pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(begin) = BEGIN.find_at(text, from) {
        let end = end_of_key(text, begin.end());
        found.push((begin.start()..end, "private_key"));
        from = end;
    }
    replace(text, &found)
}

/// Where the key ends whose body begins at `start`.
fn end_of_key(text: &str, start: usize) -> usize {
    let mut limit = text.len().min(start + MAX_BYTES);
    while !text.is_char_boundary(limit) {
        limit -= 1;
    }
    let window = &text[start..limit];
    // The next key's beginning ends the search, so that each byte is looked at a few times only.
    let window = &window[..BEGIN.find(window).map_or(window.len(), |next| next.start())];
    if let Some(end) = END.find(window) {
        return start + end.end();
    }
    let mut end = start;
    while let Some(line) = BODY.find(&text[end..limit]) {
        end += line.end();
    }
    end
}
