//! Chat models behind one trait.
//!
//! [`ChatModel`] is the only door: [`Router`] chooses and calls a provider, [`Budgeted`] and [`Recorded`]
//! wrap it, [`ScriptedModel`] and [`Replayed`] stand in for it. `models.yaml` is [`ModelsConfig`].
//!
//! Invariants: an answer is complete or it is an error; every wait, retry and buffer has a bound with a
//! name; no key is ever part of an error, an event or a `Debug` text. Prompts and turns are not here.

mod budget;
mod config;
mod endpoint;
mod error;
mod facts;
mod fields;
mod health;
mod http;
mod ollama;
mod openai;
mod plain;
mod probe;
mod provider;
mod recorded;
mod replayed;
mod request;
mod responses;
mod retry;
mod router;
mod scripted;
mod secrets;
mod stream;
mod tokens;
mod tool_deltas;
mod trigger;
mod yaml;

pub use budget::{Budgeted, Ledger, MIN_OUTPUT_TOKENS, WARN_AT};
pub use config::{
    Api, BuiltIn, ModelConfig, ModelsConfig, ProviderConfig, ProviderKind, Resolved, RoleEdit,
    Route,
};
pub use error::{Error, Failure, Result, Tried, Trouble};
pub use facts::{ModelFacts, Price, ToolCalling};
pub use health::HealthRules;
pub use http::CallTimeouts;
pub use probe::{LIST_LIMIT, Probe, probe};
pub use provider::ProviderSet;
pub use recorded::Recorded;
pub use replayed::{Difference, Replayed};
pub use request::{
    ChatModel, ChatRequest, ChatResponse, DeltaSink, NoDeltas, ProgressDeltas, ResponseSchema,
};
pub use retry::RetryRules;
pub use router::{Router, RouterOptions};
pub use scripted::ScriptedModel;
pub use tokens::{Calibration, estimate_prompt_tokens, estimate_tokens, estimate_usage};
pub use trigger::{MAX_TRIGGER_BYTES, MAX_TRIGGER_DEPTH, Trigger};
