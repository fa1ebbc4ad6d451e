//! Writes a `models.yaml` in which every role is played by a fake server's model.

use std::fmt::Write;

use crate::ollama::FakeOllama;
use crate::openai::FakeOpenAi;

/// A `models.yaml` in the making.
#[derive(Debug, Clone)]
pub struct ModelsYaml {
    kind: &'static str,
    base_url: String,
    model: String,
    tool_calling: &'static str,
    provider_lines: Vec<String>,
    model_lines: Vec<String>,
    fallback: Option<String>,
    rest: String,
}

impl ModelsYaml {
    /// Every role by the model of an OpenAI-compatible server, with native tool calls.
    #[must_use]
    pub fn openai(base_url: &str) -> Self {
        Self::new("openai", base_url, FakeOpenAi::MODEL)
    }

    /// Every role by the model of an Ollama server, with native tool calls.
    #[must_use]
    pub fn ollama(base_url: &str) -> Self {
        Self::new("ollama", base_url, FakeOllama::MODEL)
    }

    fn new(kind: &'static str, base_url: &str, model: &str) -> Self {
        Self {
            kind,
            base_url: base_url.to_owned(),
            model: model.to_owned(),
            tool_calling: "native",
            provider_lines: Vec::new(),
            model_lines: Vec::new(),
            fallback: None,
            rest: String::new(),
        }
    }

    /// Another name for the model.
    #[must_use]
    pub fn model(mut self, name: &str) -> Self {
        self.model = name.to_owned();
        self
    }

    /// The text protocol instead of native tool calls.
    #[must_use]
    pub fn text_protocol(mut self) -> Self {
        self.tool_calling = "text";
        self
    }

    /// A further line of the provider, such as `api: responses` or `api_key_env: NAME`.
    #[must_use]
    pub fn provider(mut self, line: &str) -> Self {
        self.provider_lines.push(line.to_owned());
        self
    }

    /// A further line of the model, such as `context_tokens: 4096`.
    #[must_use]
    pub fn fact(mut self, line: &str) -> Self {
        self.model_lines.push(line.to_owned());
        self
    }

    /// Prices in US dollars per million tokens.
    #[must_use]
    pub fn price(self, input: f64, output: f64) -> Self {
        self.fact(&format!("usd_per_mtok: {{input: {input}, output: {output}}}"))
    }

    /// A model to fall back to.
    #[must_use]
    pub fn fallback(mut self, name: &str) -> Self {
        self.fallback = Some(name.to_owned());
        self
    }

    /// Further text at the end, such as a section of profiles.
    #[must_use]
    pub fn and(mut self, text: &str) -> Self {
        self.rest.push_str(text);
        self
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let quoted = |name: &str| format!("\"{name}\"");
        let _ = write!(
            text,
            "providers:\n  fake:\n    kind: {}\n    base_url: {}\n",
            self.kind,
            quoted(&self.base_url)
        );
        for line in &self.provider_lines {
            let _ = writeln!(text, "    {line}");
        }
        let _ = write!(
            text,
            "models:\n  {}:\n    provider: fake\n    tool_calling: {}\n",
            quoted(&self.model),
            self.tool_calling
        );
        for line in &self.model_lines {
            let _ = writeln!(text, "    {line}");
        }
        let _ = write!(text, "routing:\n  default:\n    primary: {}\n", quoted(&self.model));
        if let Some(fallback) = &self.fallback {
            let _ = writeln!(text, "    fallback: {}", quoted(fallback));
        }
        text.push_str(&self.rest);
        text
    }
}
