//! `sage version`, `sage commands`, `sage completions`.

use crate::support::sandbox;

#[test]
fn the_version_is_printed_alike_by_flag_and_command() {
    let sandbox = sandbox();
    let by_flag = sandbox.run(&["--version"]);
    by_flag.expect_code(0);
    assert_eq!(by_flag.stdout, format!("sage {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(sandbox.run(&["version"]).stdout, by_flag.stdout);
    let lines = sandbox.run(&["version", "--json"]).json_lines();
    assert_eq!(lines[0]["version"], env!("CARGO_PKG_VERSION"));
    // Neither a project nor a valid configuration is needed.
    sandbox.write(".sage/config.yaml", "nonsense: [");
    sandbox.run(&["version"]).expect_code(0);
}

#[test]
fn every_command_is_listed_and_has_help() {
    let sandbox = sandbox();
    let listed = sandbox.run(&["commands", "--json"]).json_lines();
    let names: Vec<&str> = listed.iter().filter_map(|line| line["name"].as_str()).collect();
    for name in [
        "run",
        "resume",
        "replay",
        "demo",
        "init",
        "doctor",
        "status",
        "runs",
        "log",
        "plan",
        "undo",
        "config",
        "rules",
        "permissions",
        "session",
        "memory",
        "models",
        "completions",
        "commands",
        "version",
    ] {
        assert!(names.contains(&name), "{name} is missing from {names:?}");
        sandbox.run(&["help", name]).expect_code(0).expect_text(&format!("Usage: sage {name}"));
    }
    let text = sandbox.run(&["commands"]).stdout;
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
}

#[test]
fn completions_are_written_for_every_shell() {
    let sandbox = sandbox();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = sandbox.run(&["completions", shell]);
        output.expect_code(0);
        assert!(output.stdout.contains("permissions"), "{shell}: {output}");
        assert!(!output.stdout.contains("__docs"), "{shell} offers what nobody should type");
    }
    sandbox.run(&["completions", "bsh"]).expect_code(2).expect_text("bash");
}
