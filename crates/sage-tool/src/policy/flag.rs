//! Rules in one short text, as flags take them: `command:npm install`, `path:docs/**`, `host:pypi.org`.

use sage_core::nearest;

use super::file::{host_pattern, tool_names};
use super::rule::{Access, CommandPrefix, Layer, Matcher, PathPattern, Place, Rule, Say};
use super::shell;

const KINDS: [&str; 8] = ["command", "exactly", "path", "read", "write", "remove", "host", "tool"];

impl Rule {
    /// Reads what a flag is given: a kind, a colon, and what the rule is about.
    ///
    /// # Errors
    /// In words for the person, without the flag's name.
    pub fn of_flag(say: Say, text: &str) -> Result<Self, String> {
        let kinds = || KINDS.map(|kind| format!("{kind}:")).join(" ");
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(format!(
                "{text:?} does not say what it is about; begin with one of {}",
                kinds()
            ));
        };
        let (kind, rest) = (kind.trim(), rest.trim());
        if rest.is_empty() {
            return Err(format!("{text:?} names nothing after the colon"));
        }
        let path = |access: Option<Access>| -> Result<Matcher, String> {
            let pattern = PathPattern::new(vec![rest.to_owned()], access);
            let path = Some(pattern.map_err(|error| error.to_string())?);
            Ok(Matcher { path, ..Matcher::default() })
        };
        let about = match kind {
            "command" | "exactly" => {
                let words = words(rest)?;
                let command = Some(CommandPrefix { words, exact: kind == "exactly" });
                Matcher { command, ..Matcher::default() }
            }
            "path" => path(None)?,
            "read" => path(Some(Access::Read))?,
            "write" => path(Some(Access::Write))?,
            "remove" => path(Some(Access::Remove))?,
            "host" => Matcher { hosts: vec![host_pattern(rest)?], ..Matcher::default() },
            "tool" => {
                let known = tool_names();
                if !known.iter().any(|name| name == rest) {
                    let meant = nearest(rest, known.iter().map(String::as_str));
                    let meant = meant.map(|near| format!("; did you mean {near:?}?"));
                    let meant =
                        meant.unwrap_or_else(|| format!("; there are {}", known.join(", ")));
                    return Err(format!("there is no tool {rest:?}{meant}"));
                }
                Matcher { tools: vec![rest.to_owned()], ..Matcher::default() }
            }
            _ => {
                let meant = nearest(kind, KINDS);
                let meant = meant.map(|near| format!("; did you mean {near:?}?"));
                let meant = meant.unwrap_or_else(|| format!("; known are {}", kinds()));
                return Err(format!("{kind:?} is nothing that a rule is about{meant}"));
            }
        };
        let place = Place::default();
        Ok(Self { say, about, because: None, project: None, layer: Layer::Flag, place })
    }
}

/// The words of one command.
fn words(text: &str) -> Result<Vec<Vec<String>>, String> {
    let script = shell::read(text).map_err(|problem| format!("{text:?} {problem}"))?;
    match script.parts.as_slice() {
        [one] if one.writes.is_empty() && one.reads.is_empty() && !one.words.is_empty() => {
            if let Some(word) = one.words.iter().find(|word| !word.is_certain()) {
                return Err(format!(
                    "{:?} is not a plain word; put it in single quotes if it is meant",
                    word.text
                ));
            }
            Ok(one.words.iter().map(|word| vec![word.text.clone()]).collect())
        }
        _ => Err(format!("{text:?} is not one plain command; give a rule for each")),
    }
}
