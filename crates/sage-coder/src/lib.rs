//! Turns a goal into a reviewed, tested change in a repository.
//!
//! [`start`] makes a plan, has it approved and carries it out; [`resume`] goes on where a log ends;
//! [`replay()`] runs a record again; [`undo()`] takes a run back. A plan ([`plan::Plan`]) is a contract
//! that the program enforces. What a run learns and does is in its log and nowhere else; the report is
//! a view of it.
//!
//! Not here: which models exist (`sage-model`), what a tool may touch (`sage-tool`), in which order
//! tasks run (`sage-engine`), how a conversation is held (`sage-agent`).

mod answer;
mod context;
mod error;
mod net;
mod options;
mod overlay;
pub mod plan;
mod plan_file;
mod planner;
pub mod project;
mod prompts;
mod replay;
mod report;
mod run;
mod state;
mod survey;
mod task;
mod undo;
mod verify;

pub use context::{AnswerCheck, ModelFactory, Wiring};
pub use error::{Error, Result};
pub use options::{Mode, RunOptions};
pub use plan_file::read_checked;
pub use replay::{Difference, Replay, replay};
pub use report::{Detail, FileReport, Form, Report, TaskReport, render};
pub use run::{RunEnd, is_approved, options_of, resume, start};
pub use state::{prepare as prepare_state, write_atomic};
pub use undo::{Undone, is_undone, undo};
