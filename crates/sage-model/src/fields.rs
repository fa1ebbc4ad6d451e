//! Mappings of a YAML file read strictly: unknown keys and wrong types are errors that name file, line,
//! key and the nearest valid name. What the keys mean is the caller's business.

use std::path::Path;

use sage_core::nearest;

use crate::yaml::{Key, Node, Value};
use crate::{Error, Result};

/// Where a value stands, for errors.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub path: &'a Path,
    pub line: u64,
}

impl At<'_> {
    pub(crate) fn error(&self, key: &str, problem: impl Into<String>) -> Error {
        let (path, line) = (self.path.to_path_buf(), self.line);
        Error::Config { path, line, key: key.to_owned(), problem: problem.into() }
    }
}

/// A mapping whose keys are all allowed.
pub(crate) struct Fields<'a> {
    path: &'a Path,
    prefix: String,
    pub line: u64,
    pub entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    /// `allowed` empty means that any key is a name.
    pub(crate) fn of(path: &'a Path, key: &str, node: &'a Node, allowed: &[&str]) -> Result<Self> {
        let entries: &[(Key, Node)] = match &node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            other => {
                let problem = format!("expected a mapping, found {}", other.what());
                return Err(At { path, line: node.line }.error(key, problem));
            }
        };
        let prefix = if key.is_empty() { String::new() } else { format!("{key}.") };
        let fields = Self { path, prefix, line: node.line, entries };
        for (name, _) in entries {
            if !allowed.is_empty() && !allowed.contains(&name.text.as_str()) {
                return Err(fields.unknown(name, "key", allowed));
            }
        }
        Ok(fields)
    }

    pub(crate) fn unknown(&self, name: &Key, what: &str, allowed: &[&str]) -> Error {
        let hint = match nearest(&name.text, allowed.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known are {}", allowed.join(", ")),
        };
        let at = At { path: self.path, line: name.line };
        at.error(&self.key(&name.text), format!("unknown {what}; {hint}"))
    }

    pub(crate) fn key(&self, name: &str) -> String {
        let name: String = name.chars().take(64).collect();
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        let found = self.entries.iter().find(|(key, _)| key.text == name)?;
        // `key:` with nothing behind it says nothing.
        Some(&found.1).filter(|node| node.value != Value::Null)
    }

    pub(crate) fn error(&self, name: &str, node: &Node, problem: impl Into<String>) -> Error {
        At { path: self.path, line: node.line }.error(&self.key(name), problem)
    }

    pub(crate) fn missing(&self, name: &str) -> Error {
        let at = At { path: self.path, line: self.line };
        at.error(&self.key(name), "missing")
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => {
                Err(self.error(name, node, "must not be empty"))
            }
            Value::Text(text) => Ok(Some(text.trim())),
            other => {
                let problem = format!("expected a text, found {}", other.what());
                Err(self.error(name, node, problem))
            }
        }
    }

    pub(crate) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let (Some(node), Some(text)) = (self.get(name), self.text(name)?) else { return Ok(None) };
        if let Some((_, value)) = choices.iter().find(|(choice, _)| *choice == text) {
            return Ok(Some(*value));
        }
        let known: Vec<&str> = choices.iter().map(|(choice, _)| *choice).collect();
        let hint = nearest(text, known.iter().copied()).map_or_else(
            || format!("known are {}", known.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        Err(self.error(name, node, format!("unknown value {text:?}; {hint}")))
    }

    pub(crate) fn number(&self, name: &str, min: f64, max: f64) -> Result<Option<f64>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        match node.value {
            Value::Number(number) if (min..=max).contains(&number) => Ok(Some(number)),
            Value::Number(number) => {
                Err(self.error(name, node, format!("{number} is not between {min} and {max}")))
            }
            ref other => {
                let problem = format!("expected a number, found {}", other.what());
                Err(self.error(name, node, problem))
            }
        }
    }

    pub(crate) fn whole(&self, name: &str, min: f64, max: f64) -> Result<Option<u64>> {
        match self.number(name, min, max)? {
            Some(number) if number.fract() != 0.0 => {
                let at = At { path: self.path, line: self.get(name).map_or(0, |node| node.line) };
                Err(at.error(&self.key(name), format!("{number} is not a whole number")))
            }
            number => Ok(number.map(|number| number as u64)),
        }
    }

    pub(crate) fn truth(&self, name: &str) -> Result<Option<bool>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        match &node.value {
            Value::Bool(value) => Ok(Some(*value)),
            other => {
                let problem = format!("expected true or false, found {}", other.what());
                Err(self.error(name, node, problem))
            }
        }
    }

    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// A text as it stands, blanks included.
    pub(crate) fn verbatim(&self, name: &str) -> Result<Option<&'a str>> {
        let Some(node) = self.get(name) else { return Ok(None) };
        match &node.value {
            Value::Text(text) => Ok(Some(text)),
            other => {
                let problem = format!("expected a text, found {}", other.what());
                Err(self.error(name, node, problem))
            }
        }
    }

    /// A text or a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let Some(node) = self.get(name) else { return Ok(Vec::new()) };
        let items = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        items
            .iter()
            .map(|item| match &item.value {
                Value::Text(text) => Ok(text.clone()),
                other => {
                    let problem = format!("expected a text, found {}", other.what());
                    Err(self.error(name, item, problem))
                }
            })
            .collect()
    }
}
