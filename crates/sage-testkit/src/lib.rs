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
mod edit_case;
mod fault;
mod fixture;
mod http;
mod interaction;
mod live;
mod models_yaml;
mod ollama;
mod openai;
mod progress;
mod pty;
mod recorder;
mod reply;
mod run_folder;
mod sandbox;
mod seen;
mod server;
#[cfg(test)]
mod test_client;
mod tree;

pub use brain::{
    Brain, FileWrite, NullBrain, PlannedBrain, PlannedTask, Recognise, Script, Version, When,
};
pub use edit_case::{EditCase, EditTree};
pub use fault::{Fault, FaultPlan};
pub use fixture::Fixture;
pub use http::HttpRequest;
pub use interaction::{Approving, Refusing};
pub use live::{Live, Output, Process, processes_in};
pub use models_yaml::ModelsYaml;
pub use nix::sys::signal::Signal;
pub use ollama::{FakeOllama, OllamaOptions};
pub use openai::{FakeOpenAi, OpenAiOptions};
pub use progress::RecordingProgress;
pub use pty::Pty;
pub use recorder::MemoryRecorder;
pub use reply::{Reply, WantedTool};
pub use run_folder::RunFolder;
pub use sandbox::{CliSandbox, Invocation};
pub use seen::{SeenRequest, Wire};
pub use server::{ModelCall, Recorded, refused_url};
pub use tree::{Entry, Tree};
