//! What prompts are made of: before a run (`sage context`), during it (by the provider's own count), and
//! after it (`sage runs show --context`).

use std::collections::BTreeMap;

use sage_core::AgentRole;
use sage_testkit::{
    FakeOpenAi, FileWrite, Fixture, ModelsYaml, NullBrain, PlannedTask, SeenRequest,
};
use serde_json::{Value, json};

use crate::support::{World, planned, sandbox};

/// Tokens that a model reads before the first word of its task, by the bytes that are sent.
const MAX_OVERHEAD_TOKENS: usize = 3_000;

/// What stands before the first message of the person on the wire: tools, system prompt, schema.
fn overhead(request: &SeenRequest) -> usize {
    let schema = request.response_schema.as_ref().map_or(0, |schema| schema.to_string().len());
    let tools = match &request.raw["tools"] {
        Value::Null => 0,
        tools => tools.to_string().len(),
    };
    // Dearer than the usual four bytes.
    (request.system().len() + tools + schema).div_ceil(3)
}

fn every_role() -> Vec<PlannedTask> {
    let task = |id: &str, role: AgentRole| {
        let file = format!("{role}.txt");
        PlannedTask::new(id, format!("Write {file}"))
            .by(role)
            .version(vec![FileWrite::whole(file.as_str(), "wrong\n")])
            .version(vec![FileWrite::whole(file.as_str(), "right\n")])
            .verified_by(&format!("grep -q right {file}"))
    };
    vec![
        task("task_001", AgentRole::Architect),
        task("task_002", AgentRole::Coder),
        task("task_003", AgentRole::TestEngineer),
        task("task_004", AgentRole::Documentation),
    ]
}

#[test]
fn what_comes_before_the_task_is_small_in_every_role_and_both_protocols() {
    for is_text in [false, true] {
        let mut world = World::in_project(&Fixture::python(), planned(every_role()));
        if is_text {
            world = world.text_protocol();
        }
        let output = world.run_auto(&["--full"]);
        let mut most: BTreeMap<&str, usize> = BTreeMap::new();
        for request in world.calls() {
            let role = request.role().expect("a role").as_str();
            let known = most.entry(role).or_default();
            *known = overhead(&request).max(*known);
        }
        for role in [
            "planner",
            "architect",
            "coder",
            "test_engineer",
            "documentation",
            "reviewer",
            "debugger",
        ] {
            let n_tokens = most.get(role).copied().unwrap_or_default();
            assert!(n_tokens > 50, "{role} was not asked: {most:?} {output}");
            assert!(n_tokens < MAX_OVERHEAD_TOKENS, "{role}: {most:?}");
        }
    }
}

#[test]
fn prompts_of_one_role_begin_alike_over_tasks() {
    let file = |id: &str, path: &str| PlannedTask::file(id, path, "x\n");
    let tasks = vec![file("task_001", "a.txt"), file("task_002", "b.txt")];
    let fixture = Fixture::python().file("AGENTS.md", "- No tabs.\n");
    let world = World::in_project(&fixture, planned(tasks));
    world.run_auto(&[]).expect_code(0);
    let of_coder: Vec<SeenRequest> = world
        .calls()
        .into_iter()
        .filter(|request| request.role() == Some(AgentRole::Coder))
        .collect();
    assert_eq!(of_coder.len(), 2);
    assert_eq!(of_coder[0].system(), of_coder[1].system());
    assert_eq!(of_coder[0].raw["tools"], of_coder[1].raw["tools"]);
}

#[test]
fn a_preview_asks_nobody_writes_nothing_and_adds_up() {
    let server = FakeOpenAi::with(NullBrain::Nothing).start();
    let mut sandbox = sandbox();
    Fixture::python().file("AGENTS.md", "- No tabs.\n").lay_into(&sandbox);
    sandbox.git_init();
    sandbox.models(&ModelsYaml::openai(&server.url()).fact("context_tokens: 32000"));
    let before = sandbox.full_tree();
    let output = sandbox.run(&["context", "src/calc.py", "--json"]);
    output.expect_code(0);
    let lines: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7);
    for line in &lines {
        let context = &line["context"];
        let sum: u64 = ["system", "rules", "tools", "task", "memory", "files", "history"]
            .iter()
            .map(|name| context[*name].as_u64().unwrap())
            .sum();
        assert_eq!(line["prompt"], sum, "{line}");
        assert!(line["overhead"].as_u64().unwrap() < MAX_OVERHEAD_TOKENS as u64, "{line}");
        assert!(context["rules"].as_u64().unwrap() > 0, "{line}");
        assert_eq!(context["window"], 32_000);
    }
    let coder = lines.iter().find(|line| line["role"] == "coder").unwrap();
    assert!(coder["context"]["files"].as_u64().unwrap() > 20, "{coder}");
    let shown = sandbox.run(&["context", "--role", "planner"]);
    shown.expect_code(0).expect_text("planner").expect_text("of window");
    assert!(!shown.stdout.contains("coder"), "{shown}");
    sandbox.run(&["context", "--role", "shell_chat"]).expect_code(2).expect_text("planner");
    sandbox.run(&["context", "../outside.py"]).expect_code(4);
    assert_eq!(before.diff(&sandbox.full_tree()), "");
    assert_eq!(server.calls().len(), 0);
}

#[test]
fn a_run_shows_what_its_prompts_were_made_of() {
    let world = World::new(planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]));
    world.run_auto(&[]).expect_code(0);
    let output = world.sandbox.run(&["runs", "show", "last", "--context", "--json"]);
    output.expect_code(0);
    let lines: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, role) in lines.iter().zip(["planner", "coder"]) {
        assert_eq!(line["role"], role);
        let (ours, theirs) = (&line["prompt"], &line["usage"]["input"]);
        assert!(ours.as_u64().unwrap() > 100 && theirs.as_u64().unwrap() > 100, "{line}");
    }
    let text = world.sandbox.run(&["runs", "show", "last", "--context"]);
    text.expect_text("tools").expect_text("task_001#1.");
    world.sandbox.run(&["log", "last"]).expect_text("asks a model: about");
}

#[test]
fn logs_without_an_account_are_still_read() {
    let world = World::new(planned(vec![PlannedTask::file("task_001", "a.txt", "a\n")]));
    world.run_auto(&[]).expect_code(0);
    let path = world.sandbox.last_run().path.join("events.jsonl");
    let events = std::fs::read_to_string(&path).unwrap();
    let old: String = events
        .lines()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            if event["type"] == "model.called" {
                let fields = event.as_object_mut().unwrap();
                fields.retain(|name, _| !["context", "turn"].contains(&name.as_str()));
            }
            format!("{}\n", json!(event))
        })
        .collect();
    assert_ne!(old, events);
    std::fs::write(&path, old).unwrap();
    let output = world.sandbox.run(&["runs", "show", "last", "--context"]);
    output.expect_code(0).expect_text("2 model calls were logged before");
    world.sandbox.run(&["log", "last"]).expect_code(0).expect_text("asks a model");
    world.sandbox.run(&["replay", "last"]).expect_code(0);
}
