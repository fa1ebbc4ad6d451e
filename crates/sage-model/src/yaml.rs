//! YAML read into a tree whose every value knows its line, so that a check can name it.
//!
//! The one place that knows the YAML library. Bounds on size and depth are the library's budget plus
//! [`MAX_FILE_BYTES`]; nothing here knows what the keys mean.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// The largest file that is read.
pub(crate) const MAX_FILE_BYTES: usize = 1 << 20;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub value: Value,
    /// From 1; 0 when unknown.
    pub line: u64,
    /// Byte range of a scalar in the text, quotes included; absent for composed or aliased values.
    pub bytes: Option<Range<usize>>,
}

/// A mapping key and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub text: String,
    pub line: u64,
    /// Byte offset of its first character.
    pub at: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for messages such as "expected a list, found a text".
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// As JSON; numbers that are whole become integers.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                Json::from(*value as i64)
            }
            Self::Number(value) => Json::from(*value),
            Self::Text(text) => Json::from(text.as_str()),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Map(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| (key.text.clone(), value.value.to_json()));
                Json::Object(entries.collect())
            }
        }
    }
}

/// Where and why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// From 1; 0 when unknown.
    pub line: u64,
    pub problem: String,
}

/// Reads one document. An empty one is an empty mapping.
pub(crate) fn parse(text: &str) -> Result<Node, Broken> {
    if text.len() > MAX_FILE_BYTES {
        let problem = format!("the file is larger than {MAX_FILE_BYTES} bytes");
        return Err(Broken { line: 0, problem });
    }
    let parsed: Result<Option<Node>, _> = serde_saphyr::from_str(text);
    match parsed {
        Ok(Some(Node { value: Value::Null, .. }) | None) => {
            Ok(Node { value: Value::Map(Vec::new()), line: 1, bytes: None })
        }
        Ok(Some(node)) => Ok(node),
        Err(error) => {
            let error = error.without_snippet();
            let line = error.location().map_or(0, |location| location.line());
            // The library's text repeats the position; it is told once, by whoever shows the error.
            let text = error.to_string();
            let text = text.lines().next().unwrap_or_default();
            let problem = text.split(" at line ").next().unwrap_or(text);
            // Nor does its advice to programmers belong before the person who wrote the file.
            let problem = problem.split(", set ").next().unwrap_or(problem).trim_end();
            Err(Broken { line, problem: problem.trim_start_matches("error: ").to_owned() })
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Value>::deserialize(from)?;
        let own_bytes = || {
            let span = defined.span();
            let start = usize::try_from(span.byte_offset()?).ok()?;
            let len = usize::try_from(span.byte_len()?).ok()?;
            Some(start..start.checked_add(len)?)
        };
        let is_scalar = !matches!(value, Value::List(_) | Value::Map(_));
        let bytes = if is_scalar && referenced == defined { own_bytes() } else { None };
        Ok(Self { value, line: referenced.line(), bytes })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<String>::deserialize(from)?;
        let at = referenced.span().byte_offset().and_then(|at| usize::try_from(at).ok());
        Ok(Self { text: value, line: referenced.line(), at })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        Value::deserialize(from)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = from.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "# c\na: 1\nb:\n  - x\n  - 'y z'\nc: {d: true, e: ~}\n";
        let node = parse(text).unwrap();
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        let lines: Vec<(&str, u64, u64)> =
            entries.iter().map(|(key, value)| (key.text.as_str(), key.line, value.line)).collect();
        assert_eq!(lines, [("a", 2, 2), ("b", 3, 4), ("c", 6, 6)]);
        let at: Vec<usize> = entries.iter().filter_map(|(key, _)| key.at).collect();
        assert_eq!(at, [4, 9, 28]);
        let Value::List(items) = &entries[1].1.value else { panic!("{node:?}") };
        assert_eq!(&text[items[1].bytes.clone().unwrap()], "'y z'");
        assert_eq!(entries[2].1.value.to_json(), serde_json::json!({"d": true, "e": null}));
    }

    #[test]
    fn what_is_not_yaml_is_an_error_with_its_line() {
        for (text, line) in [("a: 1\nb: [1,\n", 2), ("a: 1\na: 2\n", 2), ("a: 'x\n", 1)] {
            let broken = parse(text).unwrap_err();
            assert!(broken.line >= line, "{text:?}: {broken:?}");
            assert!(!broken.problem.is_empty(), "{text:?}");
        }
        assert_eq!(parse("").unwrap().value, Value::Map(Vec::new()));
    }

    #[test]
    fn deep_and_expanding_documents_are_refused_without_a_crash() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let inner = format!("*a{},", n - 1).repeat(10);
            bomb.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
        }
        assert!(parse(&bomb).is_err());
    }
}
