//! Runs conversations: rules, prompt, context budget, turn loop, text protocol, JSON answers.
//!
//! Invariant: every effect goes through [`sage_model::ChatModel`] or [`sage_tool::ToolRegistry`] under
//! a [`CallId`](sage_core::CallId) taken in program order, and nothing else is learned from the
//! outside while a conversation runs. So the same code over the same record goes the same way again,
//! which is all that resume and replay need. Not here: graphs, plans, verification.

mod agent;
mod ask_json;
mod calls;
mod context;
mod conversation;
mod error;
mod json_answer;
mod prompt;
pub mod rules;
#[cfg(test)]
mod testing;
mod thoughts;
mod turn_loop;
mod volatile;

pub use agent::{Agent, Reply, TurnLimits};
pub use ask_json::{JsonAnswer, JsonFailure, RefusedAnswer};
pub use calls::CallCounter;
pub use conversation::{Conversation, Parts};
pub use error::{Error, Result};
pub use json_answer::{NoJson, find_json};
pub use prompt::Prompt;
pub use rules::{Rules, sources};
pub use turn_loop::{Progressed, WorkEnd};
