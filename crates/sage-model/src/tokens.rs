//! Token counts without a tokenizer: an estimate that errs on the high side, for budgets and context
//! limits, and for providers that report no usage.
//!
//! Provider figures are used wherever they exist; this never overrides them.

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
}
