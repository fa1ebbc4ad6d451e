//! What holds without a `models.yaml`: the default providers and routes, and facts about models that are
//! widely used. A file overrides each of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sage_core::AgentRole;

use super::{Api, ModelConfig, ModelsConfig, ProviderConfig, ProviderKind, Route};
use crate::endpoint::Endpoint;
use crate::{ModelFacts, Price, ToolCalling};

/// Which models are used for roles that no file speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// `gpt-4o`, falling back to `gpt-4o-mini`: for when a key for OpenAI is set.
    OpenAi,
    /// `qwen2.5-coder:1.5b` of Ollama: for when there is no key.
    Ollama,
}

const OPENAI_URL: &str = "https://api.openai.com/v1";
const OLLAMA_URL: &str = "http://127.0.0.1:11434";
const OPENAI_CONCURRENCY: usize = 8;
/// Ollama queues what it cannot run at once; a request in its queue looks like a silent server.
const OLLAMA_CONCURRENCY: usize = 2;
/// The model of the built-in `test` profile and of [`BuiltIn::Ollama`].
const SMALL_LOCAL_MODEL: &str = "qwen2.5-coder:1.5b";

/// Names that are taken for OpenAI's own when nothing else says who serves them.
const OPENAI_PREFIXES: [&str; 7] =
    ["gpt-", "chatgpt-", "o1", "o3", "o4", "codex-", "text-embedding-"];

/// Ollama models below this many billion parameters are not trusted with tool calls.
const MIN_BILLIONS_FOR_TOOLS: f64 = 7.0;

pub(super) fn config(base: BuiltIn) -> ModelsConfig {
    let route = |primary: &str, fallback: Option<&str>| Route {
        primary: primary.to_owned(),
        fallback: fallback.map(str::to_owned),
        fallback_triggers: Vec::new(),
    };
    let (default_route, chat, embedding) = match base {
        BuiltIn::OpenAi => (
            route("gpt-4o", Some("gpt-4o-mini")),
            route("gpt-4o-mini", Some("gpt-4o")),
            route("text-embedding-3-small", None),
        ),
        BuiltIn::Ollama => {
            let small = route(SMALL_LOCAL_MODEL, None);
            (small.clone(), small, route("nomic-embed-text", None))
        }
    };
    let mut routing = BTreeMap::from([(AgentRole::Embedding, embedding)]);
    if base == BuiltIn::OpenAi {
        for role in [AgentRole::MemoryOptimizer, AgentRole::ShellRouter, AgentRole::ShellChat] {
            routing.insert(role, chat.clone());
        }
    }
    ModelsConfig {
        path: PathBuf::from("<built in>"),
        providers: BTreeMap::from([
            ("openai".to_owned(), openai()),
            ("ollama".to_owned(), ollama()),
        ]),
        models: models(),
        default_route,
        routing,
        profiles: BTreeMap::from([("test".to_owned(), route(SMALL_LOCAL_MODEL, None))]),
        profile: None,
    }
}

fn openai() -> ProviderConfig {
    ProviderConfig {
        api_key_env: Some("OPENAI_API_KEY".to_owned()),
        ..new_provider(ProviderKind::OpenAi, OPENAI_URL)
    }
}

pub(super) fn ollama() -> ProviderConfig {
    new_provider(ProviderKind::Ollama, OLLAMA_URL)
}

/// A provider of which a file says nothing but its kind.
pub(super) fn new_provider(kind: ProviderKind, base_url: &str) -> ProviderConfig {
    let base_url = match kind {
        ProviderKind::Ollama if base_url.is_empty() => OLLAMA_URL,
        _ => base_url,
    };
    ProviderConfig {
        kind,
        api: Api::Chat,
        base_url: base_url.to_owned(),
        api_key_env: None,
        headers: BTreeMap::new(),
        max_concurrency: match kind {
            ProviderKind::Ollama => OLLAMA_CONCURRENCY,
            _ => OPENAI_CONCURRENCY,
        },
        script: None,
    }
}

fn models() -> BTreeMap<String, ModelConfig> {
    let openai = |input: f64, cached_input: f64, output: f64| ModelConfig {
        context_tokens: Some(128_000),
        max_output_tokens: Some(16_384),
        tool_calling: Some(ToolCalling::Native),
        json_schema: Some(true),
        price: Some(Price { input, cached_input, output, known: true }),
        ..ModelConfig::default()
    };
    let small = ModelConfig {
        context_tokens: Some(32_768),
        max_output_tokens: Some(4_096),
        tool_calling: Some(ToolCalling::Text),
        ..ModelConfig::default()
    };
    BTreeMap::from([
        ("gpt-4o".to_owned(), openai(2.5, 1.25, 10.0)),
        ("gpt-4o-mini".to_owned(), openai(0.15, 0.075, 0.6)),
        (SMALL_LOCAL_MODEL.to_owned(), small),
    ])
}

pub(super) fn is_openai_name(name: &str) -> bool {
    !name.contains(':') && OPENAI_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Facts about a model: what the file says, else what is sensible for its provider.
pub(super) fn facts(
    provider: &str,
    config: &ProviderConfig,
    model: &str,
    known: &ModelConfig,
) -> ModelFacts {
    let scripted = config.kind == ProviderKind::Scripted;
    let local = scripted || Endpoint::parse(&config.base_url).is_ok_and(|url| url.is_local());
    let (context_tokens, max_output_tokens) = match config.kind {
        ProviderKind::Scripted => (128_000, 16_384),
        ProviderKind::OpenAi if !local => (128_000, 8_192),
        ProviderKind::OpenAi => (32_768, 8_192),
        ProviderKind::Ollama => (16_384, 4_096),
    };
    let small = config.kind == ProviderKind::Ollama
        && billions(model).is_some_and(|n| n < MIN_BILLIONS_FOR_TOOLS);
    let tool_calling = if small { ToolCalling::Text } else { ToolCalling::Native };
    let context_tokens = known.context_tokens.unwrap_or(context_tokens);
    let max_output_tokens = known.max_output_tokens.unwrap_or(max_output_tokens);
    // An answer cannot be longer than what prompt and answer share; leave at least half for the prompt.
    let half = u32::try_from(context_tokens / 2).unwrap_or(u32::MAX).max(1);
    ModelFacts {
        model: model.to_owned(),
        provider: provider.to_owned(),
        context_tokens,
        max_output_tokens: max_output_tokens.min(half),
        tool_calling: known.tool_calling.unwrap_or(tool_calling),
        json_schema: known.json_schema.unwrap_or(!scripted),
        local,
        scripted,
        price: known.price.unwrap_or(if local { Price::FREE } else { Price::UNKNOWN }),
    }
}

/// The parameters, in billions, that an Ollama tag tells: 1.5 for `qwen2.5-coder:1.5b`.
fn billions(model: &str) -> Option<f64> {
    let (_, tag) = model.rsplit_once(':')?;
    let number = tag.split('-').find_map(|part| part.strip_suffix(['b', 'B']))?;
    number.parse().ok().filter(|n: &f64| n.is_finite())
}
