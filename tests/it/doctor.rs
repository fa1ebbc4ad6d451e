//! `sage doctor`.

use std::time::Duration;

use sage_testkit::{
    CliSandbox, FakeOllama, FakeOpenAi, ModelsYaml, Output, PlannedBrain, refused_url,
};
use serde_json::Value;

use crate::support::sandbox;

fn report(sandbox: &CliSandbox, args: &[&str]) -> (Value, Output) {
    let args: Vec<&str> = ["doctor", "--json"].iter().chain(args).copied().collect();
    let output = sandbox.run(&args);
    let mut lines = output.json_lines();
    assert_eq!(lines.len(), 1, "{output}");
    (lines.remove(0), output)
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn all_is_well_when_the_configured_model_answers() {
    let server = FakeOpenAi::with(PlannedBrain::hello()).start();
    let mut sandbox = sandbox();
    sandbox.git_init();
    sandbox.models(&ModelsYaml::openai(&server.url()));
    let before = sandbox.full_tree();
    let (found, output) = report(&sandbox, &[]);
    output.expect_code(0);
    assert_eq!(found["health_summary"]["status"], "healthy", "{found:#}");
    assert_eq!(server.calls().len(), 0, "no model is asked without --deep");
    let (found, _) = report(&sandbox, &["--deep"]);
    assert_eq!(found["health_summary"]["status"], "healthy", "{found:#}");
    assert!(!server.calls().is_empty(), "--deep asks the model");
    assert_eq!(before.diff(&sandbox.full_tree()), "", "the doctor leaves nothing behind");
    for check in found["checks"].as_array().unwrap() {
        for field in ["name", "ok", "severity", "detail", "next_step"] {
            assert!(check.get(field).is_some(), "{field} of {check}");
        }
    }
}

#[test]
fn without_a_reachable_model_it_is_degraded_and_says_what_to_do() {
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::openai(&refused_url()));
    let (found, output) = report(&sandbox, &[]);
    output.expect_code(0);
    assert_eq!(found["health_summary"]["status"], "degraded");
    assert!(check(&found, "any_model")["next_step"].as_str().unwrap().contains("sage demo"));
    assert!(output.duration < Duration::from_secs(10), "{output}");
    sandbox.run(&["doctor"]).expect_code(0).expect_text("degraded");
}

#[test]
fn a_model_that_ollama_does_not_have_is_named_with_the_command_that_gets_it() {
    let server = FakeOllama::with(PlannedBrain::hello()).start();
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::ollama(&server.url()).model("absent:7b"));
    let (found, _) = report(&sandbox, &[]);
    let check = check(&found, "model absent:7b");
    assert_eq!(check["ok"], false, "{found:#}");
    assert!(check["next_step"].as_str().unwrap().contains("ollama pull absent:7b"), "{check}");
}

#[test]
fn a_broken_configuration_is_unhealthy_and_exit_4() {
    for (file, text, says) in [
        (".sage/config.yaml", "run:\n  max_paralel: 3\n", "run.max_parallel"),
        (".sage/models.yaml", "routing:\n  codre: {primary: x}\n", "coder"),
        (".sage/policy.json", "{\"tool_policy\": \"strct\"}", "strict"),
    ] {
        let sandbox = sandbox();
        sandbox.write(file, text);
        let (found, output) = report(&sandbox, &[]);
        output.expect_code(4);
        assert_eq!(found["health_summary"]["status"], "unhealthy");
        assert!(!found["health_summary"]["critical_failed"].as_array().unwrap().is_empty());
        let all = found.to_string();
        assert!(all.contains(file) && all.contains(says), "{file}: {found:#}");
        assert_eq!(sandbox.read(file), text, "the doctor repairs nothing");
    }
}

#[test]
fn a_misspelt_variable_is_reported_with_the_name_that_was_meant() {
    let mut sandbox = sandbox();
    sandbox.env("SAGE_MODEL_PROFIL", "test");
    let (found, _) = report(&sandbox, &[]);
    assert!(
        check(&found, "environment")["detail"].as_str().unwrap().contains("SAGE_MODEL_PROFILE")
    );
}

#[test]
fn programs_are_looked_for_only_where_the_project_needs_them() {
    let sandbox = sandbox();
    let names = |sandbox: &CliSandbox| {
        let (found, _) = report(sandbox, &[]);
        let checks = found["checks"].as_array().unwrap().clone();
        checks.iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(!names(&sandbox).contains(&"python".to_owned()));
    sandbox.write("a.py", "");
    assert!(names(&sandbox).contains(&"python".to_owned()));
}

#[test]
fn what_every_command_needs_is_critical() {
    let check_critical = |sandbox: &CliSandbox, name: &str, variable: &str, value: &str| {
        let output = sandbox.sage(&["doctor", "--json"]).env(variable, value).run();
        output.expect_code(4);
        let found = output.json_lines().remove(0);
        let failed = found["health_summary"]["critical_failed"].as_array().unwrap();
        assert!(failed.iter().any(|failed| failed == name), "{found:#}");
        assert!(check(&found, name)["next_step"].is_string(), "{found:#}");
    };
    let repository = sandbox();
    repository.git_init();
    check_critical(&repository, "git", "PATH", "/nowhere");
    check_critical(&repository, "temporary_folder", "TMPDIR", "/nowhere");
    // Outside a repository git is only missed.
    let output = sandbox().sage(&["doctor"]).env("PATH", "/nowhere").run();
    output.expect_code(0).expect_text("install git");
}

#[test]
fn a_server_that_says_nothing_is_waited_for_a_few_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::openai(&format!("http://{}/v1", listener.local_addr().unwrap())));
    let (found, output) = report(&sandbox, &[]);
    output.expect_code(0);
    assert_eq!(found["health_summary"]["status"], "degraded");
    assert!(output.duration < Duration::from_secs(15), "{output}");
}
