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
mod commit;
mod context;
mod error;
mod evidence;
mod git;
mod hosts;
mod lane;
mod net;
mod options;
mod overlay;
pub mod plan;
mod plan_file;
mod planner;
mod preview;
pub mod project;
mod prompts;
mod replay;
mod report;
mod run;
mod state;
mod steps;
mod survey;
mod task;
mod undo;
mod verify;

pub use commit::Commit;
pub use context::{AnswerCheck, ModelFactory, Wiring};
pub use error::{Error, Result};
pub use lane::LaneStep;
pub use options::{Lanes, Mode, RunOptions};
pub use plan_file::read_checked;
pub use preview::{Preview, preview};
pub use replay::{Difference, Replay, replay};
pub use report::{
    Claim, CommitReport, Detail, FileReport, Form, Report, Standing, TaskEvidence, TaskReport,
    render,
};
pub use run::{RunEnd, is_approved, options_of, resume, start};
pub use state::{prepare as prepare_state, write_atomic};
pub use steps::{Action, Step, StepChange, Steps, steps_of};
pub use undo::{Scope, UndoRequest, Undone, in_use, is_undone, redo, undo};
