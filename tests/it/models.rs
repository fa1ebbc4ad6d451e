//! `sage models`.

use sage_testkit::{FakeOllama, FakeOpenAi, ModelsYaml, PlannedBrain, refused_url};

use crate::support::sandbox;

#[test]
fn configured_models_are_listed_with_roles_and_prices() {
    let sandbox = sandbox();
    let text = "models:\n  big: {provider: openai, context_tokens: 1000, usd_per_mtok: {input: 2, output: 8}}\n\
                routing:\n  coder: {primary: big}\n";
    sandbox.write(".sage/models.yaml", text);
    let lines = sandbox.run(&["models", "--json"]).json_lines();
    let big = lines.iter().find(|line| line["model"] == "big").unwrap();
    assert_eq!(big["roles"], serde_json::json!(["coder"]));
    assert_eq!((&big["provider"], &big["context_tokens"]), (&"openai".into(), &1000.into()));
    assert_eq!(big["usd_per_mtok"]["output"], 8.0);
    sandbox
        .run(&["models", "list", "--model", "reviewer=big"])
        .expect_code(0)
        .expect_text("coder reviewer");
}

#[test]
fn a_test_asks_the_model_for_a_word() {
    let openai = FakeOpenAi::with(PlannedBrain::hello()).start();
    let ollama = FakeOllama::with(PlannedBrain::hello()).start();
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::openai(&openai.url()));
    let output = sandbox.run(&["models", "test"]);
    output.expect_code(0);
    assert!(!openai.calls().is_empty());
    sandbox.models(&ModelsYaml::ollama(&ollama.url()));
    sandbox.run(&["models", "test"]).expect_code(0);
    assert!(!ollama.calls().is_empty());
}

#[test]
fn no_reachable_model_is_exit_5_with_a_hint() {
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::openai(&refused_url()));
    let output = sandbox.run(&["models", "test"]);
    output.expect_code(5).expect_text("refused").expect_text("hint:");
    let lines = sandbox.run(&["models", "test", "--json"]).json_lines();
    assert!(lines.iter().all(|line| line["ok"] == false && line["error"].is_string()), "{lines:?}");
}
