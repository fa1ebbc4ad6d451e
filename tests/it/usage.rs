//! Command lines that make no sense, and the help that makes sense of them.

use crate::support::sandbox;

#[test]
fn a_wrong_command_line_is_one_error_one_hint_and_exit_2() {
    let sandbox = sandbox();
    let check = |args: &[&str], expected: &str| {
        let output = sandbox.run(args);
        output.expect_code(2);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", expected));
    };
    check(&["stauts"], "error: unknown command `stauts`\n\nhint: did you mean `status`?\n");
    check(&["doctor", "--depe"], "error: unknown flag `--depe`\n\nhint: did you mean `--deep`?\n");
    check(
        &["run", "fix", "it"],
        "error: unexpected argument `it`\n\nhint: put the whole goal in quotes\n",
    );
    check(
        &["-q", "status", "-v"],
        "error: `--quiet` cannot be used with `--verbose`\n\nhint: leave out `--quiet` or `--verbose`\n",
    );
    check(&["runs", "diff", "a"], "error: missing `<B>`\n\nhint: see `sage help runs diff`\n");
}

#[test]
fn help_explains_commands_and_exit_codes() {
    let sandbox = sandbox();
    let output = sandbox.run(&["help", "exit-codes"]);
    output.expect_code(0);
    for code in ["0", "1", "2", "3", "4", "5", "6", "70", "130"] {
        let has_line =
            output.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{code} ")));
        assert!(has_line, "{code}: {output}");
    }
    let by_flag = sandbox.run(&["config", "set", "--help"]);
    let by_command = sandbox.run(&["help", "config", "set"]);
    by_flag.expect_code(0);
    assert!(by_flag.stdout.contains("Example:"), "{by_flag}");
    assert_eq!(by_flag.stdout, by_command.stdout);
    sandbox.run(&["help", "confg"]).expect_code(2).expect_text("did you mean `config`?");
}

#[test]
fn a_bare_sage_prints_help_or_a_welcome() {
    let sandbox = sandbox();
    let output = sandbox.run::<&str>(&[]);
    output.expect_code(0);
    assert!(output.stdout.contains("Usage: sage"), "{output}");
    let mut terminal = sandbox.sage::<&str>(&[]).on_terminal();
    terminal.expect("sage demo", std::time::Duration::from_secs(10));
    assert_eq!(terminal.wait(std::time::Duration::from_secs(10)), Some(0));
}

#[test]
fn colour_follows_the_flag() {
    let sandbox = sandbox();
    let escapes = |args: &[&str]| sandbox.run(args).all().contains('\u{1b}');
    assert!(!escapes(&["commands"]));
    assert!(escapes(&["--color", "always", "commands"]));
    assert!(escapes(&["--color=always", "nonsense"]));
    assert!(!escapes(&["--color", "never", "nonsense"]));
    assert!(escapes(&["--color", "always", "help", "run"]));
    assert!(!escapes(&["help", "run"]));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a pipe whose reader ends first needs a shell")]
fn a_reader_that_goes_away_is_not_an_error() {
    let sandbox = sandbox();
    let binary = env!("CARGO_BIN_EXE_sage");
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{{ '{binary}' help run; echo $? >&2; }} | true")])
        .current_dir(sandbox.project())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), "0");
}

#[test]
fn a_fault_of_ours_is_exit_70_with_a_short_report() {
    let sandbox = sandbox();
    let output = sandbox.sage(&["status"]).env("SAGE_FAULT_PANIC", "1").run();
    output.expect_code(70).expect_text("error: a fault of sage").expect_text("hint: please report");
    assert!(!output.all().contains("stack backtrace"), "{output}");
    assert_eq!(output.stdout, "");
}
