//! `policy.json`, the user's and the project's: what tools may do, as a person set it.
//!
//! What a file may hold is decided by [`sage_tool::PolicyFile`]; here is where the files are, which value
//! is in effect, and edits that keep the other keys. A file that cannot be read is an error and is never
//! rewritten.

use std::path::{Path, PathBuf};

use sage_tool::{Layer, Policy, PolicyLayers, Rule, Say, ToolPolicy};
use serde_json::{Map, Value};

use crate::cli::PermissionPart;
use crate::context::Context;
use crate::failure::Failure;
use crate::files;

impl PermissionPart {
    /// Every part.
    pub const ALL: [Self; 1] = [Self::Policy];

    /// Its key in the file.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Policy => "tool_policy",
        }
    }

    /// The variable that wins over the file.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Policy => "SAGE_TOOL_POLICY",
        }
    }
}

/// The file's content, order kept.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    path: PathBuf,
    fields: Map<String, Value>,
}

impl PolicyFile {
    /// Reads it; a missing file sets nothing.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = files::read_if_exists(path)?.unwrap_or_default();
        Policy::parse(&text, path)?;
        let fields = match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Ok(Self { path: path.to_owned(), fields })
    }

    /// A part's value.
    pub fn get(&self, part: PermissionPart) -> Option<&str> {
        self.fields.get(part.key()).and_then(Value::as_str)
    }

    /// Keys that earlier versions wrote and this one keeps but does not use.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        let used = |key: &str| {
            matches!(key, "rules" | "$schema")
                || PermissionPart::ALL.iter().any(|part| part.key() == key)
        };
        self.fields.keys().map(String::as_str).filter(move |key| !used(key))
    }

    /// Sets a part, or removes it.
    pub fn set(&mut self, part: PermissionPart, value: Option<&str>) -> Result<(), Failure> {
        match value {
            Some(value) => {
                check(part, value, &self.path)
                    .map_err(|error| Failure::usage(error).hint("nothing was written"))?;
                self.fields.insert(part.key().to_owned(), Value::from(value));
            }
            // Keeps the order of the other keys.
            None => drop(self.fields.shift_remove(part.key())),
        }
        Ok(())
    }

    /// Writes it; a file that says nothing is removed.
    pub fn save(&self) -> Result<(), Failure> {
        if self.fields.is_empty() {
            return match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(Failure::environment(format!("removing {}", self.path.display()))
                        .because(error))
                }
                _ => Ok(()),
            };
        }
        let text = format!("{:#}\n", Value::Object(self.fields.clone()));
        files::write_whole(&self.path, text.as_bytes())
    }
}

/// Whether a policy file could hold this value.
fn check(part: PermissionPart, value: &str, place: &Path) -> sage_tool::Result<Policy> {
    Policy::parse(&serde_json::json!({ part.key(): value }).to_string(), place)
}

/// One part as it is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Which.
    pub part: PermissionPart,
    /// Its value.
    pub value: String,
    /// Where that comes from: `$NAME`, the file, or `default`.
    pub source: String,
}

/// The user's policy file, if there is a place for it.
pub fn user_file(cx: &Context) -> Option<PathBuf> {
    Some(cx.user_config()?.join("policy.json"))
}

/// Reads the files of both layers.
pub fn files(cx: &Context) -> Result<(sage_tool::PolicyFile, sage_tool::PolicyFile), Failure> {
    let read = |path: &Path, layer| {
        let text = files::read_if_exists(path)?.unwrap_or_default();
        // Errors and rules name the file as a person would.
        let shown = cx.shown(path);
        sage_tool::PolicyFile::parse(&text, Path::new(&shown), layer).map_err(Failure::from)
    };
    let user = user_file(cx).map(|path| read(&path, Layer::User)).transpose()?;
    Ok((user.unwrap_or_default(), read(&cx.sage("policy.json"), Layer::Project)?))
}

/// The permissions in effect, part by part: environment, else the stricter of the files, else the default.
pub fn in_effect(cx: &Context) -> Result<Vec<Permission>, Failure> {
    let path = cx.sage("policy.json");
    let file = PolicyFile::load(&path)?;
    let (user, _) = files(cx)?;
    let permission = |part: PermissionPart| {
        let variable = format!("${}", part.variable());
        if let Some(value) = cx.env.get(part.variable()) {
            check(part, value, Path::new(&variable))?;
            return Ok(Permission { part, value: value.to_owned(), source: variable });
        }
        let users = user_file(cx).filter(|_| user.tool_policy.is_some());
        let is_strict = user.tool_policy == Some(ToolPolicy::Strict);
        if let Some(users) = users.filter(|_| is_strict || file.get(part).is_none()) {
            let value = if is_strict { "strict" } else { "standard" };
            return Ok(Permission { part, value: value.to_owned(), source: cx.shown(&users) });
        }
        if let Some(value) = file.get(part) {
            return Ok(Permission { part, value: value.to_owned(), source: cx.shown(&path) });
        }
        let value = match part {
            PermissionPart::Policy => "standard".to_owned(),
        };
        Ok(Permission { part, value, source: "default".to_owned() })
    };
    PermissionPart::ALL.into_iter().map(permission).collect()
}

/// The permissions in effect, as the tools take them; `rules` are those of flags.
pub fn policy(cx: &Context, rules: &[String]) -> Result<Policy, Failure> {
    let (user, project) = files(cx)?;
    let permissions = in_effect(cx)?;
    let from_env = permissions.iter().find(|permission| permission.source.starts_with('$'));
    let tool_policy = from_env.map(|permission| match permission.value.as_str() {
        "strict" => ToolPolicy::Strict,
        _ => ToolPolicy::Standard,
    });
    let flags = rules.iter().map(|rule| of_flag(rule)).collect::<Result<Vec<_>, _>>()?;
    Ok(Policy::of_layers(PolicyLayers { user, project, flags, tool_policy, root: cx.root.clone() }))
}

/// A rule as runs keep it: `allow command:npm install`.
fn of_flag(text: &str) -> Result<Rule, Failure> {
    let (say, rule) = text.split_once(' ').unwrap_or(("", text));
    let say = match say {
        "allow" => Say::Allow,
        "ask" => Say::Ask,
        "deny" => Say::Deny,
        _ => return Err(Failure::usage(format!("{text:?} is no rule"))),
    };
    Rule::of_flag(say, rule)
        .map_err(|problem| Failure::usage(format!("--{}: {problem}", say.as_str())))
}

/// Writes rules down for good; the answer is where.
pub type Keeper = Box<dyn Fn(&[String]) -> Result<String, Failure> + Send + Sync>;

/// Keeps approvals in the user's file: the project's own would travel with the repository.
pub fn keeper(cx: &Context) -> Keeper {
    let (path, cx) = (user_file(cx), cx.clone());
    Box::new(move |rules| {
        let Some(path) = &path else {
            return Err(Failure::environment("there is no home folder to keep the rule in"));
        };
        keep(path, rules)?;
        Ok(cx.shown(path))
    })
}

/// Adds rules to a file in one step; what is there already is not added again.
fn keep(path: &Path, rules: &[String]) -> Result<(), Failure> {
    let failed = |error| Failure::environment(format!("locking {}", path.display())).because(error);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // Two runs may approve something at the same moment.
    let lock = std::fs::File::create(folder.join(".policy.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let text = files::read_if_exists(path)?.unwrap_or_default();
    sage_tool::PolicyFile::parse(&text, path, Layer::User)?;
    let mut fields = match serde_json::from_str(&text) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let list = fields.entry("rules").or_insert_with(|| Value::Array(Vec::new()));
    if list.is_null() {
        *list = Value::Array(Vec::new());
    }
    if let Value::Array(list) = list {
        for rule in rules.iter().filter_map(|rule| serde_json::from_str::<Value>(rule).ok()) {
            let is_same = |known: &Value| {
                ["decision", "tool", "command", "exact", "path", "access", "host", "project"]
                    .iter()
                    .all(|key| known.get(key) == rule.get(key))
            };
            if !list.iter().any(is_same) {
                list.push(rule);
            }
        }
    }
    let text = format!("{:#}\n", Value::Object(fields));
    // What cannot be read back would stop every later command.
    sage_tool::PolicyFile::parse(&text, path, Layer::User)?;
    files::write_whole(path, text.as_bytes())
}
