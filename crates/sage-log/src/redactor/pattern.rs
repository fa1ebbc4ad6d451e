//! Credentials that are recognised by their own look, whoever issued them.

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use super::replace;

/// Builds a pattern that is part of the program.
#[expect(clippy::expect_used, reason = "every caller passes a literal that the tests compile")]
pub(super) fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a literal pattern of this crate")
}

/// One look. The first group, or the whole match where there is none, is what is taken out.
struct Pattern {
    kind: &'static str,
    sign: Sign,
    source: &'static str,
    /// Compiled when a text first shows the sign: most programs never see most credentials.
    regex: OnceLock<Regex>,
    /// Only with a digit in it: the shape alone is also that of ordinary words.
    needs_digit: bool,
}

/// What every text contains that a pattern matches.
enum Sign {
    /// One of these, spelled so.
    Text(&'static [&'static str]),
    /// The name of a scheme of authorization, in upper or lower case.
    Scheme,
}

impl Sign {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Text(texts) => texts.iter().any(|sign| text.contains(sign)),
            Self::Scheme => SCHEME.is_match(text),
        }
    }
}

static SCHEME: LazyLock<Regex> = LazyLock::new(|| constant("(?i-u)authorization|bearer"));

const fn pattern(
    kind: &'static str,
    sign: Sign,
    source: &'static str,
    needs_digit: bool,
) -> Pattern {
    Pattern { kind, sign, source, regex: OnceLock::new(), needs_digit }
}

static PATTERNS: [Pattern; 13] = [
    // OpenAI, Anthropic and those that imitate them; Stripe with underscores.
    pattern("api_key", Sign::Text(&["sk-"]), r"(?-u:\b)sk-[A-Za-z0-9_-]{16,}", true),
    pattern(
        "api_key",
        Sign::Text(&["k_live_", "k_test_"]),
        r"(?-u:\b)[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
        false,
    ),
    // Google, Hugging Face, npm.
    pattern("api_key", Sign::Text(&["AIza"]), r"(?-u:\b)AIza[A-Za-z0-9_-]{35}", false),
    pattern("api_key", Sign::Text(&["hf_", "npm_"]), r"(?-u:\b)(?:hf|npm)_[A-Za-z0-9]{30,}", false),
    // GitHub and GitLab.
    pattern(
        "token",
        Sign::Text(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]),
        r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{20,}",
        false,
    ),
    pattern("token", Sign::Text(&["github_pat_"]), r"(?-u:\b)github_pat_[A-Za-z0-9_]{20,}", false),
    pattern("token", Sign::Text(&["glpat-"]), r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}", false),
    // Slack.
    pattern("token", Sign::Text(&["xox"]), r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}", false),
    // AWS key ids; the secret half has no look and is found by its key name.
    pattern(
        "api_key",
        Sign::Text(&["AKIA", "ASIA"]),
        r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)",
        false,
    ),
    // JSON web tokens: base64 of an object that begins with `{"`.
    pattern(
        "jwt",
        Sign::Text(&["eyJ"]),
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*",
        false,
    ),
    pattern(
        "credentials",
        Sign::Scheme,
        r#"(?i-u:authorization["'\\]{0,3}[ \t]*[:=][ \t]*["'\\]{0,3}(?:bearer|basic|token|apikey)[ \t]+)([A-Za-z0-9._~+/=-]{8,})"#,
        false,
    ),
    pattern("token", Sign::Scheme, r"(?i-u:\bbearer[ \t]+)([A-Za-z0-9._~+/=-]{16,})", true),
    pattern(
        "url_password",
        Sign::Text(&["://"]),
        r"(?i-u:\b[a-z][a-z0-9+.-]{1,31}://[a-z0-9._~%!&*+,;=-]{0,128}:)([A-Za-z0-9._~%!&*+;=:^-][A-Za-z0-9._~%!$&*+;=:^@-]{0,255})@",
        false,
    ),
];

/// Something that each pattern of this crate contains, for one fast look at a large text.
static TRIGGERS: LazyLock<Option<regex::bytes::Regex>> = LazyLock::new(|| {
    regex::bytes::Regex::new(concat!(
        r"(?i-u)-----BEGIN|sk-|[sr]k_(?:live|test)_|AIza|hf_|npm_|gh[pousr]_|github_pat_|glpat-",
        r"|xox[abeoprs]-|AKIA|ASIA|eyJ|authorization|bearer|://|",
        r"passw(?:or)?d|passphrase|secret|token|(?:api|access|private)[_-]?key",
    ))
    .ok()
});

/// Whether any pattern of this crate can match; says yes more often than needed, never too seldom.
pub(super) fn may_match(bytes: &[u8]) -> bool {
    TRIGGERS.as_ref().is_none_or(|triggers| triggers.is_match(bytes))
}

pub(super) fn redact(text: &str) -> Cow<'_, str> {
    PATTERNS.iter().fold(Cow::Borrowed(text), |text, pattern| {
        super::then(text, |text| redact_one(pattern, text))
    })
}

fn redact_one<'a>(pattern: &Pattern, text: &'a str) -> Cow<'a, str> {
    if !pattern.sign.is_in(text) {
        return Cow::Borrowed(text);
    }
    let regex = pattern.regex.get_or_init(|| constant(pattern.source));
    let found: Vec<_> = regex
        .captures_iter(text)
        .filter_map(|captures| captures.get(1).or_else(|| captures.get(0)))
        .filter(|found| {
            !pattern.needs_digit || found.as_str().contains(|c: char| c.is_ascii_digit())
        })
        .map(|found| (found.range(), pattern.kind))
        .collect();
    replace(text, &found)
}
