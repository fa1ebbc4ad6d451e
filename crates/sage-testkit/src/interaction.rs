//! People who always say yes, and people who always say no. Both remember what they were asked.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sage_core::{
    Answer, Approval, Decider, Interaction, PlanDecision, PlanReview, Question, ReviewedPlan,
    ToolRequest,
};

/// What a fake person was asked; clones share the lists.
#[derive(Debug, Clone, Default)]
struct Asked {
    plans: Arc<Mutex<Vec<PlanReview>>>,
    tools: Arc<Mutex<Vec<ToolRequest>>>,
    questions: Arc<Mutex<Vec<Question>>>,
}

macro_rules! person {
    ($(#[$doc:meta])* $name:ident, $decision:expr, $allowed:expr, $answer:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            asked: Asked,
        }

        impl $name {
            /// Somebody who was not asked anything yet.
            #[must_use]
            pub fn new() -> Self {
                Self::default()
            }

            /// The plans that were laid before them.
            #[must_use]
            pub fn plans(&self) -> Vec<PlanReview> {
                self.asked.plans.lock().unwrap().clone()
            }

            /// The tool calls they were asked about.
            #[must_use]
            pub fn tools(&self) -> Vec<ToolRequest> {
                self.asked.tools.lock().unwrap().clone()
            }

            /// The open questions that were put to them.
            #[must_use]
            pub fn questions(&self) -> Vec<Question> {
                self.asked.questions.lock().unwrap().clone()
            }
        }

        #[async_trait]
        impl Interaction for $name {
            async fn review_plan(&self, review: PlanReview) -> ReviewedPlan {
                self.asked.plans.lock().unwrap().push(review);
                ReviewedPlan { decision: $decision, by: Decider::Person, edited: None }
            }

            async fn approve_tool(&self, request: ToolRequest) -> Approval {
                self.asked.tools.lock().unwrap().push(request);
                Approval::once($allowed, Decider::Person)
            }

            async fn ask(&self, question: Question) -> Answer {
                self.asked.questions.lock().unwrap().push(question);
                $answer
            }
        }
    };
}

person! {
    /// Approves every plan and every tool call, and answers questions with `yes`.
    Approving, PlanDecision::Approved, true, Answer::Text("yes".to_owned())
}
person! {
    /// Rejects every plan, forbids every tool call, and answers no question.
    Refusing, PlanDecision::Rejected, false, Answer::None
}
