//! How the program asks a person, without knowing whether there is one.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Decider, NodeId, PlanDecision};

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
#[derive(Debug, Clone)]
pub struct ToolRequest {
    /// The node that asks.
    pub node: NodeId,
    /// The tool.
    pub tool: String,
    /// Exactly what will happen: a command line, a diff.
    pub what: String,
    /// The rule that made it a question.
    pub because: String,
}

/// The answer to a [`ToolRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Whether the call may happen.
    pub allowed: bool,
    /// Who decided.
    pub by: Decider,
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

    /// Asks whether a tool call may happen.
    async fn approve_tool(&self, request: ToolRequest) -> Approval;

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
        Approval { allowed: false, by: self.by }
    }

    async fn ask(&self, _: Question) -> Answer {
        Answer::None
    }
}
