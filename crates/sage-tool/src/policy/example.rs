//! Whether a rule is about an example, for the examples that rules carry.

use super::expand::{self, program_of};
use super::paths::PathUse;
use super::rule::{Access, Fit, Rule, Subject, plain_host};

impl Rule {
    /// Whether the rule by itself is about an example: a command line, a path, a host or a tool's name.
    #[must_use]
    pub fn is_about(&self, example: &str) -> bool {
        let tool = self.about.tools.first().map_or("run", String::as_str);
        if self.about.command.is_some() {
            let Ok(parts) = expand::expand(example) else { return false };
            let fits = |part| self.fits(tool, &Subject::Part(part, parts.defines)) == Fit::Yes;
            return parts.parts.iter().any(fits);
        }
        if let Some(path) = &self.about.path {
            let access = path.access.unwrap_or(Access::Read);
            let used = PathUse::of_tool(example.trim_start_matches("./"), access);
            return self.fits(tool, &Subject::Path(&used)) == Fit::Yes;
        }
        if !self.about.hosts.is_empty() {
            return self.fits(tool, &Subject::Host(&plain_host(example))) == Fit::Yes;
        }
        let name = example.split_whitespace().next().unwrap_or_default();
        self.about.tools.iter().any(|tool| tool == program_of(name))
    }
}
