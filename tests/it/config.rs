//! `sage config`.

use sage_testkit::CliSandbox;
use serde_json::Value;

use crate::support::sandbox;

fn setting(sandbox: &CliSandbox, args: &[&str], key: &str) -> (Value, String) {
    let args: Vec<&str> = args.iter().chain(&["config", "show", "--json"]).copied().collect();
    let output = sandbox.run(&args);
    output.expect_code(0);
    let shown = output.json_lines().remove(0);
    let settings = shown["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["key"] == key).unwrap();
    (found["value"].clone(), found["source"].as_str().unwrap().to_owned())
}

#[test]
fn every_value_says_where_it_comes_from_and_later_sources_win() {
    let mut sandbox = sandbox();
    assert_eq!(setting(&sandbox, &[], "run.verify_timeout_s"), (300.into(), "default".into()));
    let user = sandbox.home().join(".config/sage/config.yaml");
    std::fs::create_dir_all(user.parent().unwrap()).unwrap();
    std::fs::write(&user, "run:\n  verify_timeout_s: 10\n").unwrap();
    let (value, source) = setting(&sandbox, &[], "run.verify_timeout_s");
    assert_eq!(value, 10);
    assert!(source.ends_with("config.yaml:2"), "{source}");
    sandbox.write(".sage/config.yaml", "# c\nrun:\n  verify_timeout_s: 20\n");
    let (value, source) = setting(&sandbox, &[], "run.verify_timeout_s");
    assert_eq!(value, 20);
    assert!(source.ends_with(".sage/config.yaml:3"), "{source}");
    sandbox.env("SAGE_VERIFY_TIMEOUT_S", "30");
    assert_eq!(
        setting(&sandbox, &[], "run.verify_timeout_s"),
        (30.into(), "$SAGE_VERIFY_TIMEOUT_S".into())
    );
}

#[test]
fn a_setting_is_changed_and_comments_stay() {
    let sandbox = sandbox();
    sandbox.write(".sage/config.yaml", "# mine\r\nrun:\r\n  max_parallel: 4  # four\r\n");
    sandbox.run(&["config", "set", "run.max_parallel", "2"]).expect_code(0);
    sandbox.run(&["config", "set", "budget.usd", "0.50"]).expect_code(0);
    assert_eq!(
        sandbox.read(".sage/config.yaml"),
        "# mine\r\nrun:\r\n  max_parallel: 2  # four\r\nbudget:\r\n  usd: 0.50\r\n"
    );
    assert_eq!(setting(&sandbox, &[], "run.max_parallel").0, 2);
    sandbox.run(&["config", "set", "--global", "run.max_repairs", "1"]).expect_code(0);
    assert_eq!(setting(&sandbox, &[], "run.max_repairs").0, 1);
}

#[test]
fn a_bad_key_or_value_names_the_nearest_and_writes_nothing() {
    let sandbox = sandbox();
    let check = |key: &str, value: &str, says: &str| {
        sandbox.run(&["config", "set", key, value]).expect_code(2).expect_text(says);
        assert!(!sandbox.exists(".sage"), "nothing is written");
    };
    check("run.max_paralel", "2", "run.max_parallel");
    check("run.max_parallel", "many", "whole number from 1 to 64");
    check("run.mode", "atuo", "did you mean \"auto\"");
    sandbox.write(".sage/config.yaml", "run:\n  colour: red\n");
    sandbox.run(&["config", "set", "run.mode", "auto"]).expect_code(4).expect_text("run.colour");
    assert_eq!(sandbox.read(".sage/config.yaml"), "run:\n  colour: red\n");
}

#[test]
fn the_models_of_a_role_are_changed_and_validated() {
    let sandbox = sandbox();
    sandbox
        .write(".sage/models.yaml", "# mine\nrouting:\n  coder: {primary: a, fallback: b} # ab\n");
    let args = [
        "config",
        "set",
        "--role",
        "coder",
        "--primary",
        "gpt-4o",
        "--fallback",
        "gpt-4o-mini",
        "--trigger",
        "failure_count >= 2",
        "--trigger",
        "task_complexity_score > 0.8",
    ];
    sandbox.run(&args).expect_code(0);
    let text = sandbox.read(".sage/models.yaml");
    assert!(text.starts_with("# mine\n") && text.contains("# ab"), "{text}");
    let shown = sandbox.run(&["config", "show", "--json"]).json_lines().remove(0);
    let coder = &shown["models"]["routing"]["coder"];
    assert_eq!(coder["primary"], "gpt-4o");
    assert_eq!(
        coder["fallback_triggers"],
        serde_json::json!(["failure_count >= 2", "task_complexity_score > 0.8"])
    );
    sandbox.run(&["config", "validate"]).expect_code(0);

    let bad = ["config", "set", "--role", "coder", "--trigger", "falure_count > 1"];
    sandbox.run(&bad).expect_code(4).expect_text("failure_count");
    assert_eq!(sandbox.read(".sage/models.yaml"), text, "nothing is written");
    sandbox
        .run(&["config", "set", "--role", "codre", "--primary", "x"])
        .expect_code(2)
        .expect_text("coder");
}

#[test]
fn a_new_models_file_keeps_what_was_in_effect() {
    let sandbox = sandbox();
    let routing = |sandbox: &CliSandbox| {
        sandbox.run(&["config", "show", "--json"]).json_lines().remove(0)["models"]["routing"]
            .clone()
    };
    let before = routing(&sandbox);
    sandbox.run(&["config", "set", "--role", "coder", "--primary", "other:7b"]).expect_code(0);
    let after = routing(&sandbox);
    assert_eq!(after["coder"]["primary"], "other:7b");
    assert_eq!(after["planner"], before["planner"]);
    assert_eq!(after["embedding"], before["embedding"]);
}

#[test]
fn validate_names_file_line_and_the_nearest_name() {
    let sandbox = sandbox();
    sandbox.run(&["config", "validate"]).expect_code(0);
    sandbox.write(".sage/config.yaml", "run:\n  mode: auto\n  max_repair: 3\n");
    sandbox.write(".sage/models.yaml", "routing:\n  coder:\n    primray: x\n");
    sandbox.write(".sage/policy.json", "{\n");
    let output = sandbox.run(&["config", "validate"]);
    output.expect_code(4);
    for says in
        [".sage/config.yaml:3", "run.max_repairs", "models.yaml:3", "primary", "policy.json"]
    {
        output.expect_text(says);
    }
    let lines = sandbox.run(&["config", "validate", "--json"]).json_lines();
    assert!(lines.iter().all(|line| line["ok"] == false), "{lines:?}");
}

#[test]
fn problems_of_variables_and_profiles_are_found() {
    let sandbox = sandbox();
    let check = |name: &str, value: &str, says: &str| {
        let output = sandbox.sage(&["config", "validate"]).env(name, value).run();
        output.expect_code(4).expect_text(says);
    };
    check("SAGE_VERIFY_TIMEOUT_S", "soon", "SAGE_VERIFY_TIMEOUT_S");
    check("SAGE_MODEL_PROFILE", "tets", "did you mean \"test\"");
    check("SAGE_MODELS_YAML", "nowhere.yaml", "nowhere.yaml");
    sandbox.run(&["config", "show", "--profile", "tets"]).expect_code(2).expect_text("test");
}

#[test]
fn migrate_writes_the_built_in_models_once() {
    let sandbox = sandbox();
    sandbox.run(&["config", "migrate"]).expect_code(0);
    let path = sandbox.home().join(".config/sage/models.yaml");
    assert!(path.is_file());
    sandbox.run(&["config", "validate"]).expect_code(0);
    std::fs::write(&path, "# mine\n").unwrap();
    sandbox.run(&["config", "migrate"]).expect_code(4).expect_text("--force");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
    sandbox.run(&["config", "migrate", "--force"]).expect_code(0);
    assert_ne!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
}

#[test]
fn secrets_are_masked_and_missing_keys_named() {
    let mut sandbox = sandbox();
    let output = sandbox.run(&["config", "env", "setup"]);
    assert!(output.stdout.contains("export OPENAI_API_KEY="), "{output}");
    sandbox.env("OPENAI_API_KEY", "sk-secret-value");
    let output = sandbox.run(&["config", "env"]);
    output.expect_code(0);
    assert!(!output.all().contains("sk-secret-value"), "{output}");
    let shown = sandbox.run(&["config", "env", "show", "--json"]);
    assert!(!shown.stdout.contains("sk-secret-value"), "{shown}");
    assert!(!sandbox.run(&["config", "env", "setup"]).stdout.contains("OPENAI_API_KEY"));
}

#[test]
fn paths_say_which_models_are_in_effect() {
    let sandbox = sandbox();
    let in_effect = |sandbox: &CliSandbox| {
        let lines = sandbox.run(&["config", "paths", "--json"]).json_lines();
        let found = lines.iter().find(|line| line["models_in_effect"] == true);
        found.map(|line| line["what"].as_str().unwrap().to_owned())
    };
    assert_eq!(in_effect(&sandbox), None);
    sandbox.run(&["config", "migrate"]).expect_code(0);
    assert_eq!(in_effect(&sandbox).as_deref(), Some("user models"));
    sandbox.write(".sage/models.yaml", "routing: {coder: {primary: x}}\n");
    assert_eq!(in_effect(&sandbox).as_deref(), Some("project models"));
}
