//! Models that answer everything with nonsense, or with boasting: no success is reported anywhere.

use sage_testkit::{FakeOpenAi, Fixture, ModelsYaml, NullBrain, PlannedTask, RunFolder};

use crate::support::{GOAL, assert_no_crash, plan_file, sandbox, story};

fn assert_no_success(run: &RunFolder) {
    let done = |event: &serde_json::Value| event["outcome"] == "done";
    assert!(!run.of_type("node.finished").iter().any(done), "{}", story(run));
    assert_ne!(run.finished().unwrap()["outcome"], "succeeded", "{}", story(run));
    assert_ne!(run.finished().unwrap()["exit_code"], 0, "{}", story(run));
}

/// Runs one null model over a project; `plan` is given when the planner is to be left out.
fn check(brain: NullBrain, text_protocol: bool, plan: Option<&[PlannedTask]>) {
    let server = FakeOpenAi::start(brain);
    let mut sandbox = sandbox();
    Fixture::python().lay_into(&sandbox);
    sandbox.git_init();
    let models = ModelsYaml::openai(&server.url());
    sandbox.models(&if text_protocol { models.text_protocol() } else { models });
    let before = sandbox.tree();
    let output = match plan {
        None => sandbox.run(&["run", GOAL, "--auto"]),
        Some(tasks) => {
            let path = sandbox.path("plan.json");
            std::fs::write(&path, plan_file(tasks)).unwrap();
            sandbox.run(&["run", "--plan", &path.to_string_lossy(), "--auto"])
        }
    };
    let what = format!("{brain:?}, text protocol {text_protocol}: {output}");
    assert_no_crash(&output);
    assert_eq!(output.code, Some(1), "{what}");
    assert_eq!(before.diff(&sandbox.tree()), "", "{what}");
    assert_no_success(&sandbox.last_run());
    let metrics = crate::support::metrics(&sandbox);
    assert_ne!(metrics["outcome"], "succeeded", "{what}");
    assert_eq!(metrics["tasks_completed"], 0, "{what}");
    assert!(server.calls().len() < 60, "{} calls: {what}", server.calls().len());
}

#[test]
fn no_null_model_makes_a_plan() {
    for brain in NullBrain::ALL {
        check(brain, false, None);
    }
}

#[test]
fn no_null_model_carries_out_a_task_that_creates_a_file() {
    let tasks =
        [PlannedTask::new("task_001", "Create src/new.py with new()").targets(&["src/new.py"])];
    for brain in NullBrain::ALL {
        for text_protocol in [false, true] {
            check(brain, text_protocol, Some(&tasks));
        }
    }
}

#[test]
fn no_null_model_carries_out_a_change_whose_tests_passed_before() {
    // The file is there and the project's tests pass already: doing nothing must not look like success.
    let tasks = [PlannedTask::new("task_001", "Make add() accept strings of digits as well")
        .targets(&["src/calc.py"])
        .verified_by("python3 -m unittest discover -s tests")];
    for brain in NullBrain::ALL {
        for text_protocol in [false, true] {
            check(brain, text_protocol, Some(&tasks));
        }
    }
}
