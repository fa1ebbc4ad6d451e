//! What the settings of `.sage/config.yaml` and the environment promise, each shown by a run that it
//! changes.

use sage_testkit::{PlannedBrain, PlannedTask, Reply, SeenRequest};
use serde_json::json;

use crate::support::{GOAL, World, planned};

fn hello(settings: &str) -> World {
    let world = World::new(PlannedBrain::hello());
    world.sandbox.write(".sage/config.yaml", settings);
    world
}

/// A task whose check never passes.
fn failing() -> PlannedTask {
    PlannedTask::file("task_001", "a.txt", "a\n").verified_by("grep -q b a.txt")
}

#[test]
fn run_mode_decides_whether_a_plan_is_reviewed() {
    let world = hello("run:\n  mode: auto\n");
    world.sandbox.run(&["run", PlannedBrain::HELLO_GOAL]).expect_code(0);
    let started = &world.sandbox.last_run().of_type("run.started")[0];
    assert_eq!(started["mode"], "auto");
    // A flag wins over the file.
    world.sandbox.run(&["run", "x", "--research"]).expect_code(2).expect_text("--auto");
}

#[test]
fn budget_calls_stops_a_run() {
    let world = hello("budget:\n  calls: 1\n");
    world.sandbox.run(&["run", "x", "--auto"]).expect_code(6).expect_text("calls");
    assert_eq!(world.calls().len(), 1);
}

#[test]
fn run_verify_commands_decide_about_the_project() {
    let world = hello("run:\n  verify:\n    - test -e nowhere\n");
    world.sandbox.run(&["run", "x", "--auto"]).expect_code(1);
    let checks = world.sandbox.last_run().of_type("workspace.checked");
    assert!(
        checks
            .iter()
            .any(|check| check["command"] == "test -e nowhere" && check["passed"] == false),
        "{checks:?}"
    );
}

#[test]
fn max_repairs_and_keep_failed_are_kept() {
    let world = World::new(planned(vec![failing()]));
    world.sandbox.write(".sage/config.yaml", "run:\n  max_repairs: 0\n  keep_failed: true\n");
    world.run_auto(&[]).expect_code(1);
    let phases = world.sandbox.last_run().of_type("node.entered_phase");
    assert!(phases.iter().all(|phase| phase["phase"] != "repair"), "{phases:?}");
    assert_eq!(world.sandbox.read("a.txt"), "a\n", "the failed change is kept");

    let world = World::new(planned(vec![failing()]));
    world.run_auto(&[]).expect_code(1);
    assert!(!world.sandbox.exists("a.txt"), "by default it is taken back");
}

#[test]
fn verify_timeout_ends_a_slow_check() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("sleep 60");
    let mut world = World::new(planned(vec![task]));
    world.sandbox.env("SAGE_VERIFY_TIMEOUT_S", "1");
    world.sandbox.write(".sage/config.yaml", "run:\n  max_repairs: 0\n");
    let output = world.run_auto(&[]);
    output.expect_code(1).expect_text("1 s");
    assert!(output.duration.as_secs() < 20, "{output}");
}

#[test]
fn the_report_is_as_long_as_asked_for() {
    let report = |form: &str| {
        let mut world = hello("run:\n  mode: auto\n");
        world.sandbox.env("SAGE_RUN_OUTPUT", form);
        let output = world.sandbox.run(&["run", PlannedBrain::HELLO_GOAL]);
        output.expect_code(0);
        output.stdout.len()
    };
    let (summary, full, debug) = (report("summary"), report("full"), report("debug"));
    assert!(summary < full && full < debug, "{summary} {full} {debug}");
}

#[test]
fn commands_see_the_variables_they_were_given_and_no_secret() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n")
        .verified_by("test \"$COLOUR\" = red && test -z \"$MY_TOKEN$OPENAI_API_KEY$OTHER\"");
    let mut world = World::new(planned(vec![task]));
    world.sandbox.write(".sage/config.yaml", "tools:\n  environment: [COLOUR, MY_TOKEN]\n");
    world
        .sandbox
        .env("COLOUR", "red")
        .env("MY_TOKEN", "secret-1")
        .env("OTHER", "x")
        .env("OPENAI_API_KEY", "sk-1");
    world.run_auto(&[]).expect_code(0).expect_text("MY_TOKEN");
}

#[test]
fn rules_max_bytes_bounds_what_models_are_told() {
    let told = |settings: &str| {
        let world = hello(settings);
        world.sandbox.write(".sage/rules.md", "- Keep lines under eighty characters.\n");
        world.sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).expect_code(0);
        let calls = world.calls();
        calls.iter().any(|call: &SeenRequest| {
            call.transcript().contains("eighty") || call.system().contains("eighty")
        })
    };
    assert!(told(""));
    assert!(!told("rules:\n  max_bytes: 10\n"));
}

#[test]
fn a_strict_policy_refuses_commands_that_nobody_can_be_asked_about() {
    let brain = |request: &SeenRequest| {
        let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("true");
        let reply = sage_testkit::Brain::answer(&planned(vec![task]), request);
        let is_first = request.role() == Some(sage_core::AgentRole::Coder)
            && !request.transcript().contains("refused");
        if is_first {
            Reply::tool("run", json!({"command": "curl http://127.0.0.1:1"}))
        } else {
            reply
        }
    };
    let run = |policy: &str| {
        let mut world = World::new(brain);
        world.sandbox.env("SAGE_TOOL_POLICY", policy);
        let output = world.sandbox.run(&["run", GOAL, "--auto", "--max-calls", "8"]);
        assert!(matches!(output.code, Some(0 | 1 | 6)), "{output}");
        // The model repeats itself where it may, which is refused as well, but not by the policy.
        let mut refused = world.sandbox.last_run().of_type("tool.refused");
        refused.retain(|event| {
            !event["reason"].as_str().unwrap_or_default().contains("repeats itself")
        });
        refused.len()
    };
    assert!(run("strict") > 0);
    assert_eq!(run("standard"), 0);
}
