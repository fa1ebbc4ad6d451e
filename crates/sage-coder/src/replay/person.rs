//! The person of a recorded run: decides again what was decided then, and is never really asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sage_core::{
    Answer, Approval, BlobRef, Decider, Event, EventKind, HumanEvent, Interaction, NodeId,
    PlanDecision, PlanReview, Question, ReviewedPlan, ToolRequest,
};

/// Answers from the record. What was not asked then is answered like [`sage_core::Silent`] does.
pub(super) struct Remembered {
    plan: ReviewedPlan,
    answers: BTreeMap<String, String>,
    /// In the order in which they were asked; the calls of a node come one after another.
    approvals: Mutex<BTreeMap<(NodeId, String), VecDeque<Approval>>>,
}

impl Remembered {
    /// Reads the decisions out of a record whose payloads `get` reads.
    pub(super) fn new(events: &[Event], get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Self {
        let mut plan =
            ReviewedPlan { decision: PlanDecision::Approved, by: Decider::Mode, edited: None };
        let mut answers = BTreeMap::new();
        let mut approvals: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        let mut asked = None;
        for event in events {
            let EventKind::Human(event) = &event.kind else { continue };
            match event {
                HumanEvent::PlanReviewed { decision, by, plan: text, edited } => {
                    let text = edited.then(|| get(text)).flatten();
                    let edited = text.and_then(|text| String::from_utf8(text).ok());
                    plan = ReviewedPlan { decision: *decision, by: *by, edited };
                }
                HumanEvent::Asked { question } => asked = Some(question.clone()),
                HumanEvent::Answered { answer } => {
                    if let Some(question) = asked.take() {
                        answers.insert(question, answer.clone());
                    }
                }
                HumanEvent::ToolReviewed { node, tool, allowed, by, .. } => approvals
                    .entry((node.clone(), tool.clone()))
                    .or_default()
                    .push_back(Approval { allowed: *allowed, by: *by }),
            }
        }
        Self { plan, answers, approvals: Mutex::new(approvals) }
    }
}

#[async_trait]
impl Interaction for Remembered {
    async fn review_plan(&self, _: PlanReview) -> ReviewedPlan {
        self.plan.clone()
    }

    async fn approve_tool(&self, request: ToolRequest) -> Approval {
        let mut approvals = self.approvals.lock().unwrap_or_else(PoisonError::into_inner);
        let next = approvals.get_mut(&(request.node, request.tool)).and_then(VecDeque::pop_front);
        next.unwrap_or(Approval { allowed: false, by: Decider::Mode })
    }

    async fn ask(&self, question: Question) -> Answer {
        let known = self.answers.get(&question.text).filter(|answer| !answer.is_empty());
        known.map_or(Answer::None, |answer| Answer::Text(answer.clone()))
    }
}
