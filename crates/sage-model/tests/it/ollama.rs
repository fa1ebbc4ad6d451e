//! What is sent to an Ollama server and how its answers are read.

use expect_test::expect;
use sage_core::{ErrorKind, Message, ToolCall, ToolSpec};
use sage_model::{ChatModel, NoDeltas, ResponseSchema};
use serde_json::json;

use crate::run::{MemoryLog, Said, request, router};
use crate::server::{Act, Server, chunked, json as json_answer, send, stream_head};

fn yaml(url: &str, model: &str) -> String {
    format!(
        "providers:\n  ollama: {{base_url: \"{url}\"}}\nmodels:\n  {model}: {{context_tokens: 4096}}\nprimary: {model}\n"
    )
}

const ANSWER: &str = "{\"model\":\"qwen3:8b\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"done\":false}\n\
    {\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"read\",\"arguments\":{\"path\":\"a\"}}}]},\"done\":false}\n\
    {\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":26,\"eval_count\":7}\n";

#[tokio::test]
async fn a_request_has_ollamas_form_and_its_counts_are_used() {
    let server = Server::start(vec![chunked(ANSWER)]);
    let mut request = request(1, "go");
    let call =
        ToolCall { id: "c1".into(), name: "read".into(), arguments: "{\"path\":\"a\"}".into() };
    request.messages.push(Message { tool_calls: vec![call], ..Message::assistant("") });
    request.messages.push(Message::tool("c1", "text of a"));
    let parameters = json!({"type": "object"});
    request.tools =
        vec![ToolSpec { name: "read".into(), description: "Reads.".into(), parameters }];
    request.response_schema =
        Some(ResponseSchema { name: "x".into(), schema: json!({"type": "object"}) });
    let log = MemoryLog::new();
    let said = Said::default();
    let response =
        router(&yaml(&server.url(), "qwen3:8b"), &log).chat(&request, &said).await.unwrap();
    assert_eq!(said.text(), "Hi");
    assert_eq!(response.message.tool_calls[0].arguments, "{\"path\":\"a\"}");
    assert_eq!((response.usage.input, response.usage.output), (26, 7));
    assert!(response.local && response.usd == 0.0);
    assert_eq!(server.requests()[0].line, "POST /api/chat HTTP/1.1");
    expect![[r#"
        {
          "model": "qwen3:8b",
          "messages": [
            {
              "role": "system",
              "content": "You write code."
            },
            {
              "role": "user",
              "content": "go"
            },
            {
              "role": "assistant",
              "content": "",
              "tool_calls": [
                {
                  "function": {
                    "name": "read",
                    "arguments": {
                      "path": "a"
                    }
                  }
                }
              ]
            },
            {
              "role": "tool",
              "content": "text of a",
              "tool_name": "read"
            }
          ],
          "stream": true,
          "tools": [
            {
              "type": "function",
              "function": {
                "name": "read",
                "description": "Reads.",
                "parameters": {
                  "type": "object"
                }
              }
            }
          ],
          "format": {
            "type": "object"
          },
          "options": {
            "num_ctx": 4096,
            "num_predict": 2048,
            "temperature": 0.1
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&server.requests()[0].body).unwrap());
}

#[tokio::test]
async fn a_missing_model_is_told_as_such_and_not_tried_again() {
    let missing = json!({"error": "model 'qwen3:8b' not found"});
    let server = Server::start(vec![json_answer("404 Not Found", &missing)]);
    let log = MemoryLog::new();
    let router = router(&yaml(&server.url(), "qwen3:8b"), &log);
    let error = router.chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    assert!(
        error.to_string().contains("the model qwen3:8b is not present at http://127.0.0.1"),
        "{error}"
    );
    assert_eq!(server.n_requests(), 1);
}

#[tokio::test]
async fn an_answer_without_its_last_line_is_tried_again() {
    let cut =
        &ANSWER[..ANSWER.find("{\"message\":{\"role\":\"assistant\",\"content\":\"\"},").unwrap()];
    let broken = "{\"message\":{\"content\":\"x\"}}\nnonsense\n";
    let error =
        "{\"message\":{\"content\":\"x\"}}\n{\"error\":\"llama runner process has terminated\"}\n";
    let pretty = "{\n \"message\": {\"content\": \"Hi\"},\n \"done\": true\n}\n";
    for first in [
        chunked(cut),
        chunked(broken),
        chunked(error),
        vec![stream_head(), send("{\"message\":"), Act::Close],
    ] {
        let server = Server::start(vec![first, chunked(pretty)]);
        let log = MemoryLog::new();
        let router = router(&yaml(&server.url(), "qwen3:8b"), &log);
        let response = router.chat(&request(1, "go"), &NoDeltas).await.unwrap();
        assert_eq!((response.message.text.as_str(), server.n_requests()), ("Hi", 2));
        assert!(response.usage.estimated);
    }
}

#[tokio::test]
async fn a_small_model_gets_no_tools() {
    let server = Server::start(vec![chunked("{\"message\":{\"content\":\"Hi\"},\"done\":true}\n")]);
    let mut request = request(1, "go");
    request.tools = vec![ToolSpec {
        name: "read".into(),
        description: String::new(),
        parameters: json!({"type": "object"}),
    }];
    let log = MemoryLog::new();
    router(&yaml(&server.url(), "qwen2.5-coder:1.5b"), &log)
        .chat(&request, &NoDeltas)
        .await
        .unwrap();
    assert!(server.requests()[0].body.get("tools").is_none());
}
