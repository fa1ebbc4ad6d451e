//! Keeps a conversation within a model's window.
//!
//! Invariant: the system prompt and the first message of the person are never touched, every tool call
//! keeps its answer, and the outcome depends on nothing but the messages, the facts and the room, so that
//! a run that is taken up again sends what it sent before. Old tool results give way first, then old
//! words, then whole steps; a message with the [`facts`] on record takes their place. Cutting goes
//! further than needed in one step rather than a little at every call: a prompt whose beginning stays
//! the same is served from cache.

pub(crate) mod facts;

use sage_core::{Message, Speaker, ToolSpec, head_and_tail};
use sage_model::estimate_tokens;
use sage_tool::OUTPUT_PREFIX;
use serde_json::Value;

use facts::FACTS_HEAD;

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

/// What begins the line that stands for an old tool result.
const RESULT_LEFT_OUT: &str = "[left out to save room";

/// Tokens that a message costs beside its words, as `sage-model` counts them.
const TOKENS_PER_MESSAGE: u64 = 4;

/// What messages weigh, in estimated tokens.
pub(crate) fn weigh(messages: &[Message]) -> u64 {
    messages.iter().map(message_tokens).sum()
}

/// What the descriptions of tools weigh.
pub(crate) fn weigh_tools(tools: &[ToolSpec]) -> u64 {
    let weigh = |tool: &ToolSpec| {
        TOKENS_PER_MESSAGE
            + estimate_tokens(&tool.name)
            + estimate_tokens(&tool.description)
            + estimate_tokens(&tool.parameters.to_string())
    };
    tools.iter().map(weigh).sum()
}

/// The messages that are never cut do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge {
    /// What they need, in tokens.
    pub needed: u64,
}

/// Cuts `messages` until they take at most `room` tokens. Where something has to be cut, a message with
/// the text of `facts` stands after the first message of the person from then on.
pub(crate) fn fit(
    messages: &mut Vec<Message>,
    room: u64,
    facts: &dyn Fn() -> String,
) -> Result<(), TooLarge> {
    if weigh(messages) <= room {
        return Ok(());
    }
    let head = head_len(messages);
    let note = Message::user(facts());
    match facts_at(messages) {
        Some(at) => messages[at] = note,
        None => messages.insert(head, note),
    }
    let mut cut = Cut { head: head + 1, messages };
    let low_water = room / 100 * LOW_WATER_PERCENT;
    let old = cut.old_steps_end();
    let passes: [fn(&mut Message); 3] = [shorten_result, drop_result, shorten_rest];
    for pass in passes {
        if cut.apply(cut.head..old, low_water, pass) {
            return Ok(());
        }
    }
    cut.drop_old_steps(low_water);
    if cut.weight() <= room {
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
pub(crate) fn head_len(messages: &[Message]) -> usize {
    let first = messages.iter().position(|message| message.speaker == Speaker::User);
    first.map_or(0, |at| at + 1)
}

/// Where the message is that stands for what was cut.
pub(crate) fn facts_at(messages: &[Message]) -> Option<usize> {
    let at = head_len(messages);
    let is_note = |message: &Message| {
        message.speaker == Speaker::User && message.text.starts_with(FACTS_HEAD)
    };
    messages.get(at).filter(|message| is_note(message)).map(|_| at)
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
        weigh(self.messages)
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

    /// Drops whole steps, the oldest first, until the weight is at most `goal` or none is left to drop.
    fn drop_old_steps(&mut self, goal: u64) {
        let old = self.old_steps_end();
        let is_start = |at: &usize| self.messages[*at].speaker == Speaker::Assistant;
        let mut ends: Vec<usize> = (self.head + 1..old).filter(is_start).collect();
        ends.push(old);
        let mut weight = self.weight();
        let mut dropped_to = self.head;
        for end in ends {
            if weight <= goal {
                break;
            }
            weight -= weigh(&self.messages[dropped_to..end]);
            dropped_to = end;
        }
        self.messages.drain(self.head..dropped_to);
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
    let whole = output_in(&message.text).map(|name| format!("; whole: {name}"));
    let whole = whole.unwrap_or_default();
    message.text = format!("{RESULT_LEFT_OUT}; it began: {first}{whole}]");
}

/// The name under which the whole of a result can be read, if it says one.
fn output_in(text: &str) -> Option<&str> {
    let rest = &text[text.find(OUTPUT_PREFIX)?..];
    let end = rest[OUTPUT_PREFIX.len()..].find(|c: char| !c.is_ascii_hexdigit());
    let name = &rest[..end.map_or(rest.len(), |end| end + OUTPUT_PREFIX.len())];
    (name.len() > OUTPUT_PREFIX.len()).then_some(name)
}

fn shorten_rest(message: &mut Message) {
    shorten(message, OLD_TEXT_CHARS);
}

fn shorten(message: &mut Message, max_chars: usize) {
    let short = head_and_tail(&message.text, max_chars);
    let lost = output_in(&message.text)
        .filter(|name| message.speaker == Speaker::Tool && !short.contains(name))
        .map(|name| format!("\n[whole: {name}]"));
    message.text = short + &lost.unwrap_or_default();
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
