//! OpenAI's chat completions, as many servers speak them: the request, and what the servers disagree
//! about. Reading the answer is `openai/decode.rs`.

mod decode;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sage_core::{BlobRef, Message, Speaker};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::http::{Http, Refused};
use crate::plain::plain;
use crate::provider::{Answer, Ask};
use crate::stream::Framing;
use crate::{Failure, ToolCalling, Trouble};

use decode::Completion;
pub(crate) use decode::{read_usage, stream_error};

/// The most times that one request is sent again in another form because the server refused a part.
const MAX_NEGOTIATIONS: usize = 6;

/// The room for an answer to a prompt that nearly fills the context.
const SHORT_ANSWER_TOKENS: u32 = 1024;

const PATH: [&str; 2] = ["chat", "completions"];

/// A client of one endpoint.
pub(crate) struct OpenAi {
    pub(crate) http: Http,
    /// What each model's server turned out not to take, for the life of the process.
    learned: Mutex<BTreeMap<String, Dialect>>,
}

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    stream_options: bool,
    limit: LimitName,
    limit_switched: bool,
    format: Format,
    temperature: bool,
    cache_key: bool,
    /// Of one request, not of the server: prompt and answer together did not fit.
    is_short: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LimitName {
    MaxTokens,
    MaxCompletionTokens,
    Unnamed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    JsonSchema,
    JsonObject,
    Free,
}

impl OpenAi {
    pub(crate) fn new(http: Http) -> Self {
        Self { http, learned: Mutex::new(BTreeMap::new()) }
    }

    /// Asks once. A refusal that names a parameter is answered by sending the request without it.
    pub(crate) async fn ask(
        &self,
        ask: &Ask<'_>,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answer, Failure> {
        let mut dialect = self.dialect(&ask.facts.model);
        let mut n_negotiations = 0;
        loop {
            let started = Instant::now();
            let first_token_by = started + ask.clocked.limits.first_token;
            let body = dialect.body(ask);
            match self.http.post(&PATH, &body, &ask.clocked, first_token_by).await {
                Ok(response) => {
                    let mut decoder = Completion::default();
                    let first = self
                        .http
                        .read(
                            response,
                            Framing::Sse,
                            &mut decoder,
                            say,
                            &ask.clocked,
                            first_token_by,
                        )
                        .await?;
                    let first_token = first.map(|at| at - started);
                    return Ok(Answer { first_token, ..decoder.finish(&ask.request.call)? });
                }
                Err(refused) => match dialect.without(&refused, &body) {
                    Some(other) if n_negotiations < MAX_NEGOTIATIONS => {
                        n_negotiations += 1;
                        dialect = other;
                        self.learn(&ask.facts.model, Dialect { is_short: false, ..dialect });
                    }
                    _ => return Err(refused.failure),
                },
            }
        }
    }

    fn dialect(&self, model: &str) -> Dialect {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).copied().unwrap_or_else(|| Dialect::of(self.http.endpoint().shown()))
    }

    fn learn(&self, model: &str, dialect: Dialect) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.insert(model.to_owned(), dialect);
    }
}

impl Dialect {
    fn of(endpoint: String) -> Self {
        // OpenAI's newer models take only the newer name; most other servers know only the older one.
        let is_openai = is_openai(&endpoint);
        Self {
            stream_options: true,
            limit: if is_openai { LimitName::MaxCompletionTokens } else { LimitName::MaxTokens },
            limit_switched: false,
            format: Format::JsonSchema,
            temperature: true,
            cache_key: is_openai,
            is_short: false,
        }
    }

    fn body(self, ask: &Ask<'_>) -> Value {
        let request = ask.request;
        let is_text = ask.facts.tool_calling == ToolCalling::Text;
        let messages = if is_text {
            let turns = plain(&request.messages).into_iter();
            turns.map(|(who, text)| json!({"role": role(who), "content": text})).collect()
        } else {
            request.messages.iter().map(message).collect::<Vec<Value>>()
        };
        let mut body = Map::new();
        body.insert("model".to_owned(), json!(ask.facts.model));
        body.insert("messages".to_owned(), Value::Array(messages));
        body.insert("stream".to_owned(), json!(true));
        if self.stream_options {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        if !is_text && !request.tools.is_empty() {
            let tools = request.tools.iter().map(|tool| {
                let (name, about) = (&tool.name, &tool.description);
                json!({"type": "function", "function":
                    {"name": name, "description": about, "parameters": tool.parameters}})
            });
            body.insert("tools".to_owned(), tools.collect());
        }
        match (&request.response_schema, self.format) {
            (Some(wanted), Format::JsonSchema) if ask.facts.json_schema => {
                let strict = is_strict(&wanted.schema);
                let schema =
                    json!({"name": wanted.name, "schema": wanted.schema, "strict": strict});
                let format = json!({"type": "json_schema", "json_schema": schema});
                body.insert("response_format".to_owned(), format);
            }
            (Some(_), Format::JsonSchema | Format::JsonObject) if mentions_json(request) => {
                body.insert("response_format".to_owned(), json!({"type": "json_object"}));
            }
            _ => {}
        }
        if let Some(temperature) = ask.temperature.filter(|_| self.temperature) {
            body.insert("temperature".to_owned(), tidy(temperature));
        }
        if let Some(key) = cache_key(request).filter(|_| self.cache_key) {
            body.insert("prompt_cache_key".to_owned(), json!(key));
        }
        let limit = match self.limit {
            LimitName::MaxTokens => Some("max_tokens"),
            LimitName::MaxCompletionTokens => Some("max_completion_tokens"),
            LimitName::Unnamed => None,
        };
        if let Some(name) = limit {
            let most = if self.is_short { SHORT_ANSWER_TOKENS } else { u32::MAX };
            body.insert(name.to_owned(), json!(ask.max_output_tokens.min(most)));
        }
        Value::Object(body)
    }

    /// The dialect without what the server just refused, if it named something that can be left out.
    fn without(self, refused: &Refused, body: &Value) -> Option<Self> {
        if !matches!(refused.status, Some(400 | 422)) {
            return None;
        }
        match refused.failure.trouble {
            Trouble::Rejected => self.without_named(refused, body),
            // Servers count the room for the answer too: a shorter one may still fit.
            Trouble::TooLong => {
                let limit = body.get("max_tokens").or_else(|| body.get("max_completion_tokens"));
                let is_long = limit.and_then(Value::as_u64) > Some(SHORT_ANSWER_TOKENS.into());
                (is_long && !self.is_short).then_some(Self { is_short: true, ..self })
            }
            _ => None,
        }
    }

    /// The dialect without the parameter that the refusal names.
    fn without_named(self, refused: &Refused, body: &Value) -> Option<Self> {
        let names = |name: &str| refused.said.contains(name);
        let sent = |name: &str| body.get(name).is_some();
        if sent("stream_options") && (names("stream_options") || names("include_usage")) {
            return Some(Self { stream_options: false, ..self });
        }
        if sent("response_format")
            && ["response_format", "json_schema", "json_object"].into_iter().any(names)
        {
            let format = match self.format {
                Format::JsonSchema if names("json_object") && !names("json_schema") => Format::Free,
                Format::JsonSchema => Format::JsonObject,
                _ => Format::Free,
            };
            return Some(Self { format, ..self });
        }
        if sent("prompt_cache_key") && names("prompt_cache_key") {
            return Some(Self { cache_key: false, ..self });
        }
        if names("max_tokens") || names("max_completion_tokens") {
            let limit = match self.limit {
                _ if self.limit_switched => LimitName::Unnamed,
                LimitName::MaxTokens => LimitName::MaxCompletionTokens,
                _ => LimitName::MaxTokens,
            };
            return (self.limit != LimitName::Unnamed).then_some(Self {
                limit,
                limit_switched: true,
                ..self
            });
        }
        (sent("temperature") && names("temperature")).then_some(Self { temperature: false, ..self })
    }
}

/// Whether an endpoint is OpenAI's own, which takes more than the servers that are compatible with it.
pub(crate) fn is_openai(endpoint: &str) -> bool {
    endpoint.ends_with("://api.openai.com")
}

/// What tells OpenAI which requests begin alike, so that they meet the same cache: the role and what it
/// is told, whatever the task.
pub(crate) fn cache_key(request: &crate::ChatRequest) -> Option<String> {
    const DIGITS: usize = 12;
    let system = request.messages.iter().find(|message| message.speaker == Speaker::System)?;
    let digits = BlobRef::of(system.text.as_bytes()).to_string();
    Some(format!("sage-{}-{}", request.role, digits.get(..DIGITS)?))
}

/// OpenAI refuses the looser JSON mode unless the word occurs in the conversation.
fn mentions_json(request: &crate::ChatRequest) -> bool {
    request
        .messages
        .iter()
        .any(|message| message.text.contains("JSON") || message.text.contains("json"))
}

/// A temperature without the digits that widening it to 64 bits would add.
pub(crate) fn tidy(temperature: f32) -> Value {
    let rounded = (f64::from(temperature) * 1e4).round() / 1e4;
    json!(rounded)
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Assistant => "assistant",
        Speaker::Tool => "tool",
    }
}

fn message(message: &Message) -> Value {
    let mut out = Map::new();
    out.insert("role".to_owned(), json!(role(message.speaker)));
    let content = match message.tool_calls.is_empty() || !message.text.is_empty() {
        true => json!(message.text),
        false => Value::Null,
    };
    out.insert("content".to_owned(), content);
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            json!({"id": call.id, "type": "function", "function":
                {"name": call.name, "arguments": as_object_text(&call.arguments)}})
        });
        out.insert("tool_calls".to_owned(), calls.collect());
    }
    if let Some(id) = message.tool_call_id.as_ref().filter(|_| message.speaker == Speaker::Tool) {
        out.insert("tool_call_id".to_owned(), json!(id));
    }
    Value::Object(out)
}

/// Arguments that a server will parse again: text that is not a JSON object would make every later
/// request of the conversation fail, so it is wrapped.
pub(crate) fn as_object(arguments: &str) -> Value {
    match serde_json::from_str::<Value>(arguments) {
        Ok(value) if value.is_object() => value,
        _ => json!({"unreadable": arguments}),
    }
}

fn as_object_text(arguments: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(arguments) {
        Ok(_) => arguments.to_owned(),
        Err(_) => as_object(arguments).to_string(),
    }
}

/// How deep a schema is looked into before it is taken for one that is not strict.
const MAX_SCHEMA_DEPTH: usize = 32;

/// Whether a schema satisfies OpenAI's conditions for strict mode: every object closed, every property
/// required. A schema that does not is sent as guidance instead of being refused.
pub(crate) fn is_strict(schema: &Value) -> bool {
    fn walk(schema: &Value, depth: usize) -> bool {
        if depth > MAX_SCHEMA_DEPTH {
            return false;
        }
        match schema {
            Value::Array(items) => items.iter().all(|item| walk(item, depth + 1)),
            Value::Object(fields) => {
                let properties = fields.get("properties").and_then(Value::as_object);
                let is_object = fields.get("type").is_some_and(|kind| kind == "object");
                let required = fields.get("required").and_then(Value::as_array);
                let all_required = properties.is_none_or(|properties| {
                    properties.keys().all(|name| {
                        required.is_some_and(|names| names.iter().any(|n| n == name.as_str()))
                    })
                });
                let closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
                let own = !(is_object || properties.is_some()) || (all_required && closed);
                let names_of_fields = properties.into_iter().flat_map(|p| p.values());
                own && names_of_fields.into_iter().all(|field| walk(field, depth + 1))
                    && fields
                        .iter()
                        .filter(|(name, _)| *name != "properties" && *name != "enum")
                        .all(|(_, value)| walk(value, depth + 1))
            }
            _ => true,
        }
    }
    walk(schema, 0)
}

#[cfg(test)]
mod tests;
