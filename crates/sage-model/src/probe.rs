//! Whether a provider can be used, for `sage doctor` and `sage models test`: no run, no log, no retries.

use std::time::Duration;

use sage_core::{AgentRole, CallId, ErrorKind, Message, NodeId, RouteFeatures};
use serde_json::Value;
use tokio::time::Instant;

use crate::config::ModelsConfig;
use crate::http::{CallTimeouts, Clocked, Http};
use crate::provider::{Ask, Client, ProviderSet};
use crate::{ChatRequest, Failure, ToolCalling, Trouble};

/// How long listing the models may take.
pub const LIST_LIMIT: Duration = Duration::from_secs(5);
/// The most models that are listed.
const MAX_MODELS: usize = 10_000;
/// What a deep probe may cost at most: enough for a reasoning model to say a word.
const DEEP_OUTPUT_TOKENS: u32 = 16;

/// What a probe found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The provider.
    pub provider: String,
    /// Scheme, host and port; empty for a script.
    pub endpoint: String,
    /// Whether the endpoint answered at all, if only with a refusal.
    pub reachable: bool,
    /// The models that it says it has; absent when it cannot tell.
    pub models: Option<Vec<String>>,
    /// Whether the model asked about is among them; absent when nobody asked or nobody can tell.
    pub model_present: Option<bool>,
    /// Whether the model said something; absent without a deep probe.
    pub answered: Option<bool>,
    /// How long the probe took.
    pub latency_ms: u64,
    /// What is wrong, if anything is.
    pub error: Option<(ErrorKind, String)>,
}

/// Asks a provider for its models and, if `deep`, a model for a word (which costs a few tokens).
/// `model` is a name as in `models.yaml`, with or without the provider's prefix.
///
/// Takes at most [`LIST_LIMIT`], plus the limits for one call if `deep`.
pub async fn probe(
    config: &ModelsConfig,
    providers: &ProviderSet,
    provider: &str,
    model: Option<&str>,
    deep: bool,
    limits: CallTimeouts,
) -> Probe {
    let started = Instant::now();
    let mut found = Probe {
        provider: provider.to_owned(),
        endpoint: String::new(),
        reachable: false,
        models: None,
        model_present: None,
        answered: None,
        latency_ms: 0,
        error: None,
    };
    let fail = |found: &mut Probe, failure: &Failure| {
        let kind = match failure.trouble.was_reached() {
            true => ErrorKind::ModelAnswer,
            false => ErrorKind::ModelUnavailable,
        };
        found.reachable |= was_reached(failure.trouble);
        found.error = Some((kind, failure.message.clone()));
    };
    match providers.get(provider).map(|p| (p, p.client.as_ref())) {
        None => found.error = Some((ErrorKind::Config, format!("no provider {provider:?}"))),
        Some((p, Err(failure))) => {
            found.endpoint.clone_from(&p.endpoint);
            fail(&mut found, failure);
        }
        Some((p, Ok(client))) => {
            found.endpoint.clone_from(&p.endpoint);
            match list(client, limits).await {
                Ok(models) => {
                    found.reachable = true;
                    found.models = models;
                }
                Err(failure) => fail(&mut found, &failure),
            }
            let bare = model.map(|name| config.resolve(name).facts.model);
            if let (Some(bare), Some(models)) = (&bare, &found.models) {
                found.model_present = Some(models.iter().any(|known| is_same(known, bare)));
            }
            if let (Some(name), true, None) = (model, deep, &found.error) {
                match ask(config, client, name, limits).await {
                    Ok(()) => found.answered = Some(true),
                    Err(failure) => {
                        found.answered = Some(false);
                        fail(&mut found, &failure);
                    }
                }
            }
        }
    }
    found.latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    found
}

/// Whether something at the endpoint answered. A missing key keeps us from knowing.
fn was_reached(trouble: Trouble) -> bool {
    !matches!(
        trouble,
        Trouble::Refused | Trouble::ConnectTimeout | Trouble::NoFirstToken | Trouble::Deadline
    )
}

/// Ollama's `qwen3` is its `qwen3:latest`.
fn is_same(known: &str, wanted: &str) -> bool {
    known == wanted || known.strip_suffix(":latest") == Some(wanted)
}

async fn list(client: &Client, limits: CallTimeouts) -> Result<Option<Vec<String>>, Failure> {
    let (http, path, list, name): (&Http, &[&str], &str, &str) = match client {
        Client::Scripted(_) => return Ok(None),
        Client::OpenAi(client) => (&client.http, &["models"], "data", "id"),
        Client::Responses(client) => (&client.http, &["models"], "data", "id"),
        Client::Ollama(client) => (&client.http, &["api", "tags"], "models", "name"),
    };
    let connect = limits.connect.min(LIST_LIMIT);
    let limits =
        CallTimeouts { connect, first_token: LIST_LIMIT, silence: LIST_LIMIT, whole: LIST_LIMIT };
    let clocked = Clocked { limits, deadline: Instant::now() + LIST_LIMIT, now_ms: 0 };
    match http.get(path, &clocked).await {
        Ok(body) => {
            let models = body.get(list).and_then(Value::as_array).map(|models| {
                let names = models.iter().filter_map(|model| model.get(name)?.as_str());
                names.take(MAX_MODELS).map(str::to_owned).collect()
            });
            Ok(models)
        }
        // Not every compatible server lists its models.
        Err(refused) if matches!(refused.status, Some(404 | 405 | 501)) => Ok(None),
        Err(refused) => Err(refused.failure),
    }
}

async fn ask(
    config: &ModelsConfig,
    client: &Client,
    model: &str,
    limits: CallTimeouts,
) -> Result<(), Failure> {
    let resolved = config.resolve(model);
    let request = ChatRequest {
        call: CallId { node: NodeId::run(), attempt: 1, index: 1 },
        role: AgentRole::ShellChat,
        features: RouteFeatures::default(),
        fixed_model: None,
        messages: vec![Message::user("Reply with the word ok.")],
        tools: Vec::new(),
        response_schema: None,
        temperature: None,
        max_output_tokens: None,
        turn: false,
        context: None,
    };
    let mut facts = resolved.facts;
    facts.tool_calling = ToolCalling::Text;
    let ask = Ask {
        request: &request,
        facts: &facts,
        temperature: None,
        max_output_tokens: DEEP_OUTPUT_TOKENS,
        clocked: Clocked { limits, deadline: Instant::now() + limits.whole, now_ms: 0 },
    };
    match client.ask(&ask, &mut |_| {}).await {
        Ok(_) => Ok(()),
        // Cut off or silent is still alive: the question was whether it answers.
        Err(failure) if matches!(failure.trouble, Trouble::Withheld | Trouble::Empty) => Ok(()),
        Err(failure) => Err(failure),
    }
}
