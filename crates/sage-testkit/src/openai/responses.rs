//! `/v1/responses`.

use std::time::Duration;

use sage_core::{Message, Speaker, ToolCall, Usage};
use serde_json::{Value, json};

use super::chat::{call_id, tool_spec};
use super::{content_text, error_body};
use crate::delivery::{Format, Frame, Part, pieces};
use crate::fault::Fault;
use crate::reply::Reply;
use crate::seen::{SeenRequest, Wire};

pub(super) struct Responses;

/// Reads a request; nothing when it lacks what every request has.
pub(super) fn parse(raw: &Value) -> Option<SeenRequest> {
    let mut messages: Vec<Message> =
        raw["instructions"].as_str().map(Message::system).into_iter().collect();
    match &raw["input"] {
        Value::String(text) => messages.push(Message::user(text)),
        Value::Array(items) => items.iter().for_each(|item| add_item(&mut messages, item)),
        _ => return None,
    }
    let tools = raw["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    Some(SeenRequest {
        index: 0,
        at: Duration::ZERO,
        wire: Wire::Responses,
        model: raw["model"].as_str()?.to_owned(),
        messages,
        tools: tools.iter().map(tool_spec).collect(),
        response_schema: raw.pointer("/text/format/schema").cloned(),
        stream: raw["stream"].as_bool().unwrap_or(false),
        stream_usage: true,
        temperature: raw["temperature"].as_f64(),
        max_output_tokens: raw["max_output_tokens"].as_u64(),
        headers: Vec::new(),
        raw: raw.clone(),
        n_bytes: 0,
    })
}

fn add_item(messages: &mut Vec<Message>, item: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match item["type"].as_str().unwrap_or("message") {
        "function_call" => {
            let call = ToolCall {
                id: text(&item["call_id"]),
                name: text(&item["name"]),
                arguments: text(&item["arguments"]),
            };
            // Items of one turn are one message of the assistant.
            if messages.last().is_none_or(|last| last.speaker != Speaker::Assistant) {
                messages.push(Message::assistant(""));
            }
            if let Some(last) = messages.last_mut() {
                last.tool_calls.push(call);
            }
        }
        "function_call_output" => {
            messages.push(Message::tool(text(&item["call_id"]), content_text(&item["output"])));
        }
        "message" => {
            let content = content_text(&item["content"]);
            messages.push(match item["role"].as_str() {
                Some("system" | "developer") => Message::system(content),
                Some("assistant") => Message::assistant(content),
                _ => Message::user(content),
            });
        }
        _ => {}
    }
}

fn usage(request: &SeenRequest, reply: &Reply) -> Value {
    let Usage { input, cached_input, output, .. } = reply.usage_for(request.n_bytes);
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": cached_input},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + output,
    })
}

/// The answer's items, complete.
fn items(request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Vec<Value> {
    let mut items = Vec::new();
    if !reply.text.is_empty() {
        let part = json!({"type": "output_text", "text": reply.text, "annotations": []});
        items.push(json!({
            "id": format!("msg_{}", request.index), "type": "message", "status": "completed",
            "role": "assistant", "content": [part],
        }));
    }
    for (position, call) in reply.tool_calls.iter().enumerate() {
        items.push(json!({
            "id": format!("fc_{}_{position}", request.index), "type": "function_call",
            "status": "completed", "call_id": call_id(request, position, fault),
            "name": call.name, "arguments": call.arguments,
        }));
    }
    items
}

fn response(request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Value {
    let (status, details) = match reply.finish.as_deref() {
        Some("length") => ("incomplete", json!({"reason": "max_output_tokens"})),
        Some("content_filter") => ("incomplete", json!({"reason": "content_filter"})),
        Some("banana") => ("banana", Value::Null),
        _ => ("completed", Value::Null),
    };
    let mut body = json!({
        "id": format!("resp_{}", request.index), "object": "response",
        "created_at": 1_700_000_000, "status": status, "error": null,
        "incomplete_details": details, "model": request.model,
        "output": items(request, reply, fault),
    });
    if fault != Some(&Fault::NoUsage) {
        body["usage"] = usage(request, reply);
    }
    body
}

/// Numbers the events of one stream.
struct Writer {
    frames: Vec<Frame>,
}

impl Writer {
    fn event(&mut self, part: Part, kind: &str, mut fields: Value) {
        fields["type"] = json!(kind);
        fields["sequence_number"] = json!(self.frames.len());
        let bytes = format!("event: {kind}\ndata: {fields}\n\n").into_bytes();
        self.frames.push(Frame { part, bytes });
    }
}

impl Format for Responses {
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn frames(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Vec<Frame> {
        let complete = response(request, reply, fault);
        let mut begun = complete.clone();
        begun["status"] = json!("in_progress");
        begun["output"] = json!([]);
        begun["usage"] = Value::Null;
        let mut to = Writer { frames: Vec::new() };
        to.event(Part::Head, "response.created", json!({"response": begun}));
        to.event(Part::Head, "response.in_progress", json!({"response": begun}));
        for (index, item) in items(request, reply, fault).into_iter().enumerate() {
            if item["type"] == "message" {
                message_events(&mut to, index, &item, &reply.text);
            } else {
                call_events(&mut to, index, &item);
            }
        }
        let last = match complete["status"].as_str() {
            Some("incomplete") => "response.incomplete",
            _ => "response.completed",
        };
        to.event(Part::Finish, last, json!({"response": complete}));
        to.frames
    }

    fn whole(&self, request: &SeenRequest, reply: &Reply, fault: Option<&Fault>) -> Value {
        response(request, reply, fault)
    }

    fn empty_frames(&self) -> Vec<Frame> {
        let mut to = Writer { frames: Vec::new() };
        let body = self.empty_whole();
        to.event(Part::Head, "response.created", json!({"response": body}));
        to.event(Part::Finish, "response.completed", json!({"response": body}));
        to.frames
    }

    fn empty_whole(&self) -> Value {
        json!({"id": "resp_0", "object": "response", "status": "completed", "output": []})
    }

    fn giant_line(&self, filler: &str) -> String {
        format!(
            "event: response.output_text.delta\n\
             data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{filler}"
        )
    }

    fn error(&self, status: u16, message: &str) -> Value {
        error_body(status, message)
    }

    fn error_frame(&self, message: &str) -> Vec<u8> {
        let fields =
            json!({"type": "error", "code": "server_error", "message": message, "param": null});
        format!("event: error\ndata: {fields}\n\n").into_bytes()
    }
}

fn message_events(to: &mut Writer, index: usize, item: &Value, text: &str) {
    let id = item["id"].clone();
    let mut begun = item.clone();
    begun["status"] = json!("in_progress");
    begun["content"] = json!([]);
    to.event(
        Part::Head,
        "response.output_item.added",
        json!({"output_index": index, "item": begun}),
    );
    let at = |mut fields: Value| {
        fields["item_id"] = id.clone();
        fields["output_index"] = json!(index);
        fields["content_index"] = json!(0);
        fields
    };
    let empty = json!({"type": "output_text", "text": "", "annotations": []});
    to.event(Part::Head, "response.content_part.added", at(json!({"part": empty})));
    for piece in pieces(text) {
        to.event(Part::Body, "response.output_text.delta", at(json!({"delta": piece})));
    }
    to.event(Part::Body, "response.output_text.done", at(json!({"text": text})));
    let part = item["content"][0].clone();
    to.event(Part::Body, "response.content_part.done", at(json!({"part": part})));
    to.event(Part::Body, "response.output_item.done", json!({"output_index": index, "item": item}));
}

fn call_events(to: &mut Writer, index: usize, item: &Value) {
    let id = item["id"].clone();
    let arguments = item["arguments"].as_str().unwrap_or_default();
    let mut begun = item.clone();
    begun["status"] = json!("in_progress");
    begun["arguments"] = json!("");
    to.event(
        Part::Head,
        "response.output_item.added",
        json!({"output_index": index, "item": begun}),
    );
    let at = |mut fields: Value| {
        fields["item_id"] = id.clone();
        fields["output_index"] = json!(index);
        fields
    };
    for piece in pieces(arguments) {
        let delta = at(json!({"delta": piece}));
        to.event(Part::Body, "response.function_call_arguments.delta", delta);
    }
    let done = at(json!({"arguments": arguments}));
    to.event(Part::Body, "response.function_call_arguments.done", done);
    to.event(Part::Body, "response.output_item.done", json!({"output_index": index, "item": item}));
}
