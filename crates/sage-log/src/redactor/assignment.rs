//! Values that are secret by the name they are given to: `password = "..."`, `API_KEY=...`,
//! `"token": "..."`. The name stays, the value goes.
//!
//! A log also holds source code, and a resumed run works with what the log says, so what merely talks
//! about secrets must survive: types, calls, variables, counters, placeholders.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{MARK, pattern::constant, replace};

/// The shortest value that is taken for a secret, in characters.
const MIN_VALUE_CHARS: usize = 8;

/// The longest type between a name and its value, as in `KEY: &'static str = "..."`.
const MAX_TYPE_BYTES: usize = 48;

/// The longest name, with its operator, that is looked for where a value could be.
const MAX_NAME_CHARS: usize = 64;

/// The end of a name that means a secret.
const NAMES: &str = r"(?:passw(?:or)?d|passphrase|secret[_-]?(?:access[_-]?)?key|secret|token|(?:api|access|private)[_-]?key)";

static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    constant(&format!(
        r#"(?i-u)(?P<name>{NAMES})(?P<quote>\\{{0,3}}["'`]?)[ \t]{{0,16}}(?P<operator>:=|=>|={{1,3}}|:)[ \t]{{0,16}}"#
    ))
});

static NAME: LazyLock<Regex> = LazyLock::new(|| constant(&format!(r"(?i-u)(?P<name>{NAMES})$")));

/// `request.form.password`: a path to a value, not the value.
static DOTTED: LazyLock<Regex> =
    LazyLock::new(|| constant(r"^[A-Za-z_$][A-Za-z0-9_]*(?:\??\.[A-Za-z_$][A-Za-z0-9_]*)+$"));

pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut found: Vec<(Range<usize>, &str)> = Vec::new();
    let mut from = 0;
    while let Some(captures) = ASSIGNMENT.captures_at(text, from) {
        let (Some(whole), Some(name)) = (captures.get(0), captures.name("name")) else { break };
        let operator = captures.name("operator").map_or("", |operator| operator.as_str());
        let is_tight = operator == "=" && whole.len() == name.len() + operator.len();
        let name = name.as_str();
        from = whole.end();
        let secret = secret_at(text, whole.end(), name, is_tight).or_else(|| {
            let value_at = after_type(text, whole.end()).filter(|_| operator == ":")?;
            secret_at(text, value_at, name, false)
        });
        if let Some(secret) = secret {
            from = secret.end;
            found.push((secret, kind_of(name)));
        }
    }
    replace(text, &found)
}

/// What the string `value` of a key is, if the key means a secret and the value may be one.
pub(super) fn kind_of_value(key: &str, value: &str) -> Option<&'static str> {
    if key.eq_ignore_ascii_case("authorization") {
        // A scheme and credentials, in two words.
        return (value.len() >= MIN_VALUE_CHARS && !is_placeholder(value)).then_some("credentials");
    }
    let name = NAME.captures(key)?.name("name")?;
    is_secret_literal(name.as_str(), value).then(|| kind_of(name.as_str()))
}

fn kind_of(name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    match name.as_bytes() {
        [b'p', b'a', b's', b's', ..] => "password",
        [b't', ..] => "token",
        [b's', ..] => "secret",
        [b'p', ..] => "private_key",
        _ => "api_key",
    }
}

/// The range of the secret that stands at `at`, without its quotes.
fn secret_at(text: &str, at: usize, name: &str, is_tight: bool) -> Option<Range<usize>> {
    let rest = &text[at..];
    // A string inside a string has its quotes escaped.
    let n_slashes = rest.bytes().take_while(|byte| *byte == b'\\').count();
    let quote = rest[n_slashes..].chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    match quote {
        Some(quote) => {
            let start = n_slashes + 1;
            let len = quoted_len(&rest[start..], quote, n_slashes);
            let value = &rest[start..start + len];
            is_secret_literal(name, value).then_some(at + start..at + start + len)
        }
        // `token: password="..."`: what follows is found on its own.
        None if begins_assignment(rest) => None,
        None => {
            let len = rest.find(ends_bare_value).unwrap_or(rest.len());
            let value = &rest[..len];
            is_secret_bare(name, value, is_tight).then_some(at..at + len)
        }
    }
}

/// Whether another name with its operator stands at the beginning of `rest`.
fn begins_assignment(rest: &str) -> bool {
    let mut chars = rest.char_indices().take(MAX_NAME_CHARS);
    let end = chars
        .find(|(_, c)| ends_bare_value(*c))
        .or_else(|| rest.char_indices().nth(MAX_NAME_CHARS));
    ASSIGNMENT.is_match(&rest[..end.map_or(rest.len(), |(at, _)| at)])
}

/// The length of a quoted value: up to its closing quote, or to the end of its line or of the string
/// around it when it was cut off. `n_slashes` stand before each of the quotes that delimit it.
fn quoted_len(rest: &str, quote: char, n_slashes: usize) -> usize {
    // A backslash inside is escaped as often as the quote is: the closing quote has its own slashes
    // after a multiple of that.
    let period = 2 * (n_slashes + 1);
    let mut slashes = 0;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'\\' => slashes += 1,
            b'\n' | b'\r' => return at,
            byte if char::from(byte) == quote && slashes % period == n_slashes => {
                return at - n_slashes;
            }
            byte if char::from(byte) == quote && slashes < n_slashes => return at - slashes,
            _ => slashes = 0,
        }
    }
    rest.len()
}

fn ends_bare_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '&' | '\\')
}

/// A literal in quotes: anything that is one word and no placeholder.
fn is_secret_literal(name: &str, value: &str) -> bool {
    value.chars().nth(MIN_VALUE_CHARS - 1).is_some()
        && !value.contains(char::is_whitespace)
        && !is_placeholder(value)
        && !is_counter(name, value)
}

/// A value without quotes, which may as well be code or prose.
fn is_secret_bare(name: &str, value: &str, is_tight: bool) -> bool {
    if value.chars().nth(MIN_VALUE_CHARS - 1).is_none()
        || is_placeholder(value)
        || is_counter(name, value)
        || value.contains(['(', ')', '[', ']', '{', '}', '<', '>'])
        || value.contains("::")
        || value.contains("://")
        || DOTTED.is_match(value)
    {
        return false;
    }
    let has_only = |allowed: fn(char) -> bool| value.chars().all(allowed);
    if has_only(|c| c.is_alphabetic()) {
        // `PASSWORD=correcthorse` in a file of settings, not `login(password=password)`.
        let is_one_case = has_only(char::is_lowercase) || has_only(char::is_uppercase);
        return is_tight && is_one_case && !value.eq_ignore_ascii_case(name);
    }
    // Words joined by punctuation are names or prose, not secrets.
    !has_only(|c| {
        c.is_alphabetic() || matches!(c, '_' | '-' | '.' | '/' | ':' | '?' | '!' | '|' | '*')
    })
}

fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    value.contains(MARK)
        || value.starts_with(['$', '{', '<', '%', '#'])
        || value.contains("${")
        || value.contains("{{")
        || lower.starts_with("your")
        || lower.starts_with("example")
        || lower.starts_with("changeme")
        || lower.chars().all(|c| matches!(c, 'x' | '*' | '.' | '-' | '_'))
}

/// `token: 12345678` is a number of something; `password: 12345678` is a password.
fn is_counter(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("token") && value.chars().all(|c| c.is_ascii_digit() || c == '_')
}

/// Where the value begins when a type stands at `at`.
fn after_type(text: &str, at: usize) -> Option<usize> {
    let is_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"_:<>&' \t.[]|?".contains(byte);
    let rest = &text.as_bytes()[at..];
    let len = rest.iter().take(MAX_TYPE_BYTES).take_while(|byte| is_type(byte)).count();
    let is_value_of_its_own = |text: &str| text.contains(MARK) || ASSIGNMENT.is_match(text);
    if rest.get(len) != Some(&b'=') || is_value_of_its_own(&text[at..=at + len]) {
        return None;
    }
    let blanks = rest[len + 1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some(at + len + 1 + blanks)
}
