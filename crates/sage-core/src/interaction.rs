//! How the program asks a person, without knowing whether there is one.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{ApprovalScope, Decider, NodeId, PlanDecision};

/// A plan laid before a person, already drawn.
#[derive(Debug, Clone)]
pub struct PlanReview {
    /// The plan as the editable file's text.
    pub json: String,
    /// The plan drawn for a terminal.
    pub drawing: String,
    /// Notes a reader should see: tasks made sequential, warnings.
    pub notes: Vec<String>,
    /// The most that running it can cost, in words.
    pub worst_case: String,
    /// Checks an edited text.
    pub revise: Revise,
}

/// Parses and validates an edited plan. The error is for the person; on success there is a review
/// of the new text.
#[derive(Clone)]
pub struct Revise(Arc<ReviseFn>);

type ReviseFn = dyn Fn(&str) -> Result<PlanReview, String> + Send + Sync;

impl Revise {
    /// Wraps the function.
    pub fn new(
        revise: impl Fn(&str) -> Result<PlanReview, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(revise))
    }

    /// Calls it.
    pub fn call(&self, text: &str) -> Result<PlanReview, String> {
        (self.0)(text)
    }
}

impl std::fmt::Debug for Revise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Revise")
    }
}

/// What came of a plan review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedPlan {
    /// The decision.
    pub decision: PlanDecision,
    /// Who made it.
    pub by: Decider,
    /// The plan's text when it was edited, already valid.
    pub edited: Option<String>,
}

/// A tool call that policy wants a person to see first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRequest {
    /// The node that asks.
    pub node: NodeId,
    /// The tool.
    pub tool: String,
    /// Exactly what will happen, whole: a command line, or the paths that change.
    pub what: String,
    /// The rule that made it a question, and where it is written.
    pub because: String,
    /// What else a person needs in order to decide.
    pub shown: Shown,
    /// The rules that "always" would write down, one JSON object each; empty where nothing can be
    /// promised for later.
    pub remember: Vec<String>,
}

/// What a person is shown about a call, by its sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A command.
    Command {
        /// The parts of the line that are asked about, as they were read; the others are allowed.
        parts: Vec<String>,
        /// Where it runs.
        folder: String,
        /// What it may reach, in words.
        network: String,
    },
    /// A change of files.
    Edit {
        /// As a unified diff, whole.
        diff: String,
    },
    /// Nothing more than its name and what it wants.
    Nothing,
}

/// The answer to a [`ToolRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// Whether the call may happen.
    pub allowed: bool,
    /// Who decided.
    pub by: Decider,
    /// For how long it holds.
    pub scope: ApprovalScope,
}

impl Approval {
    /// Yes or no to this one call.
    #[must_use]
    pub const fn once(allowed: bool, by: Decider) -> Self {
        Self { allowed, by, scope: ApprovalScope::Once }
    }
}

/// An open question to the person.
#[derive(Debug, Clone)]
pub struct Question {
    /// The question.
    pub text: String,
    /// Possible answers, if it is a choice.
    pub choices: Vec<String>,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What the person typed or chose.
    Text(String),
    /// There is nobody to ask, or they skipped it.
    None,
}

/// Asks a person. Implementations: a terminal, a studio, or [`Silent`].
///
/// Only an implementation of this trait can approve anything: text from a model never reaches it as
/// an answer.
#[async_trait]
pub trait Interaction: Send + Sync {
    /// Shows a plan and waits for a decision.
    async fn review_plan(&self, review: PlanReview) -> ReviewedPlan;

    /// Asks whether a tool call may happen. An answer for [`ApprovalScope::Always`] is written down
    /// by the implementation before it returns.
    async fn approve_tool(&self, request: ToolRequest) -> Approval;

    /// Whether anybody is there to answer.
    fn is_attended(&self) -> bool {
        true
    }

    /// Asks an open question.
    async fn ask(&self, question: Question) -> Answer;
}

/// Asks nobody: approves plans in the name of the mode, refuses tool calls that policy would ask about.
#[derive(Debug, Clone, Copy)]
pub struct Silent {
    /// In whose name plans are approved.
    pub by: Decider,
}

#[async_trait]
impl Interaction for Silent {
    async fn review_plan(&self, _: PlanReview) -> ReviewedPlan {
        ReviewedPlan { decision: PlanDecision::Approved, by: self.by, edited: None }
    }

    async fn approve_tool(&self, _: ToolRequest) -> Approval {
        Approval::once(false, self.by)
    }

    fn is_attended(&self) -> bool {
        false
    }

    async fn ask(&self, _: Question) -> Answer {
        Answer::None
    }
}
