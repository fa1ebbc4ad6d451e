//! What the first request of a task would be made of, without sending it.

use std::sync::Arc;

use sage_core::{AgentRole, ContextUse};
use serde_json::json;

use super::{Attempt, review};
use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::plan::{self, Source};

/// Weighs the first request of a role for a task that is about `files`, in an attempt of this number:
/// what one attempt gathers is not taken for another's. Returns the model as well.
///
/// # Errors
/// [`Error::BadPlanFile`] when the files cannot be those of a task.
pub(crate) async fn weigh_first_request(
    cx: &Arc<RunCx>,
    role: AgentRole,
    number: u32,
    files: &[String],
) -> Result<(String, ContextUse)> {
    let goal = cx.options.goal.as_str();
    // What a task is about is not a part of what is weighed when nobody says.
    let description = if goal.trim().is_empty() { "-" } else { goal };
    // A repair is made by a role that no plan assigns.
    let assigned = if AgentRole::IN_PLANS.contains(&role) { role } else { AgentRole::Coder };
    let json = json!({"nodes": [{
        "id": "task_001", "description": description, "assigned_agent": assigned, "target_files": files,
    }]});
    let bad = |problems| Error::BadPlanFile { path: "for these files".to_owned(), problems };
    let mut plan = plan::read(&json, goal, Source::File).map_err(bad)?;
    crate::planner::check_plan(cx, &mut plan).map_err(bad)?;
    let id = plan.nodes.first().map(|task| task.id.clone());
    let cancel = cx.wiring.cancel.clone();
    let attempt =
        id.and_then(|id| Attempt::new(Arc::clone(cx), Arc::new(plan), &id, number, cancel));
    let Some(attempt) = attempt else { return Err(bad(Vec::new())) };
    let briefing = attempt.brief().await?;
    if role == AgentRole::Reviewer {
        let mut conversation = attempt.review_conversation(&briefing, "", "");
        let agent = attempt.agent(role, attempt.reading()?, 0);
        return Ok(agent.weigh_question(&mut conversation, Some(&review::verdict()))?);
    }
    let assignment = attempt.assignment(&briefing, &briefing.files);
    let mut conversation = attempt.conversation(role, &briefing, assignment);
    Ok(attempt.agent(role, attempt.grant()?, 0).weigh_work(&mut conversation)?)
}
