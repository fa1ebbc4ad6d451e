//! `sage rules`.

use crate::support::sandbox;

#[test]
fn rules_are_merged_once_with_their_sources() {
    let sandbox = sandbox();
    std::fs::create_dir_all(sandbox.home().join(".sage")).unwrap();
    std::fs::write(sandbox.home().join(".sage/rules.md"), "- Be brief.\n").unwrap();
    sandbox
        .write(".sage/rules.md", "- Use tabs.\n- Be brief.\n")
        .write(".sage/rules.coder.md", "- Write types.\n");
    sandbox.write("AGENTS.md", "- Run make.\n").write("lib/AGENTS.md", "- Only in lib.\n");
    let output = sandbox.run(&["rules"]);
    output.expect_code(0);
    assert_eq!(output.stdout.matches("Be brief").count(), 1, "{output}");
    assert!(!output.stdout.contains("Only in lib"), "{output}");
    let lines = sandbox.run(&["rules", "--role", "reviewer", "--json"]).json_lines();
    assert!(lines.iter().all(|line| line["text"] != "- Write types."), "{lines:?}");
    let layered = sandbox.run(&["rules", "--layers"]);
    layered.expect_text("~/.sage/rules.md").expect_text(".sage/rules.coder.md:1");
    let in_lib = sandbox.sage(&["rules", "show"]).in_folder(&sandbox.project().join("lib")).run();
    in_lib.expect_text("Only in lib");
}

#[test]
fn a_rule_is_added_once_and_never_empty() {
    let sandbox = sandbox();
    sandbox.run(&["rules", "add", "Use", "tabs"]).expect_code(0);
    sandbox.run(&["rules", "add", "Use tabs"]).expect_code(0).expect_text("already");
    assert_eq!(sandbox.read(".sage/rules.md").matches("Use tabs").count(), 1);
    sandbox.run(&["rules", "add", "--global", "Be kind"]).expect_code(0);
    let global = std::fs::read_to_string(sandbox.home().join(".sage/rules.md")).unwrap();
    assert!(global.contains("Be kind"), "{global}");
    let output = sandbox.run(&["rules", "add", "  "]);
    output.expect_code(2);
    assert!(output.stderr.starts_with("error: "), "{output}");
}

#[test]
fn findings_name_file_and_line_and_strict_is_exit_4() {
    let sandbox = sandbox();
    sandbox.write(".sage/rules.md", "- Use tabs for indentation.\n- Use spaces for indentation.\n");
    let output = sandbox.run(&["rules", "validate"]);
    output.expect_code(0).expect_text("contradiction").expect_text(".sage/rules.md:");
    sandbox.run(&["rules", "validate", "--strict"]).expect_code(4);
    let lines = sandbox.run(&["rules", "validate", "--json"]).json_lines();
    assert!(
        lines.iter().any(|line| line["kind"] == "contradiction" && line["line"].is_u64()),
        "{lines:?}"
    );
}
