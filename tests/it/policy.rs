//! The rules of `policy.json` at work: what is refused, what is asked about, and what an answer is worth.

use std::time::Duration;

use sage_testkit::{FileWrite, Fixture, Output, PlannedTask, Pty};
use serde_json::{Value, json};

use crate::support::{GOAL, KILL_AFTER, World, planned, story};

const PATIENCE: Duration = Duration::from_secs(60);
const DONE: &str = "made\n";

/// A task that calls tools, then writes `out.txt`.
fn task(calls: &[(&str, Value)]) -> PlannedTask {
    let task = PlannedTask::file("task_001", "out.txt", DONE).with("paths", json!(["**"]));
    calls.iter().fold(task, |task, (name, arguments)| task.calling(name, arguments))
}

fn running(commands: &[&str]) -> PlannedTask {
    let calls: Vec<(&str, Value)> =
        commands.iter().map(|command| ("run", json!({ "command": command }))).collect();
    task(&calls)
}

fn world(task: PlannedTask, policy: &Value) -> World {
    let world = World::in_project(&Fixture::default(), planned(vec![task]));
    if !policy.is_null() {
        world.sandbox.write(".sage/policy.json", policy.to_string());
    }
    world
}

fn user_file(world: &World) -> std::path::PathBuf {
    world.sandbox.home().join(".config/sage/policy.json")
}

fn user_rules(world: &World, rules: &Value) {
    let path = user_file(world);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, json!({ "rules": rules }).to_string()).unwrap();
}

fn asking() -> Value {
    json!({ "rules": [
        { "decision": "ask", "command": ["touch"], "because": "it makes files" }
    ]})
}

fn reviewed(world: &World) -> Vec<Value> {
    world.sandbox.last_run().of_type("human.tool_reviewed")
}

fn refused(world: &World) -> Vec<String> {
    let events = world.sandbox.last_run().of_type("tool.refused");
    events.iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
}

/// What the model was told by all its calls.
fn told(world: &World) -> String {
    let run = world.sandbox.last_run();
    let ends = run
        .events()
        .into_iter()
        .filter(|event| matches!(event["type"].as_str(), Some("tool.finished" | "tool.refused")));
    ends.map(|event| run.blob_text(&event["result"])).collect::<Vec<_>>().join("\n")
}

/// `sage run --auto` at a terminal, up to the first question.
fn at_terminal(world: &World, more: &[&str]) -> Pty {
    let mut args = vec!["run", GOAL, "--auto"];
    args.extend_from_slice(more);
    world.sandbox.sage(&args).on_terminal()
}

#[track_caller]
fn expect_end(terminal: &mut Pty, world: &World) {
    let code = terminal.wait(PATIENCE);
    assert_eq!(code, Some(0), "{}\n{}", terminal.screen(), story(&world.sandbox.last_run()));
}

#[test]
fn policy_hooks_and_files_outside_are_out_of_reach_and_the_report_says_so() {
    let policy = json!({ "tool_policy": "standard" });
    let world = world(
        task(&[
            ("write", json!({"path": ".sage/policy.json", "content": "{}"})),
            ("write", json!({"path": ".git/hooks/pre-commit", "content": "x"})),
            ("write", json!({"path": "../outside.txt", "content": "x"})),
            ("edit", json!({"path": ".sage/policy.json", "search": "standard", "replace": "x"})),
            ("run", json!({"command": "echo {} > .sage/policy.json"})),
            ("run", json!({"command": "true && (cd . ; echo x >> .git/hooks/pre-commit)"})),
            ("run", json!({"command": "sh -c 'cp out.txt .git/hooks/post-commit'"})),
            ("run", json!({"command": "printf 'echo x > ../outside.txt' | sh"})),
            ("run", json!({"command": "find . -name README.md -exec cp {} ../outside.txt \\;"})),
            ("run", json!({"command": "sage permissions set policy standard"})),
        ]),
        &policy,
    );
    let output = world.run_auto(&[]);
    output.expect_code(0);
    for told in
        [".sage/policy.json", ".git/hooks/pre-commit", ".git/hooks/post-commit", "outside.txt"]
    {
        output.expect_text(told);
    }
    assert_eq!(refused(&world).len(), 10, "{}", story(&world.sandbox.last_run()));
    assert_eq!(output.all().matches("refused  task_001").count(), 10, "{output}");
    let log = world.sandbox.run(&["log"]);
    log.expect_text("refused").expect_text("is protected");
    let text = world.sandbox.read(".sage/policy.json");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), policy);
    assert!(!world.sandbox.exists(".git/hooks/pre-commit"));
    assert!(!world.sandbox.exists("../outside.txt"));
    assert_eq!(world.sandbox.read("out.txt"), DONE);
}

#[test]
fn without_a_terminal_a_question_is_a_no_that_names_the_flag() {
    let world = world(running(&["touch a && echo b > b.txt"]), &asking());
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("--allow 'command:touch a'").expect_text("it makes files");
    assert!(!world.sandbox.exists("a") && !world.sandbox.exists("b.txt"), "no part of it ran");
    let event = reviewed(&world).pop().unwrap();
    assert_eq!((&event["allowed"], &event["by"]), (&false.into(), &"mode".into()));
    assert_eq!(event["keys"], json!(["command:touch a"]));
    let told = told(&world);
    assert!(told.contains("not approved") && told.contains("the edit tools"), "{told}");

    let world = self::world(running(&["touch a && echo b > b.txt"]), &asking());
    let output = world.run_auto(&["--allow", "command:touch a"]);
    output.expect_code(0);
    assert!(world.sandbox.exists("a") && world.sandbox.exists("b.txt"), "{output}");
    assert_eq!(reviewed(&world), [] as [Value; 0]);
}

#[test]
fn a_person_sees_exactly_what_will_happen_and_allows_it_once() {
    let world = world(running(&["echo b > b.txt; touch 'a b'", "touch 'a b' c"]), &asking());
    let mut terminal = at_terminal(&world, &[]);
    terminal.expect("allow? task_001 wants run", PATIENCE);
    terminal.expect("echo b > b.txt; touch 'a b'", PATIENCE);
    terminal.expect("asked about: touch 'a b'", PATIENCE);
    terminal.expect(&format!("in {}", world.sandbox.project().display()), PATIENCE);
    terminal.expect("network: ", PATIENCE);
    terminal.expect("it makes files", PATIENCE);
    terminal.expect("[y]es once [r]un [a]lways [n]o [?]", PATIENCE);
    terminal.send("?\n");
    terminal.expect("your own policy.json gets", PATIENCE);
    terminal.send("y\n");
    terminal.expect("[y]es once", PATIENCE);
    terminal.send("n\n");
    expect_end(&mut terminal, &world);
    assert!(world.sandbox.exists("a b") && !world.sandbox.exists("c"));
    let events = reviewed(&world);
    let told: Vec<_> =
        events.iter().map(|e| (e["allowed"].as_bool(), e["scope"].as_str())).collect();
    assert_eq!(told, [(Some(true), Some("once")), (Some(false), Some("once"))]);
    assert_eq!(events[0]["keys"], json!(["command:touch 'a b'"]));
    assert!(terminal.screen().contains("approved task_001: run"), "{}", terminal.screen());
    assert!(terminal.screen().contains("refused  task_001: run"), "{}", terminal.screen());
    let log = world.sandbox.run(&["log"]);
    log.expect_text("allowed by a person").expect_text("denied by a person");
}

#[test]
fn an_approval_for_the_run_is_not_asked_again_and_one_for_good_outlives_it() {
    let commands = ["touch a", "touch a", "touch b", "touch b"];
    let world = world(running(&commands), &asking());
    let mut terminal = at_terminal(&world, &[]);
    terminal.expect("[r]un", PATIENCE);
    terminal.send("r\n");
    terminal.expect("touch b", PATIENCE);
    terminal.expect("[a]lways", PATIENCE);
    terminal.send("a\n");
    terminal.expect("noted in", PATIENCE);
    expect_end(&mut terminal, &world);
    let scopes: Vec<Value> = reviewed(&world).iter().map(|e| e["scope"].clone()).collect();
    assert_eq!(scopes, ["run", "always"]);

    // The rule is in the person's own file, says where it comes from, and holds for this project only.
    let text = std::fs::read_to_string(user_file(&world)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["rules"].as_array().unwrap().len(), 1, "{text}");
    let rule = &file["rules"][0];
    assert_eq!(rule["command"], json!(["touch", "b"]));
    assert_eq!(rule["exact"], true);
    assert_eq!(rule["project"], world.sandbox.project().to_str().unwrap());
    let shown = world.sandbox.run(&["permissions"]);
    shown.expect_code(0).expect_text("exactly:touch b").expect_text("approved for good");
    assert!(
        !world.sandbox.read(".sage/policy.json").contains("exact"),
        "the project's is untouched"
    );

    // A replay asks nobody and comes to the same.
    world.sandbox.run(&["replay"]).expect_code(0);

    // A later run is not asked about it, but about everything else.
    let first = world.sandbox.last_run().id();
    let output = world.run_auto(&["--fresh"]);
    let runs = world.sandbox.runs();
    let later = runs.iter().find(|run| run.id() != first).expect("a second run");
    let events = later.of_type("human.tool_reviewed");
    assert!(!events.is_empty(), "{output}");
    let is_about_a = |event: &Value| event["keys"] == json!(["command:touch a"]);
    assert!(events.iter().all(is_about_a), "{events:?}");
}

/// Runs at a terminal with one answer and dies right after the answer is on record; then resumes
/// where nobody can be asked.
fn answered_then_killed(answer: &str) -> (World, Output) {
    let policy = asking();
    let commands = ["touch a", "touch a"];
    let seq = {
        let world = world(running(&commands), &policy);
        let mut terminal = at_terminal(&world, &[]);
        terminal.expect("[r]un", PATIENCE);
        terminal.send("r\n");
        expect_end(&mut terminal, &world);
        reviewed(&world)[0]["seq"].as_u64().unwrap()
    };
    let world = world(running(&commands), &policy);
    let args = ["run", GOAL, "--auto"];
    let mut terminal = world.sandbox.sage(&args).env(KILL_AFTER, seq.to_string()).on_terminal();
    terminal.expect("[r]un", PATIENCE);
    terminal.send(answer);
    assert_eq!(terminal.wait(PATIENCE), None, "it dies: {}", terminal.screen());
    assert_eq!(reviewed(&world).len(), 1);
    assert!(!world.sandbox.exists("a"), "it died before the command ran");
    let output = world.resume();
    (world, output)
}

#[test]
fn a_resumed_run_does_not_ask_again_what_was_answered() {
    // Once: the very call that was asked about, and no other.
    let (world, output) = answered_then_killed("y\n");
    output.expect_code(0);
    assert!(world.sandbox.exists("a"), "{output}");
    let allowed: Vec<Value> = reviewed(&world).iter().map(|e| e["allowed"].clone()).collect();
    assert_eq!(allowed, [true, false], "{}", story(&world.sandbox.last_run()));

    let (world, output) = answered_then_killed("r\n");
    output.expect_code(0);
    assert!(world.sandbox.exists("a"), "{output}");
    assert_eq!(reviewed(&world).len(), 1, "{}", story(&world.sandbox.last_run()));

    let (world, output) = answered_then_killed("n\n");
    output.expect_code(0);
    assert!(!world.sandbox.exists("a"), "{output}");
}

#[test]
fn a_project_cannot_loosen_what_the_user_says() {
    let project = json!({ "rules": [
        { "decision": "allow", "command": ["touch"] },
        { "decision": "allow", "command": ["sudo"] },
        { "decision": "allow", "path": "**", "access": "remove" },
    ]});
    let world = world(running(&["touch a", "mkdir b", "sudo true"]), &project);
    user_rules(
        &world,
        &json!([
            { "decision": "ask", "command": ["touch"] },
            { "decision": "deny", "command": ["mkdir"], "because": "no folders" },
        ]),
    );
    world.run_auto(&[]).expect_code(0).expect_text("no folders").expect_text("sudo is not allowed");
    assert!(!world.sandbox.exists("a") && !world.sandbox.exists("b"));
    assert_eq!(refused(&world).len(), 3);
    let explained = world.sandbox.run(&["permissions", "explain", "touch a"]);
    explained.expect_text("ask  touch a").expect_text("a project cannot loosen");
    // The person can, at the moment; but not what was denied.
    let explain = |more: &[&str]| {
        let mut args = vec!["permissions", "explain", "touch a && mkdir b", "--json"];
        args.extend_from_slice(more);
        world.sandbox.run(&args).json_lines().remove(0)
    };
    let all = explain(&["--allow", "command:touch", "--allow", "command:mkdir"]);
    assert_eq!((&all["decision"], &all["parts"][0]["decision"]), (&"deny".into(), &"allow".into()));
    // A file of the project's does not even decide about the project's own strictness against the user.
    std::fs::write(user_file(&world), r#"{"tool_policy": "strict"}"#).unwrap();
    world.sandbox.write(".sage/policy.json", r#"{"tool_policy": "standard"}"#);
    assert_eq!(explain(&[])["decision"], "ask");
}

#[test]
fn denied_paths_are_neither_read_nor_written_whichever_way() {
    let policy = json!({ "rules": [
        { "decision": "deny", "path": "secrets/**" },
        { "decision": "deny", "path": "kept/**", "access": "write" },
    ]});
    let fixture = Fixture::default()
        .file("secrets/key.txt", "the-magic-word\n")
        .file("kept/a.txt", "kept\n")
        .file("seen.txt", "nothing\n");
    let calls = [
        ("read", json!({"path": "secrets/key.txt"})),
        ("search", json!({"pattern": "magic|nothing"})),
        ("list", json!({})),
        ("edit", json!({"path": "secrets/key.txt", "search": "the", "replace": "a"})),
        ("write", json!({"path": "secrets/new.txt", "content": "x\n"})),
        ("delete", json!({"path": "kept/a.txt"})),
        ("run", json!({"command": "cat secrets/key.txt"})),
        ("run", json!({"command": "cat < secrets/key.txt"})),
        ("run", json!({"command": "cd secrets && cat key.txt"})),
        ("run", json!({"command": "cp seen.txt kept/a.txt"})),
        // Nothing in its words says what it does.
        ("run", json!({"command": "python3 -c \"open('kep'+'t/a.txt','w').write('x')\""})),
        ("read", json!({"path": "kept/a.txt"})),
    ];
    let world = World::in_project(&fixture, planned(vec![task(&calls)]));
    world.sandbox.write(".sage/policy.json", policy.to_string());
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("deny path:secrets/**");
    let told = told(&world);
    assert!(!told.contains("the-magic-word"), "{told}");
    assert!(told.contains("seen.txt:1: nothing") && told.contains("not searched"), "{told}");
    assert!(!told.contains("key.txt\\n"), "its name is not listed: {told}");
    for call in world.calls() {
        let said = call.transcript();
        assert!(!said.contains("the-magic-word") && !said.contains("- secrets"), "{said}");
        assert!(!call.messages[1].text.contains("secrets/"), "{said}");
    }
    assert_eq!(world.sandbox.read("kept/a.txt"), "kept\n");
    assert_eq!(world.sandbox.read("secrets/key.txt"), "the-magic-word\n");
    assert!(!world.sandbox.exists("secrets/new.txt"));
    assert_eq!(refused(&world).len(), 9, "{}", story(&world.sandbox.last_run()));
}

fn long_file() -> String {
    (0..80).map(|n| format!("def function_{n}():\n    return {n}\n\n")).collect()
}

fn wiping(more: Value) -> World {
    let mut arguments = json!({"path": "src/big.py", "content": "x = 1\n"});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let fixture = Fixture::default().file("src/big.py", &long_file());
    let calls = [("write", arguments), ("delete", json!({"path": "src/big.py"}))];
    World::in_project(&fixture, planned(vec![task(&calls)]))
}

#[test]
fn an_edit_that_removes_most_of_a_file_is_refused_where_nobody_can_be_asked() {
    for more in [json!({}), json!({"overwrite": true})] {
        let world = wiping(more);
        let output = world.run_auto(&[]);
        output
            .expect_code(0)
            .expect_text("removes most of src/big.py")
            .expect_text("deletes src/big.py");
        output.expect_text("--allow remove:src/big.py");
        assert_eq!(world.sandbox.read("src/big.py"), long_file());
        assert_eq!(refused(&world).len(), 2);
        let told = told(&world);
        assert!(told.contains("search and replace"), "{told}");
    }
    let world = wiping(json!({}));
    world.run_auto(&["--allow", "remove:src/**"]).expect_code(0);
    assert!(!world.sandbox.exists("src/big.py"));
}

#[test]
fn a_person_is_shown_the_difference_before_most_of_a_file_goes() {
    let world = wiping(json!({}));
    let mut terminal = at_terminal(&world, &[]);
    terminal.expect("wants write: src/big.py", PATIENCE);
    terminal.expect("-def function_0():", PATIENCE);
    terminal.expect("more lines; `d` shows all", PATIENCE);
    terminal.expect("removes most of src/big.py", PATIENCE);
    terminal.expect("[d]iff", PATIENCE);
    terminal.send("d\n");
    terminal.expect("-def function_40():", PATIENCE);
    terminal.expect("[d]iff", PATIENCE);
    terminal.send("y\n");
    // What is left is small, so that deleting it is no question.
    expect_end(&mut terminal, &world);
    assert!(!world.sandbox.exists("src/big.py"));
    assert_eq!(reviewed(&world)[0]["keys"], json!(["remove:src/big.py"]));

    let world = wiping(json!({}));
    let mut terminal = at_terminal(&world, &[]);
    terminal.expect("[n]o", PATIENCE);
    terminal.send("n\n");
    terminal.expect("deletes src/big.py", PATIENCE);
    terminal.expect("[n]o", PATIENCE);
    terminal.send("n\n");
    expect_end(&mut terminal, &world);
    assert_eq!(world.sandbox.read("src/big.py"), long_file());
}

#[test]
fn the_text_protocol_passes_the_same_guards() {
    let fixture = Fixture::default().file("src/big.py", &long_file()).file("kept.txt", "a\n");
    let task = PlannedTask::new("task_001", "Change them")
        .version(vec![
            FileWrite::whole("src/big.py", "x = 1\n"),
            FileWrite::whole("kept.txt", "b\n"),
        ])
        .version(vec![FileWrite::whole("out.txt", DONE)])
        .targets(&["out.txt"])
        .with("paths", json!(["**"]));
    let world = World::in_project(&fixture, planned(vec![task])).text_protocol();
    world.run_auto(&[]).expect_text("removes most of src/big.py");
    assert_eq!(world.sandbox.read("src/big.py"), long_file());
    assert_eq!(world.sandbox.read("kept.txt"), "a\n", "all of an answer or nothing");
}

#[test]
fn commands_that_a_plan_proposes_are_judged_as_well() {
    let task = PlannedTask::file("task_001", "out.txt", DONE)
        .verified_by("touch proof && test -s out.txt");
    let world = self::world(task, &asking());
    let output = world.run_auto(&[]);
    output.expect_code(1).expect_text("nobody is there to ask");
    assert!(!world.sandbox.exists("proof"));
    let task = PlannedTask::file("task_001", "out.txt", DONE)
        .verified_by("touch proof && test -s out.txt");
    let world = self::world(task, &asking());
    world.run_auto(&["--allow", "command:touch"]).expect_code(0);
}

#[test]
fn the_page_about_permissions_is_true() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = std::fs::read_to_string(docs.join("permissions.md")).unwrap();
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let world = world(running(&[]), &Value::Null);
    world.sandbox.write(".sage/policy.json", example);
    world.sandbox.run(&["permissions", "test"]).expect_code(0);
    let explained = page.split("$ sage permissions explain").nth(1).unwrap();
    let (command, said) = explained.split_once('\n').unwrap();
    let command = command.trim().trim_matches('"');
    let output = world.sandbox.run(&["permissions", "explain", command]);
    for line in said.split("```").next().unwrap().lines() {
        output.expect_text(line);
    }
    let schema = std::fs::read_to_string(docs.join("policy.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&serde_json::from_str(example).unwrap()));
    for wrong in [
        json!({"rules": [{"decision": "deny"}]}),
        json!({"rules": [{"decision": "dney", "tool": "run"}]}),
        json!({"rules": [{"decision": "deny", "command": []}]}),
        json!({"rules": [{"decision": "deny", "tool": "run", "access": "read"}]}),
        json!({"rule": []}),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
        world.sandbox.write(".sage/policy.json", wrong.to_string());
        world.sandbox.run(&["permissions", "test"]).expect_code(4);
    }
}

#[test]
fn a_plan_gets_the_hosts_that_policy_or_a_person_allows() {
    let task = || {
        PlannedTask::file("task_001", "out.txt", DONE)
            .with("network", json!(["pypi.org", "bad.example.com", "crates.io"]))
    };
    let policy = json!({ "rules": [
        { "decision": "deny", "host": "*.example.com", "because": "not there" },
        { "decision": "allow", "host": "crates.io" },
    ]});
    let world = world(task(), &policy);
    // The project's own allowance does not count: hosts are a question for the person.
    let output = world.run_auto(&[]);
    output.expect_code(0).expect_text("not there").expect_text("--allow host:pypi.org");
    let decisions = |world: &World| {
        let events = reviewed(world);
        let told =
            |e: &Value| format!("{} {} {}", e["what"], e["allowed"], e["by"]).replace('"', "");
        events.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(
        decisions(&world),
        ["bad.example.com false policy", "crates.io false mode", "pypi.org false mode"]
    );
    let world = self::world(task(), &policy);
    world.run_auto(&["--allow", "host:pypi.org", "--allow", "host:crates.io"]).expect_code(0);
    assert_eq!(decisions(&world), ["bad.example.com false policy"]);

    // Whoever approves the plan has seen its hosts.
    let world = self::world(task(), &policy);
    let mut terminal = world.sandbox.sage(&["run", GOAL]).on_terminal();
    terminal.expect("approving the plan lets its commands reach crates.io", PATIENCE);
    terminal.expect("[a]pprove", PATIENCE);
    terminal.send("a\n");
    expect_end(&mut terminal, &world);
    assert_eq!(
        decisions(&world),
        ["bad.example.com false policy", "crates.io true person", "pypi.org true person"]
    );
}

#[test]
fn a_broken_file_stops_everything_and_names_its_line() {
    let world = world(running(&[]), &Value::Null);
    let broken = "{\n  \"rules\": [\n    { \"decision\": \"deny\", \"command\": [\"rm\"],\n      \
                  \"examples\": { \"match\": [\"rmdir x\"] } }\n  ]\n}\n";
    world.sandbox.write(".sage/policy.json", broken);
    for args in [
        &["permissions"][..],
        &["permissions", "test"],
        &["permissions", "explain", "ls"],
        &["doctor"],
        &["config", "validate"],
        &["run", GOAL, "--auto"],
    ] {
        let output = world.sandbox.run(args);
        output.expect_code(4).expect_text("policy.json").expect_text("line 4: rule 1");
        output.expect_text("rmdir x");
    }
    world.sandbox.write(".sage/policy.json", "{}");
    std::fs::create_dir_all(user_file(&world).parent().unwrap()).unwrap();
    std::fs::write(user_file(&world), r#"{"rules": [{"decision": "dney", "tool": "run"}]}"#)
        .unwrap();
    for args in [&["permissions", "test"][..], &["doctor"], &["run", GOAL, "--auto"]] {
        world.sandbox.run(args).expect_code(4).expect_text("did you mean \"deny\"");
    }
    std::fs::remove_file(user_file(&world)).unwrap();
    world.sandbox.run(&["permissions", "test"]).expect_code(0);
    for (flag, part) in [
        ("npm install", "does not say what it is about"),
        ("comand:ls", "did you mean \"command\""),
        ("tool:raed", "did you mean \"read\""),
        ("command:a && b", "not one plain command"),
        ("path:/etc/*", "absolute"),
    ] {
        let output = world.sandbox.run(&["run", GOAL, "--auto", "--deny", flag]);
        output.expect_code(2).expect_text(part);
    }
}

/// A repository may carry links under these names; what they lead to need not end.
#[test]
fn settings_that_are_no_files_are_errors_that_name_them() {
    let cases: [(&str, &[&[&str]]); 3] = [
        ("policy.json", &[&["permissions"], &["permissions", "test"], &["run", GOAL, "--auto"]]),
        ("config.yaml", &[&["config", "validate"], &["run", GOAL, "--auto"]]),
        ("models.yaml", &[&["config", "validate"]]),
    ];
    for (name, commands) in cases {
        let world = world(running(&[]), &Value::Null);
        let path = world.sandbox.project().join(".sage").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        for args in commands {
            world.sandbox.run(args).expect_code(4).expect_text(name);
        }
    }
}
