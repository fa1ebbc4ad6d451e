//! The run's final answer under `--output-schema`: one model call over facts, checked before it counts.

use std::sync::Arc;

use sage_agent::{Agent, CallCounter, Conversation, Prompt, TurnLimits};
use sage_core::{AgentRole, NodeId, RouteFeatures};
use sage_model::ResponseSchema;
use sage_tool::Grant;
use serde_json::{Value, json};

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::{report, survey};

/// The pseudo-attempt under which the answer is logged.
const ANSWER: u32 = 3;

/// How often the model is asked.
const MAX_TRIES: u32 = 2;

/// Name under which the checked answer is gathered.
const NAME: &str = "answer";

/// Asks for the answer, checks it against the schema, and keeps it in the log.
pub(crate) async fn final_answer(cx: &Arc<RunCx>, all_done: bool) -> Result<()> {
    let Some(schema) = cx.options.output_schema.clone() else { return Ok(()) };
    let calls = CallCounter::new(NodeId::run(), ANSWER);
    let facts = survey::gather(cx, calls.next(), "facts", async {
        let report = report::of_events(cx.run(), &cx.log.events(), &|blob| {
            sage_core::Recorder::get(&*cx.log, blob).ok()
        });
        Ok(json!({
            "goal": report.goal, "all_done": all_done, "tasks": report.tasks,
            "files": report.files, "checks": report.checks, "refused": report.refusals,
        }))
    })
    .await?;
    let system = Prompt {
        role: AgentRole::Documentation,
        instructions: crate::prompts::FINAL_ANSWER.to_owned(),
        rules: String::new(),
        project: String::new(),
    };
    let question = format!("schema:\n{schema}\n\nfacts:\n{facts}");
    let mut conversation = Conversation::new(system.text(), question);
    let agent = Agent {
        model: cx.model.clone(),
        tools: cx.tools.clone(),
        cx: cx.tool_cx(Grant::read_only(), cx.wiring.cancel.clone()),
        calls: calls.clone(),
        role: AgentRole::Documentation,
        features: RouteFeatures::default(),
        fixed_model: None,
        temperature: None,
        limits: TurnLimits::DEFAULT,
    };
    let check = cx.wiring.check_answer.clone();
    let validate = |value: &Value| match &check {
        Some(check) => check(value).map(|()| value.clone()),
        None => Ok(value.clone()),
    };
    let schema = ResponseSchema { name: NAME.to_owned(), schema };
    match agent.ask_json(&mut conversation, Some(&schema), &validate, MAX_TRIES).await {
        Ok(answer) => {
            survey::gather(cx, calls.next(), NAME, async { Ok(answer.value) }).await.map(drop)
        }
        Err(sage_agent::Error::NoValidJson(failure)) => {
            Err(Error::AnswerDoesNotMatch { errors: failure.errors().to_vec() })
        }
        Err(error) => Err(error.into()),
    }
}

/// The checked answer, if the run has one.
pub(crate) fn recorded(cx: &RunCx) -> Option<Value> {
    let mut answers = survey::gathered(cx, NAME);
    answers.retain(|(call, _)| call.node == NodeId::run());
    answers.pop().map(|(_, answer)| answer)
}
