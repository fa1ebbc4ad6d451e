//! Tool calls put together from the pieces that OpenAI-compatible servers send, in all their dialects:
//! numbered or not, with or without ids, whole or in fragments, arguments as text or as an object.

use sage_core::{CallId, ToolCall};
use serde_json::Value;

use crate::stream::{MAX_LINE_BYTES, too_big};
use crate::{Failure, Trouble};

/// The most tool calls of one answer.
pub(crate) const MAX_TOOL_CALLS: usize = 128;

/// Tool calls under construction.
#[derive(Debug, Default)]
pub(crate) struct ToolDeltas {
    calls: Vec<Partial>,
    n_bytes: usize,
}

#[derive(Debug, Default)]
struct Partial {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl ToolDeltas {
    /// Takes one element of `tool_calls`, or a legacy `function_call` wrapped like one.
    pub(crate) fn add(&mut self, call: &Value) -> Result<(), Failure> {
        let function = call.get("function").unwrap_or(call);
        let index = call.get("index").and_then(Value::as_u64);
        let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = match function.get("arguments").or_else(|| function.get("parameters")) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        self.add_parts(index, id, name, &arguments)
    }

    /// Takes the parts of a piece; `index` counts calls where the server numbers them.
    pub(crate) fn add_parts(
        &mut self,
        index: Option<u64>,
        id: &str,
        name: &str,
        arguments: &str,
    ) -> Result<(), Failure> {
        self.n_bytes = self.n_bytes.saturating_add(id.len() + name.len() + arguments.len());
        if self.n_bytes > MAX_LINE_BYTES {
            return Err(too_big("the tool calls of the answer", MAX_LINE_BYTES));
        }
        let at = match self.belongs_to(index, id, name) {
            Some(at) => at,
            None if self.calls.len() >= MAX_TOOL_CALLS => {
                let problem = format!("the answer holds more than {MAX_TOOL_CALLS} tool calls");
                return Err(Failure::new(Trouble::TooBig, problem));
            }
            None => {
                self.calls.push(Partial { index, ..Partial::default() });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            call.id.push_str(id);
        }
        // Some servers repeat the name with every fragment, none splits it.
        if call.name.is_empty() {
            call.name.push_str(name);
        }
        call.arguments.push_str(arguments);
        Ok(())
    }

    /// The call that a piece continues, if it continues one.
    fn belongs_to(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        // A second id or a second name under the same number begins another call.
        let is_other = |call: &Partial| {
            !id.is_empty() && !call.id.is_empty() && call.id != id && !name.is_empty()
        };
        match index {
            Some(_) => self
                .calls
                .iter()
                .rposition(|call| call.index == index)
                .filter(|at| !is_other(&self.calls[*at])),
            None if !id.is_empty() => self.calls.iter().rposition(|call| call.id == id),
            None => {
                let last = self.calls.last()?;
                let begins = !name.is_empty() && !last.name.is_empty();
                (!begins).then_some(self.calls.len() - 1)
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The finished calls. Missing or repeated ids are replaced by ones made from `call`, so that the
    /// same answer always gets the same ids.
    pub(crate) fn finish(self, call: &CallId) -> Result<Vec<ToolCall>, Failure> {
        let mut done: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        for partial in self.calls {
            let Partial { id, name, arguments, .. } = partial;
            if name.trim().is_empty() {
                if arguments.trim().is_empty() {
                    continue;
                }
                return Err(Failure::new(Trouble::Broken, "a tool call has no name"));
            }
            let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
            let is_taken = id.is_empty() || done.iter().any(|other| other.id == id);
            let id = if is_taken { format!("call_{}_{}", call.index, done.len() + 1) } else { id };
            done.push(ToolCall { id, name: name.trim().to_owned(), arguments });
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use sage_core::NodeId;
    use serde_json::json;

    use super::*;

    fn check(deltas: &[Value], expected: &[(&str, &str, &str)]) {
        let mut calls = ToolDeltas::default();
        for delta in deltas {
            delta.as_array().into_iter().flatten().for_each(|call| calls.add(call).unwrap());
        }
        let call = CallId { node: NodeId::plan(), attempt: 1, index: 4 };
        let calls = calls.finish(&call).unwrap();
        let found: Vec<(&str, &str, &str)> = calls
            .iter()
            .map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn fragments_find_their_call_in_every_dialect() {
        let numbered = [
            json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "read", "arguments": ""}}]),
            json!([{"index": 0, "function": {"arguments": "{\"p\":"}}, {"index": 1, "id": "b", "function": {"name": "list"}}]),
            json!([{"index": 0, "function": {"arguments": "1}"}}]),
        ];
        check(&numbered, &[("a", "read", "{\"p\":1}"), ("b", "list", "{}")]);
        let unnumbered = [
            json!([{"id": "a", "function": {"name": "read", "arguments": "{"}}]),
            json!([{"function": {"arguments": "}"}}]),
            json!([{"id": "b", "function": {"name": "read", "arguments": {"p": 1}}}]),
        ];
        check(&unnumbered, &[("a", "read", "{}"), ("b", "read", "{\"p\":1}")]);
        let without_ids = [json!([
            {"function": {"name": "read", "arguments": {"p": 1}}},
            {"function": {"name": "read", "arguments": null}},
        ])];
        check(&without_ids, &[("call_4_1", "read", "{\"p\":1}"), ("call_4_2", "read", "{}")]);
        let all_zero = [
            json!([{"index": 0, "id": "a", "function": {"name": "read", "arguments": "{}"}}]),
            json!([{"index": 0, "id": "b", "function": {"name": "list", "arguments": "{}"}}]),
            json!([{"index": 0, "id": "b", "function": {"arguments": ""}}]),
        ];
        check(&all_zero, &[("a", "read", "{}"), ("b", "list", "{}")]);
        let same_ids = [json!([
            {"index": 0, "id": "x", "function": {"name": "read", "arguments": "{}"}},
            {"index": 1, "id": "x", "function": {"name": "list", "arguments": "{}"}},
        ])];
        check(&same_ids, &[("x", "read", "{}"), ("call_4_2", "list", "{}")]);
        check(&[json!(null), json!({}), json!([{}])], &[]);
    }

    #[test]
    fn calls_are_bounded_and_need_a_name() {
        let mut calls = ToolDeltas::default();
        let many: Vec<Value> =
            (0..200).map(|n| json!({"index": n, "function": {"name": "x"}})).collect();
        let refused = many.iter().find_map(|call| calls.add(call).err()).unwrap();
        assert_eq!(refused.trouble, Trouble::TooBig);
        let mut calls = ToolDeltas::default();
        calls.add(&json!({"index": 0, "function": {"arguments": "{\"a\":1}"}})).unwrap();
        let call = CallId { node: NodeId::plan(), attempt: 1, index: 1 };
        assert_eq!(calls.finish(&call).unwrap_err().trouble, Trouble::Broken);
    }
}
