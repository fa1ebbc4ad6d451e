//! The providers of a configuration, ready to be asked: what the router chooses among.
//!
//! A provider without its key still exists; it is unavailable, with the reason, and becomes an error only
//! when nothing else can answer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sage_core::{CallId, Finish, Message, ToolCall, Usage};
use tokio::sync::Semaphore;

use crate::config::{Api, ModelsConfig, ProviderConfig, ProviderKind};
use crate::endpoint::Endpoint;
use crate::health::{Health, HealthRules};
use crate::http::{Clocked, Http};
use crate::ollama::Ollama;
use crate::openai::OpenAi;
use crate::responses::Responses;
use crate::scripted::Script;
use crate::secrets::{Secret, reference};
use crate::tool_deltas::ToolDeltas;
use crate::{ChatRequest, Error, Failure, ModelFacts, Result, Trouble};

/// Every provider of a configuration.
#[derive(Debug)]
pub struct ProviderSet {
    providers: BTreeMap<String, Provider>,
}

impl ProviderSet {
    /// Makes the providers of `config`. `keys` looks a variable up by its name.
    ///
    /// Nothing is connected to, and nothing costly is loaded, before the first call. A script that cannot
    /// be read is an error at once; a missing key is not, it makes its provider unavailable.
    pub fn new(config: &ModelsConfig, keys: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let providers = config
            .providers()
            .iter()
            .map(|(name, provider)| {
                let folder = config.path().parent().unwrap_or(Path::new(""));
                Ok((name.clone(), Provider::new(name, provider, folder, keys)?))
            })
            .collect::<Result<_>>()?;
        Ok(Self { providers })
    }

    /// Why the provider cannot be asked at all (it has no key), if it cannot.
    #[must_use]
    pub fn unavailable(&self, provider: &str) -> Option<String> {
        match self.providers.get(provider) {
            None => Some("no such provider".to_owned()),
            Some(provider) => provider.client.as_ref().err().map(|f| f.message.clone()),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Provider> {
        self.providers.get(name)
    }

    /// Replaces when a provider is left alone.
    pub(crate) fn set_health_rules(&mut self, rules: HealthRules) {
        for provider in self.providers.values_mut() {
            provider.health = Health::new(rules);
        }
    }
}

/// One provider.
pub(crate) struct Provider {
    pub name: String,
    /// Scheme, host and port; empty for a script.
    pub endpoint: String,
    pub client: std::result::Result<Client, Failure>,
    pub permits: Semaphore,
    pub health: Health,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .finish()
    }
}

/// The wire formats.
pub(crate) enum Client {
    OpenAi(OpenAi),
    Responses(Responses),
    Ollama(Ollama),
    Scripted(Script),
}

/// One request to one model, as the wire formats see it.
pub(crate) struct Ask<'a> {
    pub request: &'a ChatRequest,
    pub facts: &'a ModelFacts,
    pub temperature: Option<f32>,
    pub max_output_tokens: u32,
    pub clocked: Clocked,
}

/// One complete answer, as the wire formats give it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub message: Message,
    pub finish: Finish,
    pub usage: Option<Usage>,
    /// From the sending of the request that was answered.
    pub first_token: Option<Duration>,
}

impl Client {
    pub(crate) async fn ask(
        &self,
        ask: &Ask<'_>,
        say: &mut (dyn FnMut(&str) + Send),
    ) -> std::result::Result<Answer, Failure> {
        match self {
            Self::OpenAi(client) => client.ask(ask, say).await,
            Self::Responses(client) => client.ask(ask, say).await,
            Self::Ollama(client) => client.ask(ask, say).await,
            Self::Scripted(script) => script.ask(ask.request, say),
        }
    }
}

impl Provider {
    fn new(
        name: &str,
        config: &ProviderConfig,
        folder: &Path,
        keys: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let (endpoint, client) = match config.kind {
            ProviderKind::Scripted => {
                let script = config.script.as_deref().unwrap_or(Path::new(""));
                let script = Script::read(&folder.join(script))?;
                (String::new(), Ok(Client::Scripted(script)))
            }
            _ => {
                let endpoint = Endpoint::parse(&config.base_url).map_err(|problem| {
                    Error::Setting { what: format!("base url of provider {name}"), problem }
                })?;
                (endpoint.shown(), client(config, endpoint, keys))
            }
        };
        Ok(Self {
            name: name.to_owned(),
            endpoint,
            client,
            permits: Semaphore::new(config.max_concurrency),
            health: Health::new(HealthRules::DEFAULT),
        })
    }
}

fn client(
    config: &ProviderConfig,
    endpoint: Endpoint,
    keys: &dyn Fn(&str) -> Option<String>,
) -> std::result::Result<Client, Failure> {
    let headers = headers(config, &endpoint, keys)?;
    let http = Http::new(endpoint, headers);
    Ok(match (config.kind, config.api) {
        (ProviderKind::Ollama, _) => Client::Ollama(Ollama::new(http)),
        (_, Api::Responses) => Client::Responses(Responses::new(http)),
        (_, Api::Chat) => Client::OpenAi(OpenAi::new(http)),
    })
}

/// The headers of every request. A key that is missing is an error, except for this very machine, where
/// servers mostly want none.
fn headers(
    config: &ProviderConfig,
    endpoint: &Endpoint,
    keys: &dyn Fn(&str) -> Option<String>,
) -> std::result::Result<Vec<(HeaderName, HeaderValue)>, Failure> {
    let missing = |name: &str| {
        Failure::new(Trouble::Unauthorised, format!("no key: {name} is not set or not usable"))
    };
    let mut headers = Vec::new();
    if let Some(name) = &config.api_key_env {
        let key = keys(name).and_then(|key| Secret::new(&format!("Bearer {}", key.trim())));
        match key.filter(|_| keys(name).is_some_and(|key| !key.trim().is_empty())) {
            Some(key) => headers.push((AUTHORIZATION, key.header())),
            None if endpoint.is_loopback() => {}
            None => return Err(missing(name)),
        }
    }
    for (name, value) in &config.headers {
        let secret = match reference(value) {
            Some(variable) => {
                keys(variable).and_then(|v| Secret::new(&v)).ok_or_else(|| missing(variable))?
            }
            None => match Secret::new(value) {
                Some(secret) => secret,
                None => continue,
            },
        };
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            headers.push((name, secret.header()));
        }
    }
    Ok(headers)
}

/// Puts a complete answer together, refusing one that says nothing.
pub(crate) fn answer(
    call: &CallId,
    text: String,
    refusal: &str,
    calls: ToolDeltas,
    finish: Option<&str>,
    usage: Option<Usage>,
) -> std::result::Result<Answer, Failure> {
    let tool_calls: Vec<ToolCall> = calls.finish(call)?;
    let mut finish = read_finish(finish.unwrap_or_default(), !tool_calls.is_empty());
    let mut text = text;
    if text.trim().is_empty() && tool_calls.is_empty() {
        if !refusal.trim().is_empty() {
            refusal.clone_into(&mut text);
            finish = Finish::ContentFilter;
        } else {
            return Err(match finish {
                Finish::ContentFilter => {
                    Failure::new(Trouble::Withheld, "the provider held the answer back")
                }
                Finish::Length => {
                    Failure::new(Trouble::Withheld, "the output limit was reached before any text")
                }
                _ => Failure::new(Trouble::Empty, "the answer holds neither text nor a tool call"),
            });
        }
    }
    let message = Message { tool_calls, ..Message::assistant(text) };
    Ok(Answer { message, finish, usage, first_token: None })
}

fn read_finish(reason: &str, has_calls: bool) -> Finish {
    match reason {
        "length" | "max_tokens" | "max_output_tokens" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        // Several servers say `stop` although the answer is a tool call, and some the other way round.
        "stop" | "" | "tool_calls" | "function_call" | "tool_use" | "end_turn" | "eos"
        | "completed" => {
            if has_calls {
                Finish::ToolCalls
            } else {
                Finish::Stop
            }
        }
        other => Finish::Other(other.chars().take(64).collect()),
    }
}
