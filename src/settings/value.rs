//! What a setting can hold, and how text becomes it.

use std::fmt;

use sage_core::nearest;
use serde_json::{Value as Json, json};

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Yes or no.
    Bool,
    /// A whole number within bounds.
    Count {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// US dollars, not negative.
    Money,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Any text, such as a path or a name.
    Text,
    /// Several texts.
    List,
}

/// A setting's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing was set and there is no default.
    Unset,
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Count`].
    Count(u64),
    /// Of [`Kind::Money`].
    Money(f64),
    /// Of [`Kind::Choice`] and [`Kind::Text`].
    Text(String),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

impl Kind {
    /// Reads one scalar. The error says what was expected.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let refuse =
            || Err(format!("{:?} is not {self}", text.chars().take(80).collect::<String>()));
        match self {
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
                "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
                _ => refuse(),
            },
            Self::Count { min, max } => match text.replace('_', "").parse::<u64>() {
                Ok(n) if (min..=max).contains(&n) => Ok(Value::Count(n)),
                _ => refuse(),
            },
            Self::Money => match text.strip_prefix('$').unwrap_or(text).parse::<f64>() {
                Ok(usd) if usd.is_finite() && usd >= 0.0 => Ok(Value::Money(usd)),
                _ => refuse(),
            },
            // YAML takes a bare `on` or `off` for a truth.
            Self::Choice(choices) if text == "true" && choices.contains(&"on") => {
                Ok(Value::Text("on".to_owned()))
            }
            Self::Choice(choices) if text == "false" && choices.contains(&"off") => {
                Ok(Value::Text("off".to_owned()))
            }
            Self::Choice(choices) if choices.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Choice(choices) => match nearest(text, choices.iter().copied()) {
                Some(near) => Err(format!("{text:?} is not {self}; did you mean {near:?}?")),
                None => refuse(),
            },
            Self::Text if text.is_empty() || text.contains('\0') => {
                Err("the value is empty".to_owned())
            }
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::List => Ok(Value::List(vec![text.to_owned()])),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("`true` or `false`"),
            Self::Count { min, max: u64::MAX } => write!(f, "a whole number from {min}"),
            Self::Count { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Money => f.write_str("an amount in US dollars"),
            Self::Choice(choices) => write!(f, "one of `{}`", choices.join("`, `")),
            Self::Text => f.write_str("a text"),
            Self::List => f.write_str("a list of texts"),
        }
    }
}

impl Value {
    /// The value for `--json`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Unset => Json::Null,
            Self::Bool(value) => json!(value),
            Self::Count(value) => json!(value),
            Self::Money(value) => json!(value),
            Self::Text(value) => json!(value),
            Self::List(value) => json!(value),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => f.write_str("(none)"),
            Self::Bool(value) => value.fmt(f),
            Self::Count(value) => value.fmt(f),
            Self::Money(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::List(items) if items.is_empty() => f.write_str("(none)"),
            Self::List(items) => f.write_str(&items.join("; ")),
        }
    }
}
