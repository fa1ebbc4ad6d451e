//! `sage permissions`.

use sage_testkit::CliSandbox;
use serde_json::json;

use crate::support::sandbox;

fn part(sandbox: &CliSandbox, name: &str) -> (String, String) {
    let lines = sandbox.run(&["permissions", "--json"]).json_lines();
    let found = lines.iter().find(|line| line["part"] == name).unwrap();
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    (text("value"), text("source"))
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let mut sandbox = sandbox();
    assert_eq!(part(&sandbox, "policy"), ("standard".into(), "default".into()));
    sandbox.run(&["permissions", "set", "policy", "strict"]).expect_code(0);
    assert_eq!(part(&sandbox, "policy"), ("strict".into(), ".sage/policy.json".into()));
    sandbox.env("SAGE_TOOL_POLICY", "standard");
    assert_eq!(part(&sandbox, "policy"), ("standard".into(), "$SAGE_TOOL_POLICY".into()));
}

#[test]
fn other_keys_are_kept_and_reset_removes_only_what_can_be_set() {
    let sandbox = sandbox();
    let file = |sandbox: &CliSandbox| -> serde_json::Value {
        serde_json::from_str(&sandbox.read(".sage/policy.json")).unwrap()
    };
    sandbox.write(".sage/policy.json", r#"{"skills_root": "s", "tool_policy": "standard"}"#);
    sandbox.run(&["permissions", "set", "policy", "strict"]).expect_code(0);
    assert_eq!(file(&sandbox), json!({"skills_root": "s", "tool_policy": "strict"}));
    sandbox
        .run(&["permissions"])
        .expect_code(0)
        .expect_text("`skills_root` of policy.json is kept");
    sandbox.run(&["permissions", "set", "policy", "clear"]).expect_code(0);
    assert_eq!(file(&sandbox), json!({"skills_root": "s"}));
    sandbox.run(&["permissions", "reset"]).expect_code(0);
    assert_eq!(file(&sandbox), json!({"skills_root": "s"}));
}

#[test]
fn bad_values_and_broken_files_change_nothing() {
    let sandbox = sandbox();
    sandbox.run(&["permissions", "set", "policy", "strct"]).expect_code(2).expect_text("strict");
    sandbox.run(&["permissions", "set", "polcy", "strict"]).expect_code(2).expect_text("policy");
    assert!(!sandbox.exists(".sage"));
    for broken in ["{", "[]", r#"{"tool_polcy": "strict"}"#, r#"{"tool_policy": 1}"#] {
        sandbox.write(".sage/policy.json", broken);
        for args in [
            &["permissions"][..],
            &["permissions", "set", "policy", "strict"],
            &["permissions", "reset"],
        ] {
            sandbox.run(args).expect_code(4).expect_text("policy.json");
            assert_eq!(sandbox.read(".sage/policy.json"), broken);
        }
    }
}
