//! `/v1/chat/completions`.

use std::time::Duration;

use sage_core::{Message, Speaker, ToolCall, ToolSpec, Usage};
use serde_json::{Value, json};

use super::{content_text, error_body};
use crate::delivery::{Format, Frame, Part, pieces};
use crate::fault::Fault;
use crate::reply::Reply;
use crate::seen::{SeenRequest, Wire};

pub(super) struct Chat;

/// Reads a request; nothing when it lacks what every request has.
pub(super) fn parse(raw: &Value) -> Option<SeenRequest> {
    let messages = raw["messages"].as_array()?.iter().map(message).collect();
    let tools = raw["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let max = raw["max_completion_tokens"].as_u64().or_else(|| raw["max_tokens"].as_u64());
    Some(SeenRequest {
        index: 0,
        at: Duration::ZERO,
        wire: Wire::ChatCompletions,
        model: raw["model"].as_str()?.to_owned(),
        messages,
        tools: tools.iter().map(|tool| tool_spec(&tool["function"])).collect(),
        response_schema: raw.pointer("/response_format/json_schema/schema").cloned(),
        stream: raw["stream"].as_bool().unwrap_or(false),
        stream_usage: raw.pointer("/stream_options/include_usage") == Some(&json!(true)),
        temperature: raw["temperature"].as_f64(),
        max_output_tokens: max,
        headers: Vec::new(),
        raw: raw.clone(),
        n_bytes: 0,
    })
}

fn message(raw: &Value) -> Message {
    let speaker = match raw["role"].as_str() {
        Some("system" | "developer") => Speaker::System,
        Some("assistant") => Speaker::Assistant,
        Some("tool") => Speaker::Tool,
        _ => Speaker::User,
    };
    let calls = raw["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Message {
        speaker,
        text: content_text(&raw["content"]),
        tool_calls: calls
            .iter()
            .map(|call| ToolCall {
                id: text(&call["id"]),
                name: text(&call["function"]["name"]),
                arguments: text(&call["function"]["arguments"]),
            })
            .collect(),
        tool_call_id: raw["tool_call_id"].as_str().map(str::to_owned),
    }
}

pub(super) fn tool_spec(function: &Value) -> ToolSpec {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ToolSpec {
        name: text(&function["name"]),
        description: text(&function["description"]),
        parameters: function["parameters"].clone(),
    }
}

pub(super) fn call_id(request: &SeenRequest, position: usize, fault: Option<&Fault>) -> String {
    if fault == Some(&Fault::DuplicateCallIds) {
        return "call_same".to_owned();
    }
    format!("call_{}_{position}", request.index)
}

fn finish(reply: &Reply) -> Value {
    let usual = if reply.tool_calls.is_empty() { "stop" } else { "tool_calls" };
    json!(reply.finish.as_deref().unwrap_or(usual))
}

fn usage(request: &SeenRequest, reply: &Reply) -> Value {
    let Usage { input, cached_input, output, .. } = reply.usage_for(request.n_bytes);
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": {"cached_tokens": cached_input},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

/// A stream event.
pub(super) fn event(value: &Value) -> Vec<u8> {
    format!("data: {value}\n\n").into_bytes()
}

impl Format for Chat {
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn frames(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Vec<Frame> {
        let chunk = |choices: Value| {
            json!({
                "id": format!("chatcmpl-{}", request.index), "object": "chat.completion.chunk",
                "created": 1_700_000_000, "model": request.model, "system_fingerprint": "fp_fake",
                "choices": choices,
            })
        };
        let delta = |part: Part, delta: Value| {
            let choices = json!([{"index": 0, "delta": delta, "finish_reason": null}]);
            Frame { part, bytes: event(&chunk(choices)) }
        };
        let mut frames = vec![delta(Part::Head, json!({"role": "assistant", "content": ""}))];
        for piece in pieces(&reply.text) {
            frames.push(delta(Part::Body, json!({"content": piece})));
        }
        for (index, call) in reply.tool_calls.iter().enumerate() {
            let function = json!({"name": call.name, "arguments": ""});
            let id = call_id(request, index, fault);
            let begin = json!({"index": index, "id": id, "type": "function", "function": function});
            frames.push(delta(Part::Body, json!({"tool_calls": [begin]})));
            for piece in pieces(&call.arguments) {
                let more = json!({"index": index, "function": {"arguments": piece}});
                frames.push(delta(Part::Body, json!({"tool_calls": [more]})));
            }
        }
        let last = json!([{"index": 0, "delta": {}, "finish_reason": finish(reply)}]);
        frames.push(Frame { part: Part::Finish, bytes: event(&chunk(last)) });
        if request.stream_usage {
            let mut figures = chunk(json!([]));
            figures["usage"] = usage(request, reply);
            frames.push(Frame { part: Part::Usage, bytes: event(&figures) });
        }
        frames.push(Frame { part: Part::End, bytes: b"data: [DONE]\n\n".to_vec() });
        frames
    }

    fn whole(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Value {
        let calls: Vec<Value> = reply
            .tool_calls
            .iter()
            .enumerate()
            .map(|(index, call)| {
                json!({
                    "id": call_id(request, index, fault), "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                })
            })
            .collect();
        let mut message = json!({"role": "assistant", "content": reply.text, "refusal": null});
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
            if reply.text.is_empty() {
                message["content"] = Value::Null;
            }
        }
        let mut body = json!({
            "id": format!("chatcmpl-{}", request.index), "object": "chat.completion",
            "created": 1_700_000_000, "model": request.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish(reply)}],
        });
        if fault != Some(&Fault::NoUsage) {
            body["usage"] = usage(request, reply);
        }
        body
    }

    fn empty_frames(&self) -> Vec<Frame> {
        let chunk = json!({"id": "chatcmpl-0", "object": "chat.completion.chunk", "choices": []});
        vec![
            Frame { part: Part::Body, bytes: event(&chunk) },
            Frame { part: Part::End, bytes: b"data: [DONE]\n\n".to_vec() },
        ]
    }

    fn empty_whole(&self) -> Value {
        json!({"id": "chatcmpl-0", "object": "chat.completion", "choices": []})
    }

    fn giant_line(&self, filler: &str) -> String {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{filler}")
    }

    fn error(&self, status: u16, message: &str) -> Value {
        error_body(status, message)
    }

    fn error_frame(&self, message: &str) -> Vec<u8> {
        event(&error_body(500, message))
    }
}
