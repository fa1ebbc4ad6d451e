//! JSON with the line of every value, for errors that a person can find.

use serde_json::Value;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// From 1.
    pub line: usize,
    pub value: Shape,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Object(Vec<(String, usize, Node)>),
    List(Vec<Node>),
    /// A text, number, truth value or nothing.
    Plain(Value),
}

impl Node {
    /// What sort of value it is, for errors.
    pub fn sort(&self) -> &'static str {
        match &self.value {
            Shape::Object(_) => "an object",
            Shape::List(_) => "a list",
            Shape::Plain(Value::String(_)) => "a text",
            Shape::Plain(Value::Number(_)) => "a number",
            Shape::Plain(Value::Bool(_)) => "true or false",
            Shape::Plain(_) => "null",
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Shape::Plain(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// Reads a text; the error says line and column.
pub(super) fn read(text: &str) -> Result<Node, String> {
    // The real parser judges (and bounds the depth); what passes it is simple to walk.
    serde_json::from_str::<Value>(text).map_err(|error| error.to_string())?;
    let mut walker = Walker { bytes: text.as_bytes(), text, at: 0, line: 1 };
    walker.node().ok_or_else(|| format!("cannot be read at line {}", walker.line))
}

struct Walker<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    line: usize,
}

impl Walker<'_> {
    fn node(&mut self) -> Option<Node> {
        self.blanks();
        let line = self.line;
        let value = match self.bytes.get(self.at)? {
            b'{' => self.object()?,
            b'[' => self.list()?,
            _ => Shape::Plain(self.plain()?),
        };
        Some(Node { line, value })
    }

    fn object(&mut self) -> Option<Shape> {
        let mut fields = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            match self.bytes.get(self.at)? {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let line = self.line;
                    let Value::String(key) = self.plain()? else { return None };
                    self.blanks();
                    self.at += 1; // the colon
                    fields.push((key, line, self.node()?));
                }
            }
        }
        self.at += 1;
        Some(Shape::Object(fields))
    }

    fn list(&mut self) -> Option<Shape> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.blanks();
            match self.bytes.get(self.at)? {
                b']' => break,
                b',' => self.at += 1,
                _ => items.push(self.node()?),
            }
        }
        self.at += 1;
        Some(Shape::List(items))
    }

    fn plain(&mut self) -> Option<Value> {
        let from = self.at;
        if self.bytes.get(self.at) == Some(&b'"') {
            self.at += 1;
            while *self.bytes.get(self.at)? != b'"' {
                self.at += if self.bytes[self.at] == b'\\' { 2 } else { 1 };
            }
            self.at += 1;
        } else {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b",]}".contains(byte);
            let rest = &self.bytes[self.at..];
            self.at += rest.iter().position(ends).unwrap_or(rest.len());
        }
        serde_json::from_str(self.text.get(from..self.at)?).ok()
    }

    fn blanks(&mut self) {
        while let Some(byte) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_whitespace()) {
            self.line += usize::from(*byte == b'\n');
            self.at += 1;
        }
    }
}
