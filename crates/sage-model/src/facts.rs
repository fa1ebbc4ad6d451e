//! What is known about a model: its limits, how it can act, what it costs.

use sage_core::Usage;
use serde::{Deserialize, Serialize};

/// How a model acts on files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolCalling {
    /// It is told of tools and calls them.
    Native,
    /// It writes edits into its text; for small models.
    Text,
}

impl ToolCalling {
    /// The name used in `models.yaml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Text => "text",
        }
    }
}

/// Price in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens served from the provider's cache.
    pub cached_input: f64,
    /// Answer tokens.
    pub output: f64,
    /// False when nobody said what the model costs: the other fields are then 0 and mean nothing.
    pub known: bool,
}

impl Price {
    /// Costs nothing.
    pub const FREE: Self = Self { input: 0.0, cached_input: 0.0, output: 0.0, known: true };
    /// Nobody said.
    pub const UNKNOWN: Self = Self { known: false, ..Self::FREE };

    /// US dollars for `usage`; 0 when the price is unknown.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> f64 {
        let cached = usage.cached_input.min(usage.input);
        let fresh = usage.input - cached;
        (fresh as f64 * self.input
            + cached as f64 * self.cached_input
            + usage.output as f64 * self.output)
            / TOKENS_PER_PRICE
    }
}

const TOKENS_PER_PRICE: f64 = 1_000_000.0;

/// What is known about the model that would answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its name as the provider knows it.
    pub model: String,
    /// Its provider.
    pub provider: String,
    /// Tokens of prompt and answer together.
    pub context_tokens: u64,
    /// Most tokens of one answer.
    pub max_output_tokens: u32,
    /// How it acts.
    pub tool_calling: ToolCalling,
    /// Whether the provider can hold its answer to a JSON Schema.
    pub json_schema: bool,
    /// Whether it runs on this machine's side of the network.
    pub local: bool,
    /// Whether its answers come from a script.
    pub scripted: bool,
    /// What it costs.
    pub price: Price,
}
