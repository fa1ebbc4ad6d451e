//! A process that is killed at any event and resumed ends where an undisturbed one ends, without
//! repeating a finished task or a model call that was paid for.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sage_core::AgentRole;
use sage_testkit::{FileWrite, Fixture, Output, PlannedBrain, PlannedTask, RunFolder, Tree};
use serde_json::Value;

use crate::support::{KILL_AFTER, World, assert_succeeded, planned, story};

const NODES: [&str; 5] = ["task_001", "task_002", "task_003", "task_004", "task_005"];

/// Five tasks: new files and changed ones, a test that runs, a patch that has to be repaired.
fn five_tasks() -> PlannedBrain {
    let test = "import os\nimport sys\nimport unittest\n\n\
                sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
                import calc\n\n\nclass SubtractTest(unittest.TestCase):\n    \
                def test_subtracts(self):\n        self.assertEqual(calc.subtract(5, 3), 2)\n";
    let subtract = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a - b\n";
    planned(vec![
        PlannedTask::file("task_001", "src/calc.py", subtract).verified_by("test -s src/calc.py"),
        PlannedTask::test(
            "task_002",
            "tests/test_subtract.py",
            test,
            "python3 -m unittest tests/test_subtract.py",
        )
        .after(&["task_001"]),
        PlannedTask::file("task_003", "notes/one.txt", "wrong\n")
            .version(vec![FileWrite::whole("notes/one.txt", "right\n")])
            .verified_by("grep -q right notes/one.txt"),
        PlannedTask::file("task_004", "docs/calc.md", "# calc\n\nAdds and subtracts.\n")
            .by(AgentRole::Documentation)
            .after(&["task_001"]),
        PlannedTask::file("task_005", "notes/last.txt", "done\n")
            .verified_by("test -s notes/last.txt && test -s docs/calc.md")
            .after(&["task_002", "task_003", "task_004"]),
    ])
}

fn world() -> World {
    World::in_project(&Fixture::python(), five_tasks())
}

fn start_and_die(world: &World, after: u64) -> Output {
    let args = ["run", crate::support::GOAL, "--auto"];
    world.sandbox.sage(&args).env(KILL_AFTER, after.to_string()).run()
}

/// What an undisturbed run leaves.
struct Undisturbed {
    tree: Tree,
    n_calls: usize,
    n_events: u64,
}

/// By how many events one run of the same plan may be shorter than another.
const MOST_EVENTS_LESS: u64 = 5;

fn undisturbed() -> Undisturbed {
    let world = world();
    let output = world.run_auto(&[]);
    output.expect_code(0);
    let run = world.sandbox.last_run();
    assert_succeeded(&run, &NODES);
    Undisturbed {
        tree: world.sandbox.tree(),
        n_calls: world.calls().len(),
        n_events: run.last_seq(),
    }
}

fn done_nodes(run: &RunFolder) -> BTreeSet<String> {
    let done = run.of_type("node.finished").into_iter().filter(|event| event["outcome"] == "done");
    done.filter_map(|event| event["node"].as_str().map(str::to_owned)).collect()
}

/// Kills one run after event `after`, resumes it, and compares; an error says what differs.
fn check_killed_after(after: u64, expected: &Undisturbed) -> Result<(), String> {
    let world = world();
    let killed = start_and_die(&world, after);
    let run = world.sandbox.last_run();
    let before = run.events();
    // Commands side by side may or may not see each other's changes, so a run may have an event less than
    // another; one that is over has nothing to resume.
    if before.last().is_some_and(|event| event["type"] == "run.finished") {
        let diff = expected.tree.diff(&world.sandbox.tree());
        let is_last = after + MOST_EVENTS_LESS > expected.n_events;
        return match is_last && diff.is_empty() && world.calls().len() == expected.n_calls {
            true => Ok(()),
            false => Err(format!("over after event {after}, in another way: {killed}\n{diff}")),
        };
    }
    if killed.signal != Some(9) {
        return Err(format!("did not die after event {after}: {killed}"));
    }
    let called = run.of_type("model.called").len();
    let answered: Vec<Value> =
        run.of_type("model.answered").into_iter().map(|event| event["call"].clone()).collect();
    let done = done_nodes(&run);

    let resumed = world.resume();
    let run = world.sandbox.last_run();
    let fail = |what: String| {
        Err(format!("killed after event {after}: {what}\n{resumed}\n{}", story(&run)))
    };
    if resumed.code != Some(0) {
        return fail("the resumed run did not succeed".to_owned());
    }
    if world.sandbox.runs().len() != 1 {
        return fail("a resume is the same run, not another one".to_owned());
    }
    let diff = expected.tree.diff(&world.sandbox.tree());
    if !diff.is_empty() {
        return fail(format!("another tree:\n{diff}"));
    }
    // Calls that were under way when the process died are made again; no others.
    let most = expected.n_calls + called - answered.len();
    let n_calls = world.calls().len();
    if !(expected.n_calls..=most).contains(&n_calls) {
        return fail(format!("{n_calls} model calls, expected {} to {most}", expected.n_calls));
    }
    let events = run.events();
    let paid_again =
        |event: &&Value| event["type"] == "model.called" && answered.contains(&event["call"]);
    if let Some(event) = events[before.len()..].iter().find(paid_again) {
        return fail(format!("an answered call was made again: {event}"));
    }
    if events[..before.len()] != before[..] {
        return fail("the log's beginning was changed".to_owned());
    }
    let again = |event: &Value| {
        event["type"] == "node.started"
            && event["node"].as_str().is_some_and(|node| done.contains(node))
    };
    if let Some(event) = events[before.len()..].iter().find(|event| again(event)) {
        return fail(format!("a finished task was started again: {event}"));
    }
    let seqs: Vec<u64> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    if seqs != (1..=seqs.len() as u64).collect::<Vec<_>>() {
        return fail("the log's numbers have gaps".to_owned());
    }
    Ok(())
}

#[test]
fn killed_at_every_event_a_resumed_run_ends_the_same() {
    let expected = undisturbed();
    let next = AtomicU64::new(1);
    let failures = Mutex::new(Vec::new());
    // The last event ends the run: whoever dies right after it has nothing left to do.
    let last = expected.n_events - 1;
    let n_workers = thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 6));
    thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                loop {
                    let after = next.fetch_add(1, Ordering::Relaxed);
                    if after > last {
                        return;
                    }
                    if let Err(failure) = check_killed_after(after, &expected) {
                        failures.lock().unwrap().push((after, failure));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    let first_lines = |text: &String| text.lines().take(3).collect::<Vec<_>>().join(" | ");
    let which: Vec<String> = failures.iter().map(|(_, failure)| first_lines(failure)).collect();
    if let Some((_, first)) = failures.first() {
        panic!(
            "{} of {last} kills went wrong, in these ways:\n{}\n\nthe first:\n{first}",
            which.len(),
            which.join("\n")
        );
    }
}

#[test]
fn a_run_that_dies_again_and_again_still_ends() {
    let expected = undisturbed();
    let world = world();
    let mut after = 7;
    assert_eq!(start_and_die(&world, after).signal, Some(9));
    let mut n_deaths = 1;
    loop {
        after += 9;
        if world.sandbox.last_run().finished().is_some() {
            // It died right after its last word.
            break;
        }
        let output = world.sandbox.sage(&["resume"]).env(KILL_AFTER, after.to_string()).run();
        if output.signal.is_none() {
            output.expect_code(0);
            break;
        }
        n_deaths += 1;
        assert!(n_deaths < 100, "the run does not come to an end: {output}");
    }
    assert!(n_deaths > 3, "the run died {n_deaths} times only");
    assert_eq!(expected.tree.diff(&world.sandbox.tree()), "");
    assert_succeeded(&world.sandbox.last_run(), &NODES);
}

#[test]
fn a_torn_last_line_is_dropped_and_reported() {
    let world = world();
    assert_eq!(start_and_die(&world, 20).signal, Some(9));
    let log = world.sandbox.last_run().path.join("events.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"{\"seq\":21,\"at_ms\":17").unwrap();
    drop(file);
    world.resume().expect_code(0).expect_text("torn");
    assert_succeeded(&world.sandbox.last_run(), &NODES);
}

#[test]
fn damage_inside_the_log_is_reported_with_its_line_and_nothing_is_lost() {
    let world = world();
    assert_eq!(start_and_die(&world, 20).signal, Some(9));
    let log = world.sandbox.last_run().path.join("events.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[4] = "{\"seq\":5, broken";
    let damaged = lines.join("\n") + "\n";
    std::fs::write(&log, &damaged).unwrap();
    let output = world.resume();
    crate::support::assert_no_crash(&output);
    assert_ne!(output.code, Some(0), "{output}");
    output.expect_text("events.jsonl").expect_text("5");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), damaged, "the file is left as it is");
    assert!(
        world.sandbox.run(&["runs"]).expect_code(0).all().contains(&world.sandbox.last_run().id())
    );
}

#[test]
fn files_that_somebody_changed_meanwhile_are_reported() {
    let world = world();
    let expected = undisturbed();
    // Late enough that src/calc.py is finished, early enough that something is left to do.
    assert_eq!(start_and_die(&world, expected.n_events - 12).signal, Some(9));
    assert!(done_nodes(&world.sandbox.last_run()).contains("task_001"));
    world.sandbox.write("src/calc.py", "def subtract(a, b):\n    return a - b  # mine\n");
    let output = world.resume();
    output.expect_text("src/calc.py");
    let resumed = world.sandbox.last_run().of_type("run.resumed");
    assert_eq!(resumed[0]["changed_files"], serde_json::json!(["src/calc.py"]), "{output}");
    assert!(world.sandbox.read("src/calc.py").contains("# mine"), "{output}");
}

#[test]
fn a_finished_run_has_nothing_to_resume() {
    let world = world();
    world.run_auto(&[]).expect_code(0);
    let n_calls = world.calls().len();
    let before = world.sandbox.tree();
    let output = world.resume();
    crate::support::assert_no_crash(&output);
    assert_eq!(world.calls().len(), n_calls, "{output}");
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}
