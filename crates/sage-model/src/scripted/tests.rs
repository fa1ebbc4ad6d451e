use expect_test::{Expect, expect};
use sage_core::{NodeId, RouteFeatures};

use super::*;
use crate::NoDeltas;

const SCRIPT: &str = r#"
replies:
  - {role: planner, text: "{\"nodes\": []}", times: 0}
  - role: coder
    contains: [hello.py]
    text: First.
    tool_calls:
      - {name: write, arguments: {path: src/hello.py, content: "print(1)\n"}}
  - {role: coder, last_contains: failed, text: "Repaired."}
  - {role: coder, turn: 3, text: "Third turn."}
  - {text: "Anything."}
"#;

fn request(index: u32, role: AgentRole, messages: &[Message]) -> ChatRequest {
    ChatRequest {
        call: CallId { node: NodeId::new("t").unwrap(), attempt: 1, index },
        role,
        features: RouteFeatures::default(),
        fixed_model: None,
        messages: messages.to_vec(),
        tools: Vec::new(),
        response_schema: None,
        temperature: None,
        max_output_tokens: None,
        turn: false,
        context: None,
    }
}

fn script() -> Script {
    Script::parse(SCRIPT, Path::new("demo.yaml")).unwrap()
}

fn text(script: &Script, request: &ChatRequest) -> String {
    let mut said = String::new();
    match script.ask(request, &mut |part| said.push_str(part)) {
        Ok(answer) => {
            assert_eq!(said, answer.message.text);
            said
        }
        Err(failure) => failure.message,
    }
}

#[test]
fn replies_are_matched_by_role_content_and_turn_and_used_up() {
    let script = script();
    let ask = |index, role, messages: &[Message]| text(&script, &request(index, role, messages));
    let hello = [Message::user("write hello.py")];
    assert_eq!(ask(1, AgentRole::Planner, &hello), "{\"nodes\": []}");
    assert_eq!(ask(2, AgentRole::Planner, &hello), "{\"nodes\": []}");
    assert_eq!(ask(3, AgentRole::Coder, &hello), "First.");
    assert_eq!(ask(3, AgentRole::Coder, &hello), "First.", "the same call gets the same reply");
    assert_eq!(ask(4, AgentRole::Coder, &[Message::user("it failed")]), "Repaired.");
    let later = [Message::assistant("a"), Message::assistant("b"), Message::user("go on")];
    assert_eq!(ask(5, AgentRole::Coder, &later), "Third turn.");
    assert_eq!(ask(6, AgentRole::Coder, &hello), "Anything.");
    assert_eq!(
        ask(7, AgentRole::Coder, &[Message::user("é".repeat(200))]),
        format!("the script has no reply left for coder to {:?}", "é".repeat(80))
    );
}

#[test]
fn a_resumed_run_does_not_get_a_reply_twice() {
    let hello = [Message::user("write hello.py")];
    let first = script();
    let call = request(3, AgentRole::Coder, &hello);
    let answer = first.ask(&call, &mut |_| {}).unwrap();
    let resumed = script();
    resumed.note_past(&call.call, AgentRole::Coder, &answer.message);
    assert_eq!(text(&resumed, &request(4, AgentRole::Coder, &hello)), "Anything.");
}

fn check_refused(text: &str, expected: Expect) {
    expected.assert_eq(&Script::parse(text, Path::new("s.yaml")).unwrap_err().to_string());
}

#[test]
fn broken_scripts_are_refused_with_their_line() {
    check_refused("", expect!["s.yaml:1: replies: missing"]);
    check_refused("replies: 1", expect!["s.yaml:1: replies: expected a list, found a number"]);
    check_refused(
        "replies:\n  - {txt: a}",
        expect![[r#"s.yaml:2: replies[0].txt: unknown key; did you mean "text"?"#]],
    );
    check_refused(
        "replies:\n  - {role: codr, text: a}",
        expect![[r#"s.yaml:2: replies[0].role: unknown role "codr"; did you mean "coder"?"#]],
    );
    check_refused("replies:\n  - {role: coder}", expect!["s.yaml:2: replies[0].text: missing"]);
    check_refused(
        "replies:\n  - {text: a, times: -1}",
        expect!["s.yaml:2: replies[0].times: -1 is not between 0 and 1000000"],
    );
    check_refused(
        "replies:\n  - tool_calls:\n    - {arguments: {}}",
        expect!["s.yaml:3: replies[0].tool_calls[0].name: missing"],
    );
    check_refused(
        "replies:\n  - tool_calls:\n    - {name: x, arguments: [1]}",
        expect!["s.yaml:3: replies[0].tool_calls[0].arguments: expected a mapping"],
    );
}

#[tokio::test]
async fn a_script_is_a_model_that_says_it_is_scripted() {
    let model = ScriptedModel::parse(SCRIPT, Path::new("demo.yaml")).unwrap();
    let request = request(1, AgentRole::Coder, &[Message::user("hello.py")]);
    let response = model.chat(&request, &NoDeltas).await.unwrap();
    assert!(response.scripted && response.usage.estimated);
    assert_eq!(
        response.message.tool_calls[0].arguments,
        r#"{"path":"src/hello.py","content":"print(1)\n"}"#
    );
    assert!(model.facts(&request).unwrap().scripted);
    let other =
        ChatRequest { call: CallId { index: 2, ..request.call.clone() }, ..request.clone() };
    assert_eq!(model.chat(&other, &NoDeltas).await.unwrap().message.text, "Anything.");
    let none = ChatRequest { call: CallId { index: 3, ..request.call.clone() }, ..request };
    let error = model.chat(&none, &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), sage_core::ErrorKind::ModelAnswer);
    assert!(error.to_string().contains("no reply left for coder to \"hello.py\""), "{error}");
}
