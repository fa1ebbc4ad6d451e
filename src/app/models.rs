//! Which models.yaml is in effect, and what flags, profile and environment change about it.

use std::fmt;
use std::path::PathBuf;

use sage_core::{AgentRole, ErrorKind};
use sage_model::{BuiltIn, ModelsConfig};

use crate::cli::ModelArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::settings::{Flags, Settings, Source};

/// Where the models come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelsSource {
    /// Named by a flag, a variable or a setting.
    Named {
        /// The file.
        path: PathBuf,
        /// Who named it.
        by: String,
    },
    /// The project's `.sage/models.yaml`.
    Project(PathBuf),
    /// The user's `models.yaml`.
    User(PathBuf),
    /// No file: what is built in, for when this provider is at hand.
    BuiltIn(BuiltIn),
}

impl fmt::Display for ModelsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { path, by } => write!(f, "{} (from {by})", path.display()),
            Self::Project(path) | Self::User(path) => write!(f, "{}", path.display()),
            Self::BuiltIn(BuiltIn::OpenAi) => f.write_str("built in, for OpenAI"),
            Self::BuiltIn(BuiltIn::Ollama) => {
                f.write_str("built in, for Ollama (no OPENAI_API_KEY is set)")
            }
        }
    }
}

impl ModelsSource {
    /// The first that exists of: the named file, the project's, the user's, the built-in one.
    pub fn find(cx: &Context, settings: &Settings) -> Self {
        if let Some(path) = settings.models_file() {
            let by = settings.get("models.file").map(|named| named.source.to_string());
            return Self::Named { path: cx.cwd.join(path), by: by.unwrap_or_default() };
        }
        let project = cx.sage("models.yaml");
        if project.exists() {
            return Self::Project(project);
        }
        if let Some(user) = cx.user_models_file().filter(|path| path.exists()) {
            return Self::User(user);
        }
        Self::BuiltIn(built_in(cx))
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Named { path, .. } | Self::Project(path) | Self::User(path) => Some(path),
            Self::BuiltIn(_) => None,
        }
    }
}

/// Which built-in models fit this machine.
pub fn built_in(cx: &Context) -> BuiltIn {
    if cx.env.get("OPENAI_API_KEY").is_some() { BuiltIn::OpenAi } else { BuiltIn::Ollama }
}

/// The models in effect and where they come from.
#[derive(Debug, Clone)]
pub struct Models {
    /// The configuration, profile and overrides applied.
    pub config: ModelsConfig,
    /// Where it was read.
    pub source: ModelsSource,
}

/// Reads the models in effect: the file, then `OPENAI_BASE_URL` and `OLLAMA_HOST` where the file has
/// no address of its own, then the profile, then `--model ROLE=MODEL`.
pub fn load_models(cx: &Context, settings: &Settings, args: &ModelArgs) -> Result<Models, Failure> {
    let source = ModelsSource::find(cx, settings);
    let mut config = read(cx, &source)?;
    let defaults = ModelsConfig::built_in();
    for (provider, variable) in [("openai", "OPENAI_BASE_URL"), ("ollama", "OLLAMA_HOST")] {
        let address =
            |config: &ModelsConfig| config.providers().get(provider).map(|p| p.base_url.clone());
        let is_default = address(&config) == address(&defaults);
        if let Some(url) = cx.env.get(variable).filter(|_| is_default) {
            config
                .override_base_url(provider, url)
                .map_err(|error| Failure::config(format!("${variable}: {error}")))?;
        }
    }
    if let Some(profile) = settings.profile() {
        config.apply_profile(profile).map_err(|error| unknown_profile(settings, &error))?;
    }
    for choice in &args.model {
        config.override_role(choice.role, &choice.model)?;
    }
    Ok(Models { config, source })
}

fn read(cx: &Context, source: &ModelsSource) -> Result<ModelsConfig, Failure> {
    let Some(path) = source.path() else {
        return Ok(ModelsConfig::built_in_for(built_in(cx)));
    };
    let text = crate::files::read_text(path).map_err(|error| {
        Failure::config(format!("reading the models file {source}")).because(error)
    })?;
    Ok(ModelsConfig::load_over(built_in(cx), &text, path)?)
}

fn unknown_profile(settings: &Settings, error: &sage_model::Error) -> Failure {
    let source = settings.get("models.profile").map(|resolved| resolved.source.clone());
    let (kind, place) = match source {
        Some(Source::Flag(flag)) => (ErrorKind::Usage, format!("`{flag}`")),
        Some(source) => (ErrorKind::Config, source.to_string()),
        None => (ErrorKind::Config, "models.profile".to_owned()),
    };
    Failure::new(kind, anyhow::anyhow!("{place}: {error}"))
        .hint("`sage models` lists the profiles of the models file")
}

/// The models that roles chat with, each once. The embedding model is not one of them: it cannot be
/// asked for a word.
pub fn chat_models(config: &ModelsConfig) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (_, route) in config.routes().filter(|(role, _)| *role != AgentRole::Embedding) {
        for name in [Some(&route.primary), route.fallback.as_ref()].into_iter().flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

impl ModelArgs {
    /// The settings that these flags set.
    pub fn flags(&self, flags: &mut Flags) {
        flags.set("models.file", self.models.as_ref().map(|path| path.display()), "--models");
        flags.set("models.profile", self.profile.as_ref(), "--profile");
    }
}
