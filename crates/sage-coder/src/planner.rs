//! From a goal to an approved plan: ask the planner, check, ask the person.
//!
//! Nothing that writes is reachable from here: the planner works under a read-only grant, and
//! approval comes from [`sage_core::Interaction`] alone, never from what a model says.

use std::collections::BTreeSet;
use std::sync::Arc;

use sage_agent::{Agent, CallCounter, Conversation, Parts, Prompt, RefusedAnswer, TurnLimits};
use sage_core::{
    AgentRole, Answer, BlobRef, CallId, Decider, EventKind, HumanEvent, NodeId, PlanDecision,
    PlanReview, Progress, Question, Recorder, ReviewedPlan, Revise, RouteFeatures, RunEvent,
};
use sage_model::{ChatModel, ChatRequest, ModelFacts, ResponseSchema};
use sage_tool::Grant;
use serde_json::{Value, json};

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::options::{Mode, RunOptions};
use crate::plan::{self, CheckCx, Plan, Problem, Source, Task, cost, draw};
use crate::state;
use crate::survey;

/// How often the planner is asked before the run gives up.
const MAX_TRIES: u32 = 2;

/// Paths shown to the planner.
const MAX_LISTED: usize = 400;

/// Questions that the planner may put to the person.
const MAX_QUESTIONS: usize = 4;

/// Finds the approved plan of the run: from its record, or by making and reviewing one.
pub(crate) async fn approved_plan(cx: &Arc<RunCx>) -> Result<Plan> {
    if let Some(plan) = recorded_plan(cx, true)? {
        show_plan(cx, &plan)?;
        return Ok(plan);
    }
    let (plan, notes, source) = match recorded_plan(cx, false)? {
        // Made, but the process ended before anybody decided.
        Some(plan) => {
            show_plan(cx, &plan)?;
            (plan, Vec::new(), None)
        }
        None => make_plan(cx).await?,
    };
    if let Some(source) = source {
        record_plan(cx, &plan, source, &notes)?;
    }
    if cx.options.plan_only {
        return Ok(plan);
    }
    review(cx, plan, notes).await
}

/// The last plan of the record; with `approved`, only if the last decision about it was yes.
fn recorded_plan(cx: &RunCx, approved: bool) -> Result<Option<Plan>> {
    let mut last = None;
    let mut decided = false;
    for event in cx.log.events() {
        match event.kind {
            EventKind::Run(RunEvent::Planned { plan, .. }) => (last, decided) = (Some(plan), false),
            EventKind::Human(HumanEvent::PlanReviewed { decision, .. }) => {
                decided = decision == PlanDecision::Approved;
            }
            _ => {}
        }
    }
    let Some(blob) = last.filter(|_| decided || !approved) else { return Ok(None) };
    let bytes = cx.log.get(&blob)?;
    let plan = serde_json::from_slice(&bytes)
        .map_err(|source| Error::PlanNotJson {
            path: format!("in the log of {}", cx.run()),
            source,
        })
        .and_then(|json| read_file_plan(&json, &cx.options.goal, "in the log"))?;
    Ok(Some(plan))
}

fn read_file_plan(json: &Value, goal: &str, path: &str) -> Result<Plan> {
    plan::read(json, goal, Source::File)
        .map_err(|problems| Error::BadPlanFile { path: path.to_owned(), problems })
}

fn record_plan(cx: &RunCx, plan: &Plan, source: &str, notes: &[String]) -> Result<()> {
    let blob = cx.log.put(plan.to_json().as_bytes())?;
    cx.emit(RunEvent::Planned {
        plan: blob,
        n_tasks: u32::try_from(plan.nodes.len()).unwrap_or(u32::MAX),
        source: source.to_owned(),
        notes: notes.to_vec(),
    })?;
    show_plan(cx, plan)
}

/// Writes the plan where people look for it; another run may have written its own there since. Like
/// everything that reaches the disk, it is written without secrets.
fn show_plan(cx: &RunCx, plan: &Plan) -> Result<()> {
    let path = cx.wiring.state_dir.join("last_plan.json");
    state::write_atomic(&path, cx.wiring.redactor.redact(&plan.to_json()).as_bytes())
}

type Made = (Plan, Vec<String>, Option<&'static str>);

async fn make_plan(cx: &Arc<RunCx>) -> Result<Made> {
    if let Some((path, text)) = &cx.options.plan_file {
        let json = serde_json::from_str(text)
            .map_err(|source| Error::PlanNotJson { path: path.clone(), source })?;
        let mut plan = read_file_plan(&json, &cx.options.goal, path)?;
        let notes = check_plan(cx, &mut plan)
            .map_err(|problems| Error::BadPlanFile { path: path.clone(), problems })?;
        return Ok((plan, notes, Some("file")));
    }
    let calls = CallCounter::new(NodeId::plan(), 1);
    let Opening { agent, mut conversation, facts } = open(cx, &calls).await?;
    // As gathered, so that the same answer is judged in the same way when the run is taken up.
    let files: BTreeSet<String> =
        serde_json::from_value(facts["files"].clone()).unwrap_or_default();
    let mut proposal = ask(cx, &agent, &mut conversation, &files).await?;
    if cx.options.clarify && !proposal.questions.is_empty() {
        let answers = ask_person(cx, &calls, &proposal.questions).await?;
        if !answers.is_empty() {
            conversation.guide(&answers);
            conversation.say(format!(
                "{answers}\nNow the plan, with these answers, in the same form and without questions."
            ));
            proposal = ask(cx, &agent, &mut conversation, &files).await?;
        }
    }
    Ok((proposal.plan, proposal.notes, Some("model")))
}

/// The beginning of the planner's conversation.
pub(crate) struct Opening {
    pub agent: Agent,
    pub conversation: Conversation,
    facts: Value,
}

/// Looks at the project and puts the goal in front of the planner.
pub(crate) async fn open(cx: &RunCx, calls: &CallCounter) -> Result<Opening> {
    let facts = survey_for_planner(cx, calls.next()).await?;
    let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let system = Prompt {
        role: AgentRole::Planner,
        instructions: crate::prompts::instructions(AgentRole::Planner).to_owned(),
        rules: text("rules"),
        project: text("project"),
    };
    let mut message = format!("goal: {}\n", cx.options.goal);
    if !cx.options.include.is_empty() {
        let include = cx.options.include.join(", ");
        message.push_str(&format!("\nOnly these paths may change: {include}\n"));
    }
    if cx.options.clarify {
        message.push_str(&format!(
            "\nIf the goal cannot be planned without an answer from the person, add \"questions\": [\"...\"] (at most {MAX_QUESTIONS}).\n"
        ));
    }
    message.push_str(&format!("\nrepository files:\n{}\n", text("listing")));
    let parts = Parts::of(&system.rules, "", &text("listing"));
    let conversation = Conversation::new(system.text(), message).made_of(parts);
    let agent = Agent {
        model: cx.model.clone(),
        tools: cx.tools.clone(),
        cx: cx.tool_cx(Grant::read_only(), cx.wiring.cancel.clone()),
        calls: calls.clone(),
        role: AgentRole::Planner,
        features: RouteFeatures::default(),
        fixed_model: None,
        temperature: None,
        limits: TurnLimits::DEFAULT,
    };
    Ok(Opening { agent, conversation, facts })
}

/// A planner's answer that is a valid plan.
struct Proposal {
    plan: Plan,
    notes: Vec<String>,
    questions: Vec<String>,
}

/// Asks the planner until its answer is a valid plan, within [`MAX_TRIES`].
async fn ask(
    cx: &RunCx,
    agent: &Agent,
    conversation: &mut Conversation,
    files: &BTreeSet<String>,
) -> Result<Proposal> {
    let schema = response_schema(cx);
    let validate = |value: &Value| read_model_plan(cx, value, files);
    match agent.ask_json(conversation, Some(&schema), &validate, MAX_TRIES).await {
        Ok(answer) => {
            record_refused(cx, &answer.refused)?;
            Ok(answer.value)
        }
        Err(sage_agent::Error::NoValidJson(failure)) => {
            record_refused(cx, &failure.refused)?;
            Err(Error::NoPlan { tries: MAX_TRIES, errors: failure.errors().to_vec() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps answers that were no plans for whoever asks why; a resumed run has them already.
fn record_refused(cx: &RunCx, refused: &[RefusedAnswer]) -> Result<()> {
    let known: Vec<BlobRef> = cx
        .log
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Run(RunEvent::PlanRefused { answer, .. }) => Some(answer),
            _ => None,
        })
        .collect();
    for refusal in refused {
        let answer = cx.log.put(refusal.answer.as_bytes())?;
        if !known.contains(&answer) {
            cx.emit(RunEvent::PlanRefused { answer, errors: refusal.errors.clone() })?;
        }
    }
    Ok(())
}

fn read_model_plan(
    cx: &RunCx,
    value: &Value,
    files: &BTreeSet<String>,
) -> std::result::Result<Proposal, Vec<String>> {
    let lines =
        |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>();
    let questions: Vec<String> = value
        .get("questions")
        .and_then(Value::as_array)
        .map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    let mut plan = plan::read(value, &cx.options.goal, Source::Model).map_err(lines)?;
    let notes = check_against(&cx.options, files, &cx.tools.names(), &mut plan).map_err(lines)?;
    Ok(Proposal { plan, notes, questions: questions.into_iter().take(MAX_QUESTIONS).collect() })
}

/// Checks a plan against the project and completes its contracts.
pub(crate) fn check_plan(
    cx: &RunCx,
    plan: &mut Plan,
) -> std::result::Result<Vec<String>, Vec<Problem>> {
    let files = survey::all_files(cx).unwrap_or_default();
    check_against(&cx.options, &files, &cx.tools.names(), plan)
}

/// Checks a plan against a set of files.
pub(crate) fn check_against(
    options: &RunOptions,
    files: &BTreeSet<String>,
    tools: &[String],
    plan: &mut Plan,
) -> std::result::Result<Vec<String>, Vec<Problem>> {
    plan::check(
        plan,
        &CheckCx {
            include: &options.include,
            tools,
            files,
            lanes: options.lanes,
            default_turns: options.max_turns,
            max_repairs: options.max_repairs,
            default_tokens: RunOptions::DEFAULT_TOKENS,
        },
    )
}

async fn survey_for_planner(cx: &RunCx, call: CallId) -> Result<Value> {
    survey::gather(cx, call, "survey", async {
        let files = survey::files(cx)?;
        let project = survey::project(cx, &files).await;
        let rules = survey::rules(cx, &[])?;
        let more = files.len().saturating_sub(MAX_LISTED);
        let mut listing = files.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join("\n");
        if files.is_empty() {
            listing.push_str("(none: the folder is empty)");
        }
        if more > 0 {
            listing.push_str(&format!("\n({more} more)"));
        }
        Ok(json!({
            "files": survey::all_files(cx)?,
            "listing": listing,
            "project": project.describe(),
            "rules": rules.for_role(AgentRole::Planner, cx.options.rules_max_bytes),
        }))
    })
    .await
}

/// Puts the planner's questions to the person; the answers are gathered, so a resume knows them.
async fn ask_person(cx: &RunCx, calls: &CallCounter, questions: &[String]) -> Result<String> {
    let answers = survey::gather(cx, calls.next(), "answers", async {
        let mut lines = Vec::new();
        for question in questions {
            cx.emit(HumanEvent::Asked { question: question.clone() })?;
            let question = Question { text: question.clone(), choices: Vec::new() };
            let answer = match cx.wiring.interaction.ask(question.clone()).await {
                Answer::Text(text) => text,
                Answer::None => String::new(),
            };
            cx.emit(HumanEvent::Answered { answer: answer.clone() })?;
            if !answer.trim().is_empty() {
                lines.push(format!("Question: {}\nAnswer: {answer}", question.text));
            }
        }
        Ok(Value::String(lines.join("\n")))
    })
    .await?;
    Ok(answers.as_str().unwrap_or_default().to_owned())
}

/// Lays the plan before the person, or decides in the name of the mode.
async fn review(cx: &Arc<RunCx>, plan: Plan, notes: Vec<String>) -> Result<Plan> {
    let decider = match (cx.options.mode, &cx.options.plan_file) {
        (Mode::Research, _) => None,
        (_, Some(_)) => Some(Decider::PlanFile),
        (_, None) => Some(cx.wiring.approver),
    };
    let reviewed = match decider {
        Some(by) => {
            let worst_case = worst_case(cx, &plan).to_string();
            let drawing = graph_drawing(cx, &plan);
            cx.wiring.progress.progress(Progress::Plan { drawing, worst_case });
            ReviewedPlan { decision: PlanDecision::Approved, by, edited: None }
        }
        None => cx.wiring.interaction.review_plan(review_of(cx, &plan, notes)).await,
    };
    let edited = reviewed.edited.is_some();
    let plan = match &reviewed.edited {
        None => plan,
        Some(text) => {
            let (plan, notes) = parse_edited(cx, text)
                .map_err(|problems| Error::BadPlanFile { path: "as edited".into(), problems })?;
            record_plan(cx, &plan, "edited", &notes)?;
            plan
        }
    };
    let blob = cx.log.put(plan.to_json().as_bytes())?;
    let decision = reviewed.decision;
    cx.emit(HumanEvent::PlanReviewed { decision, by: reviewed.by, plan: blob, edited })?;
    match decision {
        PlanDecision::Approved => Ok(plan),
        PlanDecision::Rejected => Err(Error::PlanRejected),
    }
}

fn parse_edited(cx: &RunCx, text: &str) -> std::result::Result<(Plan, Vec<String>), Vec<Problem>> {
    let problem =
        |error: serde_json::Error| vec![Problem { place: "plan".into(), what: error.to_string() }];
    let json: Value = serde_json::from_str(text).map_err(problem)?;
    let mut plan = plan::read(&json, &cx.options.goal, Source::File)?;
    let notes = check_plan(cx, &mut plan)?;
    Ok((plan, notes))
}

fn review_of(cx: &Arc<RunCx>, plan: &Plan, notes: Vec<String>) -> PlanReview {
    let again = Arc::clone(cx);
    let notes = notes.into_iter().chain(crate::hosts::notes(cx, plan)).collect();
    PlanReview {
        json: plan.to_json(),
        drawing: drawing(cx, plan),
        notes,
        worst_case: worst_case(cx, plan).to_string(),
        revise: Revise::new(move |text| {
            let (plan, notes) = parse_edited(&again, text).map_err(|problems| {
                problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
            })?;
            Ok(review_of(&again, &plan, notes))
        }),
    }
}

/// The plan as people see it before they approve: the DAG and the contracts.
pub(crate) fn drawing(cx: &RunCx, plan: &Plan) -> String {
    format!("{}\n\n{}", graph_drawing(cx, plan), draw::contracts(plan))
}

fn graph_drawing(cx: &RunCx, plan: &Plan) -> String {
    let model =
        |task: &Task| facts_for(&*cx.model, task, task.assigned_agent).map(|facts| facts.model);
    let marks = draw::Marks { model: &model, state: &|_| None };
    draw::terminal(plan, &marks, cx.wiring.width)
}

/// The most that the plan can cost under its budgets.
pub(crate) fn worst_case(cx: &RunCx, plan: &Plan) -> cost::WorstCase {
    cost::worst_case(plan, &cx.options.limits, &|task| {
        // What repairs a task or reviews it may be a dearer model than what does it.
        let roles = [task.assigned_agent, AgentRole::Debugger, AgentRole::Reviewer];
        let bounds = roles.map(|role| facts_for(&*cx.model, task, role).map(|facts| bound(&facts)));
        bounds.into_iter().reduce(|a, b| Some(a?.or(b?)))?
    })
}

fn bound(facts: &ModelFacts) -> cost::CallBound {
    cost::CallBound {
        input_tokens: facts.context_tokens.saturating_sub(u64::from(facts.max_output_tokens)),
        output_tokens: u64::from(facts.max_output_tokens),
        usd_per_mtok_input: facts.price.known.then_some(facts.price.input),
        usd_per_mtok_output: facts.price.known.then_some(facts.price.output),
    }
}

pub(crate) fn facts_for(model: &dyn ChatModel, task: &Task, role: AgentRole) -> Option<ModelFacts> {
    let request = ChatRequest {
        call: CallId { node: task.id.clone(), attempt: 1, index: 0 },
        role,
        features: RouteFeatures {
            task_complexity_score: task.task_complexity_score,
            n_target_files: u32::try_from(task.target_files.len()).unwrap_or(u32::MAX),
            ..RouteFeatures::default()
        },
        fixed_model: task.model.clone(),
        messages: Vec::new(),
        tools: Vec::new(),
        response_schema: None,
        temperature: None,
        max_output_tokens: None,
        turn: false,
        context: None,
    };
    model.facts(&request).ok()
}

pub(crate) fn response_schema(cx: &RunCx) -> ResponseSchema {
    ResponseSchema { name: "plan".to_owned(), schema: plan_schema(cx.options.clarify) }
}

/// The shape of a plan for providers that can constrain an answer to a schema.
fn plan_schema(clarify: bool) -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mut properties = json!({
        "assumptions": texts,
        "nodes": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "description": {"type": "string"},
                "assigned_agent": {"type": "string", "enum": AgentRole::IN_PLANS.map(AgentRole::as_str)},
                "dependencies": texts,
                "target_files": texts,
                "acceptance": texts,
                "task_complexity_score": {"type": "number"},
                "epistemic_flags": texts
            },
            "required": ["id", "description", "assigned_agent", "dependencies", "target_files", "acceptance", "task_complexity_score", "epistemic_flags"],
            "additionalProperties": false
        }}
    });
    let mut required = vec!["assumptions", "nodes"];
    if clarify {
        properties["questions"] = texts.clone();
        required.push("questions");
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
