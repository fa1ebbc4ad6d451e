//! The pieces that the pipeline needs, built from settings and environment: the commands wire them.
//!
//! Invariant: nothing here runs by itself; each function builds one thing from what it is given.

mod child_env;
mod interrupt;
mod models;
mod project_settings;

mod runtime;
mod terminal;

pub use child_env::child_environment;
pub use interrupt::Interrupts;
pub use models::{Models, ModelsSource, built_in, load_models};
pub use project_settings::settings;
pub use runtime::{SystemClock, block_on, now_ms};
pub use terminal::{PlanEditor, TerminalInteraction};
