use sage_tool::Grant;

use super::*;
use crate::testing::{Bench, ListedModel, calls, conversation, says};
use crate::{Sections, WorkEnd};

/// What the system prompt gains and the tools weigh; the role's own instructions come on top.
const MAX_OVERHEAD_TOKENS: u64 = 1_000;

#[tokio::test]
async fn a_question_is_asked_as_it_is_and_streams() {
    let bench = Bench::new(&[]);
    let model = ListedModel::new(ToolCalling::Native, vec![says("<think>hm</think>\nForty-two.")]);
    let mut conversation = conversation();
    let reply = bench.agent(&model).ask(&mut conversation).await.unwrap();
    assert_eq!(reply.text(), "Forty-two.");
    assert_eq!(
        (reply.call.to_string().as_str(), conversation.last_answer()),
        ("n#1.1", "Forty-two.")
    );
    assert_eq!(bench.progress.text(), "<think>hm</think>\nForty-two.");
    let request = &model.seen()[0];
    assert_eq!(request.messages[0].text, "role: coder");
    assert!(request.tools.is_empty() && request.response_schema.is_none());
    assert_eq!(request.max_output_tokens, None);
    assert!(request.features.prompt_tokens > 0);
}

#[tokio::test]
async fn what_is_added_to_a_prompt_is_small() {
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        let bench = Bench::new(&[]);
        let model = ListedModel::new(calling, vec![says("ok")]);
        bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap();
        let request = &model.seen()[0];
        let n_tokens = Sections::of(&request.messages, &request.tools).total();
        assert!(n_tokens < MAX_OVERHEAD_TOKENS, "{calling:?}: {n_tokens}");
    }
}

#[tokio::test]
async fn a_long_conversation_is_cut_to_the_window_of_the_model_that_answers() {
    let text = "some words in a line\n".repeat(500);
    let bench = Bench::new(&[("a", &text), ("b", &text), ("c", &text), ("d", &text)]);
    let reads =
        ["a", "b", "c", "d"].map(|path| calls(&[("read", serde_json::json!({"path": path}))]));
    let replies = reads.into_iter().chain([says("read all")]).collect();
    let model = ListedModel::new(ToolCalling::Native, replies);
    model.facts.lock().unwrap().context_tokens = 12_000;
    let mut conversation = conversation();
    let end = bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap();
    assert_eq!(end, WorkEnd::Answer("read all".to_owned()));
    for request in model.seen() {
        let n_tokens = Sections::of(&request.messages, &request.tools).total();
        let answer = request.max_output_tokens.unwrap_or(4_000);
        assert!(n_tokens + u64::from(answer) <= 12_000, "{n_tokens} + {answer}");
        assert!(answer >= 3_000);
        assert_eq!(request.messages[1], Message::user("the task"));
    }
    assert!(conversation.messages()[3].text.chars().count() < 2_000);
}

#[tokio::test]
async fn a_task_that_does_not_fit_is_an_error_before_anything_is_sent() {
    let bench = Bench::new(&[]);
    let model = ListedModel::new(ToolCalling::Text, Vec::new());
    let mut conversation = Conversation::new("role: coder", "word ".repeat(40_000));
    let error = bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert!(bench.recorder.type_names().is_empty());
}

#[tokio::test]
async fn under_a_grant_that_reads_no_writing_tool_is_offered() {
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        let bench = Bench { grant: Grant::read_only(), ..Bench::new(&[]) };
        let model = ListedModel::new(calling, vec![says("fine")]);
        bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap();
        let request = &model.seen()[0];
        let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert!(!names.iter().any(|name| ["edit", "write", "delete", "run"].contains(name)));
        assert_eq!(request.messages[0].text, "role: coder");
    }
}
