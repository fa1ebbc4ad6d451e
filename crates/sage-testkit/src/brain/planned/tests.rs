use std::time::Duration;

use sage_core::{AgentRole, Message, ToolCall, ToolSpec};
use serde_json::{Value, json};

use crate::{Brain, FileWrite, PlannedBrain, PlannedTask, Reply, Script, SeenRequest, When, Wire};

fn request(role: &str, messages: Vec<Message>, tools: &[&str]) -> SeenRequest {
    let spec = |name: &&str| ToolSpec {
        name: (*name).to_owned(),
        description: String::new(),
        parameters: json!({"type": "object"}),
    };
    let mut all = vec![Message::system(format!("role: {role}\n\nYou do things."))];
    all.extend(messages);
    SeenRequest {
        index: 0,
        at: Duration::ZERO,
        wire: Wire::ChatCompletions,
        model: "m".to_owned(),
        messages: all,
        tools: tools.iter().map(spec).collect(),
        response_schema: None,
        stream: true,
        stream_usage: true,
        temperature: None,
        max_output_tokens: None,
        headers: Vec::new(),
        raw: Value::Null,
        n_bytes: 0,
    }
}

fn brain() -> PlannedBrain {
    let task = PlannedTask::file("task_001", "a.txt", "one\n")
        .version(vec![FileWrite::replace("a.txt", "one", "two")]);
    PlannedBrain::new("goal", vec![task])
}

fn asked(text: &str) -> Vec<Message> {
    vec![Message::user("task: task_001"), Message::user(text)]
}

#[test]
fn a_new_question_gets_the_next_version_and_a_repeated_one_the_same() {
    let brain = brain();
    let ask = |text: &str| brain.answer(&request("coder", asked(text), &[])).text;
    let first = "a.txt\n```\none\n```\n";
    let second = "a.txt\n```\n<<<<<<< SEARCH\none\n=======\ntwo\n>>>>>>> REPLACE\n```\n";
    assert_eq!(ask("do it"), first);
    assert_eq!(ask("do it"), first, "a resumed process asks again");
    assert_eq!(ask("it failed"), second);
    assert_eq!(ask("it failed again"), second, "the last version stays");
    assert_eq!(ask("do it"), first);
}

#[test]
fn after_its_tools_ran_the_model_says_that_it_is_done() {
    let brain = brain();
    let tools = ["write", "edit", "finish"];
    let names = |reply: &Reply| -> Vec<String> {
        reply.tool_calls.iter().map(|call| call.name.clone()).collect()
    };
    let mut messages = asked("do it");
    let reply = brain.answer(&request("coder", messages.clone(), &tools));
    assert_eq!(names(&reply), ["write", "finish"]);

    let call = |name: &str| ToolCall {
        id: name.to_owned(),
        name: name.to_owned(),
        arguments: "{}".to_owned(),
    };
    // Somebody else's turn, without an end.
    let mut turn = Message::assistant("");
    turn.tool_calls = vec![call("write")];
    messages.extend([turn, Message::tool("write", "written")]);
    let reply = brain.answer(&request("coder", messages.clone(), &tools));
    assert_eq!(names(&reply), ["finish"]);

    // It said that it was done, and is asked all the same: something was wrong.
    let mut turn = Message::assistant("");
    turn.tool_calls = vec![call("finish")];
    messages.extend([turn, Message::tool("finish", "the tests fail")]);
    let reply = brain.answer(&request("coder", messages, &tools));
    assert_eq!(names(&reply), ["edit", "finish"]);
}

#[test]
fn a_review_says_yes_in_whatever_form_is_asked_for() {
    let brain = brain();
    let mut request = request("reviewer", vec![Message::user("task: task_001")], &[]);
    let verdict: Value = serde_json::from_str(&brain.answer(&request).text).unwrap();
    assert_eq!(verdict, json!({"verdict": "pass", "issues": []}));
    request.response_schema = Some(json!({"type": "object", "properties": {
        "decision": {"enum": ["reject", "approve"]}, "score": {"type": "number", "maximum": 10},
        "why": {"type": "string"}, "nested": {"type": "object", "properties": {
            "ok": {"type": ["boolean", "null"]},
        }},
    }}));
    let verdict: Value = serde_json::from_str(&brain.answer(&request).text).unwrap();
    let nested = json!({"ok": true});
    assert_eq!(
        verdict,
        json!({"decision": "approve", "score": 10, "why": "looks right", "nested": nested})
    );
}

#[test]
fn scripts_answer_by_role_words_and_count() {
    let script = Script::new()
        .rule(When::role(AgentRole::Planner).nth(1), Reply::text("plan"))
        .rule(When::always().says("task_001").ends_with_saying("fail"), Reply::text("repair"))
        .rule(When::always().task("task_001"), Reply::text("work"));
    let ask = |role: &str, text: &str| script.answer(&request(role, asked(text), &[])).text;
    assert_eq!(ask("planner", "go"), "plan");
    assert_eq!(ask("planner", "go"), "work", "only the first plan is scripted");
    assert_eq!(ask("coder", "tests fail"), "repair");
    assert_eq!(ask("coder", "go"), "work");
    let other = request("coder", vec![Message::user("task: task_002")], &[]);
    assert!(script.answer(&other).text.contains("no rule"));
}
