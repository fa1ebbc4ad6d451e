//! A conversation that goes on far beyond its window: each request fits by the provider's own count, says
//! what must not be forgotten, and begins with the same bytes.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use sage_core::{AgentRole, Speaker};
use sage_testkit::{Brain, Fixture, ModelsYaml, PlannedTask, Reply, SeenRequest};
use serde_json::{Value, json};

use crate::support::{GOAL, KILL_AFTER, World, assert_no_crash, planned};

const RULE: &str = "Never use tabs in this project.";
const DESCRIPTION: &str = "Read the whole archive and write down what it says.";
const CHECK: &str = "test -s out/last.txt";

/// What the model does over the whole session, and what its provider saw.
struct Session {
    n_turns: usize,
    window: u64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The turn of each request, so that one that is sent again is answered alike.
    turns: BTreeMap<u64, usize>,
    prefix: Option<String>,
    violations: Vec<String>,
    n_tokens: u64,
    n_compacted: usize,
}

/// The provider's own count of a prompt: dearer than ours, with more around each message.
fn count(request: &SeenRequest) -> u64 {
    let messages = request.messages.iter().map(|message| {
        let calls = message.tool_calls.iter().map(|call| call.name.len() + call.arguments.len());
        message.text.len() + calls.sum::<usize>() + 24
    });
    let tools = serde_json::to_string(&request.tools).unwrap().len();
    (messages.sum::<usize>() + tools).div_ceil(3) as u64
}

fn tool(name: &str, arguments: Value) -> Reply {
    Reply::tool(name, arguments)
}

impl Session {
    fn new(n_turns: usize, window: u64) -> Arc<Self> {
        Arc::new(Self { n_turns, window, seen: Mutex::default() })
    }

    /// What the model does in a turn: mostly reading on, now and then a file or a command.
    fn act(&self, turn: usize) -> Reply {
        if turn + 1 >= self.n_turns {
            return tool("write", json!({"path": "out/last.txt", "content": "all of it\n"}));
        }
        match turn {
            5 => tool("run", json!({"command": "echo the archive is broken; exit 3"})),
            9 | 14 => tool("run", json!({"command": "test -e out/file_10.txt"})),
            _ if turn.is_multiple_of(10) => {
                let content = format!("notes of turn {turn}\n");
                tool("write", json!({"path": format!("out/file_{turn}.txt"), "content": content}))
            }
            _ => {
                let from = turn * 200 + 1;
                let lines =
                    json!({"path": "data/archive.txt", "start_line": from, "end_line": from + 199});
                tool("read", lines)
            }
        }
    }

    /// The files that exist when this turn begins.
    fn files(turn: usize) -> impl Iterator<Item = String> {
        (0..turn).filter(|turn| turn.is_multiple_of(10)).map(|turn| format!("out/file_{turn}.txt"))
    }

    fn answer(&self, request: &SeenRequest) -> Reply {
        let mut seen = self.seen.lock().unwrap();
        let mut hasher = DefaultHasher::new();
        for message in &request.messages {
            message.text.hash(&mut hasher);
            message.tool_calls.iter().for_each(|call| call.arguments.hash(&mut hasher));
        }
        let n_known = seen.turns.len();
        let turn = *seen.turns.entry(hasher.finish()).or_insert(n_known);
        let violations = self.violations(request, turn, &mut seen);
        seen.violations.extend(violations);
        let used = count(request);
        seen.n_tokens += used + 50;
        drop(seen);
        self.act(turn).with_usage(used, 50)
    }

    fn violations(&self, request: &SeenRequest, turn: usize, seen: &mut Seen) -> Vec<String> {
        let mut violations = Vec::new();
        let mut check = |holds: bool, what: String| {
            if !holds {
                violations.push(format!("turn {turn}: {what}"));
            }
        };
        let (used, answer) = (count(request), request.max_output_tokens.unwrap_or(0));
        check(answer > 0, "no limit for the answer".to_owned());
        check(used + answer <= self.window, format!("{used} + {answer} tokens"));
        check(request.system().contains(RULE), "the rule is missing".to_owned());
        let first = &request.messages[1];
        for (what, text) in [
            ("goal", GOAL),
            ("task", DESCRIPTION),
            ("contract", "only these paths may change: out/**"),
            ("file of the task", "out/last.txt (new)"),
            ("check", CHECK),
        ] {
            check(first.text.contains(text), format!("the {what} is missing"));
        }
        // Arguments of calls are where changed files are named until they are cut.
        let said: String = request
            .messages
            .iter()
            .flat_map(|message| {
                let calls = message.tool_calls.iter().map(|call| call.arguments.clone());
                calls.chain([message.text.clone()])
            })
            .collect::<Vec<_>>()
            .join("\n");
        for file in Self::files(turn) {
            check(said.contains(&file), format!("{file} is missing"));
        }
        if turn > 5 {
            check(said.contains("the archive is broken"), "the open failure is missing".to_owned());
        }
        let note = request.messages.iter().find(|message| {
            message.speaker == Speaker::User && message.text.contains("cut to save room")
        });
        if let Some(note) = note {
            seen.n_compacted += 1;
            // The notes are those of the last cut; what came after it is still there in full.
            const MAX_AGE: usize = 8;
            let is_listed = note.text.contains("file_10");
            let is_open = note
                .text
                .split_once("open failures:")
                .is_some_and(|(_, open)| open.contains("file_10"));
            check(is_listed || turn <= 10 + MAX_AGE, "the notes name no files".to_owned());
            check(!is_open || turn <= 14 + MAX_AGE, "a mended failure is open".to_owned());
        }
        // Every call has its answer, in order.
        let asked: Vec<&str> = request
            .messages
            .iter()
            .flat_map(|message| &message.tool_calls)
            .map(|call| call.id.as_str())
            .collect();
        let answered: Vec<&str> =
            request.messages.iter().filter_map(|message| message.tool_call_id.as_deref()).collect();
        check(asked == answered, "calls and answers do not match".to_owned());
        let tools = serde_json::to_string(&request.raw["tools"]).unwrap();
        let prefix = format!("{tools}\n{}\n{}", request.system(), first.text);
        let known = seen.prefix.get_or_insert_with(|| prefix.clone());
        check(*known == prefix, "the beginning has changed".to_owned());
        violations
    }

    fn world(self: &Arc<Self>) -> World {
        let archive: String = (0..self.n_turns * 200 + 200)
            .map(|n| format!("record {n}: so many words about nothing in particular\n"))
            .collect();
        let fixture = Fixture::default()
            .file("data/archive.txt", &archive)
            .file("AGENTS.md", &format!("- {RULE}\n"));
        let session = Arc::clone(self);
        let mut world = World::in_project(&fixture, move |request: &SeenRequest| -> Reply {
            match request.role() {
                Some(AgentRole::Planner) => planned(vec![session.task()]).answer(request),
                _ => session.answer(request),
            }
        });
        let models = ModelsYaml::openai(&world.server.url())
            .fact(&format!("context_tokens: {}", self.window))
            .fact("max_output_tokens: 2000");
        world.sandbox.models(&models);
        world
    }

    fn task(&self) -> PlannedTask {
        PlannedTask::new("task_001", DESCRIPTION)
            .targets(&["out/last.txt"])
            .verified_by(CHECK)
            .with("paths", json!(["out/**"]))
            .with("budget", json!({"turns": 400, "calls": 500, "tokens": 5_000_000}))
    }

    #[track_caller]
    fn check(&self, world: &World, at_least: u64) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.violations, [""; 0]);
        assert!(seen.n_tokens >= at_least, "{} tokens", seen.n_tokens);
        assert!(seen.n_compacted > 10, "cut in {} requests", seen.n_compacted);
        assert_eq!(seen.turns.len(), self.n_turns);
        for file in Self::files(self.n_turns - 1) {
            assert!(world.sandbox.exists(&file), "{file}");
        }
        // Nothing was found too long.
        assert_eq!(world.sandbox.last_run().of_type("model.failed").len(), 0);
    }
}

#[test]
fn two_million_tokens_stay_within_the_window_and_keep_their_constraints() {
    let session = Session::new(115, 32_000);
    let world = session.world();
    let output = world.run_auto(&[]);
    assert_no_crash(&output);
    session.check(&world, 2_000_000);
    output.expect_code(0);
    // The account is in the log and can be looked at.
    let run = world.sandbox.last_run();
    let called = run.of_type("model.called");
    let of = |event: &Value, name: &str| event["context"][name].as_u64().unwrap_or_default();
    let last = called.last().unwrap();
    assert_eq!(of(last, "window"), 32_000);
    assert!(of(last, "history") > 5_000 && of(last, "rules") > 0, "{last}");
    assert!(called.iter().any(|event| of(event, "cut") > 0));
    let shown = world.sandbox.run(&["runs", "show", "last", "--context"]);
    shown.expect_code(0).expect_text("history").expect_text("task_001#1.");
}

#[test]
fn a_small_window_is_kept_too_and_a_run_that_was_killed_goes_on_alike() {
    let session = Session::new(45, 16_000);
    let world = session.world();
    // After the first cuts, in the middle of a turn.
    let killed = world.sandbox.sage(&["run", GOAL, "--auto"]).env(KILL_AFTER, "140").run();
    assert_eq!(killed.signal, Some(9), "{killed}");
    assert!(session.seen.lock().unwrap().n_compacted > 3);
    let output = world.resume();
    assert_no_crash(&output);
    session.check(&world, 250_000);
    output.expect_code(0);
}
