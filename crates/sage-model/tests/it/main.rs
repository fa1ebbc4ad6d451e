//! The model layer against canned servers on loopback and a log in memory.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod budget;
mod documents;
mod fuzz;
mod hostile;
mod ollama;
mod openai;
mod probe;
mod recorded;
mod router;
mod run;
mod server;
