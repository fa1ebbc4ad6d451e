//! Edits of a `models.yaml` as text: only the bytes of the changed value move, so comments, order and
//! spelling of everything else stay. Each edit is checked by reading the result back.

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use sage_core::{AgentRole, nearest};

use super::read::DEFAULT_ROUTE;
use super::show::{route, scalar, text_list};
use super::{ModelsConfig, Route, unknown};
use crate::yaml::{self, Key, Node, Value};
use crate::{Error, Result, Trigger};

/// What to change about a role; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleEdit {
    /// The new primary model.
    pub primary: Option<String>,
    /// The new fallback model.
    pub fallback: Option<String>,
    /// The new triggers, replacing all.
    pub fallback_triggers: Option<Vec<String>>,
}

pub(super) fn set_role(text: &str, path: &Path, role: &str, edit: &RoleEdit) -> Result<String> {
    let known = AgentRole::ALL.iter().map(|role| role.as_str()).chain([DEFAULT_ROUTE]);
    if role != DEFAULT_ROUTE && AgentRole::from_str(role).is_err() {
        return Err(unknown("role", role, nearest(role, known)));
    }
    let before = ModelsConfig::load(text, path)?;
    let old = match AgentRole::from_str(role) {
        Ok(role) => before.route(role),
        Err(_) => &before.default_route,
    };
    let wanted = wanted(old, edit)?;
    let mut fields = vec![("primary", scalar(&wanted.primary))];
    if let Some(fallback) = edit.fallback.as_ref().and(wanted.fallback.as_ref()) {
        fields.push(("fallback", scalar(fallback)));
    }
    if edit.fallback_triggers.is_some() {
        let texts = wanted.fallback_triggers.iter().map(Trigger::as_str);
        fields.push(("fallback_triggers", text_list(texts)));
    }
    let mut edited = text.to_owned();
    for (field, value) in fields {
        edited = set_field(&edited, path, role, (field, &value), &wanted)?;
    }
    check(&edited, path, role, &wanted, &before)?;
    Ok(edited)
}

fn wanted(old: &Route, edit: &RoleEdit) -> Result<Route> {
    let name = |what: &str, name: &String| match name.trim() {
        "" => {
            let problem = "the name is empty".to_owned();
            Err(Error::Setting { what: what.to_owned(), problem })
        }
        name => Ok(name.to_owned()),
    };
    let mut route = old.clone();
    if let Some(primary) = &edit.primary {
        route.primary = name("primary", primary)?;
    }
    if let Some(fallback) = &edit.fallback {
        route.fallback = Some(name("fallback", fallback)?);
    }
    if let Some(triggers) = &edit.fallback_triggers {
        route.fallback_triggers =
            triggers.iter().map(|text| Trigger::parse(text)).collect::<Result<_>>()?;
    }
    Ok(route)
}

/// The edit either did exactly what was wanted or it is not made.
fn check(
    edited: &str,
    path: &Path,
    role: &str,
    wanted: &Route,
    before: &ModelsConfig,
) -> Result<()> {
    let refuse = |problem: &str| Error::Config {
        path: path.to_path_buf(),
        line: 0,
        key: format!("routing.{role}"),
        problem: problem.to_owned(),
    };
    let after = ModelsConfig::load(edited, path)?;
    let found = match AgentRole::from_str(role) {
        Ok(role) => after.route(role),
        Err(_) => &after.default_route,
    };
    let rest = before.providers == after.providers
        && before.models == after.models
        && before.profiles == after.profiles;
    if found == wanted && rest {
        Ok(())
    } else {
        Err(refuse("cannot be changed in place in this file"))
    }
}

fn set_field(
    text: &str,
    path: &Path,
    role: &str,
    (field, value): (&str, &str),
    whole: &Route,
) -> Result<String> {
    let root = yaml::parse(text).map_err(|broken| Error::Config {
        path: path.to_path_buf(),
        line: broken.line,
        key: String::new(),
        problem: format!("not valid YAML: {}", broken.problem),
    })?;
    let entry = format!("{field}: {value}");
    // The flat form keeps its default route at the top.
    if role == DEFAULT_ROUTE && find(&root, "primary").is_some() {
        return Ok(match find(&root, field) {
            Some(found) => replace(text, found, value),
            None => insert_first(text, &root, &entry),
        });
    }
    let Some((routing_key, routing)) = find(&root, "routing") else {
        return Ok(append(text, &format!("routing:\n  {role}: {}\n", route(whole))));
    };
    let Some((role_key, role_node)) = find(routing, role) else {
        let entry = format!("{role}: {}", route(whole));
        return Ok(insert_into(text, routing_key, routing, &entry));
    };
    Ok(match find(role_node, field) {
        Some(found) => replace(text, found, value),
        None => insert_into(text, role_key, role_node, &entry),
    })
}

fn find<'a>(node: &'a Node, name: &str) -> Option<(&'a Key, &'a Node)> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| key.text == name).map(|(key, node)| (key, node))
}

fn append(text: &str, block: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}{block}")
}

fn replace(text: &str, (key, node): (&Key, &Node), value: &str) -> String {
    match node.bytes.clone().or_else(|| list_range(text, key)) {
        Some(range) if text.get(..range.start).is_some_and(|head| head.ends_with(':')) => {
            splice(text, range, &format!(" {value}"))
        }
        Some(range) => splice(text, range, value),
        // Unchanged text fails the check, which is the truth: this cannot be edited in place.
        None => text.to_owned(),
    }
}

fn splice(text: &str, range: Range<usize>, value: &str) -> String {
    match (text.get(..range.start), text.get(range.end..)) {
        (Some(head), Some(tail)) => format!("{head}{value}{tail}"),
        _ => text.to_owned(),
    }
}

/// Puts `entry` before the first entry of a mapping, in its style.
fn insert_first(text: &str, map: &Node, entry: &str) -> String {
    let Value::Map(entries) = &map.value else { return text.to_owned() };
    let Some(at) = entries.first().and_then(|(key, _)| key.at) else { return text.to_owned() };
    let Some(head) = text.get(..at) else { return text.to_owned() };
    let line_start = head.rfind('\n').map_or(0, |end| end + 1);
    let lead = &head[line_start..];
    if lead.chars().all(|c| c == ' ') {
        splice(text, at..at, &format!("{entry}\n{lead}"))
    } else {
        splice(text, at..at, &format!("{entry}, "))
    }
}

/// Puts `entry` into the mapping behind `key`, which may be empty.
fn insert_into(text: &str, key: &Key, map: &Node, entry: &str) -> String {
    if matches!(&map.value, Value::Map(entries) if !entries.is_empty()) {
        return insert_first(text, map, entry);
    }
    let Some(colon) = after_colon(text, key) else { return text.to_owned() };
    let rest = &text[colon..];
    let blank = rest.len() - rest.trim_start_matches(' ').len();
    if rest[blank..].starts_with('{') {
        let at = colon + blank + 1;
        return splice(text, at..at, entry);
    }
    splice(text, colon..colon, &format!(" {{{entry}}}"))
}

fn after_colon(text: &str, key: &Key) -> Option<usize> {
    let at = key.at?;
    let rest = text.get(at..)?;
    // A quoted key may hold a colon; skip its own length first.
    let skip = rest.get(key.text.len()..)?;
    Some(at + key.text.len() + skip.find(':')? + 1)
}

/// Byte range of the list behind `key`, in flow style or as a block of `- ` lines.
fn list_range(text: &str, key: &Key) -> Option<Range<usize>> {
    let start = after_colon(text, key)?;
    let rest = text.get(start..)?;
    let blank = rest.len() - rest.trim_start_matches(' ').len();
    if rest[blank..].starts_with('[') {
        let end = flow_end(&rest[blank..])?;
        return Some(start + blank..start + blank + end);
    }
    let at = key.at?;
    let line_start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let indent = at - line_start;
    let mut end = start + rest.find('\n').unwrap_or(rest.len());
    let first_line = end;
    for line in text.get(first_line..)?.strip_prefix('\n')?.split_inclusive('\n') {
        let body = line.trim_start_matches(' ');
        let column = line.len() - body.len();
        let is_item = body.starts_with('-') && column >= indent;
        if !is_item && (column <= indent || body.trim().is_empty()) {
            break;
        }
        // The last line's end stays, so the line end before each line is what is counted.
        end += line.trim_end_matches('\n').len() + 1;
    }
    let end = end.min(text.len());
    (end > first_line).then_some(start..end)
}

fn flow_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut skip = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if skip => skip = false,
            (Some('"'), '\\') => skip = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, ']') => return Some(at + 1),
            (None, _) => {}
        }
    }
    None
}
