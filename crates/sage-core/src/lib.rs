//! The words every part of `sage` shares: ids, messages, events, limits, and the traits that let a
//! lower layer append facts or ask a person without knowing who listens.
//!
//! Invariant: nothing here does IO, reads a clock or needs an async runtime. Behaviour lives in the
//! crates above; a type comes here only when two crates of the same layer need it.

mod clock;
mod context_use;
mod error_kind;
mod event;
mod ids;
mod interaction;
mod limits;
mod message;
mod progress;
mod recorder;
mod role;
mod text;

pub use clock::{Clock, FixedClock};
pub use context_use::ContextUse;
pub use error_kind::ErrorKind;
pub use event::{
    ATTEMPT_BEFORE, ApprovalScope, Candidate, CheckKind, Decider, EVENT_FORMAT_VERSION, Effect,
    Event, EventKind, FileState, Finish, HumanEvent, LaneBase, ModelEvent, NodeEvent, NodeOutcome,
    NodePhase, PlanDecision, RepeatGrade, RouteFeatures, RunEvent, RunOutcome, Severity,
    TamperKind, Tampering, TestWorth, ToolEvent, WorkspaceEvent,
};
pub use ids::{BlobRef, CallId, IdError, NodeId, RunId, Seq, SessionId};
pub use interaction::{
    Answer, Approval, Interaction, PlanReview, Question, ReviewedPlan, Revise, Shown, Silent,
    ToolRequest,
};
pub use limits::{Limits, Spent};
pub use message::{Message, Speaker, ToolCall, ToolSpec, Usage};
pub use progress::{NoProgress, Progress, ProgressSink};
pub use recorder::{Past, PastChange, RecordError, Recorder, ToolPast};
pub use role::{AgentRole, UnknownRole};
pub use text::{head_and_tail, nearest};
