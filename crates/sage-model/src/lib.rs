//! Chat models behind one trait.
//!
//! [`ChatModel`] is the only door: [`Router`] chooses and calls a provider, [`Budgeted`] and [`Recorded`]
//! wrap it, [`ScriptedModel`] and [`Replayed`] stand in for it. `models.yaml` is [`ModelsConfig`].
//!
//! Invariants: an answer is complete or it is an error; every wait, retry and buffer has a bound with a
//! name; no key is ever part of an error, an event or a `Debug` text. Prompts and turns are not here.

mod config;
mod endpoint;
mod error;
mod facts;
mod request;
mod secrets;
mod tokens;
mod trigger;
mod yaml;

pub use config::{
    Api, BuiltIn, ModelConfig, ModelsConfig, ProviderConfig, ProviderKind, Resolved, RoleEdit,
    Route,
};
pub use error::{Error, Failure, Result, Tried, Trouble};
pub use facts::{ModelFacts, Price, ToolCalling};
pub use request::{
    ChatModel, ChatRequest, ChatResponse, DeltaSink, NoDeltas, ProgressDeltas, ResponseSchema,
};
pub use tokens::{estimate_prompt_tokens, estimate_tokens, estimate_usage};
pub use trigger::Trigger;
