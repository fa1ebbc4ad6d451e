//! Ollama's own chat API: JSON lines, tool arguments as objects, a schema as `format`, real token counts.
//!
//! `keep_alive` is never sent, so that the server's own setting holds.

use sage_core::{CallId, Message, Speaker, Usage};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::http::{Decoder, Http, Step};
use crate::openai::{as_object, stream_error, tidy};
use crate::plain::{plain, tool_name};
use crate::provider::{Answer, Ask, answer};
use crate::stream::Framing;
use crate::tool_deltas::ToolDeltas;
use crate::{Failure, ToolCalling, Trouble};

const PATH: [&str; 2] = ["api", "chat"];

/// A client of one server.
pub(crate) struct Ollama {
    pub(crate) http: Http,
}

impl Ollama {
    pub(crate) fn new(http: Http) -> Self {
        Self { http }
    }

    pub(crate) async fn ask(
        &self,
        ask: &Ask<'_>,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let first_token_by = started + ask.clocked.limits.first_token;
        let sent = self.http.post(&PATH, &body(ask), &ask.clocked, first_token_by).await;
        let response = sent.map_err(|refused| match refused.status {
            Some(404) => {
                let (model, server) = (&ask.facts.model, self.http.endpoint().shown());
                let said = format!(
                    "the model {model} is not present at {server} (HTTP 404: {})",
                    refused.said
                );
                Failure::new(Trouble::ModelMissing, said)
            }
            _ => refused.failure,
        })?;
        let mut decoder = Reply::default();
        let first = self
            .http
            .read(response, Framing::JsonLines, &mut decoder, say, &ask.clocked, first_token_by)
            .await?;
        let first_token = first.map(|at| at - started);
        Ok(Answer { first_token, ..decoder.finish(&ask.request.call)? })
    }
}

fn body(ask: &Ask<'_>) -> Value {
    let request = ask.request;
    let is_text = ask.facts.tool_calling == ToolCalling::Text;
    let messages: Vec<Value> = if is_text {
        let turns = plain(&request.messages).into_iter();
        turns.map(|(who, text)| json!({"role": role(who), "content": text})).collect()
    } else {
        request.messages.iter().map(|m| message(m, &request.messages)).collect()
    };
    let mut options = Map::new();
    options.insert("num_ctx".to_owned(), json!(ask.facts.context_tokens));
    options.insert("num_predict".to_owned(), json!(ask.max_output_tokens));
    if let Some(temperature) = ask.temperature {
        options.insert("temperature".to_owned(), tidy(temperature));
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(ask.facts.model));
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("stream".to_owned(), json!(true));
    if !is_text && !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let (name, about) = (&tool.name, &tool.description);
            json!({"type": "function", "function":
                {"name": name, "description": about, "parameters": tool.parameters}})
        });
        body.insert("tools".to_owned(), tools.collect());
    }
    if let Some(wanted) = request.response_schema.as_ref().filter(|_| ask.facts.json_schema) {
        body.insert("format".to_owned(), wanted.schema.clone());
    }
    body.insert("options".to_owned(), Value::Object(options));
    Value::Object(body)
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    }
}

fn message(message: &Message, all: &[Message]) -> Value {
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(role(message.speaker)));
    out.insert("content".to_owned(), json!(message.text));
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            json!({"function": {"name": call.name, "arguments": as_object(&call.arguments)}})
        });
        out.insert("tool_calls".to_owned(), calls.collect());
    }
    if message.speaker == Speaker::Tool {
        // Ollama tells results apart by the tool's name, it knows no call ids.
        let name = tool_name(all, message.tool_call_id.as_deref());
        out.insert("tool_name".to_owned(), json!(name));
    }
    Value::Object(out)
}

/// A reply under construction.
#[derive(Debug, Default)]
struct Reply {
    text: String,
    calls: ToolDeltas,
    finish: Option<String>,
    usage: Option<Usage>,
}

impl Reply {
    fn finish(self, call: &CallId) -> Result<Answer, Failure> {
        let Self { text, calls, finish, usage } = self;
        answer(call, text, "", calls, finish.as_deref(), usage)
    }

    fn take(&mut self, line: &Value, say: &mut (dyn FnMut(&str) + Send)) -> Result<Step, Failure> {
        if let Some(failure) = stream_error(line) {
            return Err(failure);
        }
        let mut step = Step::Quiet;
        let text = |name: &str| line.get("message").and_then(|m| m.get(name)?.as_str());
        if let Some(text) = text("content").filter(|text| !text.is_empty()) {
            self.text.push_str(text);
            say(text);
            step = Step::Token;
        }
        if text("thinking").is_some_and(|text| !text.is_empty()) {
            step = Step::Token;
        }
        let calls = line.get("message").and_then(|m| m.get("tool_calls"));
        for call in calls.and_then(Value::as_array).into_iter().flatten() {
            // Each element is a whole call; a number inside it counts nothing here.
            let function = call.get("function").unwrap_or(call);
            let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
            let arguments = match function.get("arguments") {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
            self.calls.add_parts(None, id, name, &arguments)?;
            step = Step::Token;
        }
        if line.get("done").and_then(Value::as_bool) == Some(true) {
            let reason = line.get("done_reason").and_then(Value::as_str).unwrap_or("stop");
            self.finish = Some(reason.to_owned());
            let count = |name: &str| line.get(name).and_then(Value::as_u64);
            // A prompt served from Ollama's cache is reported without a count; that is no figure.
            if let (Some(input), Some(output)) = (count("prompt_eval_count"), count("eval_count")) {
                self.usage = Some(Usage { input, cached_input: 0, output, estimated: false });
            }
            return Ok(Step::Done);
        }
        Ok(step)
    }
}

impl Decoder for Reply {
    fn event(&mut self, data: &str, say: &mut (dyn FnMut(&str) + Send)) -> Result<Step, Failure> {
        let line: Value = serde_json::from_str(data)
            .map_err(|_| Failure::new(Trouble::Broken, "the stream holds an unreadable line"))?;
        self.take(&line, say)
    }

    fn document(
        &mut self,
        body: &Value,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Failure> {
        if body.get("message").is_none() && body.get("error").is_none() {
            let problem = "what answered does not speak the protocol: no message in its JSON";
            return Err(Failure::new(Trouble::Protocol, problem));
        }
        self.take(body, say).map(|_| ())
    }

    fn is_complete(&self) -> bool {
        self.finish.is_some()
    }
}

#[cfg(test)]
mod tests {
    use sage_core::{Finish, NodeId};

    use super::*;

    fn decode(lines: &[Value]) -> Result<Answer, Failure> {
        let mut reply = Reply::default();
        for line in lines {
            reply.event(&line.to_string(), &mut |_| {})?;
        }
        assert!(reply.is_complete());
        reply.finish(&CallId { node: NodeId::plan(), attempt: 1, index: 1 })
    }

    #[test]
    fn lines_are_put_together_with_real_counts() {
        let answer = decode(&[
            json!({"message": {"role": "assistant", "content": "", "thinking": "hm"}, "done": false}),
            json!({"message": {"content": "Hi"}, "done": false}),
            json!({"message": {"tool_calls": [
                {"function": {"index": 0, "name": "read", "arguments": {"p": 1}}},
                {"function": {"index": 0, "name": "read", "arguments": {"p": 2}}}]}}),
            json!({"message": {"content": ""}, "done": true, "done_reason": "stop",
                "prompt_eval_count": 20, "eval_count": 5}),
        ])
        .unwrap();
        assert_eq!(answer.message.text, "Hi");
        let arguments: Vec<&str> =
            answer.message.tool_calls.iter().map(|call| call.arguments.as_str()).collect();
        assert_eq!(arguments, ["{\"p\":1}", "{\"p\":2}"]);
        assert_eq!(answer.finish, Finish::ToolCalls);
        assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((20, 5)));
    }

    #[test]
    fn errors_and_cut_answers_are_told() {
        let error = decode(&[json!({"error": "model requires more system memory"})]).unwrap_err();
        assert_eq!(error.trouble, Trouble::Broken);
        let cut = json!({"message": {"content": "Hi"}, "done": true, "done_reason": "length"});
        let answer = decode(&[cut]).unwrap();
        assert_eq!((answer.finish, answer.usage), (Finish::Length, None));
    }
}
