//! What `sage` promises, shown through the built binary: one file per command or topic.
//!
//! Every test has its own home, its own project and its own fake provider on loopback; none needs a
//! network, a key or an order. `support` holds what several files share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

mod bytes_survive;
mod config;
mod contract;
mod crash_resume;
mod docs;
mod doctor;
mod dry_run;
mod exit_codes;
mod flags;
mod hostile_servers;
mod init;
mod interrupt;
mod languages;
mod log;
mod malformed_plans;
mod memory;
mod models;
mod null_model;
mod parallel;
mod permissions;
mod plan_review;
mod recorded;
mod replay;
mod rules;
mod run_ends;
mod run_hello;
mod run_repair;
mod runs;
mod secrets;
mod session;
mod settings;
mod status;
mod usage;
mod version;
