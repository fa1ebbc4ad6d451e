//! Reading the arguments that a model wrote: mending what is plainly meant, and saying precisely what is
//! wrong with the rest.

use sage_core::{ToolSpec, nearest};
use serde_json::{Map, Value};

/// Longest argument text that is read, in bytes.
pub const MAX_ARGUMENT_BYTES: usize = 4 * 1024 * 1024;
/// How many characters around a fault are quoted.
const QUOTED_CHARS: usize = 40;

/// Reads an argument text as a JSON object. Mended are: a code fence around it, raw line breaks and
/// other control characters inside strings, commas before a closing bracket, an object that was
/// written as a JSON string, and nothing at all for "no arguments".
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > MAX_ARGUMENT_BYTES {
        return Err(format!(
            "the arguments are {} bytes long; at most {MAX_ARGUMENT_BYTES} are read",
            text.len()
        ));
    }
    let body = without_fence(text.trim());
    if body.is_empty() || body == "null" {
        return Ok(Map::new());
    }
    let first = match serde_json::from_str::<Value>(body) {
        Ok(value) => return object(value, true),
        Err(error) => error,
    };
    match serde_json::from_str::<Value>(&mended(body)) {
        Ok(value) => object(value, true),
        // Positions in the mended text would confuse: quote the text as it was written.
        Err(_) => Err(explain(body, &first)),
    }
}

fn object(value: Value, may_be_text: bool) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(fields) => Ok(fields),
        Value::String(inner) if may_be_text && inner.trim_start().starts_with('{') => {
            match serde_json::from_str::<Value>(&inner) {
                Ok(value) => object(value, false),
                Err(error) => Err(explain(&inner, &error)),
            }
        }
        other => Err(format!("the arguments must be a JSON object, not {}", type_of(&other))),
    }
}

fn without_fence(text: &str) -> &str {
    let inner = || {
        let (_language, rest) = text.strip_prefix("```")?.split_once('\n')?;
        rest.trim_end().strip_suffix("```").map(str::trim)
    };
    inner().unwrap_or(text)
}

/// One pass over the text: control characters in strings are escaped, commas before `}` or `]` are
/// dropped.
fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut in_string = false;
    let mut escaped = false;
    // Where a comma was written that only white space has followed.
    let mut comma = None;
    for c in text.chars() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
            continue;
        }
        match c {
            ',' => comma = Some(out.len()),
            '}' | ']' => {
                if let Some(at) = comma.take() {
                    out.remove(at);
                }
            }
            c if c.is_whitespace() => {}
            _ => {
                comma = None;
                in_string = c == '"';
            }
        }
        out.push(c);
    }
    out
}

fn explain(text: &str, error: &serde_json::Error) -> String {
    let mut at = text.len();
    if error.line() > 0 {
        let line_start: usize =
            text.split_inclusive('\n').take(error.line() - 1).map(str::len).sum();
        at = (line_start + error.column()).min(text.len());
    }
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before: Vec<char> = text[..at].chars().rev().take(QUOTED_CHARS).collect();
    let before: String = before.into_iter().rev().collect();
    let after: String = text[at..].chars().take(QUOTED_CHARS).collect();
    // The position is told by the quotation.
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    format!(
        "the arguments are not valid JSON: {what} at line {}, column {}: {before:?} <- here -> {after:?}",
        error.line(),
        error.column()
    )
}

/// Checks arguments against a tool's schema: real names for aliases, the right types, nothing missing.
/// Arguments that the tool does not know are dropped, unless one looks like a misspelt one.
pub(crate) fn fit(
    mut given: Map<String, Value>,
    spec: &ToolSpec,
    aliases: &[(&str, &str)],
) -> Result<Value, String> {
    let empty = Map::new();
    let properties = spec.parameters["properties"].as_object().unwrap_or(&empty);
    for (alias, name) in aliases {
        if !properties.contains_key(*alias)
            && !given.contains_key(*name)
            && let Some(value) = given.remove(*alias)
        {
            given.insert((*name).to_owned(), value);
        }
    }
    let mut args = Map::new();
    let mut unknown = Vec::new();
    for (name, value) in given {
        match properties.get(&name) {
            Some(_) if value.is_null() => {}
            Some(schema) => {
                let value = coerce(value, schema["type"].as_str().unwrap_or_default())
                    .map_err(|problem| format!("argument {name:?} {problem}"))?;
                args.insert(name, value);
            }
            None => unknown.push(name),
        }
    }
    for name in unknown {
        let absent = properties.keys().map(String::as_str).filter(|key| !args.contains_key(*key));
        if let Some(meant) = nearest(&name, absent) {
            return Err(format!("unknown argument {name:?}; did you mean {meant:?}?"));
        }
    }
    let required = spec.parameters["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing: Vec<&str> = required
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| !args.contains_key(*name))
        .collect();
    if missing.is_empty() {
        Ok(Value::Object(args))
    } else {
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        Err(format!(
            "missing argument {}; {} takes {}",
            missing.join(", "),
            spec.name,
            known.join(", ")
        ))
    }
}

/// Takes a number in quotes for a number, and so on; never guesses further.
fn coerce(value: Value, wanted: &str) -> Result<Value, String> {
    match (wanted, &value) {
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => Ok(value),
        ("string", Value::Number(number)) => Ok(Value::String(number.to_string())),
        ("integer", Value::Number(number)) => {
            let whole = number.as_i64().or_else(|| {
                number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 1e15).map(|n| n as i64)
            });
            whole.map(Value::from).ok_or_else(|| format!("must be a whole number, not {number}"))
        }
        ("integer", Value::String(text)) => {
            let number = text.trim().parse::<i64>();
            number.map(Value::from).map_err(|_| format!("must be a whole number, not {text:?}"))
        }
        ("boolean", Value::String(text)) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" => Ok(Value::Bool(true)),
            "false" | "no" => Ok(Value::Bool(false)),
            _ => Err(format!("must be true or false, not {text:?}")),
        },
        // A list of lines is a common way to write a text.
        ("string", Value::Array(lines)) if lines.iter().all(Value::is_string) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            Ok(Value::String(lines.join("\n")))
        }
        ("string" | "integer" | "boolean", other) => {
            Err(format!("must be a {wanted}, not {}", type_of(other)))
        }
        _ => Ok(value),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, expected: Value) {
        assert_eq!(parse(text).map(Value::Object), Ok(expected), "{text:?}");
    }

    #[test]
    fn plainly_meant_arguments_are_mended() {
        check(r#"{"path": "a"}"#, json!({"path": "a"}));
        check("", json!({}));
        check("null", json!({}));
        check(r#"{"path": "a",}"#, json!({"path": "a"}));
        check("{\"content\": \"a\n\tb\"}", json!({"content": "a\n\tb"}));
        check("```json\n{\"path\": \"a\"}\n```", json!({"path": "a"}));
        check(r#""{\"path\": \"a\"}""#, json!({"path": "a"}));
        check("{\"list\": [1, 2,\n ], \"s\": \",]\",\n}", json!({"list": [1, 2], "s": ",]"}));
    }

    #[test]
    fn broken_arguments_are_explained_with_their_place() {
        let error = parse(r#"{"path": "a" "content": 1}"#).unwrap_err();
        assert!(error.contains("line 1, column 14"), "{error}");
        assert!(error.contains("<- here ->"), "{error}");
        for text in ["[1]", "3", "\"x\"", "{\"a\"", "{\"a\": \"b", "not json", "{é", "\u{0}"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse(&" ".repeat(MAX_ARGUMENT_BYTES + 1)).unwrap_err().contains("bytes long"));
    }

    fn spec() -> ToolSpec {
        ToolSpec {
            name: "write".into(),
            description: String::new(),
            parameters: json!({"type": "object", "properties": {
                "path": {"type": "string"}, "content": {"type": "string"},
                "overwrite": {"type": "boolean"}, "n": {"type": "integer"},
            }, "required": ["path", "content"]}),
        }
    }

    fn fitted(given: Value) -> Result<Value, String> {
        let Value::Object(given) = given else { panic!("an object is needed") };
        fit(given, &spec(), &[("file_path", "path"), ("body", "content")])
    }

    #[test]
    fn aliases_and_near_types_are_accepted() {
        let args =
            fitted(json!({"file_path": "a", "body": ["x", "y"], "overwrite": "true", "n": "3"}));
        assert_eq!(args, Ok(json!({"path": "a", "content": "x\ny", "overwrite": true, "n": 3})));
        // What the tool does not know is dropped; null means absent.
        let args = fitted(json!({"path": "a", "content": "", "explanation": "why", "n": null}));
        assert_eq!(args, Ok(json!({"path": "a", "content": ""})));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let check = |given: Value, part: &str| {
            let error = fitted(given).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        check(json!({"path": "a"}), "missing argument content; write takes path, content");
        check(json!({"path": {}, "content": "x"}), "\"path\" must be a string, not an object");
        check(json!({"path": "a", "content": "x", "n": 1.5}), "whole number");
        check(json!({"path": "a", "content": "x", "overwite": true}), "did you mean \"overwrite\"");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "[{}\\[\\]\",:a\\\\\n\u{e9}`0-9 ]{0,60}") {
            let _ = parse(&text);
        }
    }
}
