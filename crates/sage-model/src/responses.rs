//! OpenAI's Responses API, for endpoints that have it (`api: responses`). Nothing is stored at the
//! provider: the whole conversation is sent each time, as with chat completions.

use sage_core::{CallId, Message, Speaker, Usage};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::http::{Decoder, Http, Step};
use crate::openai::{as_object, cache_key, is_openai, is_strict, read_usage, stream_error, tidy};
use crate::plain::plain;
use crate::provider::{Answer, Ask, answer};
use crate::stream::Framing;
use crate::tool_deltas::ToolDeltas;
use crate::{Failure, ToolCalling, Trouble};

const PATH: [&str; 1] = ["responses"];

/// A client of one endpoint.
pub(crate) struct Responses {
    pub(crate) http: Http,
}

impl Responses {
    pub(crate) fn new(http: Http) -> Self {
        Self { http }
    }

    pub(crate) async fn ask(
        &self,
        ask: &Ask<'_>,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answer, Failure> {
        let mut body = body(ask);
        if let Some(key) =
            cache_key(ask.request).filter(|_| is_openai(&self.http.endpoint().shown()))
            && let Some(fields) = body.as_object_mut()
        {
            fields.insert("prompt_cache_key".to_owned(), json!(key));
        }
        let started = Instant::now();
        let first_token_by = started + ask.clocked.limits.first_token;
        let mut sent = self.http.post(&PATH, &body, &ask.clocked, first_token_by).await;
        // Reasoning models take no temperature; that is worth one more request, not a failure.
        if let Err(refused) = &sent
            && refused.status == Some(400)
            && refused.said.contains("temperature")
            && body.as_object_mut().is_some_and(|body| body.remove("temperature").is_some())
        {
            sent = self.http.post(&PATH, &body, &ask.clocked, first_token_by).await;
        }
        let response = sent.map_err(|refused| refused.failure)?;
        let mut decoder = Reply::default();
        let first = self
            .http
            .read(response, Framing::Sse, &mut decoder, say, &ask.clocked, first_token_by)
            .await?;
        let first_token = first.map(|at| at - started);
        Ok(Answer { first_token, ..decoder.finish(&ask.request.call)? })
    }
}

fn body(ask: &Ask<'_>) -> Value {
    let request = ask.request;
    let is_text = ask.facts.tool_calling == ToolCalling::Text;
    let input: Vec<Value> = if is_text {
        plain(&request.messages).into_iter().map(|(who, text)| said(who, &text)).collect()
    } else {
        request.messages.iter().flat_map(items).collect()
    };
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(ask.facts.model));
    body.insert("input".to_owned(), Value::Array(input));
    body.insert("stream".to_owned(), json!(true));
    body.insert("store".to_owned(), json!(false));
    body.insert("max_output_tokens".to_owned(), json!(ask.max_output_tokens));
    if !is_text && !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "name": tool.name, "description": tool.description,
                "parameters": tool.parameters, "strict": false})
        });
        body.insert("tools".to_owned(), tools.collect());
    }
    if let Some(wanted) = request.response_schema.as_ref().filter(|_| ask.facts.json_schema) {
        let format = json!({"type": "json_schema", "name": wanted.name, "schema": wanted.schema,
            "strict": is_strict(&wanted.schema)});
        body.insert("text".to_owned(), json!({"format": format}));
    }
    if let Some(temperature) = ask.temperature {
        body.insert("temperature".to_owned(), tidy(temperature));
    }
    Value::Object(body)
}

fn said(speaker: Speaker, text: &str) -> Value {
    let role = match speaker {
        Speaker::System => "system",
        Speaker::Assistant => "assistant",
        Speaker::User | Speaker::Tool => "user",
    };
    json!({"role": role, "content": text})
}

/// One message as the items that the API knows: a text, calls, a call's output.
fn items(message: &Message) -> Vec<Value> {
    if let (Speaker::Tool, Some(id)) = (message.speaker, &message.tool_call_id) {
        return vec![
            json!({"type": "function_call_output", "call_id": id, "output": message.text}),
        ];
    }
    let mut items = Vec::new();
    if !message.text.is_empty() || message.tool_calls.is_empty() {
        items.push(said(message.speaker, &message.text));
    }
    items.extend(message.tool_calls.iter().map(|call| {
        json!({"type": "function_call", "call_id": call.id, "name": call.name,
            "arguments": as_object(&call.arguments).to_string()})
    }));
    items
}

/// A reply under construction.
#[derive(Debug, Default)]
struct Reply {
    text: String,
    refusal: String,
    calls: ToolDeltas,
    finish: Option<String>,
    usage: Option<Usage>,
}

impl Reply {
    fn finish(self, call: &CallId) -> Result<Answer, Failure> {
        let Self { text, refusal, calls, finish, usage } = self;
        answer(call, text, &refusal, calls, finish.as_deref(), usage)
    }

    /// Takes the response object that closes a stream, or that is the whole answer.
    fn close(
        &mut self,
        response: &Value,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failure> {
        if let Some(failure) = stream_error(response) {
            return Err(failure);
        }
        self.usage = response.get("usage").and_then(read_usage);
        // What was streamed is the same as what is repeated here; only a silent stream needs it.
        if self.text.is_empty() && self.calls.is_empty() {
            let output = response.get("output").and_then(Value::as_array);
            for item in output.into_iter().flatten() {
                self.item(item, say)?;
            }
        }
        let reason = response.get("incomplete_details").and_then(|details| details.get("reason"));
        let status = response.get("status").and_then(Value::as_str).unwrap_or("completed");
        match status {
            "completed" | "incomplete" => {
                let reason = reason.and_then(Value::as_str).unwrap_or("completed");
                self.finish = Some(reason.to_owned());
                Ok(())
            }
            other => Err(Failure::new(Trouble::Broken, format!("the response ended as {other}"))),
        }
    }

    fn item(&mut self, item: &Value, say: &mut (dyn FnMut(&str) + Send)) -> Result<(), Failure> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "message" => {
                let parts = item.get("content").and_then(Value::as_array);
                for part in parts.into_iter().flatten() {
                    if let Some(text) = part.get("text").and_then(Value::as_str) {
                        self.text.push_str(text);
                        say(text);
                    }
                    if let Some(text) = part.get("refusal").and_then(Value::as_str) {
                        self.refusal.push_str(text);
                    }
                }
                Ok(())
            }
            "function_call" => {
                self.calls.add_parts(None, text("call_id"), text("name"), text("arguments"))
            }
            _ => Ok(()),
        }
    }
}

impl Decoder for Reply {
    fn event(&mut self, data: &str, say: &mut (dyn FnMut(&str) + Send)) -> Result<Step, Failure> {
        if data.trim() == "[DONE]" {
            return Ok(Step::Done);
        }
        let event: Value = serde_json::from_str(data)
            .map_err(|_| Failure::new(Trouble::Broken, "the stream holds an unreadable event"))?;
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "response.output_text.delta" => {
                self.text.push_str(text("delta"));
                say(text("delta"));
                Ok(Step::Token)
            }
            "response.refusal.delta" => {
                self.refusal.push_str(text("delta"));
                Ok(Step::Token)
            }
            // A finished item holds its whole call; the fragments before it only show life.
            "response.output_item.done" => {
                let item = event.get("item").unwrap_or(&Value::Null);
                if item.get("type").is_some_and(|kind| kind == "function_call") {
                    self.item(item, say)?;
                }
                Ok(Step::Token)
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.close(event.get("response").unwrap_or(&Value::Null), say)?;
                Ok(Step::Done)
            }
            "error" => {
                let wrapped = json!({"error": event});
                Err(stream_error(&wrapped).unwrap_or_else(|| {
                    Failure::new(Trouble::Broken, "the provider reports an error")
                }))
            }
            kind if kind.ends_with(".delta") => Ok(Step::Token),
            _ => stream_error(&event).map_or(Ok(Step::Quiet), Err),
        }
    }

    fn document(
        &mut self,
        body: &Value,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failure> {
        let is_reply = body.get("output").is_some() || body.get("error").is_some();
        if !is_reply {
            let problem = "what answered does not speak the protocol: no response in its JSON";
            return Err(Failure::new(Trouble::Protocol, problem));
        }
        self.close(body, say)
    }

    fn is_complete(&self) -> bool {
        self.finish.is_some()
    }
}

#[cfg(test)]
mod tests {
    use sage_core::{Finish, NodeId};

    use super::*;

    fn decode(events: &[Value]) -> Result<Answer, Failure> {
        let mut reply = Reply::default();
        for event in events {
            reply.event(&event.to_string(), &mut |_| {})?;
        }
        assert!(reply.is_complete());
        reply.finish(&CallId { node: NodeId::plan(), attempt: 1, index: 1 })
    }

    #[test]
    fn text_and_calls_and_usage_are_put_together() {
        let answer = decode(&[
            json!({"type": "response.created", "response": {}}),
            json!({"type": "response.output_text.delta", "delta": "Hi"}),
            json!({"type": "response.function_call_arguments.delta", "delta": "{"}),
            json!({"type": "response.output_item.done", "item":
                {"type": "function_call", "call_id": "c1", "name": "read", "arguments": "{\"p\":1}"}}),
            json!({"type": "response.completed", "response": {"status": "completed", "output": [],
                "usage": {"input_tokens": 7, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 3}}}),
        ])
        .unwrap();
        assert_eq!(answer.message.text, "Hi");
        assert_eq!(answer.message.tool_calls[0].arguments, "{\"p\":1}");
        assert_eq!(answer.finish, Finish::ToolCalls);
        let usage = Usage { input: 7, cached_input: 2, output: 3, estimated: false };
        assert_eq!(answer.usage, Some(usage));
    }

    #[test]
    fn a_closing_response_alone_is_enough_and_says_when_it_was_cut() {
        let output = json!([{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]);
        let cut = json!({"type": "response.incomplete", "response": {"status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"}, "output": output}});
        let answer = decode(&[cut]).unwrap();
        assert_eq!((answer.message.text.as_str(), answer.finish), ("Hi", Finish::Length));
    }

    #[test]
    fn failures_are_sorted() {
        let failed = json!({"type": "response.failed", "response": {"status": "failed",
            "error": {"code": "server_error", "message": "x"}}});
        assert_eq!(decode(&[failed]).unwrap_err().trouble, Trouble::Overloaded);
        let error = json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow"});
        assert_eq!(decode(&[error]).unwrap_err().trouble, Trouble::Overloaded);
        let cancelled = json!({"type": "response.failed", "response": {"status": "cancelled"}});
        assert_eq!(decode(&[cancelled]).unwrap_err().trouble, Trouble::Broken);
    }
}
