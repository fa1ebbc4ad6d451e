//! A server on loopback that speaks OpenAI's wire formats: chat completions and responses, streaming
//! or not, the list of models, API keys, and the provider's form of errors.

mod chat;
mod responses;

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::brain::Brain;
use crate::delivery::{Format, deliver, refuse};
use crate::fault::FaultPlan;
use crate::http::{Connection, HttpRequest};
use crate::server::{Handler, ModelCall, Recorded, Server, Shared};

/// A running server; ends when dropped.
pub struct FakeOpenAi {
    server: Server,
}

/// What a [`FakeOpenAi`] is to be like.
pub struct OpenAiOptions {
    brain: Arc<dyn Brain>,
    models: Vec<String>,
    any_model: bool,
    api_key: Option<String>,
    faults: FaultPlan,
    refuses_schema: bool,
    refuses_tools: bool,
}

impl FakeOpenAi {
    /// The name under which the only model is listed. Calls to other names are answered as well.
    pub const MODEL: &'static str = "fake-model";

    /// A server with the usual options.
    pub fn start(brain: impl Brain + 'static) -> Self {
        Self::with(brain).start()
    }

    /// Options to change before the start.
    pub fn with(brain: impl Brain + 'static) -> OpenAiOptions {
        OpenAiOptions {
            brain: Arc::new(brain),
            models: vec![Self::MODEL.to_owned()],
            any_model: true,
            api_key: None,
            faults: FaultPlan::none(),
            refuses_schema: false,
            refuses_tools: false,
        }
    }

    /// The base URL, with `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.server.address())
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

impl OpenAiOptions {
    /// Lists these models and answers 404 for all others.
    #[must_use]
    pub fn models(mut self, names: &[&str]) -> Self {
        self.models = names.iter().map(|&name| name.to_owned()).collect();
        self.any_model = false;
        self
    }

    /// Answers 401 to whoever does not send this key.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.api_key = Some(key.to_owned());
        self
    }

    /// Makes model calls go wrong.
    #[must_use]
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// Answers 400 to a request with a response schema, as servers do that cannot constrain output.
    #[must_use]
    pub fn refuses_schema(mut self) -> Self {
        self.refuses_schema = true;
        self
    }

    /// Answers 400 to a request with tools.
    #[must_use]
    pub fn refuses_tools(mut self) -> Self {
        self.refuses_tools = true;
        self
    }

    /// Starts the server.
    #[must_use]
    pub fn start(self) -> FakeOpenAi {
        FakeOpenAi { server: Server::start(self) }
    }

    fn list_models(&self) -> Value {
        let entry = |name: &String| json!({"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "fake"});
        json!({"object": "list", "data": self.models.iter().map(entry).collect::<Vec<_>>()})
    }

    fn answer(
        &self,
        server: &Shared,
        request: &HttpRequest,
        connection: &mut Connection,
        format: &dyn Format,
        parse: fn(&Value) -> Option<crate::seen::SeenRequest>,
    ) -> io::Result<()> {
        let json = serde_json::from_slice::<Value>(&request.body).ok();
        let Some(mut seen) = json.as_ref().and_then(parse) else {
            return bad_request(connection, format, "We could not parse the JSON body");
        };
        seen.headers.clone_from(&request.headers);
        seen.n_bytes = request.body.len();
        let seen = server.begin_call(seen);
        let result = self.answer_seen(server, &seen, connection, format);
        server.end_call(seen.index);
        result
    }

    fn answer_seen(
        &self,
        server: &Shared,
        seen: &crate::seen::SeenRequest,
        connection: &mut Connection,
        format: &dyn Format,
    ) -> io::Result<()> {
        if !self.any_model && !self.models.contains(&seen.model) {
            return refuse(connection, format, 404, &[]);
        }
        if self.refuses_schema && seen.response_schema.is_some() {
            let message = "'response_format' of type 'json_schema' is not supported";
            return bad_request(connection, format, message);
        }
        if self.refuses_tools && !seen.tools.is_empty() {
            return bad_request(connection, format, "this model does not support tools");
        }
        let reply = self.brain.answer(seen);
        let fault = self.faults.fault(seen.index).or_else(|| reply.fault.clone());
        deliver(server, connection, format, seen, reply, fault)
    }
}

fn bad_request(connection: &mut Connection, format: &dyn Format, message: &str) -> io::Result<()> {
    let body = format.error(400, message).to_string();
    connection.respond(400, "application/json", &[], body.as_bytes())
}

impl Handler for OpenAiOptions {
    fn handle(
        &self,
        server: &Shared,
        request: &HttpRequest,
        connection: &mut Connection,
    ) -> io::Result<()> {
        let authorised = self.api_key.as_ref().is_none_or(|key| {
            request.header("authorization").is_some_and(|sent| sent == format!("Bearer {key}"))
        });
        if !authorised {
            return refuse(connection, &chat::Chat, 401, &[]);
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/models") => {
                let body = self.list_models().to_string();
                connection.respond(200, "application/json", &[], body.as_bytes())
            }
            ("POST", "/v1/chat/completions") => {
                self.answer(server, request, connection, &chat::Chat, chat::parse)
            }
            ("POST", "/v1/responses") => {
                self.answer(server, request, connection, &responses::Responses, responses::parse)
            }
            _ => refuse(connection, &chat::Chat, 404, &[]),
        }
    }
}

/// OpenAI's form of an error.
fn error_body(status: u16, message: &str) -> Value {
    let (kind, code) = match status {
        401 => ("invalid_request_error", json!("invalid_api_key")),
        404 => ("invalid_request_error", json!("model_not_found")),
        429 => ("requests", json!("rate_limit_exceeded")),
        400 => ("invalid_request_error", Value::Null),
        _ => ("server_error", Value::Null),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// The text of a message's content: a string, or a list of parts.
fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
