use std::io::ErrorKind;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use sage_core::AgentRole;
use serde_json::{Value, json};

use crate::test_client::{Answer, Client};
use crate::{FakeOpenAi, Fault, FaultPlan, NullBrain, PlannedBrain, Reply, SeenRequest};

fn streaming(messages: Value) -> Value {
    json!({
        "model": "m", "messages": messages, "stream": true,
        "stream_options": {"include_usage": true},
    })
}

fn ask(server: &FakeOpenAi) -> Answer {
    let body = streaming(json!([{"role": "user", "content": "hi"}]));
    Client::connect(&server.url()).post("/v1/chat/completions", &body)
}

fn text_of(answer: &Answer) -> String {
    let events = answer.events();
    let pieces = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str());
    pieces.collect()
}

#[test]
fn a_stream_brings_text_calls_reason_figures_and_end_mark() {
    let said = "Zwölf Boxkämpfer jagen Viktor quer über den Deich";
    let server = FakeOpenAi::start(move |_: &SeenRequest| {
        let arguments = json!({"path": "src/a.py", "content": "x = \"ü\"\n"});
        Reply::text(said)
            .and_tool("write", arguments)
            .and_tool("finish", json!({}))
            .with_usage(7, 9)
    });
    let answer = ask(&server);
    assert_eq!((answer.status, answer.broken), (200, None));
    assert!(answer.head.contains("text/event-stream"), "{}", answer.head);
    assert_eq!(text_of(&answer), said);
    assert!(answer.body.ends_with("data: [DONE]\n\n"), "{}", answer.body);

    let events = answer.events();
    let deltas: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"].as_array())
        .flatten()
        .collect();
    let arguments = |index: u64| -> String {
        let of_call = deltas.iter().filter(|delta| delta["index"] == index);
        of_call.filter_map(|delta| delta["function"]["arguments"].as_str()).collect()
    };
    assert_eq!(deltas[0]["function"]["name"], "write");
    assert!(deltas[1].get("id").is_none(), "only the first piece names the call: {}", deltas[1]);
    let written: Value = serde_json::from_str(&arguments(0)).unwrap();
    assert_eq!(written["content"], "x = \"ü\"\n");
    assert_eq!(arguments(1), "{}");
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "tool_calls");
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 16);
}

#[test]
fn without_streaming_the_answer_comes_whole_and_connections_are_kept() {
    let server = FakeOpenAi::start(|request: &SeenRequest| Reply::text(request.last()));
    let mut client = Client::connect(&server.url());
    for text in ["one", "two"] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let answer = client.post("/v1/chat/completions", &body);
        assert_eq!(answer.json()["choices"][0]["message"]["content"], text);
        assert_eq!(answer.json()["choices"][0]["finish_reason"], "stop");
    }
    assert_eq!(server.n_connections(), 1);
    assert_eq!(server.calls().len(), 2);
    assert!(server.calls().iter().all(|call| call.ended.is_some()));
    let models = client.send("GET", "/v1/models", "", "");
    assert_eq!(models.json()["data"][0]["id"], FakeOpenAi::MODEL);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn keys_and_model_names_are_checked_when_told_to() {
    let server = FakeOpenAi::with(NullBrain::Prose).api_key("sk-test-1").models(&["known"]).start();
    let mut client = Client::connect(&server.url());
    let body = json!({"model": "unknown", "messages": []}).to_string();
    let path = "/v1/chat/completions";
    let answer = client.send("POST", path, &body, "");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["error"]["code"], "invalid_api_key");
    let key = "Authorization: Bearer sk-test-1\r\n";
    assert_eq!(client.send("POST", path, &body, key).status, 404);
    let known = json!({"model": "known", "messages": []}).to_string();
    assert_eq!(client.send("POST", path, &known, key).status, 200);
    assert_eq!(client.send("POST", path, "{", key).status, 400);
}

#[test]
fn a_request_is_seen_without_its_wire_format() {
    let server = FakeOpenAi::start(NullBrain::Prose);
    let body = json!({
        "model": "m", "temperature": 0.5, "max_tokens": 100, "messages": [
            {"role": "system", "content": "You are.\nrole: test_engineer\n"},
            {"role": "user", "content": [{"type": "text", "text": "task: task_002\nGo."}]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "text"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "read", "description": "Reads.", "parameters": {"type": "object"},
        }}],
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "plan", "schema": {"type": "object"},
        }},
    });
    Client::connect(&server.url()).post("/v1/chat/completions", &body);
    let seen = server.calls()[0].request.clone();
    assert_eq!(seen.role(), Some(AgentRole::TestEngineer));
    assert_eq!(seen.task().as_deref(), Some("task_002"));
    assert_eq!(seen.last(), "text");
    assert_eq!(seen.messages[2].tool_calls[0].name, "read");
    assert!(seen.offers("read") && !seen.offers("write"));
    assert_eq!(seen.response_schema, Some(json!({"type": "object"})));
    assert_eq!((seen.temperature, seen.max_output_tokens), (Some(0.5), Some(100)));
    assert_eq!(seen.raw, body);
}

#[test]
fn responses_stream_items_and_end_with_figures() {
    let server = FakeOpenAi::start(|request: &SeenRequest| {
        assert_eq!(request.system(), "Be brief.");
        Reply::text("Some words to split").and_tool("read", json!({"path": "a"})).with_usage(3, 4)
    });
    let body = json!({
        "model": "m", "instructions": "Be brief.", "stream": true, "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "list", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "a\nb"},
        ],
    });
    let answer = Client::connect(&server.url()).post("/v1/responses", &body);
    let events = answer.events();
    let names: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(names[..2], ["response.created", "response.in_progress"]);
    assert_eq!(names.last(), Some(&"response.completed"));
    let joined = |name: &str| -> String {
        let of_type = events.iter().filter(|event| event["type"] == name);
        of_type.filter_map(|event| event["delta"].as_str()).collect()
    };
    assert_eq!(joined("response.output_text.delta"), "Some words to split");
    assert_eq!(joined("response.function_call_arguments.delta"), "{\"path\":\"a\"}");
    let complete = &events.last().unwrap()["response"];
    assert_eq!(complete["usage"]["total_tokens"], 7);
    assert_eq!(complete["output"][1]["name"], "read");
    let seen = server.calls()[0].request.clone();
    assert_eq!(seen.messages.len(), 4);
    assert_eq!(seen.last(), "a\nb");
}

fn check_fault(fault: Fault, expected: impl Fn(&Answer) -> bool) {
    let brain = |_: &SeenRequest| Reply::text("one two three four five six seven eight nine ten");
    let server = FakeOpenAi::with(brain).faults(FaultPlan::first(1, fault.clone())).start();
    let answer = ask(&server);
    assert!(expected(&answer), "{fault:?}: {answer:?}");
    let fine = ask(&server);
    assert_eq!(fine.status, 200, "only the first call goes wrong");
    assert!(fine.body.ends_with("data: [DONE]\n\n"), "{fault:?}: {fine:?}");
}

#[test]
fn every_fault_looks_like_what_it_is_called() {
    let timed_out = |answer: &Answer| answer.broken == Some(ErrorKind::WouldBlock);
    check_fault(Fault::Silent, |a| timed_out(a) && a.head.is_empty());
    check_fault(Fault::SilentAfterFirstToken, |a| timed_out(a) && text_of(a) == "one ");
    check_fault(Fault::Reset, |a| a.broken == Some(ErrorKind::ConnectionReset) && a.status == 0);
    check_fault(Fault::ResetMidStream, |a| {
        a.broken == Some(ErrorKind::ConnectionReset) && text_of(a).starts_with("one two")
    });
    check_fault(Fault::CutMidStream, |a| a.broken == Some(ErrorKind::UnexpectedEof));
    check_fault(Fault::SERVER_ERROR, |a| a.status == 500 && a.body.contains("\"error\""));
    check_fault(Fault::RetryAfter(3), |a| a.status == 429 && a.head.contains("retry-after: 3\r"));
    check_fault(Fault::RetryAfterDate(Duration::from_secs(2)), |a| {
        a.status == 429 && a.head.contains(" gmt\r")
    });
    check_fault(Fault::Garbage, |a| a.status == 200 && a.body.contains("not json at all"));
    check_fault(Fault::Html, |a| a.status == 200 && a.head.contains("text/html"));
    check_fault(Fault::EmptyChoices, |a| a.events()[0]["choices"] == json!([]));
    check_fault(Fault::EmptyMessage, |a| text_of(a).is_empty() && a.body.contains("\"stop\""));
    check_fault(Fault::UnknownFinish, |a| a.body.contains("\"finish_reason\":\"banana\""));
    check_fault(Fault::Truncated, |a| a.broken.is_none() && !a.body.contains("\"stop\""));
    check_fault(Fault::NoEndMark, |a| a.body.contains("\"stop\"") && !a.body.contains("[DONE]"));
    check_fault(Fault::GiantLine(300_000), |a| a.body.len() > 300_000 && !a.body.contains('\n'));
    check_fault(Fault::JsonInsteadOfStream, |a| {
        a.head.contains("application/json") && a.json()["object"] == "chat.completion"
    });
    check_fault(Fault::NoUsage, |a| !a.body.contains("usage"));
    check_fault(Fault::ErrorMidStream, |a| a.body.contains("the engine crashed"));
}

#[test]
fn a_slow_drip_and_a_thinking_model_take_their_time() {
    let pause = Duration::from_millis(20);
    let server = FakeOpenAi::with(move |_: &SeenRequest| Reply::text("abcd efgh").after(pause))
        .faults(FaultPlan::always(Fault::SlowDrip(pause)))
        .start();
    let begun = Instant::now();
    let answer = ask(&server);
    assert_eq!(text_of(&answer), "abcd efgh");
    assert!(begun.elapsed() >= pause * 6, "{:?}", begun.elapsed());
}

#[test]
fn a_server_ends_at_once_while_a_client_waits() {
    let server =
        FakeOpenAi::with(NullBrain::Prose).faults(FaultPlan::always(Fault::Silent)).start();
    let url = server.url();
    let waiting = thread::spawn(move || {
        let body = streaming(json!([]));
        Client::connect(&url).post("/v1/chat/completions", &body)
    });
    while server.calls().is_empty() {
        thread::yield_now();
    }
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(waiting.join().unwrap().broken.is_some());
}

#[test]
fn calls_are_served_at_the_same_time() {
    // Nobody is answered until all five are there.
    let all_here = Barrier::new(5);
    let server = FakeOpenAi::start(move |_: &SeenRequest| {
        all_here.wait();
        Reply::text("ok")
    });
    let url = server.url();
    let ask = || {
        let url = url.clone();
        thread::spawn(move || {
            let body = streaming(json!([]));
            Client::connect(&url).post("/v1/chat/completions", &body).status
        })
    };
    let clients: Vec<_> = (0..5).map(|_| ask()).collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), 200);
    }
}

#[test]
fn a_refused_address_refuses() {
    let url = crate::refused_url();
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/v1").unwrap();
    let error = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn the_model_that_knows_the_plan_answers_in_the_way_it_is_asked() {
    let server = FakeOpenAi::start(PlannedBrain::hello());
    let mut client = Client::connect(&server.url());
    let mut ask = |system: &str, user: &str, tools: Value| -> Value {
        let messages = json!([
            {"role": "system", "content": system}, {"role": "user", "content": user},
        ]);
        let body = json!({"model": "m", "messages": messages, "tools": tools});
        client.post("/v1/chat/completions", &body).json()["choices"][0]["message"].clone()
    };
    let text = |message: &Value| message["content"].as_str().unwrap().to_owned();

    let plan = text(&ask("role: planner", PlannedBrain::HELLO_GOAL, json!([])));
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["nodes"][1]["assigned_agent"], "test_engineer");
    assert_eq!(plan["nodes"][1]["dependencies"], json!(["task_001"]));

    let written = text(&ask("role: coder", "task: task_001", json!([])));
    assert!(written.starts_with("src/hello.py\n```\ndef greet("), "{written}");

    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let tools = json!([tool("write"), tool("finish")]);
    let calls = ask("role: test_engineer", "task: task_002", tools)["tool_calls"].clone();
    assert_eq!(calls[0]["function"]["name"], "write");
    assert_eq!(calls[1]["function"]["name"], "finish");
}
