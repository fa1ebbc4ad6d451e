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

mod apply;
mod budgets;
mod bytes_survive;
mod commit;
mod config;
mod context;
mod contract;
mod crash_resume;
mod docs;
mod doctor;
mod dry_run;
mod evidence;
mod exit_codes;
mod flags;
mod hostile_servers;
mod init;
mod interrupt;
mod lanes;
mod lanes_git;
mod languages;
mod log;
mod long_session;
mod loops;
mod malformed_plans;
mod memory;
mod models;
mod null_model;
mod parallel;
mod permissions;
mod plan_review;
mod policy;
mod recorded;
mod replay;
mod rules;
mod run_ends;
mod run_hello;
mod run_repair;
mod runs;
mod sandbox;
mod secrets;
mod session;
mod settings;
mod status;
mod undo;
mod usage;
mod version;
mod worktree;
