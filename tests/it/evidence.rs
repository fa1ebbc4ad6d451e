//! Tests that cannot fail, tests that were bent, and success that nobody saw: each is caught and named in
//! the report, and the honest counterpart of each passes without a remark.

use sage_core::AgentRole;
use sage_testkit::{FileWrite, Fixture, Output, PlannedTask, RunFolder, SeenRequest};
use serde_json::Value;

use crate::support::{World, assert_no_crash, assert_succeeded, planned, story};

mod bent;
mod worthless;

const DISCOVER: &str = "python3 -m unittest discover -s tests";

/// What was found about each file of tests: subject and worth.
fn worths(run: &RunFolder) -> Vec<(String, String)> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    run.of_type("workspace.tests_weighed")
        .iter()
        .map(|event| (text(event, "subject"), text(event, "worth")))
        .collect()
}

/// Kinds of the findings about tests that were there, of the last comparison.
fn findings(run: &RunFolder) -> Vec<String> {
    let compared = run.of_type("workspace.tests_compared");
    let last = compared.iter().rfind(|event| event["findings"].is_array());
    let findings = last.and_then(|event| event["findings"].as_array().cloned()).unwrap_or_default();
    findings.iter().map(|one| one["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The run must end as not done, with the tree as it was, and say why.
#[track_caller]
fn assert_caught(world: &World, output: &Output, words: &[&str]) {
    assert_no_crash(output);
    let run = world.sandbox.last_run();
    assert_eq!(output.code, Some(1), "{output}\n{}", story(&run));
    assert_eq!(world.sandbox.git_status(), [""; 0], "the changes are taken back: {output}");
    for word in words {
        output.expect_text(word);
    }
    // Who looks later sees it as well, person or program.
    let shown = world.sandbox.run(&["runs", "show", "last"]);
    shown.expect_code(0);
    for word in words {
        shown.expect_text(word);
    }
}

/// What the repair was asked.
#[track_caller]
fn repair_of(world: &World) -> String {
    let calls = world.calls();
    let is_repair = |call: &&SeenRequest| call.role() == Some(AgentRole::Debugger);
    calls.iter().rfind(is_repair).expect("a repair").transcript()
}

/// The run must succeed without any remark about its tests.
#[track_caller]
fn assert_unflagged(world: &World, output: &Output) {
    let run = world.sandbox.last_run();
    assert_eq!(output.code, Some(0), "{output}\n{}", story(&run));
    assert_succeeded(&run, &["task_001"]);
    assert_eq!(findings(&run), [""; 0], "{}", story(&run));
    assert!(!output.all().contains("Flags"), "{output}");
}

fn python(task: PlannedTask) -> World {
    World::in_project(&Fixture::python(), planned(vec![task]))
}

/// `mul` beside `add`.
fn mul() -> FileWrite {
    FileWrite::replace(
        "src/calc.py",
        "    return a + b\n",
        "    return a + b\n\n\ndef mul(a, b):\n    return a * b\n",
    )
}

/// A new file of Python tests with this body.
fn test_of_mul(body: &str) -> FileWrite {
    let text = format!(
        "import os\nimport sys\nimport unittest\n\n\
         sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
         from calc import mul\n\n\nclass MulTest(unittest.TestCase):\n    def test_multiplies(self):\n        {body}\n"
    );
    FileWrite::whole("tests/test_mul.py", text)
}

fn add_mul(body: &str) -> PlannedTask {
    PlannedTask::new("task_001", "Add mul() with tests")
        .version(vec![mul(), test_of_mul(body)])
        .targets(&["src/calc.py", "tests/test_mul.py"])
        .verified_by(DISCOVER)
}
