//! Reading a chat completion, streamed or whole. Pure.
//!
//! Invariant: the answer is complete only when the server said why it stopped, or that it is done.

use sage_core::{CallId, Usage};
use serde_json::Value;

use crate::http::{Decoder, QUOTA, Step, explain_json, is_too_long};
use crate::provider::{Answer, answer};
use crate::tool_deltas::ToolDeltas;
use crate::{Failure, Trouble};

/// A completion under construction.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    text: String,
    refusal: String,
    calls: ToolDeltas,
    finish: Option<String>,
    usage: Option<Usage>,
    is_done: bool,
}

impl Completion {
    pub(crate) fn finish(self, call: &CallId) -> Result<Answer, Failure> {
        let Self { text, refusal, calls, finish, usage, .. } = self;
        if finish.as_deref() == Some("error") {
            return Err(Failure::new(Trouble::Broken, "the model stopped with an error"));
        }
        answer(call, text, &refusal, calls, finish.as_deref(), usage)
    }

    fn choice(
        &mut self,
        choice: &Value,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Step, Failure> {
        let mut step = Step::Quiet;
        let delta = choice.get("delta").filter(|delta| !delta.is_null());
        let said_nothing = self.text.is_empty() && self.calls.is_empty();
        // A few servers close a stream by repeating the whole message; only a first one is news.
        let message = choice.get("message").filter(|message| !message.is_null() && said_nothing);
        if let Some(delta) = delta.or(message) {
            step = self.delta(delta, say)?;
        } else if let Some(text) = choice.get("text").and_then(Value::as_str) {
            step = self.say(text, say);
        }
        let reason = choice.get("finish_reason").and_then(Value::as_str);
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(reason.to_owned());
        }
        Ok(step)
    }

    fn delta(
        &mut self,
        delta: &Value,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Step, Failure> {
        let mut step = match delta.get("content") {
            Some(Value::String(text)) => self.say(text, say),
            Some(Value::Array(parts)) => parts.iter().fold(Step::Quiet, |step, part| {
                match part.get("text").and_then(Value::as_str) {
                    Some(text) if self.say(text, say) == Step::Token => Step::Token,
                    _ => step,
                }
            }),
            _ => Step::Quiet,
        };
        if let Some(calls) = delta.get("tool_calls").and_then(Value::as_array) {
            calls.iter().try_for_each(|call| self.calls.add(call))?;
            step = if calls.is_empty() { step } else { Step::Token };
        }
        if let Some(call) = delta.get("function_call").filter(|call| !call.is_null()) {
            self.calls.add(call)?;
            step = Step::Token;
        }
        if let Some(text) = delta.get("refusal").and_then(Value::as_str) {
            self.refusal.push_str(text);
            step = if text.is_empty() { step } else { Step::Token };
        }
        // Reasoning is not part of the answer, but it shows that the model is at work.
        let is_thought = |name: &&str| {
            delta.get(*name).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
        };
        if ["reasoning_content", "reasoning"].iter().any(is_thought) {
            step = Step::Token;
        }
        Ok(step)
    }

    fn say(&mut self, text: &str, say: &mut (dyn FnMut(&str) + Send)) -> Step {
        if text.is_empty() {
            return Step::Quiet;
        }
        self.text.push_str(text);
        say(text);
        Step::Token
    }
}

impl Decoder for Completion {
    fn event(&mut self, data: &str, say: &mut (dyn FnMut(&str) + Send)) -> Result<Step, Failure> {
        if data.trim() == "[DONE]" {
            self.is_done = true;
            return Ok(Step::Done);
        }
        let event: Value = serde_json::from_str(data)
            .map_err(|_| Failure::new(Trouble::Broken, "the stream holds an unreadable event"))?;
        if let Some(failure) = stream_error(&event) {
            return Err(failure);
        }
        if let Some(usage) = event.get("usage").and_then(read_usage) {
            self.usage = Some(usage);
        }
        let choices = event.get("choices").and_then(Value::as_array);
        let first = choices
            .into_iter()
            .flatten()
            .find(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
        first.map_or(Ok(Step::Quiet), |choice| self.choice(choice, say))
    }

    fn document(
        &mut self,
        body: &Value,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failure> {
        if let Some(failure) = stream_error(body) {
            return Err(failure);
        }
        let Some(choices) = body.get("choices").and_then(Value::as_array) else {
            let problem = "what answered does not speak the protocol: no completion in its JSON";
            return Err(Failure::new(Trouble::Protocol, problem));
        };
        self.usage = body.get("usage").and_then(read_usage);
        if let Some(choice) = choices.first() {
            self.choice(choice, say)?;
        }
        self.is_done = true;
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.is_done || self.finish.is_some()
    }
}

/// The error that an event inside a stream tells, if it tells one.
pub(crate) fn stream_error(event: &Value) -> Option<Failure> {
    let error = event.get("error").filter(|error| !error.is_null())?;
    let (said, code) = explain_json(event);
    let status = error.get("status").or_else(|| error.get("code")).and_then(Value::as_u64);
    let trouble = match (code.as_str(), status) {
        (QUOTA, _) => Trouble::Quota,
        _ if is_too_long(&said, &code) => Trouble::TooLong,
        ("rate_limit_exceeded" | "overloaded_error" | "server_error", _)
        | (_, Some(429 | 500..=599)) => Trouble::Overloaded,
        (_, Some(401 | 403)) => Trouble::Unauthorised,
        _ => Trouble::Broken,
    };
    Some(Failure::new(trouble, format!("the provider reports an error: {said}")))
}

/// A `usage` object in the spelling of chat completions or of the Responses API; absent when it says
/// nothing.
pub(crate) fn read_usage(usage: &Value) -> Option<Usage> {
    let number = |names: [&str; 2]| {
        names.into_iter().find_map(|name| usage.get(name)).and_then(Value::as_u64)
    };
    let input = number(["prompt_tokens", "input_tokens"]).unwrap_or(0);
    let output = number(["completion_tokens", "output_tokens"]).unwrap_or(0);
    if input == 0 && output == 0 {
        return None;
    }
    let cached = ["prompt_tokens_details", "input_tokens_details"]
        .into_iter()
        .find_map(|name| usage.get(name)?.get("cached_tokens"))
        .or_else(|| usage.get("prompt_cache_hit_tokens"))
        .and_then(Value::as_u64)
        .unwrap_or(0);
    Some(Usage { input, cached_input: cached.min(input), output, estimated: false })
}

#[cfg(test)]
mod tests;
