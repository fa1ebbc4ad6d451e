//! Keys: looked up by name through what the binary hands in, held so that they cannot be shown.

use std::fmt;

use reqwest::header::HeaderValue;

/// A value that `Debug` does not show.
#[derive(Clone)]
pub(crate) struct Secret(HeaderValue);

impl Secret {
    /// Takes a key, trimmed; absent when it is empty or cannot be sent in a header.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The value as a header; marked sensitive, so that it is not shown either.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The variable that a value of the form `${NAME}` refers to.
pub(crate) fn reference(value: &str) -> Option<&str> {
    let name = value.trim().strip_prefix("${")?.strip_suffix('}')?;
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(part)).then_some(name)
}

/// Whether a value refers to a variable instead of holding a secret itself.
pub(crate) fn is_reference(value: &str) -> bool {
    reference(value).is_some()
}
