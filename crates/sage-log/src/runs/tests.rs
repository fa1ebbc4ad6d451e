use std::sync::Arc;

use expect_test::{Expect, expect};
use sage_core::{
    FixedClock, NoProgress, NodeId, Recorder, RunEvent, RunOutcome, Seq, WorkspaceEvent,
};
use tempfile::TempDir;

use super::*;
use crate::{LogOptions, Redactor, RunLog};

fn options() -> LogOptions {
    LogOptions {
        clock: Arc::new(FixedClock(9_000)),
        redactor: Redactor::none(),
        progress: Arc::new(NoProgress),
        kill_after: None,
    }
}

fn manifest(run: &str, started_at_ms: u64) -> Manifest {
    Manifest {
        format_version: 1,
        run: RunId::new(run).unwrap(),
        goal: format!("the goal of {run}"),
        project: "/project".into(),
        started_at_ms,
        sage_version: "0.1.0".into(),
    }
}

fn create(runs: &Runs, run: &str, started_at_ms: u64) -> RunLog {
    let manifest = manifest(run, started_at_ms);
    RunLog::create(&runs.dir(&manifest.run), manifest, options()).unwrap()
}

fn started() -> EventKind {
    RunEvent::Started {
        format_version: 1,
        sage_version: "0.1.0".into(),
        goal: "goal".into(),
        mode: "auto".into(),
        options: serde_json::Value::Null,
    }
    .into()
}

fn planned(n_tasks: u32) -> EventKind {
    let (plan, source) = (sage_core::BlobRef::of(b""), "model".into());
    RunEvent::Planned { plan, n_tasks, source, notes: vec![] }.into()
}

fn node_finished(node: &str, outcome: NodeOutcome) -> EventKind {
    let (node, summary) = (NodeId::new(node).unwrap(), String::new());
    NodeEvent::Finished { node, attempt: 1, outcome, error: None, summary }.into()
}

fn finished(outcome: RunOutcome) -> EventKind {
    RunEvent::Finished { outcome, exit_code: 0, reason: String::new() }.into()
}

fn check_list(runs: &Runs, expected: Expect) {
    let lines: Vec<String> = runs
        .list()
        .unwrap()
        .into_iter()
        .map(|run| {
            let RunSummary { run, outcome, resumable, live, n_tasks, n_done, n_failed, problem, .. } =
                run;
            let problem = problem.map(|text| text.rsplit('/').next().unwrap_or_default().to_owned());
            format!(
                "{run} {outcome:?} resumable={resumable} live={live} {n_done}+{n_failed}/{n_tasks} {problem:?}"
            )
        })
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn runs_are_listed_newest_first_whatever_state_they_are_in() {
    let root = TempDir::new().unwrap();
    let runs = Runs::new(root.path().join("runs"));
    assert_eq!(runs.list().unwrap(), []);

    let log = create(&runs, "done", 1_000);
    for event in [
        started(),
        planned(2),
        node_finished("a", NodeOutcome::Failed),
        node_finished("a", NodeOutcome::Done),
        node_finished("b", NodeOutcome::Failed),
        finished(RunOutcome::Failed),
    ] {
        log.emit(event).unwrap();
    }
    drop(log);
    let log = create(&runs, "interrupted", 2_000);
    log.emit(started()).unwrap();
    log.emit(finished(RunOutcome::Interrupted)).unwrap();
    drop(log);
    create(&runs, "killed", 3_000).emit(started()).unwrap();
    let log = create(&runs, "undone", 3_500);
    log.emit(started()).unwrap();
    log.emit(finished(RunOutcome::Succeeded)).unwrap();
    let undone = WorkspaceEvent::Undone {
        paths: vec![],
        from: None,
        some: false,
        before: None,
        after: None,
    };
    log.emit(undone.into()).unwrap();
    drop(log);
    create(&runs, "empty", 4_000);
    let live = create(&runs, "live", 5_000);
    live.emit(started()).unwrap();
    let beginning = create(&runs, "beginning", 6_000);
    create(&runs, "damaged", 7_000).emit(started()).unwrap();
    let damaged = runs.dir(&RunId::new("damaged").unwrap());
    fs::write(damaged.join("events.jsonl"), "{}\n").unwrap();
    fs::create_dir(root.path().join("runs/half-made")).unwrap();
    fs::write(root.path().join("runs/a file"), "").unwrap();

    check_list(
        &runs,
        expect![[r#"
            half-made None resumable=false live=false 0+0/0 Some("manifest.json: No such file or directory (os error 2)")
            damaged None resumable=false live=false 0+0/0 Some("events.jsonl is damaged at line 1: missing field `seq` (column 2)")
            beginning None resumable=false live=true 0+0/0 None
            live None resumable=false live=true 0+0/0 None
            empty None resumable=false live=false 0+0/0 Some("events.jsonl holds no event")
            undone Some(Succeeded) resumable=false live=false 0+0/0 None
            killed None resumable=true live=false 0+0/0 None
            interrupted Some(Interrupted) resumable=true live=false 0+0/0 None
            done Some(Failed) resumable=false live=false 1+1/2 None"#]],
    );
    drop((live, beginning));
}

#[test]
fn a_summary_tells_when_and_for_how_much() {
    let root = TempDir::new().unwrap();
    let runs = Runs::new(root.path().to_owned());
    let log = create(&runs, "r1", 1_000);
    log.emit(started()).unwrap();
    log.emit(finished(RunOutcome::OutOfBudget)).unwrap();
    drop(log);
    let summary = runs.list().unwrap().remove(0);
    assert_eq!(summary.goal, "the goal of r1");
    assert_eq!((summary.started_at_ms, summary.ended_at_ms), (1_000, Some(9_000)));
    assert!(summary.resumable);

    let (log, _) = RunLog::reopen(&runs.dir(&summary.run), options()).unwrap();
    let (sage_version, changed_files) = ("0.1.0".to_owned(), vec![]);
    log.emit(RunEvent::Resumed { sage_version, changed_files }.into()).unwrap();
    drop(log);
    let summary = runs.list().unwrap().remove(0);
    assert_eq!((summary.outcome, summary.ended_at_ms), (None, None));
    assert!(summary.resumable, "a run whose second process died can be taken up again");
}

#[test]
fn a_run_is_meant_by_last_by_its_id_or_by_a_unique_beginning() {
    let root = TempDir::new().unwrap();
    let runs = Runs::new(root.path().to_owned());
    let error = runs.resolve("last").unwrap_err();
    assert_eq!(error.to_string(), r#"no run matches "last""#);
    for (run, started_at_ms) in [("20260101-aaa", 1_000), ("20260102-bbb", 3_000), ("2026", 2_000)]
    {
        create(&runs, run, started_at_ms);
    }
    let check = |wanted: &str, expected: Expect| {
        let found = match runs.resolve(wanted) {
            Ok(run) => run.to_string(),
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        expected.assert_eq(&found);
    };
    check("last", expect!["20260102-bbb"]);
    check("20260101", expect!["20260101-aaa"]);
    check("2026", expect!["2026"]);
    check(
        "202601",
        expect![[r#"Usage: "202601" matches several runs: 20260102-bbb, 20260101-aaa"#]],
    );
    check(
        "x",
        expect![[r#"Usage: no run matches "x"; there are 20260102-bbb, 2026, 20260101-aaa"#]],
    );
    check("", expect![[r#"Usage: no run matches ""; there are 20260102-bbb, 2026, 20260101-aaa"#]]);
    check(
        "../..",
        expect![[r#"Usage: no run matches "../.."; there are 20260102-bbb, 2026, 20260101-aaa"#]],
    );
}

#[test]
fn a_run_is_removed_unless_somebody_writes_to_it() {
    let root = TempDir::new().unwrap();
    let runs = Runs::new(root.path().to_owned());
    let log = create(&runs, "r1", 1_000);
    let run = log.run().clone();
    assert!(matches!(runs.remove(&run), Err(Error::Locked { .. })));
    drop(log);
    runs.remove(&run).unwrap();
    assert_eq!(runs.list().unwrap(), []);
    assert!(matches!(runs.remove(&run), Err(Error::Unknown { .. })));
}

#[test]
fn listing_does_not_get_into_a_writers_way() {
    let root = TempDir::new().unwrap();
    let runs = Runs::new(root.path().to_owned());
    let log = create(&runs, "r1", 1_000);
    log.emit(started()).unwrap();
    let dir = log.dir().to_owned();
    drop(log);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                runs.list().unwrap();
            }
        });
        for n in 2..30 {
            let (log, loaded) = RunLog::reopen(&dir, options()).unwrap();
            assert_eq!(log.emit(started()).unwrap(), Seq(n));
            assert_eq!(loaded.events.len() as u64, n - 1);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

const CRASH_MARK: &str = "sage-log-crash-test";

/// Not a test: the process that [`a_killed_process_leaves_whole_events_and_no_lock`] starts and loses.
#[test]
#[ignore = "kills its own process; started by a test"]
fn the_process_that_dies() {
    if !Path::new(CRASH_MARK).exists() {
        return;
    }
    let options = LogOptions { kill_after: Some(Seq(3)), ..options() };
    let log = RunLog::create(Path::new("runs/r1"), manifest("r1", 1_000), options).unwrap();
    for _ in 0..5 {
        log.emit(started()).unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a crash needs a process to lose")]
fn a_killed_process_leaves_whole_events_and_no_lock() {
    use std::os::unix::process::ExitStatusExt;
    let root = TempDir::new().unwrap();
    fs::write(root.path().join(CRASH_MARK), "").unwrap();
    let died = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "runs::tests::the_process_that_dies"])
        .current_dir(root.path())
        .output()
        .unwrap();
    assert_eq!(died.status.signal(), Some(9), "{died:?}");

    let runs = Runs::new(root.path().join("runs"));
    check_list(&runs, expect!["r1 None resumable=true live=false 0+0/0 None"]);
    let (log, loaded) = RunLog::reopen(&root.path().join("runs/r1"), options()).unwrap();
    assert_eq!((loaded.events.len(), loaded.torn_tail), (3, None));
    assert_eq!(log.emit(started()).unwrap(), Seq(4));
}
