//! The pieces that the pipeline needs, built from settings and environment: the commands wire them.
//!
//! Invariant: nothing here runs by itself; each function builds one thing from what it is given.

mod child_env;
mod editor;
mod interrupt;
mod models;
mod pipeline;
mod project_settings;
mod runtime;
mod sandbox;
mod terminal;
mod wiring;

pub use child_env::child_environment;
pub use editor::EditorProcess;
pub use interrupt::Interrupts;
pub use models::{Models, ModelsSource, built_in, chat_models, load_models};
pub use pipeline::{Pipeline, Who, answer_check, changed_limits, new_run_id, routing_record};
pub use project_settings::settings;
pub use runtime::{SystemClock, block_on, now_ms, temp_folder};
pub use sandbox::{Without, confine, offered};
pub use terminal::TerminalInteraction;
pub use wiring::{policy, probe_timeouts, process_limits, providers, redactor, router_options};
