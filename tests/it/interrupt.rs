//! Ctrl-C and SIGTERM: the process ends within a second, leaves nothing running, says how to go on,
//! and the run can be gone on with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sage_testkit::{Brain, Live, PlannedBrain, PlannedTask, SeenRequest, Signal};

use crate::support::{AT_ONCE, GOAL, World, assert_succeeded, planned, story};

const PATIENCE: Duration = Duration::from_secs(30);

/// A model that thinks for a minute about everything but the plan until it is told to hurry.
fn slow_hello() -> (Arc<AtomicBool>, impl Brain + 'static) {
    let hurry = Arc::new(AtomicBool::new(false));
    let brain = PlannedBrain::hello();
    let slow = {
        let hurry = hurry.clone();
        move |request: &SeenRequest| {
            let reply = brain.answer(request);
            let is_plan = request.role() == Some(sage_core::AgentRole::Planner);
            if is_plan || hurry.load(Ordering::Relaxed) {
                reply
            } else {
                reply.after(Duration::from_secs(60))
            }
        }
    };
    (hurry, slow)
}

/// Ends a live process by a signal and checks everything that is promised about it.
fn check_ended_by(signal: Signal, world: &World, live: Live) {
    let begun = Instant::now();
    live.signal(signal);
    let output = live.wait(PATIENCE);
    let took = begun.elapsed();
    output.expect_code(130).expect_text("sage resume");
    assert!(took < AT_ONCE, "it took {took:?}: {output}");
    assert_eq!(world.sandbox.processes(), [], "something is left running: {output}");
    let run = world.sandbox.last_run();
    let finished = run.finished().expect("the end is on record");
    assert_eq!(finished["outcome"], "interrupted", "{}", story(&run));
    assert_eq!(finished["exit_code"], 130);
}

fn check_interrupted_while_thinking(signal: Signal) {
    let (hurry, brain) = slow_hello();
    let world = World::new(brain);
    let mut live = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).spawn();
    assert!(live.wait_until(PATIENCE, |_| world.calls().len() == 2), "{}", live.stderr());
    check_ended_by(signal, &world, live);

    hurry.store(true, Ordering::Relaxed);
    world.resume().expect_code(0);
    assert_succeeded(&world.sandbox.last_run(), &["task_001", "task_002"]);
    let roles = world.calls_by_role();
    let expected = ["planner", "coder task_001", "coder task_001", "test_engineer task_002"];
    assert_eq!(roles, expected, "only the call that was cut off is made again");
}

#[test]
fn ctrl_c_while_the_model_thinks() {
    check_interrupted_while_thinking(Signal::SIGINT);
}

#[test]
fn sigterm_while_the_model_thinks() {
    check_interrupted_while_thinking(Signal::SIGTERM);
}

/// The mark by which a sleeping child is known.
const SLEEPER: &str = "sleep 300";

fn sleeps(world: &World) -> bool {
    world.sandbox.processes().iter().any(|process| process.command == SLEEPER)
}

/// A verification that sleeps until a file outside the project exists.
fn check_interrupted_while_a_command_runs(command: &str) {
    let mut world = World::new(planned(Vec::new()));
    let folder = world.sandbox.path("signs");
    std::fs::create_dir(&folder).unwrap();
    let go = folder.join("go");
    world.sandbox.user_config(&format!("sandbox:\n  read: [{}]\n", folder.display()));
    let command = command.replace("GO", &go.to_string_lossy());
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by(&command);
    world.server = sage_testkit::FakeOpenAi::start(planned(vec![task]));
    world.sandbox.models(&sage_testkit::ModelsYaml::openai(&world.server.url()));

    let mut live = world.sandbox.sage(&["run", GOAL, "--auto"]).spawn();
    assert!(live.wait_until(PATIENCE, |_| sleeps(&world)), "{}", live.stderr());
    check_ended_by(Signal::SIGINT, &world, live);

    std::fs::write(&go, "").unwrap();
    world.resume().expect_code(0);
    assert_succeeded(&world.sandbox.last_run(), &["task_001"]);
    assert_eq!(world.calls().len(), 2, "nothing is asked again");
}

#[test]
fn ctrl_c_while_a_verification_runs() {
    check_interrupted_while_a_command_runs("test -e GO || sleep 300");
}

#[test]
fn ctrl_c_while_a_verification_with_deaf_children_runs() {
    check_interrupted_while_a_command_runs(
        "trap '' INT TERM; test -e GO || { sleep 300 & sleep 301; wait; }",
    );
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let (_, brain) = slow_hello();
    let world = World::new(brain);
    let mut live = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL, "--auto"]).spawn();
    assert!(live.wait_until(PATIENCE, |_| world.calls().len() == 2), "{}", live.stderr());
    live.interrupt();
    live.interrupt();
    let output = live.wait(PATIENCE);
    output.expect_code(130);
    assert_eq!(world.sandbox.processes(), []);
}

#[test]
fn a_killed_process_leaves_no_child_behind() {
    let mut world = World::new(planned(Vec::new()));
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by(SLEEPER);
    world.server = sage_testkit::FakeOpenAi::start(planned(vec![task]));
    world.sandbox.models(&sage_testkit::ModelsYaml::openai(&world.server.url()));
    let mut live = world.sandbox.sage(&["run", GOAL, "--auto"]).spawn();
    assert!(live.wait_until(PATIENCE, |_| sleeps(&world)), "{}", live.stderr());
    live.kill();
    assert_eq!(live.wait(PATIENCE).signal, Some(9));
    let until = Instant::now() + Duration::from_secs(5);
    while !world.sandbox.processes().is_empty() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!(world.sandbox.processes(), []);
}

#[test]
fn while_a_run_works_in_a_project_another_one_is_refused() {
    let (_, brain) = slow_hello();
    let world = World::new(brain);
    let args = ["run", PlannedBrain::HELLO_GOAL, "--auto"];
    let mut live = world.sandbox.sage(&args).spawn();
    assert!(live.wait_until(PATIENCE, |_| world.calls().len() == 2), "{}", live.stderr());
    let output = world.sandbox.run(&["run", "Something else", "--auto"]);
    output.expect_code(4).expect_text("locked");
    // What is busy cannot be undone or taken up by somebody else either.
    assert_ne!(world.sandbox.run(&["undo"]).code, Some(0));
    assert_ne!(world.resume().code, Some(0));
    check_ended_by(Signal::SIGINT, &world, live);
    assert_eq!(world.calls().len(), 2, "nobody else asked the model");
}
