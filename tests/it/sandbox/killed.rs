//! However the program ends, nothing that it started lives on; and how long that takes.

use std::time::{Duration, Instant};

use sage_testkit::{FakeOpenAi, Fault, FaultPlan, Fixture, Live, ModelsYaml, PlannedTask, Signal};

use super::{Jailed, PATIENCE, soon};
use crate::support::{AT_ONCE, GOAL, World, planned};

/// Children of every sort: of the group, in a session of their own, orphaned, deaf.
const CHILDREN: &str = "trap '' TERM INT HUP; sleep 300 & setsid sleep 301 & \
    (setsid sh -c 'trap \"\" TERM; sleep 302 & wait' &) ; echo ready; wait";

/// Starts a command and kills the program; returns how long it took until nothing was left.
fn kill_once(jailed: &Jailed, n: usize) -> Duration {
    let mut live = jailed.sandbox.sage(&["sandbox", "--", "sh", "-c", CHILDREN]).spawn();
    assert!(live.wait_until(PATIENCE, |live| live.stdout().contains("ready")), "{}", live.stderr());
    let begun = Instant::now();
    match n % 3 {
        0 => live.kill(),
        1 => live.signal(Signal::SIGINT),
        _ => live.signal(Signal::SIGTERM),
    }
    let _ = live.wait(PATIENCE);
    soon("something is left running", || jailed.sandbox.processes().is_empty());
    begun.elapsed()
}

fn soak(n_times: usize) {
    let jailed = Jailed::new();
    let mut took: Vec<Duration> = (0..n_times).map(|n| kill_once(&jailed, n)).collect();
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    let line = format!(
        "{n_times} kills: nothing left; gone after p50 {:?}, p95 {:?}, most {:?}\n",
        at(50),
        at(95),
        at(100)
    );
    say(&line);
}

#[test]
fn nothing_survives_fifty_kills() {
    soak(50);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_survives_a_thousand_kills() {
    soak(1000);
}

fn say(line: &str) {
    std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes()).unwrap();
}

/// Interrupts a run; returns when nothing was left of what `is_there` sees, and when the program ended.
fn interrupt(live: Live, is_there: impl Fn() -> bool) -> (Duration, Duration) {
    let begun = Instant::now();
    live.signal(Signal::SIGINT);
    soon("it goes on", || !is_there());
    let reached = begun.elapsed();
    live.wait(PATIENCE).expect_code(130);
    (reached, begun.elapsed())
}

#[test]
fn a_cancel_reaches_a_running_command_at_once() {
    for line in ["sleep 300", "trap '' TERM INT; sleep 300; sleep 300; sleep 300"] {
        let mut world = World::new(planned(Vec::new()));
        let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by(line);
        world.server = FakeOpenAi::start(planned(vec![task]));
        world.sandbox.models(&ModelsYaml::openai(&world.server.url()));
        let mut live = world.sandbox.sage(&["run", GOAL, "--auto"]).spawn();
        let sleeps = || world.sandbox.processes().iter().any(|it| it.command == "sleep 300");
        assert!(live.wait_until(PATIENCE, |_| sleeps()), "{}", live.stderr());
        let (reached, ended) = interrupt(live, sleeps);
        say(&format!("cancel of `{line}`: dead after {reached:?}, the program after {ended:?}\n"));
        assert!(reached < AT_ONCE && ended < AT_ONCE, "{reached:?} {ended:?}");
    }
}

#[test]
fn a_cancel_reaches_a_streaming_model_at_once() {
    let task = PlannedTask::file("task_001", "a.txt", "a\n");
    let drip = FaultPlan::always(Fault::SlowDrip(Duration::from_millis(300)));
    let world = World::with_faults(&Fixture::default(), planned(vec![task]), drip);
    let mut live = world.sandbox.sage(&["run", GOAL, "--auto"]).spawn();
    assert!(live.wait_until(PATIENCE, |_| !world.calls().is_empty()), "{}", live.stderr());
    let (_, ended) = interrupt(live, || false);
    say(&format!("cancel of a streaming model: the program ended after {ended:?}\n"));
    assert!(ended < AT_ONCE, "{ended:?}");
}
