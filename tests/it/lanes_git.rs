//! Lanes in repositories of every kind, and beside a person who goes on working.

use std::path::Path;
use std::time::Duration;

use sage_testkit::{
    CliSandbox, FakeOpenAi, FileWrite, Fixture, ModelsYaml, PlannedTask, RunFolder,
};

use crate::support::{Second, World, planned, story};

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

/// A task that replaces one line of a file.
fn line(id: &str, path: &str, from: &str, to: &str) -> PlannedTask {
    PlannedTask::new(id, format!("Change {from}"))
        .version(vec![FileWrite::replace(path, format!("{from}\n"), format!("{to}\n"))])
        .slow(Duration::from_millis(200))
        .verified_by(&format!("grep -q {to} {path}"))
}

fn two(path: &str) -> Vec<PlannedTask> {
    vec![line("task_a", path, "two", "TWO"), line("task_b", path, "six", "SIX")]
}

fn both() -> String {
    TEXT.replace("two", "TWO").replace("six", "SIX")
}

#[track_caller]
fn assert_merged(run: &RunFolder) {
    let merges = run.of_type("workspace.lane_merged");
    assert!(merges.len() == 2 && merges.iter().all(|m| m["merged"] == true), "{}", story(run));
}

/// Runs the two tasks on `path` and looks at what came of them.
#[track_caller]
fn check(world: &World, path: &str) {
    world.run_auto(&[]).expect_code(0);
    let run = world.sandbox.last_run();
    assert_merged(&run);
    assert_eq!(world.sandbox.read(path), both(), "{}", story(&run));
    assert!(!world.sandbox.exists(".git/worktrees"));
}

fn world(path: &str) -> World {
    World::in_project(&Fixture::default().file(path, TEXT), planned(two(path)))
}

#[test]
fn in_a_repository_without_a_commit() {
    let world = world("list.txt");
    std::fs::remove_dir_all(world.sandbox.project().join(".git")).unwrap();
    world.sandbox.git(&["init", "--quiet"]);
    check(&world, "list.txt");
}

#[test]
fn in_a_sparse_checkout() {
    let world = world("in/list.txt");
    world.sandbox.write("out/hidden.txt", "hidden\n");
    world.sandbox.git(&["add", "--all"]);
    world.sandbox.git(&["commit", "--quiet", "--message", "more"]);
    world.sandbox.git(&["sparse-checkout", "set", "in"]);
    assert!(!world.sandbox.exists("out/hidden.txt"));
    check(&world, "in/list.txt");
    assert!(!world.sandbox.exists("out/hidden.txt"));
    assert_eq!(world.sandbox.git_status(), [" M in/list.txt"]);
}

#[test]
fn with_filters_and_line_ends_of_its_own() {
    // What a filter such as LFS makes of files, and what Windows does.
    let world = world("list.txt");
    world.sandbox.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    world.sandbox.git(&["config", "filter.up.smudge", "tr A-Z a-z"]);
    world.sandbox.git(&["config", "core.autocrlf", "true"]);
    world.sandbox.write(".gitattributes", "*.up filter=up\n");
    world.sandbox.write("data.up", "abc\n");
    world.sandbox.write("crlf.txt", "a\r\nb\r\n");
    world.sandbox.git(&["add", "--all"]);
    world.sandbox.git(&["commit", "--quiet", "--message", "more"]);
    let before = world.sandbox.tree();
    check(&world, "list.txt");
    let diff = before.diff(&world.sandbox.tree());
    assert_eq!(diff.lines().count(), 1, "{diff}");
}

#[test]
fn in_a_linked_work_tree_and_in_a_folder_of_a_repository() {
    let world = world("list.txt");
    world.sandbox.write("app/list.txt", TEXT);
    world.sandbox.write("lib/shared.txt", "shared\n");
    world.sandbox.git(&["add", "--all"]);
    world.sandbox.git(&["commit", "--quiet", "--message", "more"]);
    let linked = world.sandbox.path("linked");
    world.sandbox.git(&["worktree", "add", "--quiet", linked.to_str().unwrap(), "-b", "other"]);
    for folder in [linked.clone(), linked.join("app")] {
        let server = FakeOpenAi::with(planned(two("list.txt"))).start();
        let models = world.sandbox.path("linked-models.yaml");
        std::fs::write(&models, ModelsYaml::openai(&server.url()).text()).unwrap();
        let args = ["run", crate::support::GOAL, "--auto", "--project", folder.to_str().unwrap()];
        let output = world
            .sandbox
            .sage(&args)
            .env("SAGE_MODELS_YAML", models.to_string_lossy())
            .in_folder(&folder)
            .run();
        output.expect_code(0);
        assert_eq!(std::fs::read_to_string(folder.join("list.txt")).unwrap(), both(), "{output}");
        let worktrees = world.sandbox.git(&["worktree", "list"]);
        assert_eq!(worktrees.lines().count(), 2, "{worktrees}");
    }
}

#[test]
fn with_a_submodule_changed_by_both() {
    let world = world("list.txt");
    let library = world.sandbox.path("library");
    std::fs::create_dir_all(&library).unwrap();
    std::fs::write(library.join("list.txt"), TEXT).unwrap();
    let library_text = library.to_str().unwrap();
    for args in [
        &["-C", library_text, "init", "--quiet"][..],
        &["-C", library_text, "add", "--all"],
        &["-C", library_text, "commit", "--quiet", "--message", "Start"],
        &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", library_text, "sub"],
        &["commit", "--quiet", "--message", "Submodule"],
    ] {
        world.sandbox.git(args);
    }
    drop(world.server);
    let server = FakeOpenAi::with(planned(two("sub/list.txt"))).start();
    let mut sandbox = world.sandbox;
    sandbox.models(&ModelsYaml::openai(&server.url()));
    let world = World { sandbox, server };
    let head = world.sandbox.git(&["-C", "sub", "rev-parse", "HEAD"]);
    check(&world, "sub/list.txt");
    assert_eq!(world.sandbox.git(&["-C", "sub", "rev-parse", "HEAD"]), head);
    assert_eq!(world.sandbox.git(&["-C", "sub", "status", "--porcelain"]), " M list.txt\n");
}

#[test]
fn installed_dependencies_and_git_are_at_hand_in_a_lane() {
    let install = |id: &str, from: &str, to: &str| {
        line(id, "list.txt", from, to)
            .verified_by("test -f node_modules/x/index.js && test -f .env && git status --short")
    };
    let world = World::in_project(
        &Fixture::default().file("list.txt", TEXT).file(".gitignore", "node_modules/\n.env\n"),
        planned(vec![install("task_a", "two", "TWO"), install("task_b", "six", "SIX")]),
    );
    world.sandbox.write("node_modules/x/index.js", "x\n");
    world.sandbox.write(".env", "LOCAL=1\n");
    check(&world, "list.txt");
    let run = world.sandbox.last_run();
    let in_lane = |event: &&serde_json::Value| event["in_lane"] == true;
    let checks = run.of_type("workspace.checked");
    assert_eq!(checks.iter().filter(in_lane).count(), 2, "{}", story(&run));
}

/// Waits until both lanes of a running process are made, and gives the run's record.
fn wait_for_lanes(sandbox: &CliSandbox, live: &mut sage_testkit::Live) {
    let opened = |_: &sage_testkit::Live| {
        let run = sandbox.runs().pop();
        run.is_some_and(|run| {
            let text = std::fs::read_to_string(run.path.join("events.jsonl")).unwrap_or_default();
            text.matches("workspace.lane_opened").count() == 2
        })
    };
    assert!(live.wait_until(Duration::from_secs(30), opened), "no lanes");
}

#[test]
fn what_a_person_saves_meanwhile_is_merged_with() {
    let tasks = two("list.txt").into_iter().map(|task| task.slow(Duration::from_secs(3))).collect();
    let world = World::in_project(&Fixture::default().file("list.txt", TEXT), planned(tasks));
    let mut live = world.sandbox.sage(&["run", crate::support::GOAL, "--auto"]).spawn();
    wait_for_lanes(&world.sandbox, &mut live);
    world.sandbox.write("list.txt", TEXT.replace("four", "mine"));
    live.wait(Duration::from_secs(60)).expect_code(0);
    assert_eq!(world.sandbox.read("list.txt"), both().replace("four", "mine"));
}

#[test]
fn what_a_person_saves_meanwhile_is_never_overwritten() {
    let tasks = two("list.txt").into_iter().map(|task| task.slow(Duration::from_secs(3))).collect();
    let world = World::in_project(&Fixture::default().file("list.txt", TEXT), planned(tasks));
    let mut live = world.sandbox.sage(&["run", crate::support::GOAL, "--auto"]).spawn();
    wait_for_lanes(&world.sandbox, &mut live);
    // The very line of one of the tasks, which knows no other way.
    world.sandbox.write("list.txt", TEXT.replace("two", "mine"));
    let output = live.wait(Duration::from_secs(90));
    output.expect_code(1).expect_text("conflict").expect_text("somebody outside this run");
    let text = world.sandbox.read("list.txt");
    let run = world.sandbox.last_run();
    assert_eq!(text, TEXT.replace("two", "mine").replace("six", "SIX"), "{}", story(&run));
}

#[test]
fn deletions_renames_modes_and_binary_files_are_decided_one_by_one() {
    let shell = |id: &str, command: &str| {
        PlannedTask::new(id, format!("Run {command}"))
            .calling("run", &serde_json::json!({ "command": command }))
            .with("paths", serde_json::json!(["**"]))
            .with("acceptance", serde_json::json!(["true"]))
    };
    let world = Second::world(
        &Fixture::default()
            .file("moved.txt", TEXT)
            .file("gone.txt", "gone\n")
            .file("tool.sh", "#!/bin/sh\n")
            .bytes("data.bin", b"\0one", 0o644),
        vec![
            shell("task_a", "mv moved.txt new.txt && rm gone.txt && printf '\\0two' > data.bin"),
            shell("task_b", "sed -i s/six/SIX/ moved.txt && chmod 755 tool.sh"),
        ],
    );
    // The second changed what the first has moved away: the task is told, and does nothing about it.
    world.run_auto(&[]).expect_code(1);
    let run = world.sandbox.last_run();
    assert_eq!(world.sandbox.read("new.txt"), TEXT, "{}", story(&run));
    assert!(!world.sandbox.exists("moved.txt") && !world.sandbox.exists("gone.txt"));
    assert_eq!(world.sandbox.bytes("data.bin"), b"\0two");
    assert!(!is_executable(&world.sandbox.project().join("tool.sh")), "all or nothing");
}

#[test]
fn a_file_that_a_task_moves_takes_along_what_the_other_changed() {
    let shell = |id: &str, command: &str| {
        PlannedTask::new(id, format!("Run {command}"))
            .calling("run", &serde_json::json!({ "command": command }))
            .with("paths", serde_json::json!(["**"]))
            .with("acceptance", serde_json::json!(["true"]))
    };
    let world = Second::world(
        &Fixture::default().file("moved.txt", TEXT).file("tool.sh", "#!/bin/sh\n"),
        vec![
            shell("task_a", "sed -i s/six/SIX/ moved.txt && chmod 755 tool.sh"),
            shell("task_b", "mv moved.txt new.txt"),
        ],
    );
    world.run_auto(&[]).expect_code(0);
    let run = world.sandbox.last_run();
    assert_eq!(world.sandbox.read("new.txt"), TEXT.replace("six", "SIX"), "{}", story(&run));
    assert!(!world.sandbox.exists("moved.txt"));
    assert!(is_executable(&world.sandbox.project().join("tool.sh")));
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o111 != 0
}
