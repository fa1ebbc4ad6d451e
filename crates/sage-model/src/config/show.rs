//! The effective configuration as a `models.yaml` that says everything; reading it back gives the same.

use std::fmt::Write as _;

use sage_core::AgentRole;

use super::{ModelConfig, ModelsConfig, ProviderConfig, Route};
use crate::secrets::is_reference;

pub(super) fn to_yaml(config: &ModelsConfig) -> String {
    let mut out = String::new();
    out.push_str("providers:\n");
    for (name, provider) in &config.providers {
        let _ = writeln!(out, "  {name}: {{{}}}", provider_fields(provider).join(", "));
    }
    out.push_str("models:\n");
    for (name, model) in &config.models {
        let _ = writeln!(out, "  {}: {{{}}}", scalar(name), model_fields(model).join(", "));
    }
    out.push_str("routing:\n");
    let _ = writeln!(out, "  default: {}", route(&config.default_route));
    for role in AgentRole::ALL {
        if let Some(own) = config.routing.get(&role) {
            let _ = writeln!(out, "  {role}: {}", route(own));
        }
    }
    out.push_str("profiles:\n");
    for (name, profile) in &config.profiles {
        let _ = writeln!(out, "  {}: {}", scalar(name), route(profile));
    }
    out
}

fn provider_fields(provider: &ProviderConfig) -> Vec<String> {
    let mut fields = vec![format!("kind: {}", provider.kind.as_str())];
    if provider.api != super::Api::Chat {
        fields.push(format!("api: {}", provider.api.as_str()));
    }
    if !provider.base_url.is_empty() {
        fields.push(format!("base_url: {}", quoted(&provider.base_url)));
    }
    if let Some(name) = &provider.api_key_env {
        fields.push(format!("api_key_env: {name}"));
    }
    let shown: Vec<String> = provider
        .headers
        .iter()
        .filter(|(_, value)| is_reference(value))
        .map(|(name, value)| format!("{}: {}", scalar(name), quoted(value)))
        .collect();
    if !shown.is_empty() {
        fields.push(format!("headers: {{{}}}", shown.join(", ")));
    }
    fields.push(format!("max_concurrency: {}", provider.max_concurrency));
    if let Some(script) = &provider.script {
        fields.push(format!("script: {}", quoted(&script.display().to_string())));
    }
    fields
}

fn model_fields(model: &ModelConfig) -> Vec<String> {
    let mut fields = Vec::new();
    let mut push = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            fields.push(format!("{name}: {value}"));
        }
    };
    push("provider", model.provider.clone());
    push("context_tokens", model.context_tokens.map(|n| n.to_string()));
    push("max_output_tokens", model.max_output_tokens.map(|n| n.to_string()));
    push("tool_calling", model.tool_calling.map(|calling| calling.as_str().to_owned()));
    push("json_schema", model.json_schema.map(|value| value.to_string()));
    push("temperature", model.temperature.map(|n| n.to_string()));
    push(
        "usd_per_mtok",
        model.price.map(|price| {
            format!(
                "{{input: {}, output: {}, cached_input: {}}}",
                price.input, price.output, price.cached_input
            )
        }),
    );
    fields
}

pub(super) fn route(route: &Route) -> String {
    let mut fields = vec![format!("primary: {}", scalar(&route.primary))];
    if let Some(fallback) = &route.fallback {
        fields.push(format!("fallback: {}", scalar(fallback)));
    }
    if !route.fallback_triggers.is_empty() {
        let triggers = route.fallback_triggers.iter().map(super::Trigger::as_str);
        fields.push(format!("fallback_triggers: {}", text_list(triggers)));
    }
    format!("{{{}}}", fields.join(", "))
}

pub(super) fn text_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

/// A name as a plain scalar where YAML reads it back as that text, else quoted.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A JSON string is a double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
