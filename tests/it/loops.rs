//! A model that goes in circles is told, then refused, then stopped, and the report says so.

use std::sync::atomic::{AtomicUsize, Ordering};

use sage_core::AgentRole;
use sage_testkit::{Brain, FileWrite, PlannedTask, Reply, RunFolder, SeenRequest};
use serde_json::{Value, json};

use crate::support::{World, assert_no_crash, planned, story};

/// A task whose model, before it does what it should, answers with `each` of its turns.
fn world(each: fn(usize) -> Reply) -> World {
    let n_turns = AtomicUsize::new(0);
    let task = || PlannedTask::new("task_001", "Write a.txt").targets(&["a.txt"]);
    World::new(move |request: &SeenRequest| -> Reply {
        match request.role() {
            Some(AgentRole::Planner) => planned(vec![task()]).answer(request),
            _ => each(n_turns.fetch_add(1, Ordering::Relaxed)),
        }
    })
}

fn run(command: &str) -> Reply {
    Reply::tool("run", json!({ "command": command }))
}

fn grades(run: &RunFolder) -> Vec<String> {
    let grade = |event: Value| event["grade"].as_str().unwrap_or_default().to_owned();
    run.of_type("tool.repeated").into_iter().map(grade).collect()
}

fn check_caught(command: &str, each: fn(usize) -> Reply) {
    let world = world(each);
    let output = world.run_auto(&[]);
    assert_no_crash(&output);
    let run = world.sandbox.last_run();
    output.expect_code(1).expect_text("stopped: looped on").expect_text(command);
    // Two conversations at most: the second failed like the first.
    let n_calls = world.calls().len() - 1;
    assert!(n_calls <= 2 * 14, "{n_calls} calls: {output}");
    let grades = grades(&run);
    for grade in ["hint", "refused", "stopped"] {
        assert!(grades.iter().any(|found| found == grade), "{grade}: {grades:?} {}", story(&run));
    }
    // What was refused was not done.
    let called = run.of_type("tool.called");
    let n_done = called.iter().filter(|event| event["tool"] == "run").count();
    assert!(n_done < n_calls, "{n_done} of {n_calls}");
}

#[test]
fn the_same_failing_command_is_a_loop() {
    check_caught("`false`", |_| run("false"));
}

#[test]
fn the_same_command_without_anything_new_is_a_loop() {
    check_caught("`ls`", |_| run("ls"));
}

#[test]
fn two_commands_in_turn_are_a_loop() {
    check_caught("`ls", |n| run(["ls", "ls -a"][n % 2]));
}

#[test]
fn volatile_output_does_not_hide_a_loop() {
    check_caught("`date", |_| run("date +%T.%N; echo pid $$; mktemp -u; false"));
}

#[test]
fn blanks_comments_and_times_in_the_command_do_not_hide_a_loop() {
    check_caught("`echo", |n| {
        let blanks = " ".repeat(n % 3 + 1);
        run(&format!("echo{blanks}2026-11-20T10:00:{:02}Z{blanks}# attempt {n}", n % 60))
    });
}

#[test]
fn waiting_for_ever_on_something_that_moves_is_a_loop() {
    check_caught("`cat", |_| run("cat /proc/uptime"));
}

#[test]
fn a_failing_edit_is_not_done_a_second_time_until_its_file_has_changed() {
    let edit = json!({"path": "a.txt", "search": "two", "replace": "2"});
    let n_turns = AtomicUsize::new(0);
    let world = World::in_project(
        &sage_testkit::Fixture::default().file("a.txt", "one\n"),
        move |request: &SeenRequest| -> Reply {
            let task = PlannedTask::new("task_001", "Change a.txt").targets(&["a.txt"]);
            if request.role() == Some(AgentRole::Planner) {
                return planned(vec![task]).answer(request);
            }
            match n_turns.fetch_add(1, Ordering::Relaxed) {
                0 | 1 | 3 => Reply::tool("edit", edit.clone()),
                2 => Reply::tool(
                    "write",
                    json!({"path": "a.txt", "content": "two\n", "overwrite": true}),
                ),
                _ => Reply::tool("finish", json!({"summary": "done"})),
            }
        },
    );
    let output = world.run_auto(&[]);
    output.expect_code(0);
    assert_eq!(world.sandbox.read("a.txt"), "2\n", "{output}");
    let run = world.sandbox.last_run();
    let refused = run.of_type("tool.refused");
    assert_eq!(refused.len(), 1, "{}", story(&run));
    assert!(run.blob_text(&refused[0]["result"]).contains("failed before"), "{}", story(&run));
    output.expect_text("refused").expect_text("repeats itself");
}

#[test]
fn tests_may_be_run_again_after_every_change() {
    // Fails alike eight times; each time something was written in between.
    let n_turns = AtomicUsize::new(0);
    let world = World::new(move |request: &SeenRequest| -> Reply {
        let task = PlannedTask::new("task_001", "Write a.txt")
            .version(vec![FileWrite::whole("a.txt", "")])
            .targets(&["a.txt"])
            .with("paths", json!(["*.txt"]));
        if request.role() == Some(AgentRole::Planner) {
            return planned(vec![task]).answer(request);
        }
        match n_turns.fetch_add(1, Ordering::Relaxed) {
            n if n < 16 && n % 2 == 0 => run("test -s done.txt"),
            n if n < 16 => {
                let path = if n == 15 { "done.txt" } else { "b.txt" };
                Reply::tool("write", json!({"path": path, "content": format!("{n}\n")}))
            }
            16 => run("test -s done.txt"),
            _ => Reply::tool("write", json!({"path": "a.txt", "content": "a\n"})),
        }
    });
    let output = world.run_auto(&[]);
    output.expect_code(0);
    assert_eq!(grades(&world.sandbox.last_run()), [""; 0], "{output}");
}

#[test]
fn a_loop_is_told_alike_when_the_run_is_replayed() {
    let world = world(|_| run("false"));
    world.run_auto(&[]).expect_code(1);
    let output = world.sandbox.run(&["replay", "last"]);
    output.expect_code(0);
    // And by a process that took the run up in the middle of it.
    let stopped_at = {
        let refused = world.sandbox.last_run().of_type("tool.refused");
        refused[0]["seq"].as_u64().unwrap()
    };
    let again = self::world(|_| run("false"));
    let killed = again
        .sandbox
        .sage(&["run", crate::support::GOAL, "--auto"])
        .env(crate::support::KILL_AFTER, stopped_at.to_string())
        .run();
    assert_eq!(killed.signal, Some(9), "{killed}");
    let output = again.resume();
    assert_no_crash(&output);
    output.expect_code(1).expect_text("stopped: looped on");
}
