//! What a fake model answers.

use std::time::Duration;

use sage_core::Usage;
use serde_json::Value;

use crate::fault::Fault;

/// An answer before it is put into a provider's wire format.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// What the model says.
    pub text: String,
    /// The tools it wants called, in order.
    pub tool_calls: Vec<WantedTool>,
    /// Figures to report; counted roughly from the texts when absent.
    pub usage: Option<Usage>,
    /// Why it stopped, in the provider's words; the usual word when absent.
    pub finish: Option<String>,
    /// How long the model thinks before the first token.
    pub delay: Duration,
    /// What goes wrong on the way.
    pub fault: Option<Fault>,
}

/// A tool call in a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedTool {
    /// The tool's name.
    pub name: String,
    /// The arguments as text, not necessarily valid JSON.
    pub arguments: String,
}

impl Reply {
    /// Says something.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Says a JSON value.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::text(value.to_string())
    }

    /// Calls one tool.
    pub fn tool(name: impl Into<String>, arguments: Value) -> Self {
        Self::default().and_tool(name, arguments)
    }

    /// Goes wrong.
    #[must_use]
    pub fn fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::text("never complete") }
    }

    /// Calls one tool more.
    #[must_use]
    pub fn and_tool(mut self, name: impl Into<String>, arguments: Value) -> Self {
        self.tool_calls.push(WantedTool { name: name.into(), arguments: arguments.to_string() });
        self
    }

    /// Thinks for a while first.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Reports these figures.
    #[must_use]
    pub fn with_usage(mut self, input: u64, output: u64) -> Self {
        self.usage = Some(Usage { input, output, ..Usage::default() });
        self
    }

    /// Says the same and goes wrong on the way.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Stops for this reason.
    #[must_use]
    pub fn with_finish(mut self, finish: impl Into<String>) -> Self {
        self.finish = Some(finish.into());
        self
    }

    /// The figures to report for a prompt of `n_prompt_chars`.
    pub(crate) fn usage_for(&self, n_prompt_chars: usize) -> Usage {
        let n_chars = |tool: &WantedTool| tool.name.len() + tool.arguments.len();
        let n_answer = self.text.len() + self.tool_calls.iter().map(n_chars).sum::<usize>();
        self.usage.unwrap_or(Usage {
            input: n_prompt_chars.div_ceil(4).max(1) as u64,
            output: n_answer.div_ceil(4).max(1) as u64,
            ..Usage::default()
        })
    }
}
