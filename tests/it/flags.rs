//! Every flag of `sage run` changes what happens. Flags that have a topic of their own are shown
//! there: `--dry-run`, `--plan-only` and `--plan` in `dry_run`, `--research` in `plan_review`,
//! `--max-parallel` in `parallel`, `--max-tokens`, `--max-cost` and `--max-time` in `exit_codes`,
//! `--silent` in `run_repair`, `--repo` and `--json` in `run_hello`.

use std::time::Duration;

use sage_core::AgentRole;
use sage_testkit::{
    Brain, FakeOpenAi, FileWrite, Fixture, ModelsYaml, NullBrain, PlannedBrain, PlannedTask, Reply,
    SeenRequest,
};
use serde_json::{Value, json};

use crate::support::{GOAL, KILL_AFTER, World, metrics, planned, sandbox, story};

#[test]
fn full_runs_the_whole_suite_and_reviews_what_would_go_unreviewed() {
    let task = || {
        PlannedTask::new("task_001", "Say more in calc.py").version(vec![FileWrite::replace(
            "src/calc.py",
            "def add(a, b):\n",
            "def add(a, b):\n    \"\"\"Return the sum.\"\"\"\n",
        )])
    };
    let n_reviews = |more: &[&str]| {
        let world = World::in_project(&Fixture::python(), planned(vec![task()]));
        world.run_auto(more).expect_code(0);
        let reviews = world.calls().into_iter();
        reviews.filter(|call| call.role() == Some(AgentRole::Reviewer)).count()
    };
    assert_eq!(n_reviews(&[]), 0, "a small change that passes its checks costs no review");
    assert!(n_reviews(&["--full"]) >= 1);
}

#[test]
fn fresh_leaves_an_interrupted_run_alone() {
    let world = World::new(PlannedBrain::hello());
    let args = ["run", PlannedBrain::HELLO_GOAL, "--auto"];
    let killed = world.sandbox.sage(&args).env(KILL_AFTER, "12").run();
    assert_eq!(killed.signal, Some(9), "{killed}");
    let interrupted = world.sandbox.last_run().id();
    let output = world.sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto", "--fresh"]);
    output.expect_code(0);
    assert_eq!(world.sandbox.runs().len(), 2);
    assert!(!output.all().contains(&interrupted), "{output}");
    let planners = world.calls_by_role().into_iter().filter(|role| role == "planner").count();
    assert_eq!(planners, 2, "a fresh run plans again");
}

#[test]
fn without_fresh_an_interrupted_run_to_the_same_goal_is_taken_up() {
    let world = World::new(PlannedBrain::hello());
    let args = ["run", PlannedBrain::HELLO_GOAL, "--auto"];
    assert_eq!(world.sandbox.sage(&args).env(KILL_AFTER, "12").run().signal, Some(9));
    let interrupted = world.sandbox.last_run().id();
    let output = world.sandbox.run(&args);
    output.expect_code(0).expect_text(&interrupted).expect_text("--fresh");
    assert_eq!(world.sandbox.runs().len(), 1);
    let planners = world.calls_by_role().into_iter().filter(|role| role == "planner").count();
    assert_eq!(planners, 1, "what was paid is not paid again");
}

#[test]
fn resume_is_a_flag_of_run_as_well_and_takes_a_run() {
    for named in [false, true] {
        let world = World::new(PlannedBrain::hello());
        let args = ["run", PlannedBrain::HELLO_GOAL, "--auto"];
        assert_eq!(world.sandbox.sage(&args).env(KILL_AFTER, "12").run().signal, Some(9));
        let id = world.sandbox.last_run().id();
        let args = if named { vec!["run", "--resume", &id] } else { vec!["run", "--resume"] };
        world.sandbox.run(&args).expect_code(0);
        assert_eq!(world.sandbox.runs().len(), 1);
        assert_eq!(world.sandbox.git_status(), ["?? src/hello.py", "?? tests/test_hello.py"]);
    }
}

#[test]
fn include_bounds_what_is_looked_at_and_written() {
    let tasks = vec![PlannedTask::file("task_001", "docs/new.md", "# New\n")];
    let fixture = Fixture::python().file("docs/old.md", "# Old\n");
    let world = World::in_project(&fixture, planned(tasks));
    let output = world.run_auto(&["--include", "docs/**", "--include", "*.md"]);
    output.expect_code(0);
    let asked = world.calls()[0].transcript();
    assert!(asked.contains("docs/old.md"), "{asked}");
    assert!(!asked.contains("src/calc.py"), "what is not included is not shown: {asked}");

    let tasks = vec![PlannedTask::file("task_001", "src/new.py", "NEW = 1\n")];
    let world = World::in_project(&fixture, planned(tasks));
    let output = world.run_auto(&["--include", "docs/**"]);
    output.expect_code(1).expect_text("src/new.py");
    assert!(!world.sandbox.exists("src/new.py"));
}

/// A planner that asks first and plans when it is answered, or is not allowed to ask.
fn asking(request: &SeenRequest) -> Reply {
    let plan = PlannedBrain::hello();
    let may_ask = request.transcript().contains("questions");
    let was_told = request.transcript().contains("in French");
    if request.role() == Some(AgentRole::Planner) && may_ask && !was_told {
        let mut plan = plan.plan();
        plan["questions"] = json!(["Which language shall it greet in?"]);
        return Reply::json(&plan);
    }
    plan.answer(request)
}

#[test]
fn no_clarify_asks_no_questions() {
    const PATIENCE: Duration = Duration::from_secs(30);
    let world = World::new(asking);
    let mut terminal = world.sandbox.sage(&["run", PlannedBrain::HELLO_GOAL]).on_terminal();
    terminal.expect("Which language shall it greet in?", PATIENCE);
    terminal.send("in French\n");
    terminal.expect("[a]", PATIENCE);
    terminal.send("r\n");
    assert_eq!(terminal.wait(PATIENCE), Some(3), "{}", terminal.screen());
    assert!(world.calls()[1].transcript().contains("in French"));

    let world = World::new(asking);
    let args = ["run", PlannedBrain::HELLO_GOAL, "--no-clarify"];
    let mut terminal = world.sandbox.sage(&args).on_terminal();
    terminal.expect("[a]", PATIENCE);
    assert!(!terminal.screen().contains("Which language"), "{}", terminal.screen());
    terminal.send("r\n");
    assert_eq!(terminal.wait(PATIENCE), Some(3), "{}", terminal.screen());
    assert_eq!(world.calls().len(), 1);
}

#[test]
fn explain_routing_says_who_was_chosen_and_why() {
    let world = World::new(PlannedBrain::hello());
    let plain = world.run_auto(&[]);
    plain.expect_code(0);
    let world = World::new(PlannedBrain::hello());
    let output = world.run_auto(&["--explain-routing"]);
    output.expect_code(0);
    let reason = world.sandbox.last_run().of_type("model.routed")[0]["reason"].clone();
    let reason = reason.as_str().unwrap().to_owned();
    output.expect_text(FakeOpenAi::MODEL).expect_text(&reason);
    assert!(!plain.all().contains(&reason), "only when asked for: {plain}");
}

#[test]
fn a_profile_and_a_role_choose_the_model() {
    let models = |world: &World| {
        ModelsYaml::openai(&world.server.url()).and(
            "profiles:\n  small: {primary: fake/small-model}\n  \
             large: {primary: fake/large-model}\n",
        )
    };
    let asked = |more: &[&str]| -> Vec<String> {
        let mut world = World::new(PlannedBrain::hello());
        world.sandbox.models(&models(&world));
        world.run_auto(more).expect_code(0);
        world.calls().into_iter().map(|call| call.model).collect()
    };
    assert_eq!(asked(&[]), ["fake-model"; 3]);
    assert_eq!(asked(&["--profile", "small"]), ["small-model"; 3]);
    let roles = ["--model", "planner=fake/big", "--model", "test_engineer=fake/tester"];
    assert_eq!(asked(&roles), ["big", "fake-model", "tester"]);

    let mut world = World::new(PlannedBrain::hello());
    world.sandbox.models(&models(&world)).env("SAGE_MODEL_PROFILE", "large");
    world.run_auto(&[]).expect_code(0);
    assert!(world.calls().iter().all(|call| call.model == "large-model"));
    let output = world.run_auto(&["--profile", "lrage"]);
    assert!(matches!(output.code, Some(2 | 4)), "{output}");
    output.expect_text("lrage").expect_text("large");
}

#[test]
fn models_are_looked_for_in_the_documented_order() {
    let right = FakeOpenAi::start(PlannedBrain::hello());
    let wrong = FakeOpenAi::start(NullBrain::Prose);
    let text = |server: &FakeOpenAi| ModelsYaml::openai(&server.url()).text();
    let check = |places: &[(&str, &FakeOpenAi)]| {
        let mut sandbox = sandbox();
        sandbox.git_init();
        let mut args = vec!["run".to_owned(), PlannedBrain::HELLO_GOAL.to_owned()];
        args.push("--auto".to_owned());
        for (place, server) in places {
            match *place {
                "flag" => {
                    let path = sandbox.path("flag.yaml");
                    std::fs::write(&path, text(server)).unwrap();
                    args.extend(["--models".to_owned(), path.to_string_lossy().into_owned()]);
                }
                "variable" => {
                    sandbox.models(&ModelsYaml::openai(&server.url()));
                }
                "project" => {
                    sandbox.write(".sage/models.yaml", text(server));
                }
                _ => {
                    let folder = sandbox.home().join(".config/sage");
                    std::fs::create_dir_all(&folder).unwrap();
                    std::fs::write(folder.join("models.yaml"), text(server)).unwrap();
                }
            }
        }
        sandbox.run(&args).expect_code(0);
    };
    check(&[("user", &right)]);
    check(&[("user", &wrong), ("project", &right)]);
    check(&[("project", &wrong), ("variable", &right)]);
    check(&[("variable", &wrong), ("flag", &right)]);
    assert!(wrong.calls().is_empty());
}

fn answering(request: &SeenRequest) -> Reply {
    let about_the_run = request
        .response_schema
        .as_ref()
        .is_some_and(|schema| schema.pointer("/properties/headline").is_some());
    if about_the_run || request.transcript().contains("headline") {
        return Reply::json(&json!({"headline": "two files", "n_files": 2}));
    }
    PlannedBrain::hello().answer(request)
}

#[test]
fn a_final_answer_fits_its_schema_and_goes_to_a_file() {
    let schema = json!({
        "type": "object", "required": ["headline", "n_files"], "additionalProperties": false,
        "properties": {"headline": {"type": "string"}, "n_files": {"type": "integer"}},
    });
    let world = World::new(answering);
    let path = |name: &str| world.sandbox.path(name).to_string_lossy().into_owned();
    std::fs::write(path("schema.json"), schema.to_string()).unwrap();
    let args =
        ["--output-schema", &path("schema.json"), "--output-last-message", &path("last.json")];
    let output = world.run_auto(&args);
    output.expect_code(0);
    let last = std::fs::read_to_string(path("last.json")).unwrap();
    let answer: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(answer, json!({"headline": "two files", "n_files": 2}));

    // Without a schema the message is the report's own words.
    let world = World::new(PlannedBrain::hello());
    let last = world.sandbox.path("last.txt").to_string_lossy().into_owned();
    world.run_auto(&["--output-last-message", &last]).expect_code(0);
    assert!(!std::fs::read_to_string(last).unwrap().trim().is_empty());

    // A schema that is none is refused before anything is asked.
    let world = World::new(answering);
    std::fs::write(world.sandbox.path("bad.json"), "{\"type\": 7").unwrap();
    let bad = world.sandbox.path("bad.json").to_string_lossy().into_owned();
    let output = world.run_auto(&["--output-schema", &bad]);
    assert!(matches!(output.code, Some(2 | 4)), "{output}");
    output.expect_text("bad.json");
    assert!(world.calls().is_empty());
}

#[test]
fn max_calls_stops_a_run_and_the_report_says_what_it_cost() {
    let world = World::new(PlannedBrain::hello());
    world.run_auto(&["--max-calls", "2"]).expect_code(6);
    assert_eq!(world.calls().len(), 2);
    assert_eq!(metrics(&world.sandbox)["exit_code"], 6);
}

#[test]
fn auto_logs_that_the_mode_approved() {
    let world = World::new(PlannedBrain::hello());
    world.sandbox.run(&["run", GOAL, "--auto"]).expect_code(0);
    let run = world.sandbox.last_run();
    let decision = run.of_type("human.plan_reviewed").pop().unwrap();
    assert_eq!(
        (&decision["decision"], &decision["by"]),
        (&"approved".into(), &"mode".into()),
        "{}",
        story(&run)
    );
}

#[test]
fn a_plan_file_brings_its_own_goal() {
    let world = World::new(PlannedBrain::hello());
    world.sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--plan-only"]).expect_code(0);
    let output = world.sandbox.run(&["run", "--plan", ".sage/last_plan.json", "--auto"]);
    output.expect_code(0).expect_text(PlannedBrain::HELLO_GOAL);
    assert_eq!(metrics(&world.sandbox)["goal"], PlannedBrain::HELLO_GOAL);
}

#[test]
fn what_cannot_be_written_or_worked_on_is_said_before_anything_is_paid() {
    let world = World::new(PlannedBrain::hello());
    let output = world.run_auto(&["--output-last-message", "missing/folder/answer.txt"]);
    output.expect_code(2).expect_text("missing/folder");
    let root = std::path::Path::new("/");
    let args = ["run", PlannedBrain::HELLO_GOAL, "--auto"];
    world.sandbox.sage(&args).in_folder(root).run().expect_code(2).expect_text("no project");
    assert!(!root.join(".sage").exists());
    assert_eq!(world.calls().len(), 0);
}

#[test]
fn a_projects_own_models_file_that_takes_a_key_elsewhere_is_pointed_out() {
    let server = FakeOpenAi::start(PlannedBrain::hello());
    let mut sandbox = sandbox();
    sandbox.git_init();
    let yaml = format!(
        "providers:\n  openai: {{base_url: \"{}\"}}\nrouting:\n  default: {{primary: gpt-4o, fallback: gpt-4o}}\n",
        server.url()
    );
    sandbox.write(".sage/models.yaml", &yaml);
    sandbox.env("OPENAI_API_KEY", "not-a-real-key");
    let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);
    output.expect_code(0).expect_text("OPENAI_API_KEY").expect_text(&server.url());
}
