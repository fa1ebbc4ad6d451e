use sage_model::ToolCalling;
use serde_json::json;

use super::*;
use crate::testing::{Bench, ListedModel, conversation, cut_off, outline, says};

fn schema() -> ResponseSchema {
    ResponseSchema { name: "number".to_owned(), schema: json!({"type": "object"}) }
}

fn number(value: &Value) -> std::result::Result<u64, Vec<String>> {
    value["n"].as_u64().ok_or_else(|| vec!["n: must be a whole number".to_owned()])
}

#[tokio::test]
async fn the_first_value_that_passes_is_taken() {
    let bench = Bench::new(&[]);
    let answer = "<think>{\"n\": 9}</think>Not {} but\n```json\n{\"m\": 1}\n```\n{\"n\": 7}\n";
    let model = ListedModel::new(ToolCalling::Native, vec![says(answer)]);
    let mut conversation = conversation();
    let taken =
        bench.agent(&model).ask_json(&mut conversation, Some(&schema()), &number, 2).await.unwrap();
    assert_eq!(taken, JsonAnswer { value: 7, refused: Vec::new() });
    let request = &model.seen()[0];
    assert_eq!(request.response_schema, Some(schema()));
    assert!(request.tools.is_empty());
    assert_eq!(request.messages[0].text, "role: coder");
}

#[tokio::test]
async fn errors_go_back_to_the_model_which_may_correct_itself() {
    let bench = Bench::new(&[]);
    let replies = vec![says("{\"n\": \"seven\"}"), says("{\"n\": 7}")];
    let model = ListedModel::new(ToolCalling::Text, replies);
    model.facts.lock().unwrap().json_schema = false;
    let mut conversation = conversation();
    let agent = bench.agent(&model);
    let taken = agent.ask_json(&mut conversation, Some(&schema()), &number, 2).await.unwrap();
    assert_eq!(taken.value, 7);
    assert_eq!(taken.refused[0].errors, ["n: must be a whole number"]);
    expect_test::expect![[r#"
        system: role: coder
        user: the task
        model: {"n": "seven"}
        user: Your answer is not valid:/- n: must be a whole number/Answer again with the whole correcte
        model: {"n": 7}
    "#]]
    .assert_eq(&outline(&conversation));
    let request = &model.seen()[0];
    assert_eq!(request.response_schema, None);
    assert!(request.messages[0].text.contains("{\"type\":\"object\"}"));
}

#[tokio::test]
async fn a_model_that_never_gets_it_right_is_asked_a_bounded_number_of_times() {
    let bench = Bench::new(&[]);
    let replies = vec![says("I would rather not."), cut_off(says("{\"n\": "))];
    let model = ListedModel::new(ToolCalling::Native, replies);
    let agent = bench.agent(&model);
    let error = agent.ask_json(&mut conversation(), None, &number, 2).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), sage_core::ErrorKind::ModelAnswer);
    let Error::NoValidJson(failure) = error else { panic!("{error:?}") };
    assert_eq!(failure.refused.len(), 2);
    assert_eq!(failure.refused[0].errors, ["the answer contains no valid JSON value"]);
    assert_eq!(failure.errors(), ["the answer was cut off at the output limit; be shorter"]);
}
