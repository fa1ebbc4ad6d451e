//! Asks for JSON until it is what was asked for, a bounded number of times.

use std::fmt;

use sage_core::Finish;
use sage_model::ResponseSchema;
use serde_json::Value;

use crate::agent::{Agent, Purpose, Reply};
use crate::json_answer::candidates;
use crate::{Conversation, Error, Result};

/// Errors that are sent back to the model at most.
const MAX_ERRORS: usize = 20;

/// A value that passed, and what was refused before it.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonAnswer<T> {
    /// The value.
    pub value: T,
    /// Earlier answers, oldest first; empty when the first one passed.
    pub refused: Vec<RefusedAnswer>,
}

/// An answer that was not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAnswer {
    /// The answer as it was given, without thoughts.
    pub answer: String,
    /// What is wrong with it, one line each; never empty.
    pub errors: Vec<String>,
}

/// Every answer was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonFailure {
    /// The answers, oldest first; never empty.
    pub refused: Vec<RefusedAnswer>,
}

impl JsonFailure {
    /// The last answer.
    #[must_use]
    pub fn answer(&self) -> &str {
        self.refused.last().map_or("", |last| last.answer.as_str())
    }

    /// What was wrong with the last answer.
    #[must_use]
    pub fn errors(&self) -> &[String] {
        self.refused.last().map_or(&[], |last| last.errors.as_slice())
    }
}

impl fmt::Display for JsonFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.errors().first().map_or("no answer", String::as_str);
        let n_more = self.errors().len().saturating_sub(1);
        write!(f, "the model's answer is not valid after {} tries: {first}", self.refused.len())?;
        if n_more > 0 { write!(f, " (and {n_more} more)") } else { Ok(()) }
    }
}

impl Agent {
    /// Asks for a JSON value and checks it; what is wrong goes back to the model, which gets
    /// `max_tries` answers in all (at least one).
    ///
    /// The provider is held to `schema` where it can be; elsewhere the schema is part of the prompt.
    /// `validate` turns the value into what the caller wants, or says what is wrong, one line each.
    /// When an answer holds several values the first one that passes is taken.
    pub async fn ask_json<T>(
        &self,
        conversation: &mut Conversation,
        schema: Option<&ResponseSchema>,
        validate: &(dyn Fn(&Value) -> std::result::Result<T, Vec<String>> + Sync),
        max_tries: u32,
    ) -> Result<JsonAnswer<T>> {
        let mut refused = Vec::new();
        for n_left in (0..max_tries.max(1)).rev() {
            let reply = self.call_model(conversation, Purpose::Json(schema)).await?;
            let errors = match take(&reply, validate) {
                Ok(value) => return Ok(JsonAnswer { value, refused }),
                Err(errors) => errors,
            };
            if n_left > 0 {
                conversation.say(complaint(&errors));
            }
            refused.push(RefusedAnswer { answer: reply.text().to_owned(), errors });
        }
        Err(Error::NoValidJson(JsonFailure { refused }))
    }
}

fn take<T>(
    reply: &Reply,
    validate: &(dyn Fn(&Value) -> std::result::Result<T, Vec<String>> + Sync),
) -> std::result::Result<T, Vec<String>> {
    let found = candidates(reply.text()).map_err(|error| match reply.response.finish {
        Finish::Length => vec!["the answer was cut off at the output limit; be shorter".to_owned()],
        _ => vec![error.to_string()],
    })?;
    // The longest value is the one that was meant; its errors are the ones to report.
    let mut reported = (0, Vec::new());
    for candidate in found {
        match validate(&candidate.value) {
            Ok(value) => return Ok(value),
            Err(errors) if candidate.n_bytes > reported.0 => {
                reported = (candidate.n_bytes, errors);
            }
            Err(_) => {}
        }
    }
    if reported.1.is_empty() {
        reported.1.push("the value is not what was asked for".to_owned());
    }
    Err(reported.1)
}

fn complaint(errors: &[String]) -> String {
    let mut text = "Your answer is not valid:\n".to_owned();
    for error in errors.iter().take(MAX_ERRORS) {
        text.push_str(&format!("- {error}\n"));
    }
    if errors.len() > MAX_ERRORS {
        text.push_str(&format!("- and {} more\n", errors.len() - MAX_ERRORS));
    }
    text.push_str("Answer again with the whole corrected JSON and nothing else.");
    text
}

#[cfg(test)]
mod tests;
