//! Damaged input of every kind: an error or an answer, never a panic, never half an answer.

use std::path::Path;

use sage_model::{ChatModel, ModelsConfig, NoDeltas, RoleEdit, ScriptedModel, Trigger};
use serde_json::json;

use crate::run::{MemoryLog, one_provider, request, router_with, single_try};
use crate::server::{Act, Server, completion, send, stream_head};

const YAML: &str = "# c\nproviders:\n  p: {kind: openai, base_url: 'http://h/v1', headers: {A: b}}\nmodels:\n  m: {provider: p, usd_per_mtok: {input: 1, output: 2}}\nrouting:\n  coder:\n    primary: m # x\n    fallback_triggers:\n      - \"failure_count > 1\"\n    fallback: n\n";

/// `text` with a few bytes cut, doubled, swapped or replaced.
fn damaged(text: &str, chance: &mut fastrand::Rng) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..chance.usize(1..4) {
        if bytes.is_empty() {
            break;
        }
        let at = chance.usize(..bytes.len());
        let end = (at + chance.usize(..24)).min(bytes.len());
        match chance.u8(..5) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            2 => bytes[at] = chance.u8(..),
            3 => bytes.truncate(at),
            _ => bytes.insert(at, *chance.choice(b"{}[]\":,\n\r -#&*!|>'").unwrap()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn damaged_files_are_read_or_refused_and_edits_do_what_they_say_or_nothing() {
    let mut chance = fastrand::Rng::with_seed(1);
    let edit = RoleEdit { primary: Some("new".into()), ..RoleEdit::default() };
    for _ in 0..1500 {
        let text = damaged(YAML, &mut chance);
        if let Ok(config) = ModelsConfig::load(&text, Path::new("m")) {
            let again = ModelsConfig::load(&config.to_yaml(), Path::new("m"));
            assert!(again.is_ok(), "{again:?}\n{}", config.to_yaml());
        }
        if let Ok(edited) = ModelsConfig::set_role(&text, Path::new("m"), "coder", &edit) {
            let config = ModelsConfig::load(&edited, Path::new("m")).unwrap();
            assert_eq!(config.route(sage_core::AgentRole::Coder).primary, "new", "{edited}");
        }
        let _ = ScriptedModel::parse(&text, Path::new("s"));
        let _ = Trigger::parse(&damaged(
            "not (failure_count >= 2 or 1.5 < prompt_tokens)",
            &mut chance,
        ));
    }
}

#[tokio::test]
async fn a_damaged_stream_is_a_whole_answer_or_an_error() {
    let call = json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a",
        "function": {"name": "read", "arguments": "{\"path\": \"a\"}"}}]}}]});
    let stream = format!("data: {call}\n\n{}", completion("some text"));
    let mut chance = fastrand::Rng::with_seed(2);
    let answers: Vec<Vec<Act>> = (0..300)
        .map(|_| vec![stream_head(), send(&damaged(&stream, &mut chance)), Act::Close])
        .collect();
    let n_answers = answers.len();
    let server = Server::start(answers);
    let log = MemoryLog::new();
    let router = router_with(&one_provider(&server.url()), &log, single_try());
    let mut n_whole = 0;
    for index in 0..n_answers {
        let request = request(u32::try_from(index).unwrap() + 1, "go");
        if let Ok(response) = router.chat(&request, &NoDeltas).await {
            n_whole += 1;
            let message = response.message;
            assert!(!message.text.trim().is_empty() || !message.tool_calls.is_empty());
        }
    }
    assert_eq!(server.n_requests(), n_answers);
    assert!(n_whole > 0 && n_whole < n_answers, "{n_whole}");
}
