//! Budgets: what a run or a node may spend, and what it has spent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Upper bounds; an absent field is unbounded. The same type serves a run and each of its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Model calls; the retries of one call do not count again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Turns: answers that a model gave while it worked with tools or edits, each with what it asked
    /// for. Plans, reviews and final answers are calls and no turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// Input plus output tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Wall time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_s: Option<u64>,
}

/// What has been spent so far.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Model calls.
    pub calls: u32,
    /// Those of them that were turns.
    #[serde(default)]
    pub turns: u32,
    /// Input plus output tokens.
    pub tokens: u64,
    /// Money, in US dollars.
    pub usd: f64,
}

impl Limits {
    /// No bound at all.
    pub const NONE: Self = Self { calls: None, turns: None, tokens: None, usd: None, time_s: None };

    /// The names of the limits, as they are written in plans and events.
    pub const NAMES: [&'static str; 5] = ["calls", "turns", "tokens", "usd", "time_s"];

    /// These limits, with those that `other` sets in their place.
    #[must_use]
    pub fn overridden_by(&self, other: &Self) -> Self {
        Self {
            calls: other.calls.or(self.calls),
            turns: other.turns.or(self.turns),
            tokens: other.tokens.or(self.tokens),
            usd: other.usd.or(self.usd),
            time_s: other.time_s.or(self.time_s),
        }
    }

    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.calls.map(|n| format!("{n} calls")),
            self.turns.map(|n| format!("{n} turns")),
            self.tokens.map(|n| format!("{n} tokens")),
            self.usd.map(|usd| format!("${usd:.2}")),
            self.time_s.map(|s| format!("{s} s")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("no limit") } else { f.write_str(&parts.join(", ")) }
    }
}
