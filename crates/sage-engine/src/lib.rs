//! Runs compiled graphs: a pure [`Scheduler`] that decides, and a driver, [`run`], that performs.
//!
//! The scheduler sees nothing but events, so starting, resuming and testing are the same code: give it
//! the events so far, ask it what comes next. The driver starts [`NodeRunner`]s, appends what happened
//! to the run's log and tells the scheduler. What a node does is the runner's business: nothing here
//! knows models, tools or prompts. Tasks are spawned through [`TaskScope`] only, which owns and joins
//! them. Regions of nodes that stream to each other are refused.

mod driver;
mod error;
mod runner;
mod scheduler;
mod scope;

pub use driver::{CANCEL_GRACE, TIMEOUT_GRACE, run};
pub use error::{Error, Result};
pub use runner::{NodeReport, NodeRunner};
pub use scheduler::{
    Action, Begin, GraphOutcome, MAX_BACKOFF_MS, OnFailure, Rules, Scheduler, can_be_taken_up,
    can_be_tried_again,
};
pub use scope::{OnCancel, TaskPanic, TaskScope};
