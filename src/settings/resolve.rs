//! Lays the sources of settings over each other, and explains what does not fit.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sage_core::nearest;

use super::table::{Setting, TABLE, find};
use super::value::{Kind, Value};
use super::yaml::{self, At, Node};
use super::{Resolved, Sources};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The user's file.
    User {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// The project's file.
    Project {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// An environment variable.
    Env(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User { path, line } | Self::Project { path, line } => {
                write!(f, "{}:{line}", path.display())
            }
            Self::Env(name) => write!(f, "${name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Something in a configuration file (or variable, or flag) that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a file with a line, a variable, a flag.
    pub place: String,
    /// The key, if it is about one.
    pub key: Option<String>,
    /// What is wrong, with the nearest valid name where there is one.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: {key}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}

/// The values that one file sets, in the order of the file, with their lines.
pub type FileValues = Vec<(&'static Setting, Value, u64)>;

/// Reads a `config.yaml`; a file that does not exist sets nothing.
pub fn read_file(path: &Path) -> Result<FileValues, Vec<Problem>> {
    let text = match crate::files::read_text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let message = format!("cannot be read: {error}");
            return Err(vec![Problem { place: path.display().to_string(), key: None, message }]);
        }
    };
    read_text(&text, path)
}

/// Reads the text of a `config.yaml`.
pub fn read_text(text: &str, path: &Path) -> Result<FileValues, Vec<Problem>> {
    let mut problems = Problems { path, found: Vec::new() };
    let root = match yaml::parse(text) {
        Ok(root) => root,
        Err(bad) => {
            problems.add(bad.line, None, bad.message);
            return Err(problems.found);
        }
    };
    let mut values = Vec::new();
    match root.value {
        Node::Null => {}
        Node::Map(sections) => {
            for (section, entries) in sections {
                read_section(section, entries, &mut values, &mut problems);
            }
        }
        _ => problems.add(root.line, None, "expected sections such as `run:`".to_owned()),
    }
    if problems.found.is_empty() { Ok(values) } else { Err(problems.found) }
}

struct Problems<'a> {
    path: &'a Path,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, line: u64, key: Option<String>, message: String) {
        let place = match line {
            0 => self.path.display().to_string(),
            line => format!("{}:{line}", self.path.display()),
        };
        self.found.push(Problem { place, key, message });
    }
}

fn read_section(
    section: At<String>,
    entries: At<Node>,
    values: &mut FileValues,
    problems: &mut Problems<'_>,
) {
    let names: Vec<&str> = sections().collect();
    if !names.contains(&section.value.as_str()) {
        let message = match nearest(&section.value, names.iter().copied()) {
            Some(near) => format!("unknown section; did you mean {near:?}?"),
            None => format!("unknown section; there are {}", names.join(", ")),
        };
        return problems.add(section.line, Some(section.value), message);
    }
    let entries = match entries.value {
        Node::Map(entries) => entries,
        Node::Null => return,
        _ => {
            let message = "expected settings below it, such as `max_parallel: 3`".to_owned();
            return problems.add(entries.line, Some(section.value), message);
        }
    };
    for (name, value) in entries {
        let key = format!("{}.{}", section.value, name.value);
        let Some(setting) = find(&key) else {
            let known = TABLE.iter().map(|setting| setting.key);
            let message = match nearest(&key, known) {
                Some(near) => format!("unknown setting; did you mean {near:?}?"),
                None => "unknown setting".to_owned(),
            };
            problems.add(name.line, Some(key), message);
            continue;
        };
        match from_node(setting, value.value) {
            Ok(Value::Unset) => {}
            Ok(value) => values.push((setting, value, name.line)),
            Err(message) => problems.add(value.line, Some(key), message),
        }
    }
}

fn from_node(setting: &Setting, node: Node) -> Result<Value, String> {
    match (setting.kind, node) {
        (_, Node::Null) => Ok(Value::Unset),
        (kind, Node::Scalar(text)) => kind.parse(&text),
        (Kind::List, Node::List(items)) => {
            let text = |item: At<Node>| match item.value {
                Node::Scalar(text) => Ok(text),
                _ => Err("expected a list of plain texts".to_owned()),
            };
            items.into_iter().map(text).collect::<Result<_, _>>().map(Value::List)
        }
        (kind, Node::List(_)) => Err(format!("is a list, expected {kind}")),
        (kind, Node::Map(_)) => Err(format!("has entries below it, expected {kind}")),
    }
}

/// The sections of `config.yaml`, in the table's order.
pub fn sections() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    TABLE.iter().filter_map(move |setting| {
        let section = setting.key.split('.').next().unwrap_or_default();
        let is_new = section != last;
        last = section;
        is_new.then_some(section)
    })
}

pub(super) fn resolve(
    sources: Sources<'_>,
    flags: &[(&'static str, String, &'static str)],
) -> Result<Vec<Resolved>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut values: Vec<Resolved> =
        TABLE.iter().map(|setting| default(setting, &mut problems)).collect();
    let mut put = |key: &str, value: Value, source: Source| {
        if let Some(resolved) = values.iter_mut().find(|resolved| resolved.setting.key == key) {
            resolved.value = value;
            resolved.source = source;
        }
    };

    if let Some(path) = sources.user {
        match read_file(path) {
            Ok(found) => {
                for (setting, value, line) in found {
                    put(setting.key, value, Source::User { path: path.to_owned(), line });
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    match read_file(sources.project) {
        Ok(found) => {
            let path = sources.project;
            for (setting, value, line) in found {
                if setting.is_personal() {
                    let place = format!("{}:{line}", path.display());
                    let message = "a project cannot set this; it belongs into your own config.yaml";
                    let key = Some(setting.key.to_owned());
                    problems.push(Problem { place, key, message: message.to_owned() });
                    continue;
                }
                put(setting.key, value, Source::Project { path: path.to_owned(), line });
            }
        }
        Err(found) => problems.extend(found),
    }
    for setting in TABLE {
        let Some((name, text)) = setting.env.and_then(|name| Some((name, sources.env.get(name)?)))
        else {
            continue;
        };
        match setting.kind.parse(text) {
            Ok(value) => put(setting.key, value, Source::Env(name)),
            Err(message) => {
                problems.push(Problem { place: format!("${name}"), key: None, message });
            }
        }
    }
    for (key, text, flag) in flags {
        match find(key).map(|setting| setting.kind.parse(text)) {
            Some(Ok(value)) => put(key, value, Source::Flag(flag)),
            Some(Err(message)) => {
                problems.push(Problem { place: format!("`{flag}`"), key: None, message });
            }
            None => {}
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn default(setting: &'static Setting, problems: &mut Vec<Problem>) -> Resolved {
    let value = match setting.default {
        "" if setting.kind == Kind::List => Value::List(Vec::new()),
        "" => Value::Unset,
        text => setting.kind.parse(text).unwrap_or_else(|message| {
            let place = "the table of settings".to_owned();
            problems.push(Problem { place, key: Some(setting.key.to_owned()), message });
            Value::Unset
        }),
    };
    Resolved { setting, value, source: Source::Default }
}
