use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use sage_core::{
    AgentRole, Effect, FileState, Finish, FixedClock, ModelEvent, NoProgress, NodeEvent, NodeId,
    PastChange, RunEvent, ToolEvent, ToolPast, Usage, WorkspaceEvent,
};
use tempfile::TempDir;

use super::*;

fn manifest() -> Manifest {
    Manifest {
        format_version: sage_core::EVENT_FORMAT_VERSION,
        run: RunId::new("r1").unwrap(),
        goal: "say hello".into(),
        project: "/project".into(),
        started_at_ms: 1_000,
        sage_version: "0.1.0".into(),
    }
}

fn options() -> LogOptions {
    LogOptions {
        clock: Arc::new(FixedClock(5_000)),
        redactor: Redactor::new(["hunter2-hunter2".to_owned()]),
        progress: Arc::new(NoProgress),
        kill_after: None,
    }
}

fn started() -> EventKind {
    RunEvent::Started {
        format_version: sage_core::EVENT_FORMAT_VERSION,
        sage_version: "0.1.0".into(),
        goal: "say hello".into(),
        mode: "auto".into(),
        options: serde_json::json!({"full": false}),
    }
    .into()
}

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

fn call(index: u32) -> CallId {
    CallId { node: node("task_001"), attempt: 1, index }
}

fn new_log(root: &TempDir) -> RunLog {
    RunLog::create(&root.path().join("r1"), manifest(), options()).unwrap()
}

fn reopened(root: &TempDir) -> (RunLog, Loaded) {
    RunLog::reopen(&root.path().join("r1"), options()).unwrap()
}

#[test]
fn what_is_appended_reads_back_and_the_numbers_go_on_after_reopening() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    assert_eq!(log.emit(started()).unwrap(), Seq(1));
    let began = NodeEvent::Started { node: node("a"), attempt: 1 };
    assert_eq!(log.emit(began.into()).unwrap(), Seq(2));
    let events = log.events();
    drop(log);

    let (log, loaded) = reopened(&root);
    assert_eq!(loaded.events, events);
    assert_eq!(loaded.torn_tail, None);
    assert_eq!(loaded.manifest, manifest());
    let skipped = NodeEvent::Skipped { node: node("b"), because: node("a") };
    assert_eq!(log.emit(skipped.into()).unwrap(), Seq(3));
    assert_eq!(read_run(log.dir()).unwrap().events, log.events());
}

#[test]
fn times_never_go_back() {
    struct Backwards(AtomicU64);
    impl Clock for Backwards {
        fn now_ms(&self) -> u64 {
            self.0.fetch_sub(1_000, Ordering::Relaxed)
        }
    }
    let root = TempDir::new().unwrap();
    let options = LogOptions { clock: Arc::new(Backwards(AtomicU64::new(9_000))), ..options() };
    let log = RunLog::create(&root.path().join("r1"), manifest(), options).unwrap();
    for _ in 0..3 {
        log.emit(started()).unwrap();
    }
    let times: Vec<u64> = log.events().iter().map(|event| event.at_ms).collect();
    assert_eq!(times, [9_000, 9_000, 9_000]);
}

#[test]
fn two_writers_never_share_a_run_and_a_run_is_never_created_twice() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    log.emit(started()).unwrap();
    let dir = log.dir().to_owned();
    let clone = log.clone();
    drop(log);
    assert!(matches!(RunLog::reopen(&dir, options()), Err(Error::Locked { .. })));
    assert!(matches!(RunLog::create(&dir, manifest(), options()), Err(Error::Exists { .. })));
    drop(clone);
    reopened(&root);
}

#[test]
fn a_torn_last_line_is_cut_off_and_reported() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    log.emit(started()).unwrap();
    let path = log.dir().join("events.jsonl");
    let dir = log.dir().to_owned();
    drop(log);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"{\"seq\":2,\"at_"].concat()).unwrap();

    let torn = Some(TornTail { line: 2, bytes: 13 });
    assert_eq!(read_run(&dir).unwrap().torn_tail, torn);
    assert_ne!(fs::read(&path).unwrap(), whole, "reading must not change the log");
    let (log, loaded) = reopened(&root);
    assert_eq!(loaded.torn_tail, torn);
    assert_eq!(fs::read(&path).unwrap(), whole);
    assert_eq!(log.emit(started()).unwrap(), Seq(2));
    assert_eq!(read_run(&dir).unwrap().events.len(), 2);
}

#[test]
fn damage_before_the_end_is_named_and_left_alone() {
    let line = |seq: u64, run: &str| {
        format!(
            r#"{{"seq":{seq},"at_ms":1,"run":"{run}","type":"node.started","node":"a","attempt":1}}"#
        )
    };
    let check = |content: String, line: u64, expected: &str| {
        let root = TempDir::new().unwrap();
        let dir = new_log(&root).dir().to_owned();
        let path = dir.join("events.jsonl");
        fs::write(&path, &content).unwrap();
        let error = RunLog::reopen(&dir, options()).err().unwrap();
        assert!(matches!(&error, Error::Damaged { line: at, .. } if *at == line), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    };
    let (one, two) = (line(1, "r1"), line(2, "r1"));
    check(format!("{one}\nnot json\n{}\n", line(3, "r1")), 2, "expected");
    check(format!("{one}\n{}\n", line(3, "r1")), 2, "event 3 stands where 2 belongs");
    check(format!("{two}\n"), 1, "event 2 stands where 1 belongs");
    check(format!("{one}\n{}\n", line(2, "other")), 2, "run other");
    check(format!("{one}\n\n{two}\n"), 2, "EOF");
    check(format!("{one}\n{}\n", two.replace("started", "exploded")), 2, "exploded");
}

#[test]
fn a_run_without_an_event_is_said_to_be_empty() {
    let root = TempDir::new().unwrap();
    let dir = new_log(&root).dir().to_owned();
    assert!(matches!(read_run(&dir), Err(Error::Empty { .. })));
    fs::write(dir.join("events.jsonl"), "{\"seq\":1").unwrap();
    assert!(matches!(RunLog::reopen(&dir, options()), Err(Error::Empty { .. })));
    assert_eq!(fs::read(dir.join("events.jsonl")).unwrap(), b"{\"seq\":1");
}

#[test]
fn a_run_of_a_newer_format_is_refused() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    log.emit(started()).unwrap();
    let dir = log.dir().to_owned();
    drop(log);
    let events = dir.join("events.jsonl");
    let newer =
        fs::read_to_string(&events).unwrap().replace("format_version\":1", "format_version\":9");
    fs::write(&events, newer).unwrap();
    assert!(matches!(read_run(&dir), Err(Error::Newer { found: 9, .. })));
    fs::write(dir.join("manifest.json"), r#"{"format_version":7,"other":true}"#).unwrap();
    assert!(matches!(read_run(&dir), Err(Error::Newer { found: 7, .. })));
}

#[test]
fn payloads_are_stored_once_under_the_address_of_their_redacted_bytes() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    let blob = log.put(b"the key is hunter2-hunter2").unwrap();
    assert_eq!(log.get(&blob).unwrap(), b"the key is [redacted:secret]");
    assert_eq!(blob, BlobRef::of(b"the key is [redacted:secret]"));
    assert_eq!(crate::Payloads::of(log.dir()).get(&blob).unwrap(), b"the key is [redacted:secret]");
    assert_eq!(log.put(b"the key is hunter2-hunter2").unwrap(), blob);
    let path = log.dir().join("blobs/pack");
    log.sync().unwrap();

    let damaged = fs::read_to_string(&path).unwrap().replace("redacted", "rejected");
    fs::write(&path, damaged).unwrap();
    assert!(log.get(&blob).is_err(), "a payload that does not match its address was handed out");
    log.emit(started()).unwrap();
    drop(log);
    // A later process finds the payload damaged or missing and stores it again.
    let (log, _) = reopened(&root);
    assert_eq!(log.put(b"the key is hunter2-hunter2").unwrap(), blob);
    assert!(log.get(&blob).is_ok());
    assert!(crate::Payloads::of(log.dir()).get(&blob).is_ok());
    drop(log);
    fs::remove_file(&path).unwrap();
    let (log, _) = reopened(&root);
    assert!(matches!(crate::Payloads::of(log.dir()).get(&blob), Err(Error::BlobMissing { .. })));
    assert_eq!(log.put(b"the key is hunter2-hunter2").unwrap(), blob);
    assert!(log.get(&blob).is_ok());
}

#[test]
fn after_a_failed_append_nothing_more_is_written() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    log.emit(started()).unwrap();
    // JSON has no such number, so no reader could take this line.
    let bad = RunEvent::BudgetReached {
        node: None,
        limit: "usd".into(),
        allowed: f64::NAN,
        used: 1.0,
        exhausted: true,
    };
    let error = log.emit(bad.into()).unwrap_err();
    assert!(error.source.unwrap().to_string().contains("run.budget_reached"));
    let error = log.emit(started()).unwrap_err();
    assert!(error.source.unwrap().to_string().contains("given up"));
    assert!(log.sync().is_err());
    assert_eq!(read_run(log.dir()).unwrap().events, log.events());
}

#[test]
fn listeners_get_events_in_order_and_as_they_are_on_disk() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);
    impl ProgressSink for Heard {
        fn progress(&self, progress: Progress) {
            if let Progress::Logged(event) = progress {
                self.0.lock().unwrap().push(event);
            }
        }
    }
    let root = TempDir::new().unwrap();
    let heard = Arc::new(Heard::default());
    let options = LogOptions { progress: heard.clone(), ..options() };
    let log = RunLog::create(&root.path().join("r1"), manifest(), options).unwrap();
    let log = &log;
    std::thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || {
                for _ in 0..50 {
                    let question = format!("is hunter2-hunter2 the key of {n}?");
                    log.emit(sage_core::HumanEvent::Asked { question }.into()).unwrap();
                    log.sync().unwrap();
                }
            });
        }
    });
    let heard = heard.0.lock().unwrap().clone();
    assert_eq!(heard.len(), 200);
    assert_eq!(read_run(log.dir()).unwrap().events, heard);
    assert!(!fs::read_to_string(log.dir().join("events.jsonl")).unwrap().contains("hunter2"));
}

fn answered(call: CallId, response: BlobRef) -> EventKind {
    ModelEvent::Answered {
        call,
        role: AgentRole::Coder,
        model: "m".into(),
        provider: "p".into(),
        local: true,
        scripted: false,
        response,
        finish: Finish::Stop,
        usage: Usage { input: 10, output: 5, ..Usage::default() },
        usd: 0.5,
        first_token_ms: None,
        latency_ms: 3,
    }
    .into()
}

fn tool_called(call: CallId, args: BlobRef) -> EventKind {
    let summary = String::new();
    ToolEvent::Called { call, tool: "edit".into(), effect: Effect::Write, args, summary }.into()
}

fn tool_finished(call: CallId, result: BlobRef, ok: bool) -> EventKind {
    let (tool, summary) = ("edit".into(), String::new());
    ToolEvent::Finished { call, tool, ok, result, summary, duration_ms: 1 }.into()
}

fn changed(call: CallId, path: &str) -> EventKind {
    let after = Some(FileState { hash: BlobRef::of(b"new"), mode: 0o644 });
    let (path, before) = (path.to_owned(), None);
    WorkspaceEvent::Changed { call, path, before, after, lines_added: 1, lines_removed: 0 }.into()
}

#[test]
fn a_later_process_is_told_what_came_of_each_call() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    log.emit(started()).unwrap();
    let [request, response, args, result] =
        ["request", "response", "args", "result"].map(|text| log.put(text.as_bytes()).unwrap());
    let model_called = |call, request: &BlobRef| {
        EventKind::from(ModelEvent::Called {
            call,
            role: AgentRole::Coder,
            request: request.clone(),
            turn: false,
            context: None,
        })
    };
    for event in [
        model_called(call(1), &request),
        answered(call(1), response.clone()),
        model_called(call(2), &request),
        tool_called(call(3), args.clone()),
        changed(call(3), "a.txt"),
        changed(call(3), "b.txt"),
        tool_finished(call(3), result.clone(), true),
        tool_called(call(4), args.clone()),
        changed(call(4), "c.txt"),
        ToolEvent::Refused {
            call: call(5),
            tool: "edit".into(),
            summary: String::new(),
            reason: "outside its paths".into(),
            result: result.clone(),
        }
        .into(),
        // The answer's payload never became durable.
        model_called(call(6), &request),
        answered(call(6), BlobRef::of(b"lost")),
    ] {
        log.emit(event).unwrap();
    }
    assert_eq!(
        log.past(&call(1)),
        Past::Nothing,
        "a process needs no record of what it did itself"
    );
    drop(log);

    let (log, _) = reopened(&root);
    let change = |path: &str| PastChange {
        path: path.into(),
        before: None,
        after: Some(FileState { hash: BlobRef::of(b"new"), mode: 0o644 }),
    };
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    assert_eq!(log.past(&call(1)), Past::Model { request, response, usage, usd: 0.5 });
    assert_eq!(log.past(&call(2)), Past::ModelUnknown);
    assert_eq!(
        log.past(&call(3)),
        Past::Tool(ToolPast {
            args: args.clone(),
            changes: vec![change("a.txt"), change("b.txt")],
            result: Some((result.clone(), false)),
        })
    );
    assert_eq!(
        log.past(&call(4)),
        Past::Tool(ToolPast { args, changes: vec![change("c.txt")], result: None })
    );
    let Past::Tool(refused) = log.past(&call(5)) else { panic!("the refusal is forgotten") };
    assert_eq!(refused.result, Some((result, true)));
    assert_eq!(log.past(&call(6)), Past::ModelUnknown);
    assert_eq!(log.past(&call(7)), Past::Nothing);
}

#[test]
fn of_a_call_that_was_taken_up_again_the_last_result_counts_and_all_changes() {
    let root = TempDir::new().unwrap();
    let log = new_log(&root);
    log.emit(started()).unwrap();
    let [first, second, old, new] =
        ["first", "second", "old", "new"].map(|text| log.put(text.as_bytes()).unwrap());
    for event in [
        tool_called(call(1), first),
        changed(call(1), "a.txt"),
        tool_finished(call(1), old, false),
        tool_called(call(1), second.clone()),
        changed(call(1), "b.txt"),
        tool_finished(call(1), new.clone(), true),
    ] {
        log.emit(event).unwrap();
    }
    drop(log);
    let (log, _) = reopened(&root);
    let Past::Tool(past) = log.past(&call(1)) else { panic!("the call is forgotten") };
    let paths: Vec<&str> = past.changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["a.txt", "b.txt"]);
    assert_eq!((past.args, past.result), (second, Some((new, false))));
}
