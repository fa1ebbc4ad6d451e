//! The smallest job, through every provider and both ways of acting: three model calls, a test that
//! really ran, and nothing left over.

use sage_testkit::{FakeOllama, FakeOpenAi, ModelsYaml, PlannedBrain, Tree};
use serde_json::json;

use crate::support::{Provider, assert_succeeded, metrics, passed_tests, sandbox, story};

fn check_hello(provider: Provider, models: &ModelsYaml) {
    let mut sandbox = sandbox();
    sandbox.write("README.md", "# Greetings\n").git_init();
    sandbox.models(models);

    let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);

    output.expect_code(0);
    let run = sandbox.last_run();
    assert_succeeded(&run, &["task_001", "task_002"]);
    let calls = provider.calls();
    let roles: Vec<&str> =
        calls.iter().map(|call| call.role().map_or("?", |role| role.as_str())).collect();
    assert_eq!(roles, ["planner", "coder", "test_engineer"], "{}", story(&run));
    assert!(calls.iter().all(|call| call.stream), "answers are streamed");
    assert!(!passed_tests(&run).is_empty(), "no test was executed:\n{}", story(&run));
    assert_eq!(sandbox.git_status(), ["?? src/hello.py", "?? tests/test_hello.py"], "{output}");
    assert!(sandbox.read("src/hello.py").contains("def greet("));

    let metrics = metrics(&sandbox);
    let model = calls[0].model.as_str();
    assert_eq!(metrics["outcome"], "succeeded");
    assert_eq!(metrics["exit_code"], 0);
    assert_eq!((&metrics["tasks_total"], &metrics["tasks_completed"]), (&json!(2), &json!(2)));
    assert_eq!(metrics["models_used"], json!([model]));
    assert_eq!(metrics["model_calls"], json!({model: 3}));
    assert_eq!(metrics["files_changed"], 2);
}

fn openai() -> Provider {
    Provider::OpenAi(FakeOpenAi::start(PlannedBrain::hello()))
}

fn ollama() -> Provider {
    Provider::Ollama(FakeOllama::start(PlannedBrain::hello()))
}

#[test]
fn hello_over_openai_with_native_tools() {
    let provider = openai();
    let models = provider.models();
    check_hello(provider, &models);
}

#[test]
fn hello_over_openai_with_the_text_protocol() {
    let provider = openai();
    let models = provider.models().text_protocol();
    check_hello(provider, &models);
}

#[test]
fn hello_over_openai_responses() {
    let provider = openai();
    let models = provider.models().provider("api: responses");
    check_hello(provider, &models);
}

#[test]
fn hello_over_ollama_with_native_tools() {
    let provider = ollama();
    let models = provider.models();
    check_hello(provider, &models);
}

#[test]
fn hello_over_ollama_with_the_text_protocol() {
    let provider = ollama();
    let models = provider.models().text_protocol();
    check_hello(provider, &models);
}

#[test]
fn a_server_without_schemas_or_tools_is_good_enough() {
    let server = FakeOpenAi::with(PlannedBrain::hello()).refuses_schema().refuses_tools().start();
    let mut sandbox = sandbox();
    sandbox.git_init();
    sandbox.models(&ModelsYaml::openai(&server.url()).text_protocol());
    sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).expect_code(0);
    assert_eq!(sandbox.git_status(), ["?? src/hello.py", "?? tests/test_hello.py"]);
}

#[test]
fn a_folder_without_a_repository_works_as_well() {
    let provider = openai();
    let mut sandbox = sandbox();
    sandbox.write("notes.txt", "keep me\n");
    sandbox.models(&provider.models());
    sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).expect_code(0);
    let files = ["notes.txt", "src/hello.py", "tests/test_hello.py"];
    assert_eq!(sandbox.tree().files(), files);
}

#[test]
fn another_folder_is_worked_on_when_it_is_named() {
    let provider = openai();
    let mut sandbox = sandbox();
    sandbox.git_init();
    sandbox.models(&provider.models());
    let project = sandbox.project().to_string_lossy().into_owned();
    let elsewhere = sandbox.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let args = ["run", PlannedBrain::HELLO_GOAL, "--auto", "--repo", &project];
    sandbox.sage(&args).in_folder(&elsewhere).run().expect_code(0);
    assert_eq!(Tree::of(&elsewhere, &[]).files(), [""; 0]);
    assert!(sandbox.exists("src/hello.py"));
}

#[test]
fn json_output_is_one_value_per_line_and_nothing_else() {
    let provider = openai();
    let mut sandbox = sandbox();
    sandbox.git_init();
    sandbox.models(&provider.models());
    let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto", "--json"]);
    output.expect_code(0);
    let lines = output.json_lines();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"run.started"), "{output}");
    assert!(types.contains(&"run.finished"), "{output}");
}
