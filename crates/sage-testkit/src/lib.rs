//! Test doubles: provider servers on loopback, fixture repositories, a sandboxed command line, and
//! in-memory implementations of the traits of `sage-core`.
//!
//! Invariant: depends on `sage-core` alone, so that every crate above it can use it in its tests, and
//! on no async runtime: servers are plain threads that end when the server is dropped. A double that
//! is asked for something impossible panics, because that is a mistake in a test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "test code: starts processes, reads its own environment and panics on a test's mistake"
)]

mod brain;
mod delivery;
mod fault;
mod http;
mod interaction;
mod ollama;
mod openai;
mod progress;
mod recorder;
mod reply;
mod seen;
mod server;
#[cfg(test)]
mod test_client;

pub use brain::{
    Brain, FileWrite, NullBrain, PlannedBrain, PlannedTask, Recognise, Script, Version, When,
};
pub use fault::{Fault, FaultPlan};
pub use http::HttpRequest;
pub use interaction::{Approving, Refusing};
pub use ollama::{FakeOllama, OllamaOptions};
pub use openai::{FakeOpenAi, OpenAiOptions};
pub use progress::RecordingProgress;
pub use recorder::MemoryRecorder;
pub use reply::{Reply, WantedTool};
pub use seen::{SeenRequest, Wire};
pub use server::{ModelCall, Recorded, refused_url};
