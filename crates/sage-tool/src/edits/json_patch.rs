//! Edits as JSON: `{"file": "src/a.py", "operation": "create", "patch": "..."}`, one or several.
//!
//! Read with aliases for each name, as models vary them. JSON that is not shaped like an edit is
//! not an error, since a file's content may be JSON, too.

use serde_json::{Map, Value};

use super::error::ParseErrorKind;
use super::{Edit, search_replace, udiff};

type Fields = Map<String, Value>;
type Problem = (ParseErrorKind, Option<String>);

const PATH_KEYS: [&str; 8] =
    ["file", "path", "filepath", "file_path", "filename", "file_name", "target_file", "target"];
const OPERATION_KEYS: [&str; 3] = ["operation", "op", "action"];
/// Keys of the content that mean an edit wherever they stand beside a path.
const CONTENT_KEYS: [&str; 5] = ["patch", "content", "code", "new_content", "contents"];
/// Keys of the content that mean one only beside an operation.
const LOOSE_CONTENT_KEYS: [&str; 5] = ["value", "body", "text", "data", "source"];
const SEARCH_KEYS: [&str; 7] =
    ["search", "old", "old_string", "old_str", "find", "old_text", "search_text"];
const REPLACE_KEYS: [&str; 7] =
    ["replace", "new", "new_string", "new_str", "replacement", "new_text", "replace_text"];
const LIST_KEYS: [&str; 6] =
    ["edits", "files", "changes", "patches", "operations", "modifications"];

/// The edits in a JSON text; none if it is not JSON or not an edit. Text after the JSON is ignored.
pub(super) fn parse(text: &str, default_path: Option<&str>) -> Result<Vec<Edit>, Problem> {
    let value = match read(text) {
        Some(value) => value,
        None if looks_cut_off(text) => {
            let kind = ParseErrorKind::Unfinished { expected: "}".to_owned() };
            return Err((kind, None));
        }
        None => return Ok(Vec::new()),
    };
    edits_of(&value, default_path)
}

fn read(text: &str) -> Option<Value> {
    let first =
        |text: &str| serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok();
    first(text).or_else(|| first(&with_escaped_controls(text)))
}

/// Models forget to escape line breaks inside strings.
fn with_escaped_controls(text: &str) -> String {
    let mut fixed = String::with_capacity(text.len() + 64);
    let (mut in_string, mut is_escaped) = (false, false);
    for found in text.chars() {
        match found {
            '\n' if in_string && !is_escaped => fixed.push_str("\\n"),
            '\t' if in_string && !is_escaped => fixed.push_str("\\t"),
            '\r' if in_string && !is_escaped => fixed.push_str("\\r"),
            _ => fixed.push(found),
        }
        in_string ^= found == '"' && !is_escaped;
        is_escaped = found == '\\' && !is_escaped;
    }
    fixed
}

/// Whether a text that is not valid JSON was meant to be an edit.
fn looks_cut_off(text: &str) -> bool {
    let has = |keys: &[&str]| keys.iter().any(|key| text.contains(&format!("\"{key}\"")));
    text.trim_start().starts_with(['{', '['])
        && has(&PATH_KEYS)
        && (has(&["patch", "new_content"]) || has(&OPERATION_KEYS[..1]) && has(&CONTENT_KEYS))
}

fn edits_of(value: &Value, default_path: Option<&str>) -> Result<Vec<Edit>, Problem> {
    match value {
        Value::Object(fields) => {
            let path = string_of(fields, &PATH_KEYS).or(default_path);
            for key in LIST_KEYS {
                if let Some(Value::Array(list)) = fields.get(key)
                    && list.iter().all(|item| item.is_object())
                {
                    return all_of(list, path);
                }
            }
            Ok(edit_of(fields, path)?.into_iter().flatten().collect())
        }
        Value::Array(list) => all_of(list, default_path),
        _ => Ok(Vec::new()),
    }
}

/// The edits of a list, if every item is one.
fn all_of(list: &[Value], path: Option<&str>) -> Result<Vec<Edit>, Problem> {
    let mut edits = Vec::new();
    for item in list {
        let Value::Object(fields) = item else { return Ok(Vec::new()) };
        let own = string_of(fields, &PATH_KEYS).or(path);
        match edit_of(fields, own)? {
            Some(found) => edits.extend(found),
            None => return Ok(Vec::new()),
        }
    }
    Ok(edits)
}

fn edit_of(fields: &Fields, path: Option<&str>) -> Result<Option<Vec<Edit>>, Problem> {
    let operation = string_of(fields, &OPERATION_KEYS).map(str::to_lowercase);
    // A JSON pointer: the path begins with a slash that does not mean the root of the machine.
    let is_pointer = fields.contains_key("op");
    let Some(path) = path else { return Ok(None) };
    let path = match path.strip_prefix('/') {
        Some(relative) if is_pointer => relative.replace("~1", "/").replace("~0", "~"),
        _ => path.to_owned(),
    };
    let search = string_of(fields, &SEARCH_KEYS);
    let replace = string_of(fields, &REPLACE_KEYS);
    let content = string_of(fields, &CONTENT_KEYS)
        .or_else(|| operation.is_some().then(|| string_of(fields, &LOOSE_CONTENT_KEYS)).flatten());
    match operation.as_deref() {
        Some("delete" | "remove") => return Ok(Some(vec![Edit::Delete { path }])),
        Some(
            "create" | "add" | "new" | "write" | "edit" | "update" | "modify" | "replace"
            | "overwrite" | "rewrite" | "create_file" | "edit_file" | "write_file" | "patch"
            | "insert",
        )
        | None => {}
        Some(other) => {
            let is_edit = content.is_some() && fields.contains_key("operation");
            if !is_edit && !other.starts_with("git_") && other != "run_command" {
                return Ok(None);
            }
            let what = format!("the operation {other:?}");
            return Err((ParseErrorKind::Unsupported { what }, Some(path)));
        }
    }
    if let (Some(search), Some(replace)) = (search, replace) {
        let edit = Edit::Replace {
            path: Some(path),
            search: search.to_owned(),
            replace: replace.to_owned(),
        };
        return Ok(Some(vec![edit]));
    }
    match content {
        Some(content) => content_edits(path, content).map(Some),
        None => Ok(None),
    }
}

/// The content of a file, or search/replace blocks or a diff where the content of a file should be.
fn content_edits(path: String, content: &str) -> Result<Vec<Edit>, Problem> {
    let lines: Vec<&str> = content.lines().collect();
    let Some(first) = lines.iter().position(|line| !line.trim().is_empty()) else {
        return Ok(vec![Edit::Write { path, content: content.to_owned() }]);
    };
    if udiff::is_diff(&lines[first..]) {
        return udiff::parse(&lines[first..], Some(&path)).map_err(|kind| (kind, Some(path)));
    }
    if !search_replace::is_head(lines[first]) {
        let newline = if content.ends_with('\n') { "" } else { "\n" };
        return Ok(vec![Edit::Write { path, content: format!("{content}{newline}") }]);
    }
    let mut edits = Vec::new();
    let mut at = first;
    while at < lines.len() {
        if search_replace::is_head(lines[at]) {
            let block =
                search_replace::parse(&lines, at).map_err(|kind| (kind, Some(path.clone())))?;
            edits.push(Edit::Replace {
                path: Some(path.clone()),
                search: block.search,
                replace: block.replace,
            });
            at = block.end;
        } else {
            at += 1;
        }
    }
    Ok(edits)
}

fn string_of<'a>(fields: &'a Fields, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| fields.get(*key).and_then(Value::as_str))
}
