//! Changes one value in the text of a `config.yaml`, keeping comments, order, line ends and
//! everything else.
//!
//! The file has two levels: sections at the left margin, settings below them. A file written in
//! another style (flow maps, anchors) is refused rather than rewritten.

use std::path::Path;

use super::resolve::{self, Problem};
use super::table::Setting;
use super::value::{Kind, Value};

/// The text with `setting` set to `value` (already valid). The result is read back: when it does not
/// say what was asked for, nothing is changed and the error says so.
pub fn set_in_yaml(
    text: &str,
    setting: &Setting,
    value: &str,
    path: &Path,
) -> Result<String, Vec<Problem>> {
    let wanted = setting.kind.parse(value).map_err(|message| {
        vec![Problem {
            place: path.display().to_string(),
            key: Some(setting.key.to_owned()),
            message,
        }]
    })?;
    // What is already wrong is not ours to hide.
    resolve::read_text(text, path)?;
    let edited = edit(text, setting, value);
    let says_it = |edited: &str| {
        resolve::read_text(edited, path).is_ok_and(|values| {
            values.iter().any(|(found, value, _)| found.key == setting.key && *value == wanted)
        })
    };
    if !says_it(&edited) || !others_kept(text, &edited, setting, path) {
        let message =
            "this file is written in a style that cannot be edited safely; change it by hand"
                .to_owned();
        return Err(vec![Problem {
            place: path.display().to_string(),
            key: Some(setting.key.to_owned()),
            message,
        }]);
    }
    Ok(edited)
}

fn others_kept(before: &str, after: &str, setting: &Setting, path: &Path) -> bool {
    let others = |text: &str| -> Vec<(&str, Value)> {
        let values = resolve::read_text(text, path).unwrap_or_default();
        let mut others: Vec<_> = values
            .into_iter()
            .filter(|(found, ..)| found.key != setting.key)
            .map(|(found, value, _)| (found.key, value))
            .collect();
        others.sort_by_key(|(key, _)| *key);
        others
    };
    others(before) == others(after)
}

fn edit(text: &str, setting: &Setting, value: &str) -> String {
    let (section, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let written = format!("{name}: {}", scalar(setting.kind, value));

    let Some(start) = lines.iter().position(|line| is_key(line, section, 0)) else {
        let mut out = text.to_owned();
        if !out.is_empty() && !out.ends_with('\n') {
            out.push_str(newline);
        }
        return format!("{out}{section}:{newline}  {written}{newline}");
    };
    // The section ends at the next line at the left margin that is neither empty nor a comment.
    let end = lines[start + 1..]
        .iter()
        .position(|line| !line.starts_with([' ', '\t', '#', '\r', '\n']) && !line.is_empty())
        .map_or(lines.len(), |n| start + 1 + n);
    let indent = lines[start + 1..end]
        .iter()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map_or(2, |line| line.len() - line.trim_start().len())
        .max(1);
    let pad = " ".repeat(indent);

    if let Some(at) = (start + 1..end).find(|&n| is_key(lines[n], name, indent)) {
        let old = lines[at].trim_end_matches(['\r', '\n']);
        let ending = &lines[at][old.len()..];
        let comment = comment_of(old).map(|comment| format!("  {comment}")).unwrap_or_default();
        // A list of several lines goes with its key.
        let after = (at + 1..end)
            .find(|&n| {
                let line = lines[n];
                let depth = line.len() - line.trim_start().len();
                let is_item = line.trim_start().starts_with("- ") && depth >= indent;
                !(is_item || depth > indent && !line.trim().is_empty())
            })
            .unwrap_or(end);
        let before: String = lines[..at].concat();
        let rest: String = lines[after..].concat();
        let ending = if ending.is_empty() && !rest.is_empty() { newline } else { ending };
        return format!("{before}{pad}{written}{comment}{ending}{rest}");
    }
    // New in its section: after the section's last value, before trailing comments and blank lines.
    let last = (start..end)
        .rev()
        .find(|&n| !lines[n].trim().is_empty() && !lines[n].trim_start().starts_with('#'))
        .unwrap_or(start);
    let mut before: String = lines[..=last].concat();
    if !before.ends_with('\n') {
        before.push_str(newline);
    }
    format!("{before}{pad}{written}{newline}{}", lines[last + 1..].concat())
}

/// Whether the line is `key:` at this indent.
fn is_key(line: &str, key: &str, indent: usize) -> bool {
    let trimmed = line.trim_start();
    line.len() - trimmed.len() == indent
        && trimmed.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// The comment at the end of a line, unless the `#` may be inside a quoted value.
fn comment_of(line: &str) -> Option<&str> {
    let at = line.find(" #")?;
    let quotes = |c: char| line[..at].matches(c).count();
    (quotes('"').is_multiple_of(2) && quotes('\'').is_multiple_of(2))
        .then(|| line[at + 1..].trim_end())
}

fn scalar(kind: Kind, value: &str) -> String {
    let value = value.trim();
    match kind {
        Kind::Bool | Kind::Count { .. } => value.to_owned(),
        Kind::Money => value.strip_prefix('$').unwrap_or(value).to_owned(),
        Kind::Choice(_) => value.to_owned(),
        Kind::Text => quoted(value),
        Kind::List => format!("[{}]", quoted(value)),
    }
}

/// A JSON string is a YAML string.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests;
