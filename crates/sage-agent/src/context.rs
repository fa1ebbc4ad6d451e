//! Keeps a conversation within a model's window.
//!
//! Invariant: the system prompt and the first message of the person are never touched, every tool call
//! keeps its answer, and the outcome depends on nothing but the messages and the room, so that a run
//! that is taken up again sends what it sent before. Cutting goes further than needed in one step
//! rather than a little at every call: a prompt whose beginning stays the same is served from cache.

use sage_core::{Message, Speaker, ToolSpec, head_and_tail};
use sage_model::estimate_tokens;
use serde::Serialize;
use serde_json::Value;

/// The last steps of a conversation, which are cut only when nothing else is left to cut.
const KEPT_STEPS: usize = 2;

/// To how much of the room old steps are cut once they no longer fit, in percent.
const LOW_WATER_PERCENT: u64 = 70;

/// What is left of an old tool result at first, in characters.
const OLD_RESULT_CHARS: usize = 1_200;

/// What is left of an old message, or of a long argument of an old tool call, in characters.
const OLD_TEXT_CHARS: usize = 400;

/// What is left of recent messages, in characters, tried in this order.
const RECENT_CHARS: [usize; 4] = [8_000, 2_000, 500, 100];

/// What stands for steps that were dropped.
const STEPS_LEFT_OUT: &str = "[Earlier steps were left out to save room.]";

/// What begins the line that stands for an old tool result.
const RESULT_LEFT_OUT: &str = "[left out to save room";

/// Tokens that a message costs beside its words, as `sage-model` counts them.
const TOKENS_PER_MESSAGE: u64 = 4;

/// What each part of a request weighs, in estimated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sections {
    /// Standing instructions.
    pub system: u64,
    /// The first message of the person.
    pub task: u64,
    /// Everything after it.
    pub steps: u64,
    /// The descriptions of the tools on offer.
    pub tools: u64,
}

impl Sections {
    /// Weighs a request.
    #[must_use]
    pub fn of(messages: &[Message], tools: &[ToolSpec]) -> Self {
        let head = &messages[..head_len(messages)];
        let is_system = |message: &&Message| message.speaker == Speaker::System;
        let system = head.iter().filter(is_system).map(message_tokens).sum();
        let weigh_tool = |tool: &ToolSpec| {
            TOKENS_PER_MESSAGE
                + estimate_tokens(&tool.name)
                + estimate_tokens(&tool.description)
                + estimate_tokens(&tool.parameters.to_string())
        };
        Self {
            system,
            task: head.iter().map(message_tokens).sum::<u64>() - system,
            steps: messages[head.len()..].iter().map(message_tokens).sum(),
            tools: tools.iter().map(weigh_tool).sum(),
        }
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.system + self.task + self.steps + self.tools
    }
}

/// The messages that are never cut do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// What they need, in tokens.
    pub needed: u64,
}

/// Cuts `messages` until they take at most `room` tokens.
pub(crate) fn fit(messages: &mut Vec<Message>, room: u64) -> Result<(), TooLarge> {
    let mut cut = Cut { head: head_len(messages), messages };
    if cut.weight() <= room {
        return Ok(());
    }
    let low_water = room / 100 * LOW_WATER_PERCENT;
    let old = cut.old_steps_end();
    let passes: [fn(&mut Message); 3] = [shorten_result, drop_result, shorten_rest];
    for pass in passes {
        if cut.apply(cut.head..old, low_water, pass) {
            return Ok(());
        }
    }
    if cut.weight() <= room || cut.drop_old_steps(room) {
        return Ok(());
    }
    for max_chars in RECENT_CHARS {
        let all = cut.head..cut.messages.len();
        if cut.apply(all, room, |message| shorten(message, max_chars)) {
            return Ok(());
        }
    }
    Err(TooLarge { needed: cut.weight() })
}

/// How many messages at the beginning are never cut: up to the first message of the person.
fn head_len(messages: &[Message]) -> usize {
    let first = messages.iter().position(|message| message.speaker == Speaker::User);
    first.map_or(0, |at| at + 1)
}

fn message_tokens(message: &Message) -> u64 {
    let calls = message.tool_calls.iter().map(|call| {
        TOKENS_PER_MESSAGE + estimate_tokens(&call.name) + estimate_tokens(&call.arguments)
    });
    TOKENS_PER_MESSAGE + estimate_tokens(&message.text) + calls.sum::<u64>()
}

struct Cut<'a> {
    messages: &'a mut Vec<Message>,
    head: usize,
}

impl Cut<'_> {
    fn weight(&self) -> u64 {
        self.messages.iter().map(message_tokens).sum()
    }

    /// Where the last [`KEPT_STEPS`] steps begin. A step is what the model said and all that followed.
    fn old_steps_end(&self) -> usize {
        let is_step = |at: &usize| self.messages[*at].speaker == Speaker::Assistant;
        let starts = (self.head..self.messages.len()).rev().filter(is_step);
        starts.take(KEPT_STEPS).last().unwrap_or(self.head)
    }

    /// Applies `pass` from the oldest message on until the weight is at most `goal`.
    fn apply(
        &mut self,
        range: std::ops::Range<usize>,
        goal: u64,
        pass: impl Fn(&mut Message),
    ) -> bool {
        let mut weight = self.weight();
        for message in &mut self.messages[range] {
            if weight <= goal {
                break;
            }
            weight -= message_tokens(message);
            pass(message);
            weight += message_tokens(message);
        }
        weight <= goal
    }

    /// Drops whole steps, the oldest first, until the weight is at most `room`.
    fn drop_old_steps(&mut self, room: u64) -> bool {
        let old = self.old_steps_end();
        let is_start = |at: &usize| self.messages[*at].speaker == Speaker::Assistant;
        let mut ends: Vec<usize> = (self.head + 1..old).filter(is_start).collect();
        ends.push(old);
        let mut weight = self.weight() + message_tokens(&Message::user(STEPS_LEFT_OUT));
        let mut dropped_to = self.head;
        for end in ends {
            if weight <= room {
                break;
            }
            weight -= self.messages[dropped_to..end].iter().map(message_tokens).sum::<u64>();
            dropped_to = end;
        }
        if dropped_to > self.head {
            let note = Message::user(STEPS_LEFT_OUT);
            self.messages.splice(self.head..dropped_to, [note]);
        }
        self.weight() <= room
    }
}

fn shorten_result(message: &mut Message) {
    if message.speaker == Speaker::Tool {
        shorten(message, OLD_RESULT_CHARS);
    }
}

fn drop_result(message: &mut Message) {
    const MAX_FIRST_LINE_CHARS: usize = 80;
    let is_short = message.text.len() <= RESULT_LEFT_OUT.len() + 2 * MAX_FIRST_LINE_CHARS;
    if message.speaker != Speaker::Tool || is_short {
        return;
    }
    let first: String = message
        .text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(MAX_FIRST_LINE_CHARS)
        .collect();
    message.text = format!("{RESULT_LEFT_OUT}; it began: {first}]");
}

fn shorten_rest(message: &mut Message) {
    shorten(message, OLD_TEXT_CHARS);
}

fn shorten(message: &mut Message, max_chars: usize) {
    message.text = head_and_tail(&message.text, max_chars);
    for call in &mut message.tool_calls {
        if call.arguments.len() > max_chars {
            call.arguments = shorter_arguments(&call.arguments, max_chars);
        }
    }
}

/// Arguments with long texts cut; still a JSON object, as providers insist.
fn shorter_arguments(arguments: &str, max_chars: usize) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(arguments) else {
        return "{}".to_owned();
    };
    for value in fields.values_mut() {
        match value {
            Value::String(text) => *text = head_and_tail(text, max_chars),
            Value::Array(_) | Value::Object(_) => *value = Value::Null,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests;
