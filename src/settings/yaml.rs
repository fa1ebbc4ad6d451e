//! YAML as a small tree in which every key and value knows its line: the one place that touches the
//! YAML reader for settings.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value with its line, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its line; 0 when unknown.
    pub line: u64,
}

/// A YAML value. Scalars are kept as text; the setting decides what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing, `~`, `null`.
    Null,
    /// A number, a boolean or a text.
    Scalar(String),
    /// `- a`.
    List(Vec<At<Node>>),
    /// `a: b`, in order; keys are unique.
    Map(Vec<(At<String>, At<Node>)>),
}

/// Why a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadYaml {
    /// The line, from 1; 0 when unknown.
    pub line: u64,
    /// What is wrong, one line.
    pub message: String,
}

/// Reads a document; an empty one is [`Node::Null`].
pub fn parse(text: &str) -> Result<At<Node>, BadYaml> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(At { value: Node::Null, line: 1 });
    }
    let parsed: Result<Spanned<Node>, _> = serde_saphyr::from_str(text);
    parsed.map(At::from).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let whole = error.without_snippet().to_string();
        BadYaml { line, message: whole.lines().next().unwrap_or_default().to_owned() }
    })
}

impl<T> From<Spanned<T>> for At<T> {
    fn from(spanned: Spanned<T>) -> Self {
        Self { line: spanned.referenced.line(), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        Node::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Node>>()? {
            list.push(item.into());
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Spanned<Node>>()? {
            map.push((key.into(), value.into()));
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_value_knows_its_line() {
        let Node::Map(sections) =
            parse("# top\nrun:\n  max: 3\n  verify:\n    - a\n    - b c\n").unwrap().value
        else {
            panic!("a map")
        };
        let (key, value) = &sections[0];
        assert_eq!((key.value.as_str(), key.line), ("run", 2));
        let Node::Map(entries) = &value.value else { panic!("a map") };
        assert_eq!((entries[0].0.line, entries[1].0.line), (3, 4));
        assert_eq!(entries[0].1.value, Node::Scalar("3".into()));
        let Node::List(items) = &entries[1].1.value else { panic!("a list") };
        assert_eq!(items[1], At { value: Node::Scalar("b c".into()), line: 6 });
    }

    #[test]
    fn broken_yaml_names_its_line_and_never_panics() {
        assert!(parse("a: 1\nb: [1, 2\n").unwrap_err().line > 0);
        assert_eq!(parse("a: 1\na: 2\n").unwrap_err().line, 2);
        assert_eq!(parse("").unwrap().value, Node::Null);
        assert_eq!(parse("# only a comment\n").unwrap().value, Node::Null);
        for text in ["\u{0}", "{", "- - -", "a: &x *x", "\t- a", "%YAML 9", "? :", "a:\n b\n  c: d"]
        {
            let _ = parse(text);
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
    }
}
