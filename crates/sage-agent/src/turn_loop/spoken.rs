//! Tool calls that a model wrote into its text, because its server did not recognise them: in the tags
//! and shapes that models are trained on.
//!
//! Invariant: only the name of a tool that exists, together with arguments, makes a call; anything else
//! is text.

use sage_core::ToolCall;
use serde_json::{Map, Value};

use crate::json_answer::candidates;

/// What begins calls in a text, for cutting off what was said before.
const OPENINGS: [&str; 6] = ["<tool_call>", "<function=", "[TOOL_CALLS]", "```", "{", "["];

const ARGUMENT_KEYS: [&str; 5] = ["arguments", "parameters", "args", "input", "tool_input"];

/// The calls in `text`, with ids that begin with `id`, and what was said before them.
pub(super) fn spoken_calls<'a>(
    text: &'a str,
    id: &str,
    is_tool: &dyn Fn(&str) -> bool,
) -> Option<(&'a str, Vec<ToolCall>)> {
    let read = Reader { is_tool };
    let calls = read.tagged(text).or_else(|| read.functions(text)).or_else(|| read.plain(text))?;
    let numbered = calls.into_iter().enumerate().map(|(at, (name, arguments))| ToolCall {
        id: format!("{id}_{}", at + 1),
        name,
        arguments,
    });
    let start = OPENINGS.iter().filter_map(|opening| text.find(opening)).min().unwrap_or(0);
    Some((text[..start].trim_end(), numbered.collect()))
}

/// A name and arguments.
type Call = (String, String);

struct Reader<'a> {
    is_tool: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    /// `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, any number of times.
    fn tagged(&self, text: &str) -> Option<Vec<Call>> {
        let mut calls = Vec::new();
        for part in text.split("<tool_call>").skip(1) {
            let inside = part.split("</tool_call>").next().unwrap_or_default().trim();
            match serde_json::from_str(inside) {
                Ok(value) => calls.extend(self.calls_of(&value)?),
                Err(_) => calls.extend(self.functions(inside)?),
            }
        }
        some(calls)
    }

    /// `<function=name><parameter=path>a.rs</parameter></function>`, any number of times.
    fn functions(&self, text: &str) -> Option<Vec<Call>> {
        let mut calls = Vec::new();
        for part in text.split("<function=").skip(1) {
            let (name, rest) = part.split_once('>')?;
            let (body, _) = rest.split_once("</function>")?;
            let mut arguments = Map::new();
            for parameter in body.split("<parameter=").skip(1) {
                let (key, rest) = parameter.split_once('>')?;
                let (value, _) = rest.rsplit_once("</parameter>")?;
                let value = value.strip_prefix('\n').unwrap_or(value);
                let value = value.strip_suffix('\n').unwrap_or(value);
                arguments.insert(key.trim().to_owned(), Value::String(value.to_owned()));
            }
            let name = name.trim();
            if !(self.is_tool)(name) {
                return None;
            }
            calls.push((name.to_owned(), Value::Object(arguments).to_string()));
        }
        some(calls)
    }

    /// JSON that is nothing but calls, bare or in a fence.
    fn plain(&self, text: &str) -> Option<Vec<Call>> {
        let mut calls = Vec::new();
        for found in candidates(text).ok()? {
            calls.extend(self.calls_of(&found.value)?);
        }
        some(calls)
    }

    fn calls_of(&self, value: &Value) -> Option<Vec<Call>> {
        match value {
            Value::Array(values) => {
                some(values.iter().map(|one| self.call_of(one)).collect::<Option<_>>()?)
            }
            Value::Object(fields) => match fields.get("tool_calls") {
                Some(Value::Array(values)) => {
                    some(values.iter().map(|one| self.call_of(one)).collect::<Option<_>>()?)
                }
                _ => Some(vec![self.call_of(value)?]),
            },
            _ => None,
        }
    }

    fn call_of(&self, value: &Value) -> Option<Call> {
        let fields = match value.get("function") {
            Some(Value::Object(function)) => function,
            _ => value.as_object()?,
        };
        let name = ["name", "tool", "tool_name", "function"]
            .iter()
            .find_map(|key| fields.get(*key)?.as_str())
            .filter(|name| (self.is_tool)(name))?;
        let arguments = match ARGUMENT_KEYS.iter().find_map(|key| fields.get(*key))? {
            Value::String(text) if text.trim_start().starts_with('{') => text.clone(),
            Value::Object(arguments) => Value::Object(arguments.clone()).to_string(),
            _ => return None,
        };
        Some((name.to_owned(), arguments))
    }
}

fn some(calls: Vec<Call>) -> Option<Vec<Call>> {
    (!calls.is_empty()).then_some(calls)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let found = spoken_calls(text, "c", &|name| ["read", "write"].contains(&name));
        let shown = match found {
            None => "none".to_owned(),
            Some((said, calls)) => {
                let each = calls.iter().map(|c| format!(" {} {}{}", c.id, c.name, c.arguments));
                format!("{said:?}{}", each.collect::<String>())
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn calls_are_read_in_the_shapes_that_models_write() {
        check(
            "I look.\n<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>\n<tool_call>{\"name\":\"read\",\"arguments\":{\"path\":\"b\"}}</tool_call>",
            expect![[r#""I look." c_1 read{"path":"a"} c_2 read{"path":"b"}"#]],
        );
        check(
            "<tool_call>\n<function=write>\n<parameter=path>\na.py\n</parameter>\n<parameter=content>\nif a < b:\n    pass\n\n</parameter>\n</function>\n</tool_call>",
            expect![[r#""" c_1 write{"path":"a.py","content":"if a < b:\n    pass\n"}"#]],
        );
        check(
            "```json\n{\"name\": \"read\", \"parameters\": {\"path\": \"a\"}}\n```",
            expect![[r#""" c_1 read{"path":"a"}"#]],
        );
        check(
            "[TOOL_CALLS][{\"name\": \"read\", \"arguments\": \"{\\\"path\\\": \\\"a\\\"}\"}]",
            expect![[r#""" c_1 read{"path": "a"}"#]],
        );
        check(
            "{\"tool_calls\": [{\"type\": \"function\", \"function\": {\"name\": \"read\", \"arguments\": {}}}]}",
            expect![[r#""" c_1 read{}"#]],
        );
    }

    #[test]
    fn what_is_not_certainly_a_call_is_text() {
        for text in [
            "I would call read with {\"path\": \"a\"}.",
            "{\"name\": \"sage\", \"arguments\": {}}",
            "{\"name\": \"read\"}",
            "```json\n{\"name\": \"read\", \"arguments\": {}}\n```\n```json\n{\"version\": 1}\n```",
            "<tool_call>{\"name\": \"read\", \"argum",
            "<function=read><parameter=path>a",
            "<function=launch></function>",
            "",
        ] {
            check(text, expect!["none"]);
        }
    }
}
