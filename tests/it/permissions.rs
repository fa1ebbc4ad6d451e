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
    sandbox
        .write(".sage/policy.json", r#"{"skills_root": "s", "tool_policy": "standard"}"#)
        .write("lib/x", "");
    sandbox.run(&["permissions", "set", "workspace", "lib"]).expect_code(0);
    let file = |sandbox: &CliSandbox| {
        serde_json::from_str::<serde_json::Value>(&sandbox.read(".sage/policy.json")).unwrap()
    };
    assert_eq!(
        file(&sandbox),
        json!({"skills_root": "s", "tool_policy": "standard", "workspace_root": "lib"})
    );
    sandbox.run(&["permissions", "set", "workspace", "clear"]).expect_code(0);
    assert_eq!(file(&sandbox), json!({"skills_root": "s", "tool_policy": "standard"}));
    sandbox.run(&["permissions", "reset"]).expect_code(0);
    assert_eq!(file(&sandbox), json!({"skills_root": "s"}));
}

#[test]
fn bad_values_and_broken_files_change_nothing() {
    let sandbox = sandbox();
    sandbox.run(&["permissions", "set", "policy", "strct"]).expect_code(2).expect_text("strict");
    sandbox
        .run(&["permissions", "set", "workspace", "nowhere"])
        .expect_code(2)
        .expect_text("nowhere");
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
