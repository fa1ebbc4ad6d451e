//! A server on loopback that speaks Ollama's wire format: chat as lines of JSON, streaming or not,
//! the lists and facts of models, and its form of errors.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sage_core::{Message, Speaker, ToolCall, ToolSpec};
use serde_json::{Value, json};

use crate::brain::Brain;
use crate::delivery::{Format, Frame, Part, arguments_value, deliver, pieces};
use crate::fault::{Fault, FaultPlan};
use crate::http::{Connection, HttpRequest};
use crate::reply::Reply;
use crate::seen::{SeenRequest, Wire};
use crate::server::{Handler, ModelCall, Recorded, Server, Shared};

/// A running server; ends when dropped.
pub struct FakeOllama {
    server: Server,
}

/// What a [`FakeOllama`] is to be like.
pub struct OllamaOptions {
    brain: Arc<dyn Brain>,
    models: Vec<String>,
    faults: FaultPlan,
    refuses_tools: bool,
}

impl FakeOllama {
    /// The name of the only model.
    pub const MODEL: &'static str = "fake-coder:1b";

    /// A server with the usual options.
    pub fn start(brain: impl Brain + 'static) -> Self {
        Self::with(brain).start()
    }

    /// Options to change before the start.
    pub fn with(brain: impl Brain + 'static) -> OllamaOptions {
        OllamaOptions {
            brain: Arc::new(brain),
            models: vec![Self::MODEL.to_owned()],
            faults: FaultPlan::none(),
            refuses_tools: false,
        }
    }

    /// The base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Every request so far, model calls and others.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// Every model call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<ModelCall> {
        self.server.calls()
    }

    /// How many connections were made.
    #[must_use]
    pub fn n_connections(&self) -> usize {
        self.server.n_connections()
    }
}

impl OllamaOptions {
    /// Has these models pulled and answers 404 for all others.
    #[must_use]
    pub fn models(mut self, names: &[&str]) -> Self {
        self.models = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Makes model calls go wrong.
    #[must_use]
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// Answers 400 to a request with tools, as models without them do.
    #[must_use]
    pub fn refuses_tools(mut self) -> Self {
        self.refuses_tools = true;
        self
    }

    /// Starts the server.
    #[must_use]
    pub fn start(self) -> FakeOllama {
        FakeOllama { server: Server::start(self) }
    }

    fn tags(&self) -> Value {
        let entry = |name: &String| {
            json!({
                "name": name, "model": name, "modified_at": "2025-01-01T00:00:00Z",
                "size": 986_061_892, "digest": "d7372fd828518a1f5d3b1c0f2b9c0f7a",
                "details": details(),
            })
        };
        json!({"models": self.models.iter().map(entry).collect::<Vec<_>>()})
    }

    fn show(&self, request: &HttpRequest, connection: &mut Connection) -> io::Result<()> {
        let json: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let name = json["model"].as_str().or_else(|| json["name"].as_str()).unwrap_or_default();
        if !self.has(name) {
            return not_found(connection, name);
        }
        let capabilities =
            if self.refuses_tools { json!(["completion"]) } else { json!(["completion", "tools"]) };
        let facts = json!({
            "modelfile": "", "parameters": "", "template": "{{ .Prompt }}", "details": details(),
            "model_info": {
                "general.architecture": "qwen2", "general.parameter_count": 1_543_714_304_u64,
                "qwen2.context_length": 32_768,
            },
            "capabilities": capabilities,
        });
        connection.respond(200, "application/json", &[], facts.to_string().as_bytes())
    }

    fn has(&self, name: &str) -> bool {
        let latest = format!("{name}:latest");
        self.models.iter().any(|model| model == name || *model == latest)
    }

    fn chat(
        &self,
        server: &Shared,
        request: &HttpRequest,
        connection: &mut Connection,
    ) -> io::Result<()> {
        let json = serde_json::from_slice::<Value>(&request.body).ok();
        let Some(mut seen) = json.as_ref().and_then(parse) else {
            return error(connection, 400, "invalid request body");
        };
        seen.headers.clone_from(&request.headers);
        seen.n_bytes = request.body.len();
        let seen = server.begin_call(seen);
        let result = if !self.has(&seen.model) {
            not_found(connection, &seen.model)
        } else if self.refuses_tools && !seen.tools.is_empty() {
            let message = format!("registry.example/library/{} does not support tools", seen.model);
            error(connection, 400, &message)
        } else {
            let reply = self.brain.answer(&seen);
            let fault = self.faults.fault(seen.index).or_else(|| reply.fault.clone());
            deliver(server, connection, &Lines, &seen, reply, fault)
        };
        server.end_call(seen.index);
        result
    }
}

fn details() -> Value {
    json!({
        "parent_model": "", "format": "gguf", "family": "qwen2", "families": ["qwen2"],
        "parameter_size": "1.5B", "quantization_level": "Q4_K_M",
    })
}

fn error(connection: &mut Connection, status: u16, message: &str) -> io::Result<()> {
    let body = json!({"error": message}).to_string();
    connection.respond(status, "application/json", &[], body.as_bytes())
}

fn not_found(connection: &mut Connection, model: &str) -> io::Result<()> {
    error(connection, 404, &format!("model '{model}' not found"))
}

impl Handler for OllamaOptions {
    fn handle(
        &self,
        server: &Shared,
        request: &HttpRequest,
        connection: &mut Connection,
    ) -> io::Result<()> {
        let json = |connection: &mut Connection, value: Value| {
            connection.respond(200, "application/json", &[], value.to_string().as_bytes())
        };
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => connection.respond(200, "text/plain", &[], b"Ollama is running"),
            ("GET", "/api/version") => json(connection, json!({"version": "0.12.0"})),
            ("GET", "/api/tags") => json(connection, self.tags()),
            ("POST", "/api/show") => self.show(request, connection),
            ("POST", "/api/chat") => self.chat(server, request, connection),
            _ => connection.respond(404, "text/plain", &[], b"404 page not found"),
        }
    }
}

/// Reads a request; nothing when it lacks what every request has.
fn parse(raw: &Value) -> Option<SeenRequest> {
    let messages = raw["messages"].as_array()?.iter().map(message).collect();
    let tools = raw["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    Some(SeenRequest {
        index: 0,
        at: Duration::ZERO,
        wire: Wire::Ollama,
        model: raw["model"].as_str()?.to_owned(),
        messages,
        tools: tools.iter().map(|tool| tool_spec(&tool["function"])).collect(),
        response_schema: raw.get("format").filter(|format| format.is_object()).cloned(),
        stream: raw["stream"].as_bool().unwrap_or(true),
        stream_usage: true,
        temperature: raw.pointer("/options/temperature").and_then(Value::as_f64),
        max_output_tokens: raw.pointer("/options/num_predict").and_then(Value::as_u64),
        headers: Vec::new(),
        raw: raw.clone(),
        n_bytes: 0,
    })
}

fn message(raw: &Value) -> Message {
    let speaker = match raw["role"].as_str() {
        Some("system") => Speaker::System,
        Some("assistant") => Speaker::Assistant,
        Some("tool") => Speaker::Tool,
        _ => Speaker::User,
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let calls = raw["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    Message {
        speaker,
        text: text(&raw["content"]),
        tool_calls: calls
            .iter()
            .map(|call| ToolCall {
                id: text(&call["id"]),
                name: text(&call["function"]["name"]),
                arguments: call["function"]["arguments"].to_string(),
            })
            .collect(),
        // Ollama knows a result by its tool's name.
        tool_call_id: (speaker == Speaker::Tool).then(|| text(&raw["tool_name"])),
    }
}

fn tool_spec(function: &Value) -> ToolSpec {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ToolSpec {
        name: text(&function["name"]),
        description: text(&function["description"]),
        parameters: function["parameters"].clone(),
    }
}

struct Lines;

fn wanted(reply: &Reply) -> Vec<Value> {
    let call = |call: &crate::reply::WantedTool| json!({"function": {"name": call.name, "arguments": arguments_value(&call.arguments)}});
    reply.tool_calls.iter().map(call).collect()
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

fn body(request: &SeenRequest, message: Value, done: bool) -> Value {
    json!({
        "model": request.model, "created_at": "2025-01-01T00:00:00.000000Z", "message": message,
        "done": done,
    })
}

/// The fields that only the last line has.
fn finish(request: &SeenRequest, reply: &Reply, fault: Option<&Fault>, last: &mut Value) {
    last["done_reason"] = json!(reply.finish.as_deref().unwrap_or("stop"));
    last["total_duration"] = json!(5_000_000);
    last["load_duration"] = json!(1_000_000);
    if fault != Some(&Fault::NoUsage) {
        let usage = reply.usage_for(request.n_bytes);
        last["prompt_eval_count"] = json!(usage.input);
        last["prompt_eval_duration"] = json!(1_000_000);
        last["eval_count"] = json!(usage.output);
        last["eval_duration"] = json!(3_000_000);
    }
}

impl Format for Lines {
    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn frames(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Vec<Frame> {
        let mut frames: Vec<Frame> = pieces(&reply.text)
            .into_iter()
            .map(|piece| json!({"role": "assistant", "content": piece}))
            .map(|message| line(&body(request, message, false)))
            .map(|bytes| Frame { part: Part::Body, bytes })
            .collect();
        // Ollama parses tool calls itself and sends each whole.
        for call in wanted(reply) {
            let message = json!({"role": "assistant", "content": "", "tool_calls": [call]});
            let bytes = line(&body(request, message, false));
            frames.push(Frame { part: Part::Body, bytes });
        }
        let mut last = body(request, json!({"role": "assistant", "content": ""}), true);
        finish(request, reply, fault, &mut last);
        frames.push(Frame { part: Part::End, bytes: line(&last) });
        frames
    }

    fn whole(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Value {
        let mut message = json!({"role": "assistant", "content": reply.text});
        if !reply.tool_calls.is_empty() {
            message["tool_calls"] = Value::Array(wanted(reply));
        }
        let mut last = body(request, message, true);
        finish(request, reply, fault, &mut last);
        last
    }

    fn empty_frames(&self) -> Vec<Frame> {
        vec![Frame { part: Part::End, bytes: line(&self.empty_whole()) }]
    }

    fn empty_whole(&self) -> Value {
        json!({"model": FakeOllama::MODEL, "done": true})
    }

    fn giant_line(&self, filler: &str) -> String {
        format!("{{\"message\":{{\"role\":\"assistant\",\"content\":\"{filler}")
    }

    fn error(&self, _: u16, message: &str) -> Value {
        json!({"error": message})
    }

    fn error_frame(&self, message: &str) -> Vec<u8> {
        line(&json!({"error": message}))
    }
}

#[cfg(test)]
mod tests;
