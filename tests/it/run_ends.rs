//! How runs and tasks end at odd moments: out of time, killed, undone, stopped by several things at
//! once. Whatever ends them, the files, the log and the exit code agree.

use sage_testkit::{Brain, FileWrite, Fixture, PlannedTask, Reply, SeenRequest};
use serde_json::{Value, json};

use crate::support::{GOAL, KILL_AFTER, World, assert_no_crash, planned, story};

/// Runs until the first event of a type is logged, and dies there.
fn die_at(world: &World, event: &str, make: &dyn Fn() -> World) {
    let rehearsal = make();
    rehearsal.run_auto(&[]);
    let events = rehearsal.sandbox.last_run().events();
    let is_it = |found: &&Value| found["type"] == event;
    let seq = events.iter().find(is_it).and_then(|found| found["seq"].as_u64()).unwrap();
    let killed = world.sandbox.sage(&["run", GOAL, "--auto"]).env(KILL_AFTER, seq.to_string());
    assert_eq!(killed.run().signal, Some(9));
}

fn finished(world: &World, node: &str) -> Value {
    let mut ends = world.sandbox.last_run().of_type("node.finished");
    ends.retain(|end| end["node"] == node);
    ends.pop().unwrap_or_default()
}

#[test]
fn a_task_that_runs_out_of_time_leaves_the_files_as_it_found_them() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n")
        .verified_by("sleep 30")
        .with("budget", json!({"time_s": 2}));
    let world = World::new(planned(vec![task]));
    let before = world.sandbox.tree();
    let output = world.run_auto(&[]);
    assert_no_crash(&output);
    output.expect_code(1).expect_text("timed out");
    assert_eq!(before.diff(&world.sandbox.tree()), "", "{output}");
    assert_eq!(finished(&world, "task_001")["outcome"], "failed");
}

#[test]
fn an_attempt_that_may_not_be_taken_up_again_is_taken_back() {
    let make = || {
        let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("test -s a.txt");
        let tasks = vec![task.with("on_unknown", json!("fail"))];
        let world = World::new(planned(tasks.clone()));
        world.sandbox.write("plan.json", crate::support::plan_file(&tasks));
        world
    };
    let world = make();
    let args = ["run", "--plan", "plan.json", "--auto"];
    make().sandbox.run(&args).expect_code(0);
    let rehearsal = make();
    rehearsal.sandbox.run(&args).expect_code(0);
    let events = rehearsal.sandbox.last_run().events();
    let checked = events.iter().find(|event| event["type"] == "workspace.checked").unwrap();
    let killed = world.sandbox.sage(&args).env(KILL_AFTER, checked["seq"].to_string()).run();
    assert_eq!(killed.signal, Some(9), "{killed}");
    assert!(world.sandbox.exists("a.txt"));
    let output = world.resume();
    output.expect_code(1);
    assert!(!world.sandbox.exists("a.txt"), "{output}\n{}", story(&world.sandbox.last_run()));
}

#[test]
fn a_run_that_was_undone_is_not_taken_up_again() {
    let make = || {
        World::new(planned(vec![
            PlannedTask::file("task_001", "a.txt", "a\n"),
            PlannedTask::file("task_002", "b.txt", "b\n").after(&["task_001"]),
        ]))
    };
    let world = make();
    die_at(&world, "node.finished", &make);
    assert!(world.sandbox.exists("a.txt"));
    world.sandbox.run(&["undo"]).expect_code(0);
    assert!(!world.sandbox.exists("a.txt"));
    world.resume().expect_code(2).expect_text("undone");
    // The same goal again is a new run, with all of its work.
    let output = world.run_auto(&[]);
    output.expect_code(0);
    assert_eq!(world.sandbox.runs().len(), 2, "{output}");
    assert!(world.sandbox.exists("a.txt") && world.sandbox.exists("b.txt"), "{output}");
}

#[test]
fn undo_leaves_alone_what_the_person_did_while_the_run_went_on() {
    let make = || {
        World::in_project(
            &Fixture::python(),
            planned(vec![
                PlannedTask::file("task_001", "a.txt", "a\n"),
                PlannedTask::file("task_002", "b.txt", "b\n").after(&["task_001"]),
            ]),
        )
    };
    let world = make();
    die_at(&world, "node.finished", &make);
    // The person goes on working in a file that is no business of the run's.
    world.sandbox.write("README.md", "My own words.\n");
    world.resume().expect_code(0);
    let output = world.sandbox.run(&["undo"]);
    output.expect_code(0);
    assert!(!world.sandbox.exists("a.txt") && !world.sandbox.exists("b.txt"), "{output}");
    assert_eq!(world.sandbox.read("README.md"), "My own words.\n", "{output}");
}

#[test]
fn include_bounds_what_a_plan_may_write() {
    let task = PlannedTask::new("task_001", "Write src/a.py")
        .version(vec![FileWrite::whole("src/a.py", "A = 1\n")])
        .calling("write", &json!({"path": "other/b.py", "content": "B = 1\n"}))
        .targets(&["src/a.py"])
        .with("paths", json!(["**"]));
    let world = World::new(planned(vec![task]));
    let output = world.run_auto(&["--include", "src/**"]);
    assert_no_crash(&output);
    assert!(!world.sandbox.exists("other/b.py"), "{output}");
    assert!(world.sandbox.exists("src/a.py"), "{output}");
}

#[test]
fn an_include_that_is_no_glob_is_refused() {
    let world = World::new(planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]));
    let output = world.run_auto(&["--include", "src/["]);
    output.expect_code(2).expect_text("src/[");
    assert_eq!(world.calls().len(), 0);
}

#[test]
fn a_task_without_a_writing_tool_writes_nothing_in_text_either() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").with("tools", json!(["read"]));
    let world = World::new(planned(vec![task])).text_protocol();
    let output = world.run_auto(&[]);
    assert_no_crash(&output);
    output.expect_code(1);
    assert!(!world.sandbox.exists("a.txt"), "{output}");
}

#[test]
fn a_failed_task_beside_a_stopped_one_stops_the_run_for_its_own_reason() {
    // One task's disk is full, the other's budget of the run is used up.
    let tasks = vec![
        PlannedTask::file("task_001", "a.txt", "a\n").verified_by("false"),
        PlannedTask::file("task_002", "b.txt", "b\n"),
    ];
    let plan = planned(tasks);
    let brain = move |request: &SeenRequest| -> Reply {
        let reply = plan.answer(request);
        match request.task().as_deref() {
            Some("task_002") => reply.after(std::time::Duration::from_millis(1500)),
            _ => reply,
        }
    };
    let world = World::new(brain);
    let output = world.run_auto(&["--max-calls", "4", "--silent"]);
    assert_no_crash(&output);
    assert!(matches!(output.code, Some(1 | 6)), "{output}");
}

#[test]
fn a_suite_that_cannot_be_collected_is_no_suite_without_tests() {
    let fixture = Fixture::plain_folder()
        .file("check.sh", "echo '1 error in 0.12s'\nexit 2\n")
        .file(".sage/config.yaml", "run:\n  verify: [\"sh check.sh\"]\n");
    let task = PlannedTask::file("task_001", "a.txt", "a\n");
    let world = World::in_project(&fixture, planned(vec![task]));
    let output = world.run_auto(&[]);
    output.expect_code(1).expect_text("check.sh");
}

#[test]
fn the_final_message_is_written_also_when_an_interrupted_run_is_taken_up() {
    let make = || World::new(planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]));
    let world = make();
    die_at(&world, "workspace.changed", &make);
    let out = world.sandbox.path("last.txt");
    let output = world.run_auto(&["--output-last-message", &out.to_string_lossy()]);
    output.expect_code(0);
    assert_eq!(world.sandbox.runs().len(), 1, "{output}");
    assert!(std::fs::read_to_string(&out).unwrap_or_default().contains("succeeded"), "{output}");
}

#[test]
fn a_resumed_run_is_the_one_whose_plan_is_shown() {
    let make = || World::new(planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]));
    let world = make();
    die_at(&world, "workspace.changed", &make);
    let plan = world.sandbox.read(".sage/last_plan.json");
    world.sandbox.write(".sage/last_plan.json", "{}\n");
    world.resume().expect_code(0);
    assert_eq!(world.sandbox.read(".sage/last_plan.json"), plan);
}

#[test]
fn words_that_nobody_receives_are_no_work() {
    let plan = json!({"goal": GOAL, "nodes": [{
        "id": "task_001", "description": "Think", "assigned_agent": "architect",
        "dependencies": [], "target_files": [],
    }]});
    let world = World::new(sage_testkit::NullBrain::Prose);
    world.sandbox.write("plan.json", plan.to_string());
    let output = world.sandbox.run(&["run", "--plan", "plan.json", "--auto"]);
    assert_no_crash(&output);
    assert_ne!(output.code, Some(0), "{output}");
}

#[test]
fn a_plan_is_judged_by_the_project_as_the_planner_saw_it() {
    let make = || {
        let fixture = Fixture::plain_folder().file("what?.txt", "old\n");
        let task = PlannedTask::new("task_001", "Write again")
            .version(vec![FileWrite::whole("new.txt", "new\n")])
            .targets(&["what?.txt", "new.txt"]);
        World::in_project(&fixture, planned(vec![task]))
    };
    let world = make();
    die_at(&world, "model.answered", &make);
    std::fs::remove_file(world.sandbox.project().join("what?.txt")).unwrap();
    world.resume();
    let planned = world.calls_by_role().iter().filter(|role| role.starts_with("planner")).count();
    assert_eq!(planned, 1, "{}", story(&world.sandbox.last_run()));
}

#[test]
fn every_attempt_starts_afresh_also_when_failed_work_is_kept() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("false");
    let task = task.calling("run", &json!({"command": "echo x >> log.txt"}));
    let task =
        task.with("paths", json!(["a.txt", "log.txt"])).with("retry", json!({"attempts": 2}));
    let world = World::new(planned(vec![task.clone()]));
    world.sandbox.write("plan.json", crate::support::plan_file(&[task]));
    world.sandbox.write(".sage/config.yaml", "run:\n  max_repairs: 0\n  keep_failed: true\n");
    let output = world.sandbox.run(&["run", "--plan", "plan.json", "--auto"]);
    output.expect_code(1);
    let run = world.sandbox.last_run();
    assert_eq!(run.of_type("node.started").len(), 2, "{output}\n{}", story(&run));
    assert_eq!(run.of_type("workspace.rolled_back").len(), 1, "{}", story(&run));
    assert!(world.sandbox.exists("a.txt"), "the last attempt's work is kept: {output}");
}

#[test]
fn a_task_that_a_resume_goes_on_with_is_not_called_failed() {
    let plan = planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]);
    let brain = move |request: &SeenRequest| -> Reply {
        match request.role() {
            Some(sage_core::AgentRole::Planner) => plan.answer(request),
            _ => Reply::fault(sage_testkit::Fault::Reset),
        }
    };
    let output = World::new(brain).run_auto(&[]);
    output.expect_code(5).expect_text("task_001 (coder): interrupted").expect_text("sage resume");
}

#[test]
fn links_and_pipes_that_a_failed_task_left_are_taken_back() {
    let task = PlannedTask::file("task_001", "src/a.txt", "a\n")
        .with("paths", json!(["src/**"]))
        .calling("run", &json!({"command": "ln -s /tmp src/out; mkfifo src/pipe"}))
        .verified_by("test -e missing");
    let world = World::new(planned(vec![task]));
    let before = world.sandbox.tree();
    let output = world.run_auto(&[]);
    output.expect_code(1);
    assert!(!output.all().contains("rolling back failed"), "{output}");
    assert_eq!(before.diff(&world.sandbox.tree()), "", "{output}");
}

#[test]
fn the_time_of_a_run_ends_its_commands_too() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by("sleep 60");
    let world = World::new(planned(vec![task]));
    let begun = std::time::Instant::now();
    let output = world.run_auto(&["--max-time", "2s"]);
    output.expect_code(6).expect_text("sage resume");
    assert!(begun.elapsed().as_secs() < 30, "{output}");
    assert_eq!(world.sandbox.processes(), [], "{output}");
    let finished = world.sandbox.last_run().finished().expect("the end is on record");
    assert_eq!(finished["outcome"], "out_of_budget", "{output}");
}
