//! `.sage/policy.json`: what tools may do, as a person set it, below the environment.
//!
//! What the file may hold is decided by [`sage_tool::Policy`]; here is which value is in effect, and
//! edits that keep the other keys. A file that cannot be read is an error and is never rewritten.

use std::path::{Path, PathBuf};

use sage_tool::Policy;
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
        let used = |key: &str| PermissionPart::ALL.iter().any(|part| part.key() == key);
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

/// The permissions in effect, part by part: environment, else the file, else the default.
pub fn in_effect(cx: &Context) -> Result<Vec<Permission>, Failure> {
    let path = cx.sage("policy.json");
    let file = PolicyFile::load(&path)?;
    let permission = |part: PermissionPart| {
        let variable = format!("${}", part.variable());
        if let Some(value) = cx.env.get(part.variable()) {
            check(part, value, Path::new(&variable))?;
            return Ok(Permission { part, value: value.to_owned(), source: variable });
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

/// The permissions in effect, as the tools take them.
pub fn policy(cx: &Context) -> Result<Policy, Failure> {
    let fields: Map<String, Value> = in_effect(cx)?
        .into_iter()
        .filter(|permission| permission.source != "default")
        .map(|permission| (permission.part.key().to_owned(), Value::from(permission.value)))
        .collect();
    Ok(Policy::parse(&Value::Object(fields).to_string(), &cx.sage("policy.json"))?)
}
