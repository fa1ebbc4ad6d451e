//! Settings: defaults < user file < project file < environment < flags, resolved once.
//!
//! Invariant: every value knows where it came from, and a value that does not fit its setting is a
//! problem that names the file and line (or variable, or flag), never silently replaced. Libraries
//! receive plain values from the accessors below; they do not look around. Routing of models is not
//! here but in `models.yaml`; what tools may do is in `policy.json`.

mod edit;
mod resolve;
mod table;
mod value;
pub mod yaml;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sage_core::Limits;
use sage_tool::JailLimits;

pub use edit::set_in_yaml;
pub use resolve::{Problem, Source, read_file};
pub use table::{Setting, TABLE, find, markdown};
pub use value::{Kind, Value};

use crate::env_vars::EnvVars;

/// Values given on the command line: setting, value as text, flag.
#[derive(Debug, Clone, Default)]
pub struct Flags(Vec<(&'static str, String, &'static str)>);

impl Flags {
    /// Notes that `flag` sets `key` to `value`, if there is a value.
    pub fn set(&mut self, key: &'static str, value: Option<impl ToString>, flag: &'static str) {
        if let Some(value) = value {
            self.0.push((key, value.to_string(), flag));
        }
    }

    /// Notes that a bare `flag` sets `key` to `value`, if it was given.
    pub fn set_if(&mut self, given: bool, key: &'static str, value: &str, flag: &'static str) {
        self.set(key, given.then_some(value), flag);
    }
}

/// One setting as it is in effect.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Which.
    pub setting: &'static Setting,
    /// Its value.
    pub value: Value,
    /// Where that comes from.
    pub source: Source,
}

/// All settings as they are in effect.
#[derive(Debug, Clone)]
pub struct Settings {
    values: Vec<Resolved>,
    project: PathBuf,
}

/// Where settings are read from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The user's `config.yaml`, if there is a home.
    pub user: Option<&'a Path>,
    /// The project's `config.yaml`.
    pub project: &'a Path,
    /// The project's root, against which paths in its file are resolved.
    pub project_root: &'a Path,
    /// The environment.
    pub env: &'a EnvVars,
}

impl Settings {
    /// Resolves every setting. All problems are returned at once.
    pub fn resolve(sources: Sources<'_>, flags: &Flags) -> Result<Self, Vec<Problem>> {
        let values = resolve::resolve(sources, &flags.0)?;
        Ok(Self { values, project: sources.project_root.to_owned() })
    }

    /// The defaults alone.
    #[cfg(test)]
    pub fn defaults() -> Self {
        let env = EnvVars::default();
        let nowhere = Path::new("/nonexistent/config.yaml");
        let sources = Sources {
            user: None,
            project: nowhere,
            project_root: Path::new("/nonexistent"),
            env: &env,
        };
        Self::resolve(sources, &Flags::default()).expect("the defaults are valid")
    }

    /// Every setting, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = &Resolved> {
        self.values.iter()
    }

    /// One setting.
    pub fn get(&self, key: &str) -> Option<&Resolved> {
        self.values.iter().find(|resolved| resolved.setting.key == key)
    }

    /// `run.mode`: `research`, `auto` or `silent`.
    pub fn mode(&self) -> &str {
        self.text("run.mode").unwrap_or("research")
    }

    /// `run.full`: deep verification.
    pub fn full(&self) -> bool {
        self.flag("run.full")
    }

    /// `run.no_clarify`: no clarifying questions.
    pub fn no_clarify(&self) -> bool {
        self.flag("run.no_clarify")
    }

    /// `run.output`: `summary`, `full` or `debug`.
    pub fn run_output(&self) -> &str {
        self.text("run.output").unwrap_or("summary")
    }

    /// `run.max_parallel`: tasks at a time.
    pub fn max_parallel(&self) -> usize {
        self.count("run.max_parallel").and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1)
    }

    /// `run.lanes`: whether tasks that may write the same files work in lanes.
    pub fn lanes(&self) -> bool {
        self.text("run.lanes") != Some("never")
    }

    /// `run.max_repairs`: repairs per task.
    pub fn max_repairs(&self) -> u32 {
        self.count_u32("run.max_repairs").unwrap_or(0)
    }

    /// `run.turns`: turns of one conversation.
    pub fn turns(&self) -> u32 {
        self.count_u32("run.turns").unwrap_or(1)
    }

    /// `run.keep_failed`: keep the changes of a failed task.
    pub fn keep_failed(&self) -> bool {
        self.flag("run.keep_failed")
    }

    /// `run.verify`: the project's own verification commands.
    pub fn verify_commands(&self) -> &[String] {
        self.list("run.verify")
    }

    /// `run.verify_timeout_s`.
    pub fn verify_timeout(&self) -> Duration {
        self.seconds("run.verify_timeout_s")
    }

    /// `budget.*`: what a run may spend.
    pub fn limits(&self) -> Limits {
        Limits {
            calls: self.count_u32("budget.calls"),
            turns: self.count_u32("budget.turns"),
            tokens: self.count("budget.tokens"),
            usd: self.money("budget.usd"),
            time_s: self.count("budget.time_s"),
        }
    }

    /// `models.file`: the models.yaml to read instead of looking for one. A relative path in the
    /// project's file is relative to the project.
    pub fn models_file(&self) -> Option<PathBuf> {
        let resolved = self.get("models.file")?;
        let Value::Text(path) = &resolved.value else { return None };
        let from_project = matches!(resolved.source, Source::Project { .. });
        Some(if from_project { self.project.join(path) } else { PathBuf::from(path) })
    }

    /// `models.profile`.
    pub fn profile(&self) -> Option<&str> {
        self.text("models.profile")
    }

    /// `models.connect_timeout_s`.
    pub fn connect_timeout(&self) -> Duration {
        self.seconds("models.connect_timeout_s")
    }

    /// `models.first_token_timeout_s`.
    pub fn first_token_timeout(&self) -> Duration {
        self.seconds("models.first_token_timeout_s")
    }

    /// `models.silence_timeout_s`.
    pub fn silence_timeout(&self) -> Duration {
        self.seconds("models.silence_timeout_s")
    }

    /// `models.call_timeout_s`.
    pub fn call_timeout(&self) -> Duration {
        self.seconds("models.call_timeout_s")
    }

    /// `sandbox.mode`: `on`, `landlock` or `off`.
    pub fn sandbox_mode(&self) -> &str {
        self.text("sandbox.mode").unwrap_or("on")
    }

    /// `sandbox.missing`: `refuse`, `ask` or `run`.
    pub fn sandbox_missing(&self) -> &str {
        self.text("sandbox.missing").unwrap_or("ask")
    }

    /// `sandbox.read`, `sandbox.write` or `sandbox.hide`: paths as they are written.
    pub fn sandbox_paths(&self, key: &str) -> &[String] {
        self.list(key)
    }

    /// `sandbox.max_…` and `sandbox.temp_mib`.
    pub fn sandbox_limits(&self) -> JailLimits {
        let mib = |key: &str| self.count(key).map(|n| n << 20);
        let usual = JailLimits::default();
        JailLimits {
            processes: self.count("sandbox.max_processes").unwrap_or(usual.processes),
            file_bytes: mib("sandbox.max_file_mib").unwrap_or(usual.file_bytes),
            temp_bytes: mib("sandbox.temp_mib").unwrap_or(usual.temp_bytes),
            disk_bytes: mib("sandbox.max_disk_mib").unwrap_or(usual.disk_bytes),
            memory_bytes: mib("sandbox.max_memory_mib").unwrap_or(usual.memory_bytes),
        }
    }

    /// `tools.command_timeout_s`.
    pub fn command_timeout(&self) -> Duration {
        self.seconds("tools.command_timeout_s")
    }

    /// `tools.max_command_timeout_s`.
    pub fn max_command_timeout(&self) -> Duration {
        self.seconds("tools.max_command_timeout_s")
    }

    /// `tools.max_output_bytes`: how much of a command's output is kept.
    pub fn max_output_bytes(&self) -> usize {
        self.count("tools.max_output_bytes").and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// `tools.environment`: names of further variables that commands see.
    pub fn tool_environment(&self) -> &[String] {
        self.list("tools.environment")
    }

    /// `rules.max_bytes`: how much of the rules a model is given.
    pub fn rules_max_bytes(&self) -> usize {
        self.count("rules.max_bytes").and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    fn flag(&self, key: &str) -> bool {
        matches!(self.get(key).map(|resolved| &resolved.value), Some(Value::Bool(true)))
    }

    fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn count(&self, key: &str) -> Option<u64> {
        match self.get(key)?.value {
            Value::Count(n) => Some(n),
            _ => None,
        }
    }

    fn count_u32(&self, key: &str) -> Option<u32> {
        self.count(key).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    fn money(&self, key: &str) -> Option<f64> {
        match self.get(key)?.value {
            Value::Money(usd) => Some(usd),
            _ => None,
        }
    }

    fn list(&self, key: &str) -> &[String] {
        match self.get(key).map(|resolved| &resolved.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(self.count(key).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
