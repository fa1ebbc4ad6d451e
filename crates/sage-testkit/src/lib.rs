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

mod interaction;
mod progress;
mod recorder;

pub use interaction::{Approving, Refusing};
pub use progress::RecordingProgress;
pub use recorder::MemoryRecorder;
