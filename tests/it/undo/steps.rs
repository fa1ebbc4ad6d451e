//! Undo of a part: to a step, of single files, of all but some.

use super::{havoc, undo, world, world_of};
use crate::support::World;
use sage_testkit::{CliSandbox, FileWrite, PlannedTask, Tree};

/// The number of the step with this command or path, as `sage runs show --files` prints it.
fn step(world: &World, what: &str) -> u64 {
    let lines = world.sandbox.run(&["runs", "show", "--files", "--json"]).json_lines();
    let steps = lines[0]["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["summary"].as_str().unwrap().contains(what));
    found.unwrap_or_else(|| panic!("no step about {what}: {steps:?}"))["number"].as_u64().unwrap()
}

/// What the first script leaves, made by itself in a project of its own.
fn after_first() -> Tree {
    let world = world_of(Vec::new());
    let script = world.sandbox.project().join("tools/first.sh");
    run_by_hand(&world.sandbox, &script.to_string_lossy());
    world.sandbox.tree()
}

#[expect(clippy::disallowed_methods, reason = "a person who runs a script")]
fn run_by_hand(sandbox: &CliSandbox, script: &str) {
    let done = std::process::Command::new("sh").arg(script).current_dir(sandbox.project()).status();
    assert!(done.unwrap().success());
}

#[test]
fn undo_of_a_step_leaves_what_was_there_before_it() {
    let expected = after_first();
    let world = world();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    let between = step(&world, "between.txt");
    let output = undo(&world, &[&format!("last:{between}"), "--dry-run"]);
    output.expect_code(0).expect_text("would restore between.txt");
    assert_eq!(after.diff(&world.sandbox.tree()), "");
    undo(&world, &[&format!("last:{between}")]).expect_code(0);
    assert_eq!(expected.diff(&world.sandbox.tree()), "");

    // A later step is undone with it; an earlier one can follow, and each is a step of the way back.
    let second = step(&world, "second.sh");
    undo(&world, &[&format!(":{second}")]).expect_code(2).expect_text("undone already");
    let first = step(&world, "first.sh");
    undo(&world, &[&first.to_string(), "--json"]).expect_code(0).expect_text("\"step\":1");
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(expected.diff(&world.sandbox.tree()), "");
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(after.diff(&world.sandbox.tree()), "");
    world.sandbox.run(&["resume"]).expect_code(2);
}

#[test]
fn a_step_is_also_known_by_its_call() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let called = world.sandbox.last_run().of_type("tool.called");
    let first = called.iter().find(|event| event["tool"] == "run").unwrap();
    let run = world.sandbox.last_run().id();
    let target = format!("{run}:{}", first["call"].as_str().unwrap());
    undo(&world, &[&target]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
    undo(&world, &[&format!("{run}:99")]).expect_code(2).expect_text("no step \"99\"");
}

#[test]
fn single_files_and_folders_are_restored_alone() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    let folder = world.sandbox.project().join("cache");
    let args = ["undo", "--file", "a", "--", "../docs", "../tracked.txt"];
    world.sandbox.sage(&args).in_folder(&folder).run().expect_code(0);
    let now = world.sandbox.tree();
    let mut changed: Vec<String> = after
        .diff(&now)
        .lines()
        .map(|line| line[2..].split(':').next().unwrap().to_owned())
        .collect();
    changed.sort();
    assert_eq!(
        changed,
        ["cache/a", "docs", "docs/a.md", "docs/deep", "docs/deep/b.md", "tracked.txt"]
    );
    for path in &changed {
        assert_eq!(now.entries.get(path), before.entries.get(path), "{path}");
    }
    let output = undo(&world, &["--file", "never.txt"]);
    output.expect_code(2).expect_text("never.txt").expect_text("runs show");
    undo(&world, &["--file", "../outside"]).expect_code(2).expect_text("outside the project");
    // The rest still can be undone.
    undo(&world, &[]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn some_files_are_kept_as_they_are() {
    let world = world();
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let after = world.sandbox.tree();
    let output = undo(&world, &["--keep", "written.txt", "--keep", "cache/**", "--keep", "cache"]);
    output.expect_code(0);
    let now = world.sandbox.tree();
    for (path, entry) in &now.entries {
        let is_kept = path == "written.txt" || path.starts_with("cache");
        let expected = if is_kept { &after } else { &before };
        assert_eq!(Some(entry), expected.entries.get(path), "{path}");
    }
    assert!(world.sandbox.exists("written.txt"));
    undo(&world, &["--redo"]).expect_code(0);
    assert_eq!(after.diff(&world.sandbox.tree()), "");
}

#[test]
fn several_runs_are_undone_in_reverse_order_only() {
    let task = |text: &str| {
        PlannedTask::new("task_001", "Write")
            .version(vec![FileWrite::whole("shared.txt", text), FileWrite::whole(text, "own\n")])
    };
    let mut world = world_of(vec![task("one")]);
    let before = world.sandbox.tree();
    world.run_auto(&[]).expect_code(0);
    let (first, middle) = (world.sandbox.last_run().id(), world.sandbox.tree());
    // Ids begin with the time in seconds.
    let started = std::time::Instant::now();
    while started.elapsed() < std::time::Duration::from_millis(1_100) {
        std::thread::yield_now();
    }
    world.server = sage_testkit::FakeOpenAi::start(crate::support::planned(vec![task("two")]));
    world.sandbox.models(&sage_testkit::ModelsYaml::openai(&world.server.url()));
    world.run_auto(&[]).expect_code(0);
    let second = world.sandbox.last_run().id();
    let after = world.sandbox.tree();
    let output = undo(&world, &[&first]);
    output.expect_code(3).expect_text(&second).expect_text("shared.txt");
    assert_eq!(after.diff(&world.sandbox.tree()), "");
    undo(&world, &[&second]).expect_code(0);
    assert_eq!(middle.diff(&world.sandbox.tree()), "");
    undo(&world, &[&first]).expect_code(0);
    assert_eq!(before.diff(&world.sandbox.tree()), "");
}

#[test]
fn steps_and_files_are_shown_with_what_became_of_them() {
    let world = world_of(vec![havoc()]);
    world.run_auto(&[]).expect_code(0);
    let output = world.sandbox.run(&["runs", "show", "--files"]);
    for says in ["sh tools/first.sh", "cache/b", "renamed from cache/a", "mode 444 -> 600", "+1 -0"]
    {
        output.expect_code(0).expect_text(says);
    }
    let lines = world.sandbox.run(&["runs", "show", "--files", "--json"]).json_lines();
    let files = lines[0]["files"].as_array().unwrap();
    let of = |path: &str| files.iter().find(|file| file["path"] == path).unwrap().clone();
    let tracked = of("tracked.txt");
    let actions: Vec<&str> = tracked["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["modified", "modified"]);
    assert_eq!(of("cache/b")["changes"][1]["action"], "deleted");
    assert_eq!(of("cache/b")["ignored"], true);
    let first = step(&world, "first.sh");
    let diff = world.sandbox.run(&["runs", "show", "--diff", &first.to_string()]);
    diff.expect_code(0).expect_text("-tracked").expect_text("+changed").expect_text("+more");
    assert!(!diff.all().contains("again"), "{diff}");
    world.sandbox.run(&["runs", "show", "--diff"]).expect_code(0).expect_text("+again");
    world.sandbox.run(&["runs", "show", "--diff", "77"]).expect_code(2).expect_text("no step");
}
