//! `models.yaml` as values: which providers exist, what is known about models, which model plays which
//! role. Reading, showing and editing the file are the parts in `config/`.
//!
//! Invariant: a value of [`ModelsConfig`] is valid: every provider name resolves, every trigger parses.
//! Keys never get in here, only the names of the variables that hold them.

mod built_in;
mod edit;
mod read;
mod show;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use sage_core::{AgentRole, nearest};

use crate::endpoint::Endpoint;
use crate::{Error, ModelFacts, Price, Result, ToolCalling, Trigger};

pub use built_in::BuiltIn;
pub use edit::RoleEdit;

/// Everything that `models.yaml` says, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelsConfig {
    path: PathBuf,
    providers: BTreeMap<String, ProviderConfig>,
    models: BTreeMap<String, ModelConfig>,
    default_route: Route,
    routing: BTreeMap<AgentRole, Route>,
    profiles: BTreeMap<String, Route>,
    profile: Option<String>,
}

/// How to reach a provider.
#[derive(Clone, PartialEq)]
pub struct ProviderConfig {
    /// The wire format it speaks.
    pub kind: ProviderKind,
    /// Which of OpenAI's two endpoints it is asked at.
    pub api: Api,
    /// Scheme, host, port and path; ends without `/`. Unused by [`ProviderKind::Scripted`].
    pub base_url: String,
    /// Name of the environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// Headers sent with every request. A value of the form `${NAME}` is looked up like a key.
    pub headers: BTreeMap<String, String>,
    /// Requests under way at once.
    pub max_concurrency: usize,
    /// The script, for [`ProviderKind::Scripted`]; relative to the folder of `models.yaml`.
    pub script: Option<PathBuf>,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values may be secrets.
        f.debug_struct("ProviderConfig")
            .field("kind", &self.kind)
            .field("api", &self.api)
            .field("base_url", &self.base_url)
            .field("api_key_env", &self.api_key_env)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("max_concurrency", &self.max_concurrency)
            .field("script", &self.script)
            .finish()
    }
}

/// The wire format of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenAI's, spoken by many servers.
    OpenAi,
    /// Ollama's own.
    Ollama,
    /// None: answers come from a file.
    Scripted,
}

impl ProviderKind {
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("openai", Self::OpenAi), ("ollama", Self::Ollama), ("scripted", Self::Scripted)];

    /// The name used in `models.yaml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Ollama => "ollama",
            Self::Scripted => "scripted",
        }
    }
}

/// Which of OpenAI's two endpoints is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/chat/completions`.
    Chat,
    /// `/responses`.
    Responses,
}

impl Api {
    pub(crate) const NAMES: [(&'static str, Self); 2] =
        [("chat", Self::Chat), ("responses", Self::Responses)];

    /// The name used in `models.yaml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
        }
    }
}

/// What `models.yaml` says about one model; what it does not say is absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelConfig {
    /// Who serves it.
    pub provider: Option<String>,
    /// Tokens of prompt and answer together.
    pub context_tokens: Option<u64>,
    /// Most tokens of one answer.
    pub max_output_tokens: Option<u32>,
    /// How it acts; absent is `auto`.
    pub tool_calling: Option<ToolCalling>,
    /// Whether the provider can hold its answer to a JSON Schema.
    pub json_schema: Option<bool>,
    /// Sampling temperature; wins over what a role asks for.
    pub temperature: Option<f32>,
    /// What it costs.
    pub price: Option<Price>,
}

/// Which models play a role.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The model that is used.
    pub primary: String,
    /// The model that is used when a trigger holds or the primary is unavailable.
    pub fallback: Option<String>,
    /// When the fallback is used although the primary is available.
    pub fallback_triggers: Vec<Trigger>,
}

/// A model name with its provider and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The facts; [`ModelFacts::model`] is the name without a provider prefix.
    pub facts: ModelFacts,
    /// Sampling temperature that `models.yaml` sets.
    pub temperature: Option<f32>,
}

impl ModelsConfig {
    /// Reads `models.yaml`. `path` is only named in errors and as the place that scripts are relative to.
    pub fn load(text: &str, path: &Path) -> Result<Self> {
        Self::load_over(BuiltIn::OpenAi, text, path)
    }

    /// Like [`ModelsConfig::load`], filling what the file does not say from the given defaults.
    pub fn load_over(base: BuiltIn, text: &str, path: &Path) -> Result<Self> {
        read::read(base, text, path)
    }

    /// What is used without any file, when a key for OpenAI is set.
    #[must_use]
    pub fn built_in() -> Self {
        Self::built_in_for(BuiltIn::OpenAi)
    }

    /// What is used without any file.
    #[must_use]
    pub fn built_in_for(base: BuiltIn) -> Self {
        built_in::config(base)
    }

    /// The file that this was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The providers by name; `openai` and `ollama` always exist.
    #[must_use]
    pub fn providers(&self) -> &BTreeMap<String, ProviderConfig> {
        &self.providers
    }

    /// The models that the configuration says something about, by name.
    #[must_use]
    pub fn models(&self) -> &BTreeMap<String, ModelConfig> {
        &self.models
    }

    /// The profiles by name. A profile is one route for all roles.
    #[must_use]
    pub fn profiles(&self) -> &BTreeMap<String, Route> {
        &self.profiles
    }

    /// The profile that was applied, if one was.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The route of a role: its own, else the default one.
    #[must_use]
    pub fn route(&self, role: AgentRole) -> &Route {
        self.routing.get(&role).unwrap_or(&self.default_route)
    }

    /// Every role with its route, in the order of the documentation.
    pub fn routes(&self) -> impl Iterator<Item = (AgentRole, &Route)> {
        AgentRole::ALL.into_iter().map(|role| (role, self.route(role)))
    }

    /// Every model that some role may use, each once, in the order of the roles.
    #[must_use]
    pub fn models_in_use(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (_, route) in self.routes() {
            for name in [Some(route.primary.as_str()), route.fallback.as_deref()] {
                if let Some(name) = name.filter(|name| !names.contains(name)) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// Makes every role use the profile's models, without triggers. `embedding` keeps its own model,
    /// because a chat model cannot replace it.
    pub fn apply_profile(&mut self, name: &str) -> Result<()> {
        let Some(profile) = self.profiles.get(name) else {
            let known = self.profiles.keys().map(String::as_str);
            return Err(unknown("profile", name, nearest(name, known)));
        };
        self.default_route = Route { fallback_triggers: Vec::new(), ..profile.clone() };
        self.routing.retain(|role, _| *role == AgentRole::Embedding);
        self.profile = Some(name.to_owned());
        Ok(())
    }

    /// Makes a role use a model (`--model ROLE=MODEL`). Its triggers no longer apply; its fallback stays,
    /// for when the model is unavailable.
    pub fn override_role(&mut self, role: AgentRole, model: &str) -> Result<()> {
        let model = model.trim();
        if model.is_empty() {
            let what = format!("model of {role}");
            return Err(Error::Setting { what, problem: "the name is empty".to_owned() });
        }
        let fallback = self.route(role).fallback.clone();
        let route = Route { primary: model.to_owned(), fallback, fallback_triggers: Vec::new() };
        self.routing.insert(role, route);
        Ok(())
    }

    /// Replaces a provider's base url (`OPENAI_BASE_URL`, `OLLAMA_HOST`). For a provider of kind `ollama`
    /// a bare `host[:port]` is accepted, as Ollama itself does.
    pub fn override_base_url(&mut self, provider: &str, url: &str) -> Result<()> {
        let Some(config) = self.providers.get_mut(provider) else {
            let known = self.providers.keys().map(String::as_str);
            return Err(unknown("provider", provider, nearest(provider, known)));
        };
        let url = match config.kind {
            ProviderKind::Ollama => Endpoint::ollama_url(url),
            _ => url.trim().to_owned(),
        };
        let what = format!("base url of provider {provider}");
        let endpoint = Endpoint::parse(&url).map_err(|problem| Error::Setting { what, problem })?;
        config.base_url = endpoint.as_str().to_owned();
        Ok(())
    }

    /// Finds who serves a model and what is known about it.
    ///
    /// Who serves it, first match wins: `models.<name>.provider`; a prefix `provider/` that names a
    /// provider; a name of OpenAI's own (`gpt-…`, `o1…`, see `docs/models.md`) is `openai`'s; anything
    /// else is `ollama`'s.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Resolved {
        let prefixed = name
            .split_once('/')
            .filter(|(prefix, bare)| self.providers.contains_key(*prefix) && !bare.is_empty());
        let named = self.models.get(name);
        let (provider, model) = match (named.and_then(|m| m.provider.as_deref()), prefixed) {
            (Some(provider), Some((prefix, bare))) if prefix == provider => (provider, bare),
            (Some(provider), _) => (provider, name),
            (None, Some((prefix, bare))) => (prefix, bare),
            (None, None) if built_in::is_openai_name(name) => ("openai", name),
            (None, None) => ("ollama", name),
        };
        let known = named.or_else(|| self.models.get(model)).cloned().unwrap_or_default();
        let facts = match self.providers.get(provider) {
            Some(config) => built_in::facts(provider, config, model, &known),
            // Validation makes sure that every provider exists; be truthful even if it did not.
            None => built_in::facts(provider, &built_in::ollama(), model, &known),
        };
        Resolved { facts, temperature: known.temperature }
    }

    /// The effective configuration as YAML that [`ModelsConfig::load`] reads back. Header values are
    /// shown only where they are references of the form `${NAME}`.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        show::to_yaml(self)
    }

    /// Edits the text of a `models.yaml` so that `role` (or `default`) has the given models, keeping
    /// comments and everything else byte for byte. The result is checked by reading it back.
    pub fn set_role(text: &str, path: &Path, role: &str, edit: &RoleEdit) -> Result<String> {
        edit::set_role(text, path, role, edit)
    }
}

pub(crate) fn unknown(what: &'static str, found: &str, nearest: Option<&str>) -> Error {
    let found = found.chars().take(64).collect();
    Error::Unknown { what, found, nearest: nearest.map(str::to_owned) }
}

#[cfg(test)]
mod tests;
