//! From YAML to [`ModelsConfig`], refusing whatever is not understood: an unknown key, role, provider or
//! field is an error with file, line, key and the nearest valid name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sage_core::{AgentRole, nearest};

use super::built_in::{self, BuiltIn};
use super::{Api, ModelConfig, ModelsConfig, ProviderConfig, ProviderKind, Route};
use crate::endpoint::Endpoint;
use crate::fields::{At, Fields};
use crate::yaml::{self, Node, Value};
use crate::{Price, Result, ToolCalling, Trigger};

const TOP: [&str; 8] = [
    "providers",
    "models",
    "routing",
    "profiles",
    "primary",
    "fallback",
    "fallback_triggers",
    "test_profile",
];
const PROVIDER: [&str; 7] =
    ["kind", "api", "base_url", "api_key_env", "headers", "max_concurrency", "script"];
const MODEL: [&str; 7] = [
    "provider",
    "context_tokens",
    "max_output_tokens",
    "tool_calling",
    "json_schema",
    "temperature",
    "usd_per_mtok",
];
const PRICE: [&str; 3] = ["input", "output", "cached_input"];
pub(super) const ROUTE: [&str; 3] = ["primary", "fallback", "fallback_triggers"];
/// The routing entry for roles that have none of their own.
pub(super) const DEFAULT_ROUTE: &str = "default";

const MAX_CONCURRENCY: f64 = 1024.0;
const MAX_CONTEXT_TOKENS: f64 = 100_000_000.0;
const MAX_PRICE: f64 = 100_000.0;

pub(super) fn read(base: BuiltIn, text: &str, path: &Path) -> Result<ModelsConfig> {
    let root = yaml::parse(text).map_err(|broken| {
        At { path, line: broken.line }.error("", format!("not valid YAML: {}", broken.problem))
    })?;
    let top = Fields::of(path, "", &root, &TOP)?;
    let mut config = built_in::config(base);
    config.path = path.to_path_buf();
    if let Some(node) = top.get("providers") {
        read_providers(&mut config.providers, path, node)?;
    }
    if let Some(node) = top.get("models") {
        read_models(&mut config, path, node)?;
    }
    read_default(&mut config, &top)?;
    if let Some(node) = top.get("routing") {
        read_routing(&mut config, path, node, top.get("primary").is_some())?;
    }
    read_profiles(&mut config, path, &top)?;
    Ok(config)
}

fn read_providers(
    providers: &mut BTreeMap<String, ProviderConfig>,
    path: &Path,
    node: &Node,
) -> Result<()> {
    for (name, node) in Fields::of(path, "providers", node, &[])?.entries {
        let key = format!("providers.{}", name.text);
        if !is_name(&name.text) {
            let problem = "a provider's name holds letters, digits, '_', '-' and '.' only";
            return Err(At { path, line: name.line }.error(&key, problem));
        }
        let provider = read_provider(providers.get(&name.text), path, &key, node)?;
        providers.insert(name.text.clone(), provider);
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
}

fn read_provider(
    base: Option<&ProviderConfig>,
    path: &Path,
    key: &str,
    node: &Node,
) -> Result<ProviderConfig> {
    let fields = Fields::of(path, key, node, &PROVIDER)?;
    let kind = fields.choice("kind", &ProviderKind::NAMES)?;
    let mut provider = match (base, kind) {
        (Some(base), None) => base.clone(),
        (Some(base), Some(kind)) if base.kind == kind => base.clone(),
        (_, kind) => built_in::new_provider(kind.unwrap_or(ProviderKind::OpenAi), ""),
    };
    if let Some(api) = fields.choice("api", &Api::NAMES)? {
        if provider.kind != ProviderKind::OpenAi && api != Api::Chat {
            let problem = format!("a provider of kind {} has one api", provider.kind.as_str());
            return Err(At { path, line: fields.line }.error(&fields.key("api"), problem));
        }
        provider.api = api;
    }
    if let (Some(node), Some(url)) = (fields.get("base_url"), fields.text("base_url")?) {
        let url = match provider.kind {
            ProviderKind::Ollama => Endpoint::ollama_url(url),
            _ => url.to_owned(),
        };
        let endpoint = Endpoint::parse(&url).map_err(|why| fields.error("base_url", node, why))?;
        provider.base_url = endpoint.as_str().to_owned();
    }
    if let (Some(node), Some(name)) = (fields.get("api_key_env"), fields.text("api_key_env")?) {
        if !is_variable(name) {
            // A key pasted here must not be repeated in an error.
            let problem = "must be the name of an environment variable, not a key";
            return Err(fields.error("api_key_env", node, problem));
        }
        provider.api_key_env = Some(name.to_owned());
    }
    if let Some(node) = fields.get("headers") {
        provider.headers = read_headers(path, &fields.key("headers"), node)?;
    }
    if let Some(n) = fields.whole("max_concurrency", 1.0, MAX_CONCURRENCY)? {
        provider.max_concurrency = usize::try_from(n).unwrap_or(1);
    }
    if let Some(script) = fields.text("script")? {
        provider.script = Some(PathBuf::from(script));
    }
    match provider.kind {
        ProviderKind::OpenAi if provider.base_url.is_empty() => Err(fields.missing("base_url")),
        ProviderKind::Scripted if provider.script.is_none() => Err(fields.missing("script")),
        _ => Ok(provider),
    }
}

fn is_variable(name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.len() <= 128 && name.chars().all(part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn read_headers(path: &Path, key: &str, node: &Node) -> Result<BTreeMap<String, String>> {
    let fields = Fields::of(path, key, node, &[])?;
    let mut headers = BTreeMap::new();
    for (name, node) in fields.entries {
        let value = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => node.value.to_json().to_string(),
            other => {
                let problem = format!("expected a text, found {}", other.what());
                return Err(fields.error(&name.text, node, problem));
            }
        };
        if reqwest::header::HeaderName::from_str(&name.text).is_err() {
            return Err(fields.error(&name.text, node, "not a valid header name"));
        }
        if reqwest::header::HeaderValue::from_str(&value).is_err() {
            return Err(fields.error(&name.text, node, "not a valid header value"));
        }
        headers.insert(name.text.clone(), value);
    }
    Ok(headers)
}

fn read_models(config: &mut ModelsConfig, path: &Path, node: &Node) -> Result<()> {
    for (name, node) in Fields::of(path, "models", node, &[])?.entries {
        let fields = Fields::of(path, &format!("models.{}", name.text), node, &MODEL)?;
        let model = config.models.entry(name.text.clone()).or_default();
        if let (Some(node), Some(provider)) = (fields.get("provider"), fields.text("provider")?) {
            if !config.providers.contains_key(provider) {
                let known: Vec<&str> = config.providers.keys().map(String::as_str).collect();
                let hint = nearest(provider, known.iter().copied()).map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |near| format!("did you mean {near:?}?"),
                );
                let problem = format!("unknown provider {provider:?}; {hint}");
                return Err(fields.error("provider", node, problem));
            }
            model.provider = Some(provider.to_owned());
        }
        read_model(model, &fields)?;
    }
    Ok(())
}

fn read_model(model: &mut ModelConfig, fields: &Fields<'_>) -> Result<()> {
    if let Some(n) = fields.whole("context_tokens", 256.0, MAX_CONTEXT_TOKENS)? {
        model.context_tokens = Some(n);
    }
    if let Some(n) = fields.whole("max_output_tokens", 1.0, f64::from(u32::MAX))? {
        model.max_output_tokens = Some(u32::try_from(n).unwrap_or(u32::MAX));
    }
    let choices =
        [("native", Some(ToolCalling::Native)), ("text", Some(ToolCalling::Text)), ("auto", None)];
    if let Some(choice) = fields.choice("tool_calling", &choices)? {
        model.tool_calling = choice;
    }
    if let Some(value) = fields.truth("json_schema")? {
        model.json_schema = Some(value);
    }
    if let Some(n) = fields.number("temperature", 0.0, 2.0)? {
        model.temperature = Some(n as f32);
    }
    if let Some(node) = fields.get("usd_per_mtok") {
        let prices = Fields::of(fields.path(), &fields.key("usd_per_mtok"), node, &PRICE)?;
        let of = |name: &str| prices.number(name, 0.0, MAX_PRICE);
        let input = of("input")?.ok_or_else(|| prices.missing("input"))?;
        let output = of("output")?.ok_or_else(|| prices.missing("output"))?;
        let cached_input = of("cached_input")?.unwrap_or(input);
        model.price = Some(Price { input, cached_input, output, known: true });
    }
    Ok(())
}

/// The flat form: `primary`, `fallback` and `fallback_triggers` at the top are the default route.
fn read_default(config: &mut ModelsConfig, top: &Fields<'_>) -> Result<()> {
    if top.get("primary").is_some() {
        config.default_route = read_route(top)?;
        // One model for everything means everything that chats.
        config.routing.retain(|role, _| *role == AgentRole::Embedding);
    } else if let Some(name) =
        ["fallback", "fallback_triggers"].iter().find(|n| top.get(n).is_some())
    {
        let line = top.get(name).map_or(0, |node| node.line);
        let problem = "needs \"primary\" beside it";
        return Err(At { path: top.path(), line }.error(name, problem));
    }
    Ok(())
}

fn read_routing(config: &mut ModelsConfig, path: &Path, node: &Node, flat: bool) -> Result<()> {
    let allowed: Vec<&str> =
        AgentRole::ALL.iter().map(|role| role.as_str()).chain([DEFAULT_ROUTE]).collect();
    let fields = Fields::of(path, "routing", node, &[])?;
    for (name, node) in fields.entries {
        let route = Fields::of(path, &format!("routing.{}", name.text), node, &ROUTE);
        match AgentRole::from_str(&name.text) {
            Ok(role) => {
                config.routing.insert(role, read_route(&route?)?);
            }
            Err(_) if name.text == DEFAULT_ROUTE && flat => {
                let problem = "there is a \"primary\" at the top of the file already";
                return Err(fields.error(DEFAULT_ROUTE, node, problem));
            }
            Err(_) if name.text == DEFAULT_ROUTE => {
                config.default_route = read_route(&route?)?;
                config.routing.retain(|role, _| {
                    *role == AgentRole::Embedding || fields.get(role.as_str()).is_some()
                });
            }
            Err(_) => return Err(fields.unknown(name, "role", &allowed)),
        }
    }
    Ok(())
}

fn read_route(fields: &Fields<'_>) -> Result<Route> {
    let primary = fields.text("primary")?.ok_or_else(|| fields.missing("primary"))?.to_owned();
    let fallback = fields.text("fallback")?.map(str::to_owned);
    let mut fallback_triggers = Vec::new();
    if let Some(node) = fields.get("fallback_triggers") {
        let Value::List(items) = &node.value else {
            let problem = format!("expected a list, found {}", node.value.what());
            return Err(fields.error("fallback_triggers", node, problem));
        };
        for item in items {
            let Value::Text(text) = &item.value else {
                let problem = format!("expected a text, found {}", item.value.what());
                return Err(fields.error("fallback_triggers", item, problem));
            };
            let trigger = Trigger::parse(text)
                .map_err(|error| fields.error("fallback_triggers", item, error.to_string()))?;
            fallback_triggers.push(trigger);
        }
        if fallback.is_none() && !items.is_empty() {
            return Err(fields.error("fallback_triggers", node, "needs \"fallback\" beside it"));
        }
    }
    Ok(Route { primary, fallback, fallback_triggers })
}

fn read_profiles(config: &mut ModelsConfig, path: &Path, top: &Fields<'_>) -> Result<()> {
    let allowed = ["primary", "fallback"];
    if let Some(node) = top.get("profiles") {
        for (name, node) in Fields::of(path, "profiles", node, &[])?.entries {
            let fields = Fields::of(path, &format!("profiles.{}", name.text), node, &allowed)?;
            config.profiles.insert(name.text.clone(), read_route(&fields)?);
        }
    }
    if let Some(node) = top.get("test_profile") {
        let fields = Fields::of(path, "test_profile", node, &allowed)?;
        if top.get("profiles").is_some_and(|node| {
            matches!(&node.value, Value::Map(entries) if entries.iter().any(|(k, _)| k.text == "test"))
        }) {
            return Err(top.error("test_profile", node, "profiles.test says the same thing"));
        }
        config.profiles.insert("test".to_owned(), read_route(&fields)?);
    }
    Ok(())
}
