//! Tools a model can call, behind one door: registry, grants, processes, edits, snapshots.
//!
//! [`ToolRegistry`] is the door. Behind it: [`Workspace`] (the files, and the jail around them), `change`
//! (how files are changed, with the log told first), [`process`] (how programs are started), [`Sandbox`] (what they can reach), `effects`
//! (what programs did to the files), [`SnapshotStore`] (how all of it is taken back). [`Grant`] is what
//! a plan allows a task, [`Policy`] what the person allows at all.
//!
//! Not here: models, prompts, conversations. The crate reads no environment, no clock, no home.

pub mod apply;
pub mod edits;
pub mod merge;
pub mod process;
pub mod snapshot;

mod approvals;
mod args;
mod builtin;
mod call;
mod change;
mod check;
mod effects;
mod error;
mod grant;
mod journal;
mod outputs;
mod path;
mod policy;
mod registry;
mod sandbox;
mod workspace;

#[cfg(test)]
mod testing;

pub use approvals::Approvals;
pub use builtin::MAX_SPEC_BYTES;
pub use call::{CallCx, Control, Intent, Tool, ToolCx, ToolResult};
pub use change::{FileEdit, Landing, MAX_LANDED};
pub use check::{CheckResult, TestCount, read_test_output};
pub use error::{Error, Result, ToolError};
pub use grant::{Grant, PathSet};
pub use outputs::{OUTPUT_PREFIX, Outputs};
pub use path::{PathError, WorkPath, recorded_name};
pub use policy::{
    Access, CommandPrefix, Decision, Doubt, Finding, Judgement, Layer, Matcher, PartFinding,
    PathPattern, Place, Policy, PolicyFile, PolicyLayers, Rule, RuleName, Say, ToolPolicy,
    remembering,
};
pub use process::ProcessLimits;
pub use registry::{APPLY_EDITS, CHECK, CheckSpec, LAND, ToolRegistry};
pub use sandbox::{
    Jail, JailLimits, LAUNCHER_WORD, Layers, Network, Sandbox, SandboxSettings, launch, probe,
};
pub use snapshot::{Covers, Snapshot, SnapshotStore};
pub use workspace::{Claim, CopyWhat, Listing, MAX_WALK_FILES, WorkFile, Workspace};
