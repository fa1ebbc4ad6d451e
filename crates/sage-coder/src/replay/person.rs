//! The person of a recorded run: decides again what was decided then, and is never really asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sage_core::{
    Answer, Approval, ApprovalScope, BlobRef, Decider, Event, EventKind, HumanEvent, Interaction,
    NodeId, PlanDecision, PlanReview, Question, ReviewedPlan, ToolRequest,
};

/// Answers from the record. What was not asked then is answered like [`sage_core::Silent`] does.
pub(super) struct Remembered {
    plan: ReviewedPlan,
    answers: BTreeMap<String, String>,
    /// In the order in which they were asked; the calls of a node come one after another.
    approvals: Mutex<BTreeMap<(NodeId, String), VecDeque<Approval>>>,
    /// Approvals for the whole run or longer, by tool and what it wanted: parallel tasks may ask in
    /// another order than they did then.
    lasting: BTreeMap<(String, String), Approval>,
    /// Whether a person decided anything then.
    is_attended: bool,
}

impl Remembered {
    /// Reads the decisions out of a record whose payloads `get` reads.
    pub(super) fn new(events: &[Event], get: &dyn Fn(&BlobRef) -> Option<Vec<u8>>) -> Self {
        let mut plan =
            ReviewedPlan { decision: PlanDecision::Approved, by: Decider::Mode, edited: None };
        let mut answers = BTreeMap::new();
        let mut approvals: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        let mut lasting = BTreeMap::new();
        let mut is_attended = false;
        let mut asked = None;
        for event in events {
            let EventKind::Human(event) = &event.kind else { continue };
            match event {
                HumanEvent::PlanReviewed { decision, by, plan: text, edited } => {
                    let text = edited.then(|| get(text)).flatten();
                    let edited = text.and_then(|text| String::from_utf8(text).ok());
                    is_attended |= *by == Decider::Person;
                    plan = ReviewedPlan { decision: *decision, by: *by, edited };
                }
                HumanEvent::Asked { question } => asked = Some(question.clone()),
                HumanEvent::Answered { answer } => {
                    if let Some(question) = asked.take() {
                        answers.insert(question, answer.clone());
                    }
                }
                // What a rule decided was not asked, and is not asked now.
                HumanEvent::ToolReviewed { by: Decider::Policy, .. } => {}
                HumanEvent::ToolReviewed { node, tool, what, allowed, by, scope, .. } => {
                    let approval = Approval { allowed: *allowed, by: *by, scope: *scope };
                    is_attended |= *by == Decider::Person;
                    if *scope != ApprovalScope::Once {
                        lasting.insert((tool.clone(), what.clone()), approval);
                    }
                    approvals.entry((node.clone(), tool.clone())).or_default().push_back(approval);
                }
            }
        }
        Self { plan, answers, approvals: Mutex::new(approvals), lasting, is_attended }
    }
}

#[async_trait]
impl Interaction for Remembered {
    async fn review_plan(&self, _: PlanReview) -> ReviewedPlan {
        self.plan.clone()
    }

    async fn approve_tool(&self, request: ToolRequest) -> Approval {
        let mut approvals = self.approvals.lock().unwrap_or_else(PoisonError::into_inner);
        let lasting = self.lasting.get(&(request.tool.clone(), request.what.clone())).copied();
        let next = approvals.get_mut(&(request.node, request.tool)).and_then(VecDeque::pop_front);
        next.or(lasting).unwrap_or(Approval::once(false, Decider::Mode))
    }

    fn is_attended(&self) -> bool {
        self.is_attended
    }

    async fn ask(&self, question: Question) -> Answer {
        let known = self.answers.get(&question.text).filter(|answer| !answer.is_empty());
        known.map_or(Answer::None, |answer| Answer::Text(answer.clone()))
    }
}
