//! What must keep working inside, and what the command shows.

use super::{Jailed, PATIENCE};

#[test]
fn git_reads_its_repository() {
    let jailed = Jailed::new();
    let script = "echo b > src/a.txt; git status --porcelain; git log --oneline; git diff --stat";
    for mode in ["on", "landlock"] {
        let output = jailed.sh(mode, script);
        output.expect_code(0).expect_text(" M src/a.txt").expect_text("Start");
    }
}

#[test]
fn a_work_tree_of_git_is_read_through_its_file() {
    let jailed = Jailed::new();
    let tree = jailed.sandbox.path("tree");
    jailed.sandbox.git(&["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
    let project = ["--project", tree.to_str().unwrap()].map(str::to_owned);
    let script = "echo b > src/a.txt; git status --porcelain; echo x > .git";
    let args = Jailed::args("on", &["sh", "-c", script]);
    let output = jailed.sandbox.run(&[&project[..], &args[..]].concat());
    output.expect_text(" M src/a.txt").expect_text("Read-only");
    // What lies in the other tree is not shown.
    let secret = jailed.sandbox.project().join("src/a.txt");
    let args = Jailed::args("on", &["cat", secret.to_str().unwrap()]);
    assert_ne!(jailed.sandbox.run(&[&project[..], &args[..]].concat()).code, Some(0));
}

#[test]
fn the_tree_is_written_and_the_temporary_folder_is_private() {
    let jailed = Jailed::new();
    for mode in ["on", "landlock"] {
        let script = "echo 1 > made && echo 2 > $TMPDIR/x && cat $TMPDIR/x && mktemp && mkdir -p deep/er && mv made deep/er/";
        jailed.sh(mode, script).expect_code(0).expect_text("2\n");
        assert_eq!(jailed.sandbox.read("deep/er/made"), "1\n");
        std::fs::remove_dir_all(jailed.sandbox.project().join("deep")).unwrap();
    }
    let left: Vec<_> = std::fs::read_dir(jailed.sandbox.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn exit_codes_signals_and_missing_programs_are_told() {
    let jailed = Jailed::new();
    for mode in ["on", "landlock", "off"] {
        assert_eq!(jailed.sh(mode, "exit 7").code, Some(7), "{mode}");
        jailed.sh(mode, "kill -9 $$").expect_code(1).expect_text("signal 9");
        let args = Jailed::args(mode, &["no-such-program"]);
        jailed.sandbox.run(&args).expect_code(4).expect_text("starting no-such-program");
    }
}

#[test]
fn what_is_enforced_is_shown() {
    let jailed = Jailed::new();
    let output = jailed.sandbox.run(&["sandbox", "--json"]);
    output.expect_code(0);
    let shown: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let project = jailed.sandbox.project();
    assert_eq!(shown["layers"]["namespaces"], true);
    assert_eq!(shown["network"], "off");
    assert_eq!(shown["write"][0], project.to_str().unwrap());
    assert_eq!(shown["protected"][0], project.join(".git").to_str().unwrap());
    let text = jailed.sandbox.run(&["sandbox"]);
    text.expect_code(0).expect_text("namespaces").expect_text("protect");
}

#[test]
fn a_project_cannot_open_its_own_jail() {
    let jailed = Jailed::new();
    jailed.sandbox.write(".sage/config.yaml", "sandbox:\n  mode: \"off\"\n");
    let output = jailed.sandbox.run(&["sandbox", "--", "true"]);
    output.expect_code(4).expect_text("a project cannot set this").expect_text("config.yaml:2");
    let output = jailed.sandbox.run(&["config", "set", "sandbox.mode", "off"]);
    output.expect_code(2).expect_text("--global");
    jailed.sandbox.write(".sage/config.yaml", "");
    jailed.sandbox.run(&["config", "set", "--global", "sandbox.mode", "off"]).expect_code(0);
    jailed.sandbox.run(&["sandbox", "--", "true"]).expect_code(0).expect_text("without a sandbox");
}

#[test]
fn a_time_limit_and_a_ctrl_c_end_everything_inside() {
    let jailed = Jailed::new();
    let line = "trap '' TERM; setsid sleep 300 & sleep 301 & echo ready; wait; sleep 302";
    let output = jailed.sandbox.run(&["sandbox", "--timeout-s", "1", "--", "sh", "-c", line]);
    output.expect_code(1).expect_text("stopped after 1 s");
    assert_eq!(jailed.sandbox.processes(), []);
    let mut live = jailed.sandbox.sage(&["sandbox", "--", "sh", "-c", line]).spawn();
    assert!(live.wait_until(PATIENCE, |live| live.stdout().contains("ready")));
    live.interrupt();
    live.wait(PATIENCE).expect_code(130);
    assert_eq!(jailed.sandbox.processes(), []);
}
