use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::test_client::{Answer, Client};
use crate::{FakeOllama, Fault, FaultPlan, NullBrain, Reply, SeenRequest};

fn ask(server: &FakeOllama) -> Answer {
    let body = json!({
        "model": FakeOllama::MODEL, "messages": [{"role": "user", "content": "hi"}],
        "format": {"type": "object"}, "options": {"num_predict": 5},
    });
    Client::connect(&server.url()).post("/api/chat", &body)
}

#[test]
fn a_stream_brings_lines_whole_tool_calls_and_counts() {
    let server = FakeOllama::start(|_: &SeenRequest| {
        Reply::text("Grüße an alle").and_tool("write", json!({"path": "a"})).with_usage(11, 12)
    });
    let answer = ask(&server);
    assert!(answer.head.contains("application/x-ndjson"), "{}", answer.head);
    let lines = answer.lines();
    let text: String = lines.iter().filter_map(|l| l["message"]["content"].as_str()).collect();
    assert_eq!(text, "Grüße an alle");
    let call = lines.iter().find_map(|line| line["message"]["tool_calls"].get(0)).unwrap();
    assert_eq!(call, &json!({"function": {"name": "write", "arguments": {"path": "a"}}}));
    let last = lines.last().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
    assert_eq!((&last["prompt_eval_count"], &last["eval_count"]), (&json!(11), &json!(12)));
    let seen = server.calls()[0].request.clone();
    assert_eq!(seen.response_schema, Some(json!({"type": "object"})));
    assert_eq!(seen.max_output_tokens, Some(5));
}

#[test]
fn models_are_listed_shown_and_missed() {
    let server = FakeOllama::start(NullBrain::Prose);
    let mut client = Client::connect(&server.url());
    assert_eq!(client.send("GET", "/", "", "").body, "Ollama is running");
    assert!(client.send("GET", "/api/version", "", "").json()["version"].is_string());
    let tags = client.send("GET", "/api/tags", "", "").json();
    assert_eq!(tags["models"][0]["name"], FakeOllama::MODEL);
    let shown = client.post("/api/show", &json!({"model": FakeOllama::MODEL}));
    assert_eq!(shown.json()["capabilities"], json!(["completion", "tools"]));
    let body = json!({"model": "nobody", "messages": [], "stream": false});
    let missing = client.post("/api/chat", &body);
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["error"], "model 'nobody' not found");
}

#[test]
fn faults_take_ollamas_form() {
    let check = |fault: Fault, expected: fn(&Answer) -> bool| {
        let brain = |_: &SeenRequest| Reply::text("one two three four five six seven eight");
        let server = FakeOllama::with(brain).faults(FaultPlan::first(1, fault.clone())).start();
        let answer = ask(&server);
        assert!(expected(&answer), "{fault:?}: {answer:?}");
        assert_eq!(ask(&server).lines().last().unwrap()["done"], json!(true));
    };
    check(Fault::SERVER_ERROR, |a| a.status == 500 && a.json()["error"].is_string());
    check(Fault::NoEndMark, |a| a.lines().iter().all(|line| line["done"] == false));
    check(Fault::Truncated, |a| a.broken.is_none() && !a.body.contains("eight"));
    check(Fault::ResetMidStream, |a| a.broken == Some(ErrorKind::ConnectionReset));
    check(Fault::NoUsage, |a| a.lines().last().unwrap().get("eval_count").is_none());
    check(Fault::EmptyChoices, |a| a.lines() == [json!({"model": "fake-coder:1b", "done": true})]);
    check(Fault::ErrorMidStream, |a| {
        a.lines().last() == Some(&json!({"error": "the engine crashed"}))
    });
    check(Fault::JsonInsteadOfStream, |a| a.json()["message"]["content"] != Value::Null);
}
