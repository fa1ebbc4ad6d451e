//! `sage init`.

use sage_testkit::CliSandbox;

use crate::support::sandbox;

fn actions(sandbox: &CliSandbox, args: &[&str]) -> Vec<String> {
    let args: Vec<&str> = ["init", "--json"].iter().chain(args).copied().collect();
    let output = sandbox.run(&args);
    output.expect_code(0);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    output
        .json_lines()
        .iter()
        .map(|line| format!("{} {}", text(&line["action"]), text(&line["path"])))
        .collect()
}

#[test]
fn a_project_is_prepared_once_and_a_second_time_changes_nothing() {
    let sandbox = sandbox();
    sandbox.write("Cargo.toml", "[package]\n").git_init();
    assert_eq!(
        actions(&sandbox, &[]),
        ["created .sage/rules.md", "created .sage/config.yaml", "created .gitignore"]
    );
    let once = sandbox.full_tree();
    assert_eq!(
        actions(&sandbox, &[]),
        ["left_alone .sage/rules.md", "left_alone .sage/config.yaml", "left_alone .gitignore"]
    );
    assert_eq!(once.diff(&sandbox.full_tree()), "");
    // What it wrote is valid, sets nothing, and is not ignored; no git hook was installed.
    sandbox.run(&["config", "validate"]).expect_code(0);
    sandbox.run(&["rules", "validate", "--strict"]).expect_code(0);
    assert_eq!(
        sandbox.git_status(),
        ["?? .gitignore", "?? .sage/config.yaml", "?? .sage/rules.md"]
    );
    assert!(!sandbox.exists(".git/hooks/post-commit"));
    assert!(!sandbox.exists("pytest.ini"), "the project is not Python");
}

#[test]
fn existing_files_are_rewritten_only_with_force() {
    let sandbox = sandbox();
    sandbox
        .write(".sage/rules.md", "- mine\n")
        .write(".sage/config.yaml", "run:\n  max_parallel: 2\n");
    let _ = actions(&sandbox, &[]);
    assert_eq!(sandbox.read(".sage/rules.md"), "- mine\n");
    assert_eq!(sandbox.read(".sage/config.yaml"), "run:\n  max_parallel: 2\n");
    assert_eq!(
        actions(&sandbox, &["--force"]),
        ["rewritten .sage/rules.md", "rewritten .sage/config.yaml", "left_alone .gitignore"]
    );
    assert_ne!(sandbox.read(".sage/rules.md"), "- mine\n");
    let output = sandbox.run(&["init"]);
    output.expect_text("left alone").expect_text("--force rewrites it");
}

#[test]
fn gitignore_keeps_its_bytes_and_line_ends() {
    let sandbox = sandbox();
    sandbox.write(".gitignore", b"caf\xe9\r\n/target").git_init();
    let _ = actions(&sandbox, &[]);
    let after = sandbox.bytes(".gitignore");
    assert!(after.starts_with(b"caf\xe9\r\n/target\r\n"), "{after:?}");
    assert!(!after.ends_with(b"\n"), "{after:?}");
    let text = String::from_utf8_lossy(&after);
    assert!(text.contains(".sage/runs/\r\n") && !text.contains("rules"), "{text}");
}

#[test]
fn pytest_is_configured_only_where_there_is_python_without_settings() {
    let check = |files: &[(&str, &str)], expected: bool| {
        let sandbox = sandbox();
        files.iter().for_each(|(path, text)| {
            sandbox.write(path, text);
        });
        let _ = actions(&sandbox, &[]);
        assert_eq!(sandbox.exists("pytest.ini"), expected, "{files:?}");
        sandbox
    };
    let sandbox = check(&[("src/a.py", ""), ("tests/test_a.py", "")], true);
    assert_eq!(sandbox.read("pytest.ini"), "[pytest]\npythonpath = . src\ntestpaths = tests\n");
    check(&[("pyproject.toml", "[project]\n")], true);
    check(&[("pyproject.toml", "[tool.pytest.ini_options]\n")], false);
    check(&[("setup.cfg", "[metadata]\n[tool:pytest]\n")], false);
    check(&[("tox.ini", "[pytest]\n"), ("a.py", "")], false);
    check(&[("package.json", "{}")], false);
}

#[test]
fn what_stands_in_the_way_is_named_and_nothing_is_lost() {
    let sandbox = sandbox();
    sandbox.write(".sage", "a file\n");
    sandbox.run(&["init"]).expect_code(4).expect_text("is not a folder");
    assert_eq!(sandbox.read(".sage"), "a file\n");
}
