//! Facts about decisions that belong to people.

use serde::{Deserialize, Serialize};

use crate::{BlobRef, CallId, NodeId};

/// Who made a decision that belongs to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A person, at the terminal or in a browser.
    Person,
    /// The mode that the person chose (`--auto`, `--silent`).
    Mode,
    /// `SAGE_NON_INTERACTIVE=1`, set by the person.
    Environment,
    /// `--plan FILE`: the person handed the plan in.
    PlanFile,
    /// A rule of the policy.
    Policy,
}

/// For how long an approval holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalScope {
    /// For this one call.
    #[default]
    Once,
    /// For the same thing until the run ends, however often it is taken up again.
    Run,
    /// For the same thing in this project from now on; the person's policy file holds the rule.
    Always,
}

/// What came of a plan review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanDecision {
    /// Go on.
    Approved,
    /// Do not.
    Rejected,
}

/// Facts about people's decisions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum HumanEvent {
    /// A plan was decided on.
    #[serde(rename = "human.plan_reviewed")]
    PlanReviewed {
        /// The decision.
        decision: PlanDecision,
        /// Who made it.
        by: Decider,
        /// The plan that it was made about.
        plan: BlobRef,
        /// Whether it was edited first.
        edited: bool,
    },
    /// A tool call was decided on.
    #[serde(rename = "human.tool_reviewed")]
    ToolReviewed {
        /// The node that asked.
        node: NodeId,
        /// The tool.
        tool: String,
        /// What it wanted, in one short line.
        what: String,
        /// The decision.
        allowed: bool,
        /// Who made it.
        by: Decider,
        /// The call that asked; absent in logs of earlier versions, and where a plan asked.
        #[serde(default)]
        call: Option<CallId>,
        /// The rule that made it a question.
        #[serde(default)]
        rule: String,
        /// For how long it holds.
        #[serde(default)]
        scope: ApprovalScope,
        /// What exactly was decided on, in a form that is compared letter by letter.
        #[serde(default)]
        keys: Vec<String>,
    },
    /// A question was put.
    #[serde(rename = "human.asked")]
    Asked {
        /// The question.
        question: String,
    },
    /// A question was answered, or skipped (empty).
    #[serde(rename = "human.answered")]
    Answered {
        /// The answer.
        answer: String,
    },
}
