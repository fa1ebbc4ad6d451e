//! What is sent to OpenAI-compatible servers and how their answers are read.

use expect_test::expect;
use sage_core::{Finish, Message, ToolCall, ToolSpec};
use sage_model::{ChatModel, NoDeltas, ResponseSchema};
use serde_json::{Value, json};

use crate::run::{MemoryLog, ask, one_provider, request, router};
use crate::server::{Server, chunked, json as json_answer, response, says};

fn with_everything(index: u32) -> sage_model::ChatRequest {
    let mut request = request(index, "Use JSON.");
    let call =
        ToolCall { id: "c1".into(), name: "read".into(), arguments: "{\"path\":\"a\"}".into() };
    let broken = ToolCall { id: "c2".into(), name: "read".into(), arguments: "{\"path\":".into() };
    request.messages.push(Message { tool_calls: vec![call, broken], ..Message::assistant("") });
    request.messages.push(Message::tool("c1", "text of a"));
    request.messages.push(Message::tool("c2", "not readable"));
    let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    request.tools =
        vec![ToolSpec { name: "read".into(), description: "Reads.".into(), parameters }];
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    request.response_schema = Some(ResponseSchema { name: "answer".into(), schema });
    request
}

#[tokio::test]
async fn a_request_has_the_documented_form() {
    let server = Server::start(vec![says("{}")]);
    let log = MemoryLog::new();
    let router = router(&one_provider(&server.url()), &log);
    router.chat(&with_everything(1), &NoDeltas).await.unwrap();
    let sent = &server.requests()[0];
    assert_eq!(sent.line, "POST /v1/chat/completions HTTP/1.1");
    assert!(sent.headers.contains("authorization: Bearer sk-very-secret"), "{}", sent.headers);
    expect![[r#"
        {
          "model": "m",
          "messages": [
            {
              "role": "system",
              "content": "You write code."
            },
            {
              "role": "user",
              "content": "Use JSON."
            },
            {
              "role": "assistant",
              "content": null,
              "tool_calls": [
                {
                  "id": "c1",
                  "type": "function",
                  "function": {
                    "name": "read",
                    "arguments": "{\"path\":\"a\"}"
                  }
                },
                {
                  "id": "c2",
                  "type": "function",
                  "function": {
                    "name": "read",
                    "arguments": "{\"unreadable\":\"{\\\"path\\\":\"}"
                  }
                }
              ]
            },
            {
              "role": "tool",
              "content": "text of a",
              "tool_call_id": "c1"
            },
            {
              "role": "tool",
              "content": "not readable",
              "tool_call_id": "c2"
            }
          ],
          "stream": true,
          "stream_options": {
            "include_usage": true
          },
          "tools": [
            {
              "type": "function",
              "function": {
                "name": "read",
                "description": "Reads.",
                "parameters": {
                  "type": "object",
                  "properties": {
                    "path": {
                      "type": "string"
                    }
                  }
                }
              }
            }
          ],
          "response_format": {
            "type": "json_schema",
            "json_schema": {
              "name": "answer",
              "schema": {
                "type": "object",
                "properties": {
                  "a": {
                    "type": "string"
                  }
                },
                "required": [
                  "a"
                ],
                "additionalProperties": false
              },
              "strict": true
            }
          },
          "temperature": 0.1,
          "max_tokens": 8192
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&sent.body).unwrap());
}

#[tokio::test]
async fn a_streamed_answer_is_complete_with_usage_cost_and_live_text() {
    let server = Server::start(vec![says("Hello, world")]);
    let (result, log, said) = ask(&server.url()).await;
    let response = result.unwrap();
    assert_eq!(response.message, Message::assistant("Hello, world"));
    assert_eq!(said, "Hello, world");
    assert_eq!(
        (response.usage.input, response.usage.output, response.usage.estimated),
        (11, 3, false)
    );
    assert_eq!(response.usd, 17e-6);
    assert_eq!((response.model.as_str(), response.provider.as_str()), ("m", "s"));
    assert!(response.local && !response.scripted && response.first_token_ms.is_some());
    assert_eq!(log.names(), ["model.routed"]);
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_accepted_too() {
    let body = json!({"choices": [{"message": {"role": "assistant", "content": null, "tool_calls":
        [{"id": "x", "function": {"name": "read", "arguments": {"path": "a"}}}]},
        "finish_reason": "tool_calls"}]});
    let server = Server::start(vec![json_answer("200 OK", &body)]);
    let (result, _, _) = ask(&server.url()).await;
    let response = result.unwrap();
    assert_eq!(response.finish, Finish::ToolCalls);
    assert_eq!(response.message.tool_calls[0].arguments, "{\"path\":\"a\"}");
    assert!(response.usage.estimated && response.usage.output > 0);
}

#[tokio::test]
async fn a_stream_in_an_odd_spelling_is_read() {
    let stream = ": comment\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\r\n\r\n\
        event: chunk\r\ndata: {\"choices\":\r\ndata: [{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"moonset\"}]}\r\n\r\n";
    let server = Server::start(vec![chunked(stream)]);
    let response = ask(&server.url()).await.0.unwrap();
    assert_eq!(response.message.text, "ab");
    assert_eq!(response.finish, Finish::Other("moonset".into()));
}

#[tokio::test]
async fn what_a_server_refuses_is_left_out_and_remembered() {
    let refuse = |text: &str| json_answer("400 Bad Request", &json!({"error": {"message": text}}));
    let server = Server::start(vec![
        refuse("Unrecognized request argument supplied: stream_options"),
        refuse("Unsupported parameter: 'max_tokens', use 'max_completion_tokens' instead"),
        refuse("Invalid parameter: 'response_format' of type 'json_schema' is not supported"),
        refuse("'response_format' of type json_object is not supported"),
        refuse("Unsupported value: 'temperature' does not support 0.1"),
        says("{}"),
    ]);
    let log = MemoryLog::new();
    let router = router(&one_provider(&server.url()), &log);
    router.chat(&with_everything(1), &NoDeltas).await.unwrap();
    router.chat(&with_everything(2), &NoDeltas).await.unwrap();
    let keys = |body: &Value| -> Vec<String> {
        let left_out = ["model", "messages", "stream", "tools"];
        let keys = body.as_object().unwrap().keys();
        keys.filter(|key| !left_out.contains(&key.as_str())).cloned().collect()
    };
    let sent: Vec<String> =
        server.requests().iter().map(|request| keys(&request.body).join(" ")).collect();
    assert_eq!(
        sent,
        [
            "stream_options response_format temperature max_tokens",
            "response_format temperature max_tokens",
            "response_format temperature max_completion_tokens",
            "response_format temperature max_completion_tokens",
            "temperature max_completion_tokens",
            "max_completion_tokens",
            "max_completion_tokens",
        ]
    );
    assert_eq!(server.requests()[3].body["response_format"], json!({"type": "json_object"}));
    assert!(!log.names().contains(&"model.try_failed".to_owned()));
}

#[tokio::test]
async fn a_refusal_that_names_nothing_is_final() {
    let refuse = json_answer("400 Bad Request", &json!({"error": {"message": "no"}}));
    let server = Server::start(vec![refuse]);
    let error = ask(&server.url()).await.0.unwrap_err();
    assert_eq!(server.n_requests(), 1);
    assert_eq!(error.kind(), sage_core::ErrorKind::ModelAnswer);
}

#[tokio::test]
async fn a_prompt_that_leaves_little_room_gets_a_short_answer_and_one_too_long_is_told() {
    let said =
        "This model's maximum context length is 8192 tokens, however you requested 9000 tokens";
    let refuse = || json_answer("400 Bad Request", &json!({"error": {"message": said}}));
    let server = Server::start(vec![refuse(), says("short")]);
    assert_eq!(ask(&server.url()).await.0.unwrap().message.text, "short");
    let limits: Vec<Value> =
        server.requests().iter().map(|request| request.body["max_tokens"].clone()).collect();
    assert_eq!(limits, [8192, 1024]);
    let server = Server::start(vec![refuse()]);
    let error = ask(&server.url()).await.0.unwrap_err();
    assert!(error.is_too_long() && server.n_requests() == 2, "{error}");
}

#[tokio::test]
async fn a_model_that_acts_by_text_is_not_told_of_tools() {
    let server = Server::start(vec![says("ok")]);
    let yaml =
        one_provider(&server.url()).replace("{provider: s,", "{provider: s, tool_calling: text,");
    let log = MemoryLog::new();
    router(&yaml, &log).chat(&with_everything(1), &NoDeltas).await.unwrap();
    let body = server.requests()[0].body.clone();
    assert!(body.get("tools").is_none());
    let last = body["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["role"], "user");
    assert_eq!(last["content"], "[result of read]\ntext of a\n\n[result of read]\nnot readable");
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(vec![says("a"), says("b"), says("c")]);
    let log = MemoryLog::new();
    let router = router(&one_provider(&server.url()), &log);
    for index in 1..=3 {
        router.chat(&request(index, "hello"), &NoDeltas).await.unwrap();
    }
    assert_eq!((server.n_requests(), server.n_connections()), (3, 1));
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_key_elsewhere() {
    let other = Server::start(vec![says("stolen")]);
    let location = format!("Location: {}/v1/chat/completions\r\n", other.url());
    let server = Server::start(vec![response("307 Temporary Redirect", &location, "")]);
    let error = ask(&server.url()).await.0.unwrap_err();
    assert_eq!((server.n_requests(), other.n_requests()), (1, 0));
    assert_eq!(error.kind(), sage_core::ErrorKind::ModelUnavailable);
}

#[tokio::test]
async fn the_responses_api_is_spoken_where_it_is_configured() {
    let event =
        |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let stream = event(json!({"type": "response.created", "response": {"status": "in_progress"}}))
        + &event(json!({"type": "response.output_text.delta", "delta": "Hi"}))
        + &event(json!({"type": "response.completed", "response": {"status": "completed",
            "usage": {"input_tokens": 5, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 4}}}}));
    let server = Server::start(vec![chunked(&stream)]);
    let yaml =
        one_provider(&server.url()).replace("kind: openai,", "kind: openai, api: responses,");
    let log = MemoryLog::new();
    let response = router(&yaml, &log).chat(&with_everything(1), &NoDeltas).await.unwrap();
    assert_eq!((response.message.text.as_str(), response.usage.cached_input), ("Hi", 4));
    let sent = &server.requests()[0];
    assert_eq!(sent.line, "POST /v1/responses HTTP/1.1");
    expect![[r#"
        {
          "model": "m",
          "input": [
            {
              "role": "system",
              "content": "You write code."
            },
            {
              "role": "user",
              "content": "Use JSON."
            },
            {
              "type": "function_call",
              "call_id": "c1",
              "name": "read",
              "arguments": "{\"path\":\"a\"}"
            },
            {
              "type": "function_call",
              "call_id": "c2",
              "name": "read",
              "arguments": "{\"unreadable\":\"{\\\"path\\\":\"}"
            },
            {
              "type": "function_call_output",
              "call_id": "c1",
              "output": "text of a"
            },
            {
              "type": "function_call_output",
              "call_id": "c2",
              "output": "not readable"
            }
          ],
          "stream": true,
          "store": false,
          "max_output_tokens": 8192,
          "tools": [
            {
              "type": "function",
              "name": "read",
              "description": "Reads.",
              "parameters": {
                "type": "object",
                "properties": {
                  "path": {
                    "type": "string"
                  }
                }
              },
              "strict": false
            }
          ],
          "text": {
            "format": {
              "type": "json_schema",
              "name": "answer",
              "schema": {
                "type": "object",
                "properties": {
                  "a": {
                    "type": "string"
                  }
                },
                "required": [
                  "a"
                ],
                "additionalProperties": false
              },
              "strict": true
            }
          },
          "temperature": 0.1
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&sent.body).unwrap());
}
