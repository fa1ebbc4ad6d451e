use std::time::Duration;

use sage_core::{AgentRole, CallId, NodeId, RouteFeatures};

use super::*;
use crate::http::{CallTimeouts, Clocked};
use crate::{ChatRequest, ModelsConfig};

fn request(task: &str, system: &str) -> ChatRequest {
    ChatRequest {
        call: CallId { node: NodeId::new(task).unwrap(), attempt: 1, index: 1 },
        role: AgentRole::Coder,
        features: RouteFeatures::default(),
        fixed_model: None,
        messages: vec![Message::system(system), Message::user(format!("task: {task}"))],
        tools: Vec::new(),
        response_schema: None,
        temperature: None,
        max_output_tokens: None,
        turn: false,
        context: None,
    }
}

fn body(endpoint: &str, request: &ChatRequest) -> Value {
    let facts = ModelsConfig::built_in().resolve("gpt-4o").facts;
    let deadline = Instant::now() + Duration::from_secs(1);
    let clocked = Clocked { limits: CallTimeouts::DEFAULT, deadline, now_ms: 0 };
    let ask = Ask { request, facts: &facts, temperature: None, max_output_tokens: 10, clocked };
    Dialect::of(endpoint.to_owned()).body(&ask)
}

#[test]
fn requests_that_begin_alike_share_a_cache_at_openai_and_nobody_else_is_bothered() {
    let openai = "https://api.openai.com";
    let key = |task, system| body(openai, &request(task, system))["prompt_cache_key"].clone();
    assert!(key("a", "role: coder").as_str().unwrap().starts_with("sage-coder-"));
    assert_eq!(key("a", "role: coder"), key("b", "role: coder"));
    assert_ne!(key("a", "role: coder"), key("a", "role: coder, other rules"));
    let elsewhere = body("http://127.0.0.1:8000", &request("a", "role: coder"));
    assert!(elsewhere.get("prompt_cache_key").is_none());
}

#[test]
fn a_cache_key_that_is_refused_is_left_out() {
    let openai = Dialect::of("https://api.openai.com".to_owned());
    let sent = body("https://api.openai.com", &request("a", "s"));
    let refused = Refused {
        failure: Failure::new(Trouble::Rejected, "no"),
        status: Some(400),
        said: "unknown parameter: prompt_cache_key".to_owned(),
    };
    assert!(!openai.without(&refused, &sent).unwrap().cache_key);
}
