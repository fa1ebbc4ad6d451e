//! Rules: standing constraints that people write down for the models, merged from several files.
//!
//! Invariant: the order of the sources is the order of the merged text, each rule appears once, and
//! every rule knows its file and line. A file that is missing is no error; a file of the project that
//! leads out of the project is not read. The home folder is named by the caller, never looked up.

mod add;
mod document;
mod findings;
mod merge;
mod source;

#[cfg(test)]
mod tests;

use sage_core::AgentRole;

pub use add::{Added, add};
pub use findings::{Finding, FindingKind};
pub use source::{Layer, Source, sources};

use crate::{Error, Result};
use document::Item;
use source::Content;

/// The room that the rules get in a system prompt unless the caller says otherwise, in bytes.
pub const DEFAULT_RULES_BYTES: usize = 8 * 1024;

/// The largest part of one rules file that is read, in bytes; the rest is reported and ignored.
pub const MAX_RULES_FILE_BYTES: usize = 256 * 1024;

/// All rules of a project, as read.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    files: Vec<RulesFile>,
    findings: Vec<Finding>,
}

/// One file that was read.
#[derive(Debug, Clone)]
struct RulesFile {
    source: Source,
    n_bytes: u64,
    items: Vec<Item>,
}

/// One file that takes part, for `sage rules --layers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSummary {
    /// Which layer it is.
    pub layer: Layer,
    /// The file as shown to people.
    pub file: String,
    /// Its size.
    pub n_bytes: u64,
    /// Number of rules in it, before duplicates are dropped.
    pub n_rules: usize,
}

/// One rule or heading of the merged text, with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    /// The layer of its file.
    pub layer: Layer,
    /// The file as shown to people.
    pub file: String,
    /// Its first line in that file, from 1.
    pub line: u32,
    /// Whether it is a heading.
    pub heading: bool,
    /// The text as written; more than one line when a rule goes on over lines.
    pub text: String,
}

impl Rules {
    /// Reads the sources in their order (see [`sources`]). Missing files are skipped; files that are
    /// not usable become findings. Fails only when an existing file cannot be read.
    pub fn load(sources: &[Source]) -> Result<Self> {
        let mut rules = Self::default();
        for source in sources {
            let content = source
                .read()
                .map_err(|error| Error::ReadRules { path: source.path.clone(), source: error })?;
            match content {
                Content::Missing => {}
                Content::Unusable(why) => rules.findings.push(Finding {
                    file: source.shown.clone(),
                    line: 1,
                    kind: FindingKind::Unreadable,
                    text: why,
                }),
                Content::Text { text, n_bytes } => {
                    let items = document::parse(&text);
                    rules.files.push(RulesFile { source: source.clone(), n_bytes, items });
                }
            }
        }
        Ok(rules)
    }

    /// The files that were read, in order.
    #[must_use]
    pub fn layers(&self) -> Vec<LayerSummary> {
        let summarise = |file: &RulesFile| LayerSummary {
            layer: file.source.layer.clone(),
            file: file.source.shown.clone(),
            n_bytes: file.n_bytes,
            n_rules: file.items.iter().filter(|item| !item.is_heading()).count(),
        };
        self.files.iter().map(summarise).collect()
    }

    /// The merged rules that hold for `role`, or the rules of every role, duplicates dropped, nothing
    /// cut.
    #[must_use]
    pub fn lines(&self, role: Option<AgentRole>) -> Vec<RuleLine> {
        merge::merged(&self.files, role)
            .into_iter()
            .flat_map(|group| {
                let source = group.source;
                group.items.into_iter().map(|item| RuleLine {
                    layer: source.layer.clone(),
                    file: source.shown.clone(),
                    line: item.line,
                    heading: item.is_heading(),
                    text: item.text.clone(),
                })
            })
            .collect()
    }

    /// The merged rules for the prompt of `role`, at most `max_bytes` long.
    ///
    /// When they do not fit, whole rules are left out from the end of the least binding file
    /// (legacy, then `AGENTS.md` from the root on, home, project, role), and a last line says so.
    /// Empty when there are no rules.
    #[must_use]
    pub fn for_role(&self, role: AgentRole, max_bytes: usize) -> String {
        merge::render(&merge::merged(&self.files, Some(role)), max_bytes)
    }

    /// What is wrong with the rules as people wrote them, in file order.
    #[must_use]
    pub fn validate(&self) -> Vec<Finding> {
        let mut found = self.findings.clone();
        found.extend(findings::validate(&self.files));
        found
    }
}
