//! Planners that answer with anything but a plan: a clear error or a repair, never a crash.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sage_testkit::{PlannedBrain, PlannedTask};
use serde_json::{Value, json};

use crate::support::{World, assert_no_crash, assert_succeeded, planned, story};

fn good_node() -> Value {
    PlannedTask::file("task_001", "a.txt", "a\n").node()
}

/// A plan of one good node with one field replaced.
fn with(field: &str, value: Value) -> String {
    let mut node = good_node();
    node[field] = value;
    json!({"nodes": [node]}).to_string()
}

fn nodes(nodes: Value) -> String {
    json!({"nodes": nodes}).to_string()
}

fn chain(pairs: &[(&str, &[&str])]) -> String {
    let node = |(id, after): &(&str, &[&str])| {
        PlannedTask::file(id, &format!("{id}.txt"), "x\n").after(after).node()
    };
    nodes(pairs.iter().map(node).collect())
}

/// Answers that no reading turns into a plan for the goal.
fn hopeless() -> Vec<(&'static str, String)> {
    let plan =
        serde_json::to_string(&planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]).plan());
    let plan = plan.unwrap();
    vec![
        ("a score in words", with("task_complexity_score", json!("high"))),
        ("prose", "Sure! First I would write the file, then I would test it.".to_owned()),
        ("null", "null".to_owned()),
        ("a number", "42".to_owned()),
        ("a string", "\"plan\"".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("an empty list", "[]".to_owned()),
        ("truncated JSON", plan[..plan.len() / 2].to_owned()),
        ("a megabyte of text", "word ".repeat(200_000)),
        ("a megabyte of braces", "{".repeat(1_000_000)),
        ("a megabyte of brackets", "[".repeat(1_000_000)),
        ("a megabyte of quotes", "\"".repeat(1_000_000)),
        ("deep nesting", format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000))),
        ("an unclosed thought", format!("<think>{}", "hm ".repeat(1000))),
        ("control characters", "\u{0}\u{1}\u{7}\u{1b}[2J".to_owned()),
        ("nodes that are a string", json!({"nodes": "task_001"}).to_string()),
        ("nodes that are null", json!({"nodes": null}).to_string()),
        ("nodes that are an object", json!({"nodes": {"task_001": good_node()}}).to_string()),
        ("no nodes", nodes(json!([]))),
        ("nodes that are numbers", nodes(json!([1, 2, 3]))),
        ("nodes that are null inside", nodes(json!([null, null]))),
        ("no description", with("description", json!(""))),
        ("a description of the wrong type", with("description", json!(["Write", "it"]))),
        ("dependencies of the wrong type", with("dependencies", json!({"task_002": true}))),
        ("dependencies inside out", with("dependencies", json!([["task_002"]]))),
        ("an unknown dependency", with("dependencies", json!(["task_999"]))),
        ("a dependency on itself", with("dependencies", json!(["task_001"]))),
        ("a cycle of two", chain(&[("a", &["b"]), ("b", &["a"])])),
        ("a cycle of three", chain(&[("a", &["c"]), ("b", &["a"]), ("c", &["b"])])),
        ("the same id twice", chain(&[("a", &[]), ("a", &[])])),
        ("an unknown role", with("assigned_agent", json!("astronaut"))),
        ("a role of the wrong type", with("assigned_agent", json!(7))),
        ("a role that plans cannot use", with("assigned_agent", json!("embedding"))),
        ("files of the wrong type", with("target_files", json!({"path": "a.txt"}))),
        ("an absolute path", with("target_files", json!(["/etc/passwd"]))),
        ("a path that leaves the project", with("target_files", json!(["../a.txt"]))),
        ("a path through git", with("target_files", json!([".git/config"]))),
        ("a path with a NUL", with("target_files", json!(["a\u{0}.txt"]))),
        ("an id with a slash", with("id", json!("../../task"))),
        ("an id of the wrong type", with("id", json!({"n": 1}))),
        ("an id that is reserved", with("id", json!("@run"))),
        ("a negative budget", with("budget", json!({"calls": -1}))),
        ("a budget of the wrong type", with("budget", json!("unlimited"))),
        (
            "ten thousand nodes",
            nodes(
                (0..10_000)
                    .map(|n| {
                        PlannedTask::file(&format!("task_{n}"), &format!("{n}.txt"), "x\n").node()
                    })
                    .collect(),
            ),
        ),
    ]
}

/// Checks every case and names all that failed, not only the first.
fn check_each(cases: Vec<(&'static str, String)>, check: impl Fn(&str, String)) {
    let mut failed = Vec::new();
    for (name, answer) in cases {
        let one = AssertUnwindSafe(|| check(name, answer));
        if catch_unwind(one).is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "these went wrong, as told above: {failed:?}");
}

fn world(answers: Vec<String>) -> World {
    let tasks = vec![PlannedTask::file("task_001", "a.txt", "a\n")];
    World::new(planned(tasks).planning(answers))
}

#[test]
fn a_plan_that_stays_malformed_ends_with_exit_1_and_a_clear_error() {
    check_each(hopeless(), |name, answer| {
        let world = world(vec![answer.clone()]);
        let output = world.run_auto(&[]);
        assert_no_crash(&output);
        assert_eq!(output.code, Some(1), "{name}: {output}");
        output.expect_text("plan");
        assert_eq!(world.sandbox.git_status(), [""; 0], "{name}: {output}");
        assert_eq!(
            world.calls_by_role(),
            ["planner", "planner"],
            "{name}: asked once more: {output}"
        );
        assert!(output.all().len() < 20_000, "{name}: {} bytes said", output.all().len());
        // The raw answer is in the log.
        let run = world.sandbox.last_run();
        let refused = run.of_type("run.plan_refused");
        assert!(!refused.is_empty(), "{name}: {}", story(&run));
        let recorded = run.blob(&refused[0]["answer"]).len();
        assert!(
            recorded * 10 >= answer.trim().len() * 9,
            "{name}: {recorded} of {} bytes",
            answer.len()
        );
        // The second request told what was wrong.
        let errors = refused[0]["errors"].as_array().cloned().unwrap_or_default();
        assert!(!errors.is_empty(), "{name}: {}", story(&run));
    });
}

#[test]
fn a_planner_that_says_nothing_is_asked_a_few_times_only() {
    for answer in ["", "  \n\t\n"] {
        let world = world(vec![answer.to_owned()]);
        let output = world.run_auto(&[]);
        assert_no_crash(&output);
        output.expect_code(1).expect_text("planner");
        assert!((2..=6).contains(&world.calls().len()), "{output}");
    }
}

#[test]
fn a_plan_that_is_malformed_once_is_repaired() {
    let good = planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]).plan().to_string();
    check_each(hopeless(), |name, answer| {
        let world = world(vec![answer, good.clone()]);
        let output = world.run_auto(&[]);
        assert_no_crash(&output);
        assert_eq!(output.code, Some(0), "{name}: {output}");
        assert_succeeded(&world.sandbox.last_run(), &["task_001"]);
        assert_eq!(world.calls_by_role(), ["planner", "planner", "coder task_001"], "{name}");
    });
}

#[test]
fn a_plan_in_an_unusual_dress_is_understood_at_once() {
    let plan = planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]).plan();
    let pretty = serde_json::to_string_pretty(&plan).unwrap();
    let dressed = [
        ("a fence", format!("```json\n{pretty}\n```\n")),
        ("prose around it", format!("Here is the plan:\n\n```\n{pretty}\n```\nShall I go on?")),
        ("a thought before it", format!("<think>maybe {{\"nodes\": []}}?</think>\n{pretty}")),
        ("a bare list", plan["nodes"].to_string()),
        ("windows line ends", pretty.replace('\n', "\r\n")),
        ("a mark at its beginning", format!("\u{feff}{pretty}")),
        ("unknown fields", with("mood", json!("cheerful"))),
        ("null instead of a list", with("dependencies", Value::Null)),
        ("a text instead of a list", with("target_files", json!("a.txt"))),
        ("a fraction as score", with("task_complexity_score", json!(0.3))),
    ];
    check_each(dressed.into(), |name, answer| {
        let world = world(vec![answer]);
        let output = world.run_auto(&[]);
        assert_eq!(output.code, Some(0), "{name}: {output}");
        assert_eq!(world.calls_by_role(), ["planner", "coder task_001"], "{name}");
    });
}

#[test]
fn a_plan_file_that_is_malformed_is_refused_with_node_and_field() {
    let world = world(Vec::new());
    for (name, text, says) in [
        ("a cycle", chain(&[("a", &["b"]), ("b", &["a"])]), "dependencies"),
        ("an unknown dependency", with("dependencies", json!(["task_999"])), "task_999"),
        ("a misspelt field", with("acceptanse", json!([])), "acceptance"),
        ("a misspelt role", with("assigned_agent", json!("codre")), "coder"),
        ("a wrong type", with("target_files", json!(5)), "target_files"),
        ("no description", with("description", json!(" ")), "description"),
        ("a path outside", with("target_files", json!(["../a"])), "target_files"),
        ("no JSON", "nodes: []".to_owned(), "JSON"),
        ("a torn file", good_node().to_string()[..40].to_owned(), "JSON"),
    ] {
        world.sandbox.write("plan.json", &text);
        let output = world.sandbox.run(&["run", "--plan", "plan.json", "--auto"]);
        assert_no_crash(&output);
        assert!(matches!(output.code, Some(2 | 4)), "{name}: {output}");
        output.expect_text("plan.json").expect_text(says);
        assert_eq!(world.sandbox.read("plan.json"), text, "{name}: the file is left as it is");
        let output = world.sandbox.run(&["plan", "validate", "plan.json"]);
        assert_ne!(output.code, Some(0), "{name}: {output}");
        output.expect_text(says);
    }
    assert!(world.calls().is_empty(), "nobody is asked about a plan that was handed in");
    // And a good one is fine.
    world.sandbox.write("plan.json", PlannedBrain::hello().plan().to_string());
    world.sandbox.run(&["plan", "validate", "plan.json"]).expect_code(0);
}
