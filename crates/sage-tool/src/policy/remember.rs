//! What an approval is about, in a form that can be compared, written down and given as a flag.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::expand::Part;
use super::paths::PathUse;
use super::rule::Access;
use super::shell::{Word, typed};

/// Something that a person has to approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Exactly what, letter by letter.
    pub key: String,
    /// The flag that would allow it, without `--allow`.
    pub flag: Option<String>,
    /// What a rule that allows it says, apart from its decision; nothing where no rule can.
    pub rule: Option<Map<String, Value>>,
}

impl Doubt {
    /// A whole line that cannot be taken apart, or whose parts depend on each other.
    pub(super) fn of_line(line: &str) -> Self {
        Self { key: format!("line:{}", line.trim()), flag: None, rule: None }
    }

    /// A part that means the same wherever it stands; nothing if it does not.
    pub(super) fn of_part(part: &Part, line: Option<&str>) -> Option<Self> {
        let words: Vec<Word> = part.assigns.iter().chain(&part.words).cloned().collect();
        let is_plain = line.is_none()
            && !part.takes_more
            && part.unknown.is_none()
            && words.iter().all(Word::is_certain)
            && !part.words.is_empty();
        if !is_plain {
            return None;
        }
        let text = typed(&words, &[]);
        let program = typed(&part.words, &[]);
        let argv: Vec<&str> = part.words.iter().map(|word| word.text.as_str()).collect();
        let rule = json!({ "command": argv, "exact": true });
        Some(Self {
            key: format!("command:{text}"),
            flag: Some(format!("command:{program}")),
            rule: rule.as_object().filter(|_| part.assigns.is_empty()).cloned(),
        })
    }

    /// A path.
    pub(super) fn of_path(used: &PathUse, access: Access) -> Option<Self> {
        Some(Self::of_tool_path(used.certain()?, access))
    }

    /// A path that a tool is given.
    #[must_use]
    pub fn of_tool_path(path: &str, access: Access) -> Self {
        let text = format!("{}:{path}", access.as_str());
        let glob = escaped(path);
        let rule = json!({ "path": glob, "access": access.as_str() });
        Self {
            key: text,
            flag: Some(format!("{}:{glob}", access.as_str())),
            rule: rule.as_object().cloned(),
        }
    }

    /// A call that has nothing but its tool.
    #[must_use]
    pub fn of_tool(tool: &str) -> Self {
        Self {
            key: format!("tool:{tool}"),
            flag: Some(format!("tool:{tool}")),
            rule: json!({ "tool": tool }).as_object().cloned(),
        }
    }

    /// A host.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        let host = super::rule::plain_host(host);
        Self {
            flag: Some(format!("host:{host}")),
            rule: json!({ "host": host }).as_object().cloned(),
            key: format!("host:{host}"),
        }
    }
}

/// The rules that would allow all of it in the project at `root` from now on, one JSON object each; none
/// if not all of it can be allowed by rules.
#[must_use]
pub fn remembering<'a>(
    doubts: impl IntoIterator<Item = &'a Doubt>,
    root: &Path,
    because: &str,
) -> Vec<String> {
    let mut rules = Vec::new();
    for doubt in doubts {
        let Some(about) = &doubt.rule else { return Vec::new() };
        let mut rule = Map::new();
        rule.insert("decision".to_owned(), "allow".into());
        rule.extend(about.clone());
        rule.insert("project".to_owned(), root.to_string_lossy().into());
        rule.insert("because".to_owned(), because.into());
        let rule = Value::Object(rule).to_string();
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    rules
}

/// A path as a glob that means only itself.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if "*?[]{}\\!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
