use sage_core::{Finish, NodeId};
use serde_json::json;

use super::*;

fn decode(events: &[Value]) -> Result<Answer, Failure> {
    let mut completion = Completion::default();
    let mut said = String::new();
    for event in events {
        completion.event(&event.to_string(), &mut |text| said.push_str(text))?;
    }
    assert!(completion.is_complete(), "not complete");
    let call = CallId { node: NodeId::plan(), attempt: 1, index: 1 };
    let answer = completion.finish(&call)?;
    assert_eq!(said, answer.message.text, "what was said live is what was answered");
    Ok(answer)
}

fn delta(delta: Value, finish: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

#[test]
fn text_usage_and_finish_are_put_together() {
    let answer = decode(&[
        delta(json!({"role": "assistant", "content": null}), None),
        delta(json!({"content": "Hel", "reasoning_content": "hm"}), None),
        delta(json!({"content": [{"type": "text", "text": "lo"}]}), None),
        delta(json!({}), Some("stop")),
        json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 4}}}),
    ])
    .unwrap();
    assert_eq!(answer.message.text, "Hello");
    assert_eq!(answer.finish, Finish::Stop);
    assert_eq!(
        answer.usage,
        Some(Usage { input: 10, cached_input: 4, output: 2, estimated: false })
    );
}

#[test]
fn finish_reasons_follow_what_was_answered() {
    let call = json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "x"}}]});
    let finish = |delta_: Value, reason: &str| {
        decode(&[delta(delta_, None), delta(json!({}), Some(reason))]).map(|a| a.finish)
    };
    assert_eq!(finish(call.clone(), "stop"), Ok(Finish::ToolCalls));
    assert_eq!(finish(call.clone(), "length"), Ok(Finish::Length));
    assert_eq!(finish(call, "tool_calls"), Ok(Finish::ToolCalls));
    assert_eq!(finish(json!({"content": "x"}), "tool_calls"), Ok(Finish::Stop));
    let other = Ok(Finish::Other("moon_phase".to_owned()));
    assert_eq!(finish(json!({"content": "x"}), "moon_phase"), other);
    let trouble = |delta_: Value, reason: &str| finish(delta_, reason).unwrap_err().trouble;
    assert_eq!(trouble(json!({"content": " \n"}), "stop"), Trouble::Empty);
    assert_eq!(trouble(json!({}), "content_filter"), Trouble::Withheld);
    assert_eq!(trouble(json!({}), "length"), Trouble::Withheld);
    assert_eq!(trouble(json!({"content": "x"}), "error"), Trouble::Broken);
}

#[test]
fn a_refusal_is_an_answer_that_says_so() {
    let mut completion = Completion::default();
    let event = delta(json!({"refusal": "I cannot"}), Some("stop")).to_string();
    completion.event(&event, &mut |_| {}).unwrap();
    let call = CallId { node: NodeId::plan(), attempt: 1, index: 1 };
    let answer = completion.finish(&call).unwrap();
    assert_eq!((answer.message.text.as_str(), answer.finish), ("I cannot", Finish::ContentFilter));
}

#[test]
fn legacy_calls_and_whole_messages_are_understood() {
    let call =
        delta(json!({"function_call": {"name": "x", "arguments": "{}"}}), Some("function_call"));
    let answer = decode(&[call]).unwrap();
    assert_eq!(answer.message.tool_calls[0].name, "x");
    let whole = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]});
    assert_eq!(decode(std::slice::from_ref(&whole)).unwrap().message.text, "hi");
    // A closing message that repeats what was streamed does not double it.
    let answer = decode(&[delta(json!({"content": "hi"}), None), whole]).unwrap();
    assert_eq!(answer.message.text, "hi");
}

#[test]
fn errors_inside_a_stream_are_sorted() {
    let trouble = |error: Value| decode(&[json!({"error": error})]).unwrap_err().trouble;
    assert_eq!(trouble(json!("boom")), Trouble::Broken);
    assert_eq!(trouble(json!({"message": "x", "code": 503})), Trouble::Overloaded);
    assert_eq!(trouble(json!({"message": "x", "code": "insufficient_quota"})), Trouble::Quota);
    assert_eq!(trouble(json!({"message": "maximum context length is 5"})), Trouble::TooLong);
    let broken = Completion::default().event("{\"choices\": [", &mut |_| {}).unwrap_err();
    assert_eq!(broken.trouble, Trouble::Broken);
}

#[test]
fn documents_are_answers_only_if_they_are_completions() {
    let of = |body: Value| {
        let mut completion = Completion::default();
        completion.document(&body, &mut |_| {}).map_err(|failure| failure.trouble)?;
        let call = CallId { node: NodeId::plan(), attempt: 1, index: 1 };
        completion.finish(&call).map_err(|failure| failure.trouble)
    };
    let whole = json!({"choices": [{"message": {"content": "hi"}}], "usage": null});
    assert_eq!(of(whole).unwrap().message.text, "hi");
    assert_eq!(of(json!({"choices": []})), Err(Trouble::Empty));
    assert_eq!(of(json!({"choices": [{"message": null}]})), Err(Trouble::Empty));
    assert_eq!(of(json!({"status": "ok"})), Err(Trouble::Protocol));
    assert_eq!(of(json!([1])), Err(Trouble::Protocol));
}
