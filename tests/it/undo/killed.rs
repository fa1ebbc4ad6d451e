//! Undo after somebody was killed: the run in a command, the undo itself.

use std::time::Duration;

use sage_testkit::Output;

use super::{undo, world};
use crate::support::{GOAL, KILL_AFTER, World};

const LONG: Duration = Duration::from_secs(60);

fn run_killed_after(world: &World, seq: u64) -> Output {
    world.sandbox.sage(&["run", GOAL, "--auto"]).env(KILL_AFTER, seq.to_string()).run()
}

#[test]
fn a_run_that_was_killed_after_any_event_is_undone() {
    let undisturbed = world();
    undisturbed.run_auto(&[]).expect_code(0);
    let last = undisturbed.sandbox.last_run().last_seq();
    // From the first snapshot on: every third event, to keep it short; the offsets differ by run.
    let first = undisturbed.sandbox.last_run().of_type("workspace.snapshotted")[0]["seq"].as_u64();
    for seq in (first.unwrap()..last).step_by(3) {
        let world = world();
        let before = world.sandbox.tree();
        let killed = run_killed_after(&world, seq);
        assert_eq!(killed.signal, Some(9), "{killed}");
        let output = undo(&world, &[]);
        output.expect_code(0);
        assert_eq!(before.diff(&world.sandbox.tree()), "", "killed after {seq}: {output}");
    }
}

#[test]
fn a_command_that_was_killed_half_way_is_undone() {
    let world = world();
    // It stops in the middle until it is killed.
    let waits = "touch tools/half; while :; do sleep 0.05; done";
    world.sandbox.write("tools/first.sh", format!("{}\n{waits}\n", super::FIRST));
    let before = world.sandbox.tree();
    let half = world.sandbox.project().join("tools/half");
    let mut live = world.sandbox.sage(&["run", GOAL, "--auto"]).spawn();
    assert!(live.wait_until(LONG, |_| half.exists()), "{}", live.stderr());
    live.kill();
    assert_eq!(live.wait(LONG).signal, Some(9));
    assert_ne!(before.diff(&world.sandbox.tree()), "");
    let output = undo(&world, &[]);
    output.expect_code(0).expect_text("was killed");
    assert_eq!(before.diff(&world.sandbox.tree()), "", "{output}");
}

#[test]
fn an_interrupted_and_resumed_run_is_undone_whole() {
    let world = world();
    let before = world.sandbox.tree();
    let undisturbed = super::world();
    undisturbed.run_auto(&[]).expect_code(0);
    let events = undisturbed.sandbox.last_run().events();
    let second = events
        .iter()
        .position(|event| {
            event["type"] == "tool.called"
                && event["summary"].as_str().unwrap_or_default().contains("second.sh")
        })
        .unwrap();
    assert_eq!(run_killed_after(&world, second as u64 + 1).signal, Some(9));
    world.resume().expect_code(0);
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn an_undo_that_was_killed_is_completed_or_taken_back() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    let last = world.sandbox.last_run().last_seq();
    // It dies after it has announced itself, before it touches anything.
    let die = |seq: u64| {
        let killed = world.sandbox.sage(&["undo"]).env(KILL_AFTER, seq.to_string()).run();
        assert_eq!(killed.signal, Some(9), "{killed}");
    };
    die(last + 1);
    assert_eq!(after.diff(&world.sandbox.tree()), "");
    // As if it had died half way.
    std::fs::remove_dir_all(world.sandbox.project().join("swap")).unwrap();
    world.sandbox.write("tracked.txt", "tracked\r\nwithout end");
    std::fs::remove_file(world.sandbox.project().join("new.log")).unwrap();
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(after.diff(&world.sandbox.tree()), "");
    // Once more, and this time go forward. It dies when all is restored and nothing says so.
    let last = world.sandbox.last_run().last_seq();
    die(last + 1);
    std::fs::remove_dir_all(world.sandbox.project().join("swap")).unwrap();
    world.sandbox.write("tracked.txt", "tracked\r\nwithout end");
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(after.diff(&world.sandbox.tree()), "", "the way back leads to before the first try");
    let staged = std::fs::read_dir(world.sandbox.project().join(".sage/snapshots")).unwrap();
    let names = staged.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.starts_with("staged-")));
}
