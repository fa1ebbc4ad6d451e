//! Every documented exit code, each by the plainest way to it.

use std::time::Duration;

use sage_testkit::{
    FakeOpenAi, Fixture, ModelsYaml, NullBrain, PlannedBrain, PlannedTask, Reply, SeenRequest,
    refused_url,
};

use crate::support::{World, planned, sandbox};

#[test]
fn exit_0_when_everything_was_done_and_verified() {
    let world = World::new(PlannedBrain::hello());
    world.run_auto(&[]).expect_code(0);
}

#[test]
fn exit_1_when_a_verification_fails() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("grep -q b a.txt");
    let world = World::new(planned(vec![task]));
    world.run_auto(&[]).expect_code(1).expect_text("task_001");
}

#[test]
fn exit_1_when_every_task_fails() {
    let failing = |n: usize| {
        PlannedTask::file(&format!("task_{n:03}"), &format!("{n}.txt"), "a\n")
            .verified_by("test -e missing")
    };
    let world = World::new(planned((1..=3).map(failing).collect()));
    for mode in [&["--auto"][..], &["--silent"], &["--auto", "--silent"]] {
        world.sandbox.run(&[&["run", "x"], mode].concat()).expect_code(1);
        assert_eq!(world.sandbox.git_status(), [""; 0]);
    }
}

#[test]
fn exit_2_for_a_command_line_that_makes_no_sense() {
    let sandbox = sandbox();
    let check = |args: &[&str], says: &[&str]| {
        let output = sandbox.run(args);
        output.expect_code(2);
        assert_eq!(output.stdout, "", "an error is no answer: {output}");
        says.iter().for_each(|text| {
            output.expect_text(text);
        });
    };
    check(&["run", "x", "--atuo"], &["--atuo", "--auto"]);
    check(&["rnu", "x"], &["rnu", "run"]);
    check(&["run"], &["GOAL"]);
    check(&["run", "x", "--research", "--silent"], &["--research", "--silent"]);
    check(&["run", "x", "--auto", "--plan-only", "--dry-run"], &["--plan-only", "--dry-run"]);
    check(&["run", "x", "--auto", "--model", "codre=gpt-4o"], &["codre", "coder"]);
    check(&["run", "x", "--auto", "--max-cost", "-1"], &["--max-cost"]);
    check(&["run", "x", "--auto", "--max-parallel", "none"], &["--max-parallel"]);
    check(&["run", "x", "--auto", "--max-time", "soon"], &["--max-time"]);
}

#[test]
fn exit_3_when_the_plan_is_rejected() {
    let world = World::new(PlannedBrain::hello());
    let mut terminal = world.sandbox.sage(&["run", "x"]).on_terminal();
    terminal.expect("[a]", Duration::from_secs(30));
    terminal.send("r\n");
    assert_eq!(terminal.wait(Duration::from_secs(30)), Some(3), "{}", terminal.screen());
}

#[test]
fn exit_4_for_a_broken_configuration_which_is_named_with_its_line() {
    let mut sandbox = sandbox();
    let server = FakeOpenAi::start(NullBrain::Prose);
    sandbox.models(&ModelsYaml::openai(&server.url()).and("    fallbakc: other\n"));
    let output = sandbox.run(&["run", "x", "--auto"]);
    output
        .expect_code(4)
        .expect_text("models.yaml")
        .expect_text("fallbakc")
        .expect_text("fallback");

    sandbox.models(&ModelsYaml::openai(&server.url()));
    sandbox.write(".sage/config.yaml", "run:\n  max_parralel: 3\n");
    let output = sandbox.run(&["run", "x", "--auto"]);
    output.expect_code(4).expect_text("config.yaml:2").expect_text("max_parallel");
    assert!(server.calls().is_empty(), "nothing is asked before the configuration is right");
}

#[test]
fn exit_4_when_the_doctor_finds_a_broken_configuration() {
    let sandbox = sandbox();
    sandbox.write(".sage/models.yaml", "routing: [not, a, mapping]\n");
    sandbox.run(&["doctor"]).expect_code(4).expect_text("unhealthy");
}

#[test]
fn exit_5_when_no_model_can_be_reached() {
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::openai(&refused_url()));
    let output = sandbox.run(&["run", "x", "--auto"]);
    output.expect_code(5).expect_text("hint");
    assert!(output.duration < Duration::from_secs(10), "{output}");
}

#[test]
fn exit_6_when_the_budget_is_used_up() {
    let world = World::new(PlannedBrain::hello());
    let output = world.run_auto(&["--max-calls", "1"]);
    output.expect_code(6).expect_text("calls");
    assert_eq!(world.calls_by_role(), ["planner"]);
    let run = world.sandbox.last_run();
    assert!(!run.of_type("run.budget_reached").is_empty(), "{}", crate::support::story(&run));
    // With more to spend it goes on where it stopped.
    let output = world.sandbox.run(&["resume", "--max-calls", "20"]);
    output.expect_code(0);
    assert_eq!(world.calls().len(), 3, "{output}");
}

#[test]
fn exit_6_for_tokens_money_and_time() {
    let slow = |request: &SeenRequest| {
        // Thinks long enough for the time limit, and reports enough for the others.
        let brain = PlannedBrain::hello();
        let reply = sage_testkit::Brain::answer(&brain, request);
        reply.after(Duration::from_millis(700)).with_usage(60_000, 4_000)
    };
    for limit in [["--max-tokens", "64500"], ["--max-cost", "0.5"], ["--max-time", "1s"]] {
        let mut world = World::in_project(&Fixture::plain_folder(), slow);
        let models = ModelsYaml::openai(&world.server.url()).price(10.0, 10.0);
        world.sandbox.models(&models);
        let output = world.run_auto(&limit);
        output.expect_code(6);
        assert!(world.calls().len() < 3, "{limit:?}: {output}");
    }
}

#[test]
fn exit_130_when_interrupted() {
    let brain = |_: &SeenRequest| Reply::text("never").after(Duration::from_secs(60));
    let world = World::new(brain);
    let mut live = world.sandbox.sage(&["run", "x", "--auto"]).spawn();
    assert!(live.wait_until(Duration::from_secs(20), |_| !world.calls().is_empty()));
    live.interrupt();
    live.wait(Duration::from_secs(20)).expect_code(130);
}
