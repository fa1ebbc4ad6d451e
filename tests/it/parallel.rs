//! Tasks without a path between them run at the same time, at most so many, without waiting for each
//! other; tasks on one file never lose each other's work.

use std::time::Duration;

use sage_testkit::{FileWrite, Fixture, PlannedTask, RunFolder};

use crate::support::{World, assert_succeeded, planned, story};

/// Start and end of each task by the log's times, in milliseconds.
fn spans(run: &RunFolder) -> Vec<(String, u64, u64)> {
    let at = |event: &serde_json::Value| event["at_ms"].as_u64().unwrap();
    let finished = run.of_type("node.finished");
    run.of_type("node.started")
        .iter()
        .map(|started| {
            let end = finished.iter().find(|event| event["node"] == started["node"]).unwrap();
            (started["node"].as_str().unwrap().to_owned(), at(started), at(end))
        })
        .collect()
}

/// The most tasks that ran at one time, by the order of the log.
fn most_at_once(run: &RunFolder) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for name in run.types() {
        match name.as_str() {
            "node.started" => now += 1,
            "node.finished" => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

const NODES: [&str; 6] = ["task_1", "task_2", "task_3", "task_4", "task_5", "task_6"];

/// Six independent tasks; the first is slow.
fn six() -> World {
    let task = |n: usize| {
        let delay = Duration::from_millis(if n == 1 { 2500 } else { 250 });
        PlannedTask::file(NODES[n - 1], &format!("out/{n}.txt"), &format!("{n}\n")).slow(delay)
    };
    World::new(planned((1..=6).map(task).collect()))
}

#[test]
fn six_tasks_run_three_at_a_time_without_barriers() {
    let world = six();
    world.run_auto(&[]).expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &NODES);
    assert_eq!(most_at_once(&run), 3, "{}", story(&run));
    // While the slow one thinks, all others pass by it.
    let spans = spans(&run);
    let slow_end = spans.iter().find(|(node, ..)| node == "task_1").unwrap().2;
    let later: Vec<&(String, u64, u64)> =
        spans.iter().filter(|(node, _, end)| node != "task_1" && *end >= slow_end).collect();
    assert!(later.is_empty(), "these waited for the slow task: {later:?}\n{}", story(&run));
    for n in 1..=6 {
        assert_eq!(world.sandbox.read(&format!("out/{n}.txt")), format!("{n}\n"));
    }
}

#[test]
fn the_number_of_tasks_at_a_time_can_be_chosen() {
    for (flag, expected) in [("1", 1), ("6", 6)] {
        let world = six();
        world.run_auto(&["--max-parallel", flag]).expect_code(0);
        assert_eq!(most_at_once(&world.sandbox.last_run()), expected);
    }
}

/// Two tasks that each add a line to one file.
fn two_on_one_file() -> World {
    let append = |id: &str, after: &str, line: &str| {
        PlannedTask::new(id, format!("Add {line}"))
            .version(vec![FileWrite::replace(
                "list.txt",
                format!("{after}\n"),
                format!("{after}\n{line}\n"),
            )])
            .slow(Duration::from_millis(300))
    };
    let tasks = vec![append("task_a", "first", "by a"), append("task_b", "last", "by b")];
    let fixture = Fixture::default().file("list.txt", "first\nmiddle\nlast\n");
    World::in_project(&fixture, planned(tasks))
}

#[test]
fn two_tasks_on_one_file_lose_nothing() {
    // In lanes of their own; one after the other where lanes are off, or of no use.
    let cases: [(&str, &[&str], usize); 3] =
        [("auto", &[], 2), ("never", &[], 1), ("auto", &["--max-parallel", "1"], 1)];
    for (lanes, flags, at_once) in cases {
        let world = two_on_one_file();
        world.sandbox.write(".sage/config.yaml", format!("run:\n  lanes: {lanes}\n"));
        world.run_auto(flags).expect_code(0);
        assert_eq!(world.sandbox.read("list.txt"), "first\nby a\nmiddle\nlast\nby b\n");
        let run = world.sandbox.last_run();
        assert_eq!(most_at_once(&run), at_once, "{lanes} {flags:?}: {}", story(&run));
        let notes = run.of_type("run.planned")[0]["notes"].to_string();
        assert!(notes.contains("task_a") && notes.contains("task_b"), "the plan says so: {notes}");
    }
}

#[test]
fn tasks_whose_globs_overlap_are_merged_or_made_sequential() {
    for (lanes, at_once) in [("auto", 2), ("never", 1)] {
        let task = |id: &str, glob: &str, path: &str| {
            PlannedTask::file(id, path, "x\n")
                .with("paths", serde_json::json!([glob]))
                .slow(Duration::from_millis(200))
        };
        let tasks =
            vec![task("task_a", "src/**", "src/a.txt"), task("task_b", "src/*.txt", "src/b.txt")];
        let world = World::new(planned(tasks));
        world.sandbox.write(".sage/config.yaml", format!("run:\n  lanes: {lanes}\n"));
        world.run_auto(&[]).expect_code(0);
        assert_eq!(most_at_once(&world.sandbox.last_run()), at_once, "{lanes}");
        assert!(world.sandbox.exists("src/a.txt") && world.sandbox.exists("src/b.txt"));
    }
}

#[test]
fn a_task_starts_only_after_everything_it_needs() {
    let tasks = vec![
        PlannedTask::file("task_a", "a.txt", "a\n").slow(Duration::from_millis(300)),
        PlannedTask::file("task_b", "b.txt", "b\n"),
        PlannedTask::file("task_c", "c.txt", "c\n")
            .after(&["task_a", "task_b"])
            .verified_by("cat a.txt b.txt"),
    ];
    let world = World::new(planned(tasks));
    world.run_auto(&[]).expect_code(0);
    let spans = spans(&world.sandbox.last_run());
    let span = |id: &str| spans.iter().find(|(node, ..)| node == id).unwrap();
    assert!(span("task_c").1 >= span("task_a").2.max(span("task_b").2), "{spans:?}");
}
