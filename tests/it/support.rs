//! What several files of tests share: a project with a fake provider beside it, and questions about
//! what a run left behind.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use sage_testkit::{
    Brain, CliSandbox, FakeOllama, FakeOpenAi, FaultPlan, Fixture, ModelsYaml, Output,
    PlannedBrain, PlannedTask, RunFolder, SeenRequest,
};
use serde_json::{Value, json};

/// The variable that makes the process kill itself right after appending the event of that number.
pub const KILL_AFTER: &str = "SAGE_FAULT_KILL_AFTER_SEQ";

/// Any goal; the fake models know what to do without reading it.
pub const GOAL: &str = "Do what the plan says";

/// An empty project for the built binary.
pub fn sandbox() -> CliSandbox {
    CliSandbox::new(env!("CARGO_BIN_EXE_sage"))
}

/// A project and an OpenAI-compatible provider whose model plays every role.
pub struct World {
    pub sandbox: CliSandbox,
    pub server: FakeOpenAi,
}

impl World {
    /// An empty repository, and a model that calls tools natively.
    pub fn new(brain: impl Brain + 'static) -> Self {
        Self::in_project(&Fixture::default(), brain)
    }

    /// A repository with these files committed.
    pub fn in_project(fixture: &Fixture, brain: impl Brain + 'static) -> Self {
        Self::with_faults(fixture, brain, FaultPlan::none())
    }

    /// The same with a provider that goes wrong.
    pub fn with_faults(fixture: &Fixture, brain: impl Brain + 'static, faults: FaultPlan) -> Self {
        let server = FakeOpenAi::with(brain).faults(faults).start();
        let mut sandbox = sandbox();
        fixture.lay_into(&sandbox);
        sandbox.git_init();
        sandbox.models(&ModelsYaml::openai(&server.url()));
        Self { sandbox, server }
    }

    /// Lets the model act through the text protocol instead.
    pub fn text_protocol(mut self) -> Self {
        self.sandbox.models(&ModelsYaml::openai(&self.server.url()).text_protocol());
        self
    }

    /// `sage run --auto` with [`GOAL`] and further arguments.
    pub fn run_auto(&self, more: &[&str]) -> Output {
        let mut args = vec!["run", GOAL, "--auto"];
        args.extend_from_slice(more);
        self.sandbox.run(&args)
    }

    /// `sage resume`.
    pub fn resume(&self) -> Output {
        self.sandbox.run(&["resume"])
    }

    /// Model calls so far.
    pub fn calls(&self) -> Vec<SeenRequest> {
        self.server.calls().into_iter().map(|call| call.request).collect()
    }

    /// What was called so far, by role and task, for messages.
    pub fn calls_by_role(&self) -> Vec<String> {
        let name = |call: &SeenRequest| {
            let role = call.role().map_or("?", |role| role.as_str());
            format!("{role} {}", call.task().unwrap_or_default()).trim().to_owned()
        };
        self.calls().iter().map(name).collect()
    }
}

/// A model for [`GOAL`] with these tasks.
pub fn planned(tasks: Vec<PlannedTask>) -> PlannedBrain {
    PlannedBrain::new(GOAL, tasks)
}

/// A plan file with these tasks.
pub fn plan_file(tasks: &[PlannedTask]) -> String {
    let nodes: Vec<Value> = tasks.iter().map(PlannedTask::node).collect();
    json!({"goal": GOAL, "nodes": nodes}).to_string()
}

/// The checks of kind `generated_test` or `acceptance` that passed by running at least one test.
pub fn passed_tests(run: &RunFolder) -> Vec<Value> {
    let mut checks = run.of_type("workspace.checked");
    checks.retain(|check| {
        matches!(check["kind"].as_str(), Some("generated_test" | "acceptance"))
            && check["passed"] == true
            && check["exit_code"] == 0
            && check["n_tests"].as_u64().is_some_and(|n_tests| n_tests >= 1)
    });
    checks
}

/// Panics unless every node of the run is done and the run says that it succeeded.
#[track_caller]
pub fn assert_succeeded(run: &RunFolder, nodes: &[&str]) {
    let mut outcomes = run.outcomes();
    outcomes.sort();
    let expected: Vec<(String, String)> =
        nodes.iter().map(|node| ((*node).to_owned(), "done".to_owned())).collect();
    assert_eq!(outcomes, expected, "{}", story(run));
    let finished = run.finished().expect("the run finished");
    assert_eq!(finished["outcome"], "succeeded", "{}", story(run));
    assert_eq!(finished["exit_code"], 0, "{}", story(run));
}

/// The exported view of the last run.
pub fn metrics(sandbox: &CliSandbox) -> Value {
    let text = sandbox.read(".sage/last_run_metrics.json");
    serde_json::from_str(&text).expect("metrics are JSON")
}

/// The events of a run in short lines, for messages.
pub fn story(run: &RunFolder) -> String {
    let mut text = String::new();
    for event in run.events() {
        let mut fields = event.as_object().cloned().unwrap_or_default();
        for name in ["at_ms", "run", "options"] {
            fields.remove(name);
        }
        let line: String = Value::Object(fields).to_string().chars().take(400).collect();
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Panics with everything that was said if the program fell over instead of reporting an error.
#[track_caller]
pub fn assert_no_crash(output: &Output) {
    let said = output.all();
    let fell = said.contains("panicked at") || said.contains("RUST_BACKTRACE");
    assert!(!fell && output.signal.is_none(), "the program fell over: {output}");
    assert!(!matches!(output.code, Some(70 | 101)), "a fault of the program: {output}");
    assert!(!output.timed_out, "the program did not end: {output}");
}

/// A server of either kind whose model plays every role, for tests that must hold for both.
pub enum Provider {
    OpenAi(FakeOpenAi),
    Ollama(FakeOllama),
}

impl Provider {
    /// Requests for an answer so far.
    pub fn calls(&self) -> Vec<SeenRequest> {
        let calls = match self {
            Self::OpenAi(server) => server.calls(),
            Self::Ollama(server) => server.calls(),
        };
        calls.into_iter().map(|call| call.request).collect()
    }

    /// A `models.yaml` for it.
    pub fn models(&self) -> ModelsYaml {
        match self {
            Self::OpenAi(server) => ModelsYaml::openai(&server.url()),
            Self::Ollama(server) => ModelsYaml::ollama(&server.url()),
        }
    }
}

/// How long a person would wait for something that should be immediate.
pub const AT_ONCE: Duration = Duration::from_secs(1);

/// A model that answers for one task only once another is merged into the tree, so that a test can say
/// who comes second.
pub struct Second {
    model: PlannedBrain,
    first: &'static str,
    second: &'static str,
    project: std::sync::OnceLock<std::path::PathBuf>,
}

impl Second {
    /// `second` waits for `first`.
    pub fn waiting(model: PlannedBrain, first: &'static str, second: &'static str) -> Arc<Self> {
        Arc::new(Self { model, first, second, project: std::sync::OnceLock::new() })
    }

    /// A world with this model.
    pub fn world(fixture: &Fixture, tasks: Vec<PlannedTask>) -> World {
        let brain = Self::waiting(planned(tasks), "task_a", "task_b");
        let world = World::in_project(fixture, Told(Arc::clone(&brain)));
        brain.project.set(world.sandbox.project()).expect("set once");
        world
    }

    fn is_merged(&self) -> bool {
        let Some(project) = self.project.get() else { return false };
        let runs = std::fs::read_dir(project.join(".sage/runs")).into_iter().flatten().flatten();
        runs.map(|run| std::fs::read_to_string(run.path().join("events.jsonl")).unwrap_or_default())
            .any(|log| {
                log.lines().any(|line| {
                    line.contains("workspace.lane_merged")
                        && line.contains(&format!("\"{}\"", self.first))
                        && line.contains("\"merged\":true")
                })
            })
    }
}

struct Told(Arc<Second>);

impl Brain for Told {
    fn answer(&self, request: &SeenRequest) -> sage_testkit::Reply {
        if request.task().as_deref() == Some(self.0.second) {
            let deadline = std::time::Instant::now() + Duration::from_secs(60);
            while !self.0.is_merged() && std::time::Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        self.0.model.answer(request)
    }
}
