//! The trigger language: when a role's fallback model is used instead of its primary.
//!
//! ```text
//! trigger    = either
//! either     = both { "or" both }
//! both       = denied { "and" denied }
//! denied     = { "not" } ( "(" either ")" | comparison )
//! comparison = operand ( ">" | ">=" | "<" | "<=" | "==" | "!=" ) operand
//! operand    = number | variable
//! ```
//! Parsed once, evaluated without allocation; never touches anything but the features.

use std::fmt;

use sage_core::{RouteFeatures, nearest};

use crate::{Error, Result};

/// How deep parentheses and `not` may nest.
pub const MAX_TRIGGER_DEPTH: usize = 32;
/// How long a trigger may be, in bytes.
pub const MAX_TRIGGER_BYTES: usize = 1000;

/// A parsed condition over [`RouteFeatures`].
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    text: String,
    root: Expr,
}

impl Trigger {
    /// The names that a trigger may use.
    pub const VARIABLES: [&'static str; 5] = [
        "task_complexity_score",
        "primary_failure_count",
        "failure_count",
        "n_target_files",
        "prompt_tokens",
    ];

    /// Parses a trigger. The error says what is wrong, at which character, and the nearest known name.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse =
            |problem: String| Error::Trigger { text: crate::error::one_line(text), problem };
        if text.len() > MAX_TRIGGER_BYTES {
            return Err(refuse(format!("longer than {MAX_TRIGGER_BYTES} bytes")));
        }
        let tokens = tokens(text).map_err(refuse)?;
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
        let root = parser.either().map_err(refuse)?;
        match parser.peek() {
            None => Ok(Self { text: text.to_owned(), root }),
            Some(_) => Err(refuse(parser.expected("and, or, or the end"))),
        }
    }

    /// Whether the condition holds.
    #[must_use]
    pub fn eval(&self, features: &RouteFeatures) -> bool {
        self.root.eval(features)
    }

    /// The trigger as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Or(Vec<Expr>),
    And(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Operand, Op, Operand),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operand {
    Number(f64),
    Variable(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Greater,
    AtLeast,
    Less,
    AtMost,
    Equal,
    Unequal,
}

impl Expr {
    /// Recursion is bounded by [`MAX_TRIGGER_DEPTH`].
    fn eval(&self, features: &RouteFeatures) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.eval(features)),
            Self::And(parts) => parts.iter().all(|part| part.eval(features)),
            Self::Not(part) => !part.eval(features),
            Self::Compare(left, op, right) => {
                let (left, right) = (left.value(features), right.value(features));
                match op {
                    Op::Greater => left > right,
                    Op::AtLeast => left >= right,
                    Op::Less => left < right,
                    Op::AtMost => left <= right,
                    Op::Equal => left == right,
                    Op::Unequal => left != right,
                }
            }
        }
    }
}

impl Operand {
    fn value(self, features: &RouteFeatures) -> f64 {
        match self {
            Self::Number(number) => number,
            // In the order of `Trigger::VARIABLES`.
            Self::Variable(0) => features.task_complexity_score,
            Self::Variable(1) => f64::from(features.primary_failure_count),
            Self::Variable(2) => f64::from(features.failure_count),
            Self::Variable(3) => f64::from(features.n_target_files),
            Self::Variable(_) => features.prompt_tokens as f64,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Op(Op),
    Operand(Operand),
}

/// A token and the position of its first character, from 1.
type Placed = (usize, Token);

fn tokens(text: &str) -> std::result::Result<Vec<Placed>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        let next = chars.get(at + 1).copied();
        let (token, len) = match (c, next) {
            (c, _) if c.is_whitespace() => {
                at += 1;
                continue;
            }
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            ('>', Some('=')) => (Token::Op(Op::AtLeast), 2),
            ('<', Some('=')) => (Token::Op(Op::AtMost), 2),
            ('=', Some('=')) => (Token::Op(Op::Equal), 2),
            ('!', Some('=')) => (Token::Op(Op::Unequal), 2),
            ('>', _) => (Token::Op(Op::Greater), 1),
            ('<', _) => (Token::Op(Op::Less), 1),
            (c, next) if is_number_start(c, next) => {
                let len =
                    chars[at..].iter().skip(1).take_while(|c| is_number_part(**c)).count() + 1;
                (Token::Operand(number(&chars[at..at + len], start)?), len)
            }
            (c, _) if c.is_alphabetic() || c == '_' => {
                let is_part = |c: &&char| c.is_alphanumeric() || **c == '_' || **c == '.';
                let len = chars[at..].iter().take_while(is_part).count();
                (word(&chars[at..at + len].iter().collect::<String>(), start)?, len)
            }
            ('=', _) => return Err(format!("unexpected '=' at {}, equality is '=='", start + 1)),
            (c, _) => return Err(format!("unexpected {c:?} at {}", start + 1)),
        };
        tokens.push((start + 1, token));
        at += len;
    }
    Ok(tokens)
}

fn is_number_start(c: char, next: Option<char>) -> bool {
    c.is_ascii_digit()
        || (matches!(c, '-' | '+' | '.') && next.is_some_and(|c| c.is_ascii_digit() || c == '.'))
}

fn is_number_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.'
}

fn number(chars: &[char], start: usize) -> std::result::Result<Operand, String> {
    let text: String = chars.iter().collect();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Operand::Number(number)),
        _ => Err(format!("{text:?} at {} is not a number", start + 1)),
    }
}

fn word(word: &str, start: usize) -> std::result::Result<Token, String> {
    Ok(match word {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        _ => match Trigger::VARIABLES.iter().position(|name| *name == word) {
            Some(index) => Token::Operand(Operand::Variable(index)),
            None => {
                let hint = match nearest(word, Trigger::VARIABLES) {
                    Some(name) => format!("; did you mean {name:?}?"),
                    None => format!("; known are {}", Trigger::VARIABLES.join(", ")),
                };
                return Err(format!("unknown name {word:?} at {}{hint}", start + 1));
            }
        },
    })
}

struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, what: &str) -> String {
        match self.tokens.get(self.at) {
            Some((at, _)) => format!("expected {what} at {at}"),
            None => format!("expected {what} at the end"),
        }
    }

    fn either(&mut self) -> std::result::Result<Expr, String> {
        let mut parts = vec![self.both()?];
        while self.take(&Token::Or) {
            parts.push(self.both()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn both(&mut self) -> std::result::Result<Expr, String> {
        let mut parts = vec![self.denied()?];
        while self.take(&Token::And) {
            parts.push(self.denied()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn denied(&mut self) -> std::result::Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_TRIGGER_DEPTH {
            return Err(format!("nested deeper than {MAX_TRIGGER_DEPTH}"));
        }
        let expr = if self.take(&Token::Not) {
            Expr::Not(Box::new(self.denied()?))
        } else if self.take(&Token::Open) {
            let inner = self.either()?;
            if !self.take(&Token::Close) {
                return Err(self.expected("')'"));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn comparison(&mut self) -> std::result::Result<Expr, String> {
        let left = self.operand()?;
        let Some(Token::Op(op)) = self.peek() else {
            return Err(self.expected("a comparison such as '>'"));
        };
        let op = *op;
        self.at += 1;
        Ok(Expr::Compare(left, op, self.operand()?))
    }

    fn operand(&mut self) -> std::result::Result<Operand, String> {
        let Some(Token::Operand(operand)) = self.peek() else {
            return Err(self.expected("a number or a variable"));
        };
        let operand = *operand;
        self.at += 1;
        Ok(operand)
    }
}

#[cfg(test)]
mod tests;
