//! Known secret values, found wherever they stand and however JSON or a URL spells them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{MARK, MIN_SECRET_BYTES, replace};

/// The kind that known values are marked with.
const KIND: &str = "secret";

/// A line of a longer value is a secret of its own from this length on, if it has no blanks: a key file
/// is seldom printed in one piece.
const MIN_LINE_BYTES: usize = 24;

/// Words that events, recorded messages and plans consist of.
const FORMAT_WORDS: [&str; 80] = [
    "acceptance",
    "answered",
    "architect",
    "arguments",
    "assigned_agent",
    "assistant",
    "attempt",
    "before",
    "budget",
    "cached_input",
    "called",
    "candidates",
    "changed",
    "checked",
    "command",
    "content",
    "control",
    "debugger",
    "delete",
    "dependencies",
    "description",
    "details",
    "documentation",
    "edited",
    "effect",
    "environment",
    "estimated",
    "execute",
    "failed",
    "features",
    "finish",
    "finished",
    "first_token_ms",
    "fixed_model",
    "implement",
    "interrupted",
    "latency_ms",
    "length",
    "max_output_tokens",
    "message",
    "messages",
    "native",
    "network",
    "output",
    "overwrite",
    "parameters",
    "passed",
    "pattern",
    "planner",
    "probability",
    "project",
    "provider",
    "reason",
    "redacted",
    "refused",
    "rejected",
    "replace",
    "request",
    "response",
    "response_schema",
    "result",
    "reviewer",
    "schema",
    "scripted",
    "search",
    "speaker",
    "started",
    "stderr",
    "stdout",
    "stopped",
    "succeeded",
    "summary",
    "system",
    "target_files",
    "temperature",
    "timeout_s",
    "tool_call_id",
    "tool_calls",
    "verification",
    "workspace",
];

/// A matcher of every spelling of every value.
pub(super) struct Exact {
    matcher: Matcher,
}

enum Matcher {
    Nothing,
    Automaton(AhoCorasick),
    /// The values themselves, for a set that no automaton can be built of.
    Each(Vec<String>),
}

impl Exact {
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut spellings = BTreeSet::new();
        for secret in secrets {
            for part in parts(&secret).filter(|part| is_worth_it(part)) {
                spellings.extend(spellings_of(part));
            }
        }
        if spellings.is_empty() {
            return Self { matcher: Matcher::Nothing };
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&spellings);
        let matcher = match built {
            Ok(automaton) => Matcher::Automaton(automaton),
            Err(_) => Matcher::each(spellings),
        };
        Self { matcher }
    }

    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        match &self.matcher {
            Matcher::Nothing => false,
            Matcher::Automaton(automaton) => automaton.is_match(bytes),
            // Not worth a scan of its own: the search itself will tell.
            Matcher::Each(_) => true,
        }
    }

    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.matcher {
            Matcher::Nothing => Cow::Borrowed(text),
            Matcher::Automaton(automaton) => {
                let found: Vec<_> =
                    automaton.find_iter(text).map(|found| (found.range(), KIND)).collect();
                replace(text, &found)
            }
            Matcher::Each(secrets) => secrets.iter().fold(Cow::Borrowed(text), |text, secret| {
                if text.contains(secret.as_str()) {
                    Cow::Owned(text.replace(secret.as_str(), &format!("{MARK}{KIND}]")))
                } else {
                    text
                }
            }),
        }
    }
}

impl Matcher {
    /// Longest first, so that a value that contains another is taken out whole.
    fn each(spellings: BTreeSet<String>) -> Self {
        let mut secrets: Vec<String> = spellings.into_iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self::Each(secrets)
    }
}

/// The value, the value without blanks around it, and its long lines.
fn parts(secret: &str) -> impl Iterator<Item = &str> {
    let is_long = |line: &&str| line.len() >= MIN_LINE_BYTES && !line.contains(char::is_whitespace);
    [secret, secret.trim()].into_iter().chain(secret.lines().map(str::trim).filter(is_long))
}

fn is_worth_it(secret: &str) -> bool {
    secret.len() >= MIN_SECRET_BYTES
        && !secret.trim().is_empty()
        && !FORMAT_WORDS.contains(&secret)
        && !format!("{MARK}{KIND}]").contains(secret)
}

/// The value as it stands, as JSON escapes it (once, twice, and in ASCII), and as URLs escape it.
fn spellings_of(secret: &str) -> Vec<String> {
    let once = escaped_as_json(secret);
    let twice = escaped_as_json(&once);
    vec![secret.to_owned(), escaped_as_ascii(&once), twice, escaped_as_url(secret), once]
}

fn escaped_as_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn escaped_as_ascii(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    escaped
}

fn escaped_as_url(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_automaton_the_same_is_redacted() {
        let secrets = ["hunter2-hunter2", "hunter2-hunter2-and-more"];
        let each = Exact { matcher: Matcher::each(secrets.map(str::to_owned).into()) };
        let text = "a hunter2-hunter2-and-more b hunter2-hunter2 c";
        assert!(each.is_in(text.as_bytes()));
        assert_eq!(each.redact(text), Exact::new(secrets.map(str::to_owned)).redact(text));
        assert_eq!(each.redact(text), "a [redacted:secret] b [redacted:secret] c");
    }
}
