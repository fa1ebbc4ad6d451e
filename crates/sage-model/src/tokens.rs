//! Token counts without a tokenizer: an estimate that errs on the high side, for budgets and context
//! limits, and for providers that report no usage.
//!
//! Provider figures are used wherever they exist; this never overrides them.

use std::collections::BTreeMap;

use sage_core::{Message, Usage};

use crate::ChatRequest;

/// What a message costs beside its words: role, separators.
const TOKENS_PER_MESSAGE: u64 = 4;

/// Estimates the tokens of `text`.
///
/// ASCII text is taken at 3.5 bytes per token, between English prose (about 4) and code (about 3);
/// every other character at one token, which is close for CJK and high for accented Latin.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    let n_ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let n_other = text.chars().filter(|c| !c.is_ascii()).count() as u64;
    (n_ascii * 2).div_ceil(7) + n_other
}

/// Estimates the prompt tokens of a request: messages, tools and schema.
#[must_use]
pub fn estimate_prompt_tokens(request: &ChatRequest) -> u64 {
    let messages: u64 = request.messages.iter().map(estimate_message).sum();
    let tools: u64 = request
        .tools
        .iter()
        .map(|tool| {
            TOKENS_PER_MESSAGE
                + estimate_tokens(&tool.name)
                + estimate_tokens(&tool.description)
                + estimate_tokens(&tool.parameters.to_string())
        })
        .sum();
    let schema = request
        .response_schema
        .as_ref()
        .map_or(0, |schema| estimate_tokens(&schema.schema.to_string()));
    messages + tools + schema
}

/// The usage of a call whose provider reported none.
#[must_use]
pub fn estimate_usage(request: &ChatRequest, answer: &Message) -> Usage {
    Usage {
        input: estimate_prompt_tokens(request),
        cached_input: 0,
        output: estimate_message(answer),
        estimated: true,
    }
}

/// How far the estimate is below what providers count, by model: learned from their figures, never below
/// one. A model family whose tokens are shorter is met with more room after its first answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibration(BTreeMap<String, f64>);

impl Calibration {
    /// Prompts below this say more about what surrounds words than about words.
    const MIN_TOKENS: u64 = 200;
    /// A figure further off than this is no count of tokens.
    const MAX_FACTOR: f64 = 4.0;

    /// Takes what a provider counted for a prompt that was estimated at `estimate`.
    pub fn observe(&mut self, model: &str, estimate: u64, usage: &Usage) {
        if !usage.estimated && estimate >= Self::MIN_TOKENS {
            self.raise(model, usage.input as f64 / estimate as f64);
        }
    }

    /// Takes that the factor is at least this.
    pub fn raise(&mut self, model: &str, factor: f64) {
        let factor = if factor.is_finite() { factor.clamp(1.0, Self::MAX_FACTOR) } else { 1.0 };
        let known = self.0.entry(model.to_owned()).or_insert(1.0);
        *known = known.max(factor);
    }

    /// The factor by which estimates for this model are too low.
    #[must_use]
    pub fn factor(&self, model: &str) -> f64 {
        self.0.get(model).copied().unwrap_or(1.0)
    }

    /// What the provider will count at most for what was estimated.
    #[must_use]
    pub fn counted(&self, model: &str, estimate: u64) -> u64 {
        (estimate as f64 * self.factor(model)).ceil() as u64
    }

    /// What may be estimated at most for something of which the provider shall count no more than
    /// `counted`. A provider that counts more than we do may count the next words dearer still.
    #[must_use]
    pub fn estimated(&self, model: &str, counted: u64) -> u64 {
        const MARGIN: f64 = 1.06;
        let factor = self.factor(model);
        let factor = if factor > 1.0 { factor * MARGIN } else { factor };
        (counted as f64 / factor).floor() as u64
    }
}

fn estimate_message(message: &Message) -> u64 {
    let calls: u64 = message
        .tool_calls
        .iter()
        .map(|call| {
            TOKENS_PER_MESSAGE + estimate_tokens(&call.name) + estimate_tokens(&call.arguments)
        })
        .sum();
    TOKENS_PER_MESSAGE + estimate_tokens(&message.text) + calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_err_on_the_high_side_without_being_wild() {
        assert_eq!(estimate_tokens(""), 0);
        // 9 tokens by the tokenizer of GPT-4o.
        let n = estimate_tokens("The quick brown fox jumps over the lazy dog");
        assert!((9..=14).contains(&n), "{n}");
        assert_eq!(estimate_tokens("你好"), 2);
    }

    #[test]
    fn what_providers_count_makes_estimates_higher_and_never_lower() {
        let usage = |input| Usage { input, ..Usage::default() };
        let mut learned = Calibration::default();
        assert_eq!((learned.counted("m", 1000), learned.estimated("m", 1000)), (1000, 1000));
        learned.observe("m", 1000, &usage(1250));
        learned.observe("m", 1000, &usage(700));
        learned.observe("m", 10, &usage(90));
        learned.observe("m", 1000, &Usage { estimated: true, ..usage(3000) });
        assert_eq!((learned.counted("m", 1000), learned.estimated("m", 1326)), (1250, 1000));
        assert_eq!(learned.counted("other", 1000), 1000);
        learned.observe("m", 1000, &usage(1_000_000));
        assert_eq!(learned.counted("m", 1000), 4000);
    }
}
