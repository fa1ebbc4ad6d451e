//! Limits on calls, turns, tokens, money and time hold for everything that a run starts, by the
//! provider's own count, and a run that used one up can be taken up with more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sage_core::AgentRole;
use sage_testkit::{Brain, Fixture, ModelsYaml, Output, PlannedTask, Reply, SeenRequest};
use serde_json::json;

use crate::support::{World, assert_no_crash, planned, story};

/// Dollars per million tokens, in and out.
const PRICE: (f64, f64) = (2.0, 10.0);

/// What an answer of the endless model takes at most.
const ANSWER_TOKENS: u64 = 60;

/// A provider that counts for itself, and a model that works without end until it is told to finish.
struct Meter {
    world: World,
    may_finish: Arc<AtomicBool>,
}

/// The provider's own count of a prompt: dearer than ours.
fn count(request: &SeenRequest) -> u64 {
    let messages = request.messages.iter().map(|message| {
        let calls = message.tool_calls.iter().map(|call| call.name.len() + call.arguments.len());
        message.text.len() + calls.sum::<usize>() + 12
    });
    let tools = serde_json::to_string(&request.tools).unwrap().len();
    ((messages.sum::<usize>() + tools) * 10).div_ceil(33) as u64
}

impl Meter {
    fn new(tasks: Vec<PlannedTask>, delay: Duration) -> Self {
        let may_finish = Arc::new(AtomicBool::new(false));
        let (finish, n_turns) = (may_finish.clone(), AtomicUsize::new(0));
        let text: String = (0..20_000).map(|n| format!("line {n} of many\n")).collect();
        let fixture = Fixture::default().file("big.txt", &text);
        let mut world = World::in_project(&fixture, move |request: &SeenRequest| -> Reply {
            let used = count(request);
            let is_work = !matches!(request.role(), Some(AgentRole::Planner | AgentRole::Reviewer));
            if !is_work || finish.load(Ordering::Relaxed) {
                let reply = planned(tasks.clone()).answer(request).after(delay);
                let n_out = reply.text.len().max(200).div_ceil(3) as u64;
                return reply.with_usage(used, n_out);
            }
            let n = n_turns.fetch_add(1, Ordering::Relaxed) * 20;
            let read = json!({"path": "big.txt", "start_line": n + 1, "end_line": n + 20});
            Reply::tool("read", read).with_usage(used, ANSWER_TOKENS).after(delay)
        });
        let models = ModelsYaml::openai(&world.server.url())
            .price(PRICE.0, PRICE.1)
            .fact("context_tokens: 32000")
            .fact("max_output_tokens: 1000");
        world.sandbox.models(&models);
        Self { world, may_finish }
    }

    /// Turns that the provider was asked for, its calls, its tokens and its bill.
    fn used(&self) -> (u64, u64, u64, f64) {
        let (mut turns, mut tokens, mut usd) = (0, 0, 0.0);
        let calls = self.world.server.calls();
        for call in &calls {
            let is_turn = !call.request.tools.is_empty() && call.request.offers("finish");
            turns += u64::from(is_turn);
            let (input, output) = (count(&call.request), ANSWER_TOKENS);
            tokens += input + output;
            usd += (input as f64 * PRICE.0 + output as f64 * PRICE.1) / 1e6;
        }
        (turns, calls.len() as u64, tokens, usd)
    }

    /// Runs into a limit; checks it by the provider's count; goes on with more and gets done.
    fn check(&self, flag: &str, limit: &str, more: &str, within: &dyn Fn(&Self) -> bool) {
        let output = self.world.run_auto(&[flag, limit]);
        self.check_stopped(&output, within);
        self.may_finish.store(true, Ordering::Relaxed);
        let output = self.world.sandbox.run(&["resume", flag, more]);
        assert_no_crash(&output);
        output.expect_code(0);
        let run = self.world.sandbox.last_run();
        let changed = run.of_type("run.limits_changed");
        assert_eq!(changed.len(), 1, "{}", story(&run));
    }

    fn check_stopped(&self, output: &Output, within: &dyn Fn(&Self) -> bool) {
        assert_no_crash(output);
        output.expect_code(6).expect_text("used by").expect_text("sage resume");
        let run = self.world.sandbox.last_run();
        assert!(within(self), "{:?}: {output}\n{}", self.used(), story(&run));
        assert_eq!(run.of_type("model.exceeded").len(), 0, "{}", story(&run));
        let reached = run.of_type("run.budget_reached");
        assert!(reached.iter().any(|event| event["exhausted"] == true), "{}", story(&run));
    }
}

fn one() -> Vec<PlannedTask> {
    vec![PlannedTask::file("task_001", "a.txt", "a\n")]
}

fn three() -> Vec<PlannedTask> {
    let file = |n: u32| PlannedTask::file(&format!("task_00{n}"), &format!("{n}.txt"), "x\n");
    (1..=3).map(file).collect()
}

/// Long enough for the calls of tasks side by side to overlap.
const THINKING: Duration = Duration::from_millis(60);

#[test]
fn a_limit_on_calls_holds() {
    let within = |meter: &Meter| meter.used().1 == 5;
    Meter::new(one(), Duration::ZERO).check("--max-calls", "5", "40", &within);
    Meter::new(three(), THINKING).check("--max-calls", "5", "40", &within);
}

#[test]
fn a_limit_on_turns_holds_and_planning_is_no_turn() {
    let within = |meter: &Meter| (meter.used().0, meter.used().1) == (4, 5);
    Meter::new(one(), Duration::ZERO).check("--max-turns", "4", "40", &within);
    Meter::new(three(), THINKING).check("--max-turns", "4", "40", &within);
}

#[test]
fn a_limit_on_tokens_holds() {
    let within = |meter: &Meter| meter.used().2 <= 20_000 && meter.used().2 > 10_000;
    Meter::new(one(), Duration::ZERO).check("--max-tokens", "20000", "400k", &within);
    Meter::new(three(), THINKING).check("--max-tokens", "20000", "400k", &within);
}

#[test]
fn a_limit_on_money_holds() {
    let within = |meter: &Meter| meter.used().3 <= 0.06 && meter.used().3 > 0.01;
    Meter::new(one(), Duration::ZERO).check("--max-cost", "0.06", "2", &within);
    Meter::new(three(), THINKING).check("--max-cost", "0.06", "2", &within);
}

#[test]
fn a_limit_on_time_holds() {
    for tasks in [one(), three()] {
        let meter = Meter::new(tasks, Duration::from_millis(300));
        let began = Instant::now();
        let output = meter.world.run_auto(&["--max-time", "2s"]);
        let took = began.elapsed();
        meter.check_stopped(&output, &|_| took < Duration::from_secs(12));
        meter.may_finish.store(true, Ordering::Relaxed);
        meter.world.sandbox.run(&["resume", "--max-time", "5m"]).expect_code(0);
    }
}

#[test]
fn a_tasks_own_limits_hold_within_those_of_the_run() {
    for (budget, within) in
        [(json!({"calls": 3}), 3), (json!({"turns": 3}), 3), (json!({"turns": 30}), 4)]
    {
        let tasks: Vec<PlannedTask> =
            three().into_iter().map(|task| task.with("budget", budget.clone())).collect();
        let meter = Meter::new(tasks, THINKING);
        let output = meter.world.run_auto(&["--max-calls", "13", "--silent"]);
        assert_no_crash(&output);
        assert!(matches!(output.code, Some(1 | 6)), "{output}");
        let (turns, calls, ..) = meter.used();
        assert!(calls <= 13 && turns <= 3 * within, "{turns} turns of {calls} calls: {output}");
    }
}

#[test]
fn planning_reviewing_and_repairing_are_within_the_limit() {
    let stopped = |tasks: Vec<PlannedTask>, more: &[&str], n_calls: usize| {
        let world = World::new(planned(tasks));
        let limit = n_calls.to_string();
        let mut args = vec!["--max-calls", &limit];
        args.extend_from_slice(more);
        let output = world.run_auto(&args);
        assert_no_crash(&output);
        output.expect_code(6);
        assert_eq!(world.calls().len(), n_calls, "{:?} {output}", world.calls_by_role());
        output.expect_text("used by planning: 1 call");
        world
    };
    // After the plan nothing is left for the coder.
    stopped(one(), &[], 1);
    // Nothing is left for the review.
    let world = stopped(one(), &["--full"], 2);
    world.sandbox.run(&["resume", "--max-calls", "9"]).expect_code(0);
    // Nothing is left for the repair.
    let failing = PlannedTask::new("task_001", "Write a.txt")
        .version(vec![sage_testkit::FileWrite::whole("a.txt", "wrong\n")])
        .version(vec![sage_testkit::FileWrite::whole("a.txt", "right\n")])
        .verified_by("grep -q right a.txt");
    let world = stopped(vec![failing], &[], 2);
    world.sandbox.run(&["resume", "--max-calls", "9"]).expect_code(0);
    assert_eq!(world.sandbox.read("a.txt"), "right\n");
}

#[test]
fn limits_that_a_resume_changes_hold_for_the_next_one_too() {
    let meter = Meter::new(one(), Duration::ZERO);
    meter.world.run_auto(&["--max-calls", "3"]).expect_code(6);
    meter.world.sandbox.run(&["resume", "--max-calls", "6"]).expect_code(6);
    assert_eq!(meter.used().1, 6);
    // The same limit is used up already.
    meter.world.sandbox.run(&["resume"]).expect_code(6);
    assert_eq!(meter.used().1, 6);
    let run = meter.world.sandbox.last_run();
    let reached: Vec<_> = run
        .of_type("run.budget_reached")
        .into_iter()
        .filter(|event| event["exhausted"] == true)
        .map(|event| event["allowed"].as_f64().unwrap())
        .collect();
    assert_eq!(reached, [3.0, 6.0], "{}", story(&run));
    meter.world.sandbox.run(&["log", "last"]).expect_text("limits are 6 calls from here on");
}

#[test]
fn a_provider_that_counts_more_than_was_set_aside_is_named() {
    let world = World::new(|request: &SeenRequest| -> Reply {
        planned(one()).answer(request).with_usage(50_000, 10)
    });
    let output = world.run_auto(&["--max-tokens", "20000"]);
    assert_no_crash(&output);
    output.expect_code(6);
    let exceeded = world.sandbox.last_run().of_type("model.exceeded");
    assert_eq!(exceeded[0]["used_tokens"], 50_010, "{output}");
    world.sandbox.run(&["log", "last"]).expect_text("more than the");
}
