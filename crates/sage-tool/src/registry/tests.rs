use std::fs;

use sage_core::{EventKind, ToolEvent};
use sage_testkit::{Approving, MemoryRecorder, Refusing};
use serde_json::json;

use super::*;
use crate::testing::{Bench, call};
use crate::{Control, Error, Policy};

#[tokio::test]
async fn a_read_is_logged_before_and_after_and_not_repeated_on_resume() {
    let mut bench = Bench::new(&[("a.txt", "one\ntwo\n")]);
    let first = bench.call(1, "read", json!({"path": "a.txt"})).await;
    assert_eq!(first.text, "1\tone\n2\ttwo\n");
    assert_eq!(bench.facts(), ["called read", "finished read true"]);

    bench.write("a.txt", "changed");
    bench.died_after(2);
    assert_eq!(bench.call(1, "read", json!({"path": "a.txt"})).await, first);
    assert_eq!(bench.facts().len(), 2, "an answered call appends nothing");
}

#[tokio::test]
async fn an_interrupted_read_is_done_again() {
    let mut bench = Bench::new(&[("a.txt", "one\n")]);
    bench.call(1, "read", json!({"path": "a.txt"})).await;
    bench.died_after(1);
    bench.write("a.txt", "later\n");
    assert_eq!(bench.call(1, "read", json!({"path": "a.txt"})).await.text, "1\tlater\n");
    assert_eq!(bench.facts(), ["called read", "finished read true"]);
}

#[tokio::test]
async fn another_wish_under_the_same_id_ends_the_run() {
    let mut bench = Bench::new(&[("a.txt", "one\n")]);
    bench.call(1, "read", json!({"path": "a.txt"})).await;
    bench.died_after(2);
    let error = bench.try_call(1, "read", json!({"path": "b.txt"})).await.unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("b.txt") && error.to_string().contains("a.txt"), "{error}");
}

#[tokio::test]
async fn unknown_tools_and_broken_arguments_are_told_and_on_record() {
    let mut bench = Bench::new(&[("a.txt", "one\n")]);
    let unknown = bench.call(1, "raed", json!({})).await;
    assert!(unknown.refused && unknown.text.contains("did you mean \"read\"?"), "{}", unknown.text);
    let broken = bench.raw(2, "read", "{\"path\": ").await.unwrap();
    assert!(!broken.ok && broken.text.contains("not valid JSON"), "{}", broken.text);
    let missing = bench.call(3, "read", json!({})).await;
    assert!(missing.text.contains("missing argument path"), "{}", missing.text);
    let facts = ["refused raed", "called read", "finished read false"];
    assert_eq!(bench.facts()[..3], facts);

    bench.died_after(5);
    assert_eq!(bench.call(1, "raed", json!({})).await, unknown);
    assert_eq!(bench.raw(2, "read", "{\"path\": ").await.unwrap(), broken);
    assert_eq!(bench.call(3, "read", json!({})).await, missing);
    assert_eq!(bench.facts().len(), 5);
}

#[tokio::test]
async fn common_names_for_tools_and_arguments_are_understood() {
    let bench = Bench::new(&[("a.txt", "one\n")]);
    for (n, (name, args)) in [
        ("read_file", json!({"file_path": "a.txt"})),
        ("functions.cat", json!({"filename": "a.txt"})),
        ("View", json!({"file": "a.txt", "offset": "1"})),
        ("str_replace", json!({"path": "a.txt", "old_str": "one", "new_str": "two"})),
        ("create_file", json!({"path": "b.txt", "contents": "x\n"})),
        ("bash", json!({"cmd": "true"})),
        ("ls", json!({"directory": "."})),
        ("grep", json!({"query": "two"})),
        ("search-files", json!({"regex": "two"})),
        ("submit", json!({"message": "done"})),
    ]
    .into_iter()
    .enumerate()
    {
        let result = bench.call(n as u32 + 1, name, args).await;
        assert!(result.ok, "{name}: {}", result.text);
    }
    assert_eq!(bench.text("a.txt"), "two\n");
}

#[tokio::test]
async fn finish_carries_the_summary() {
    let bench = Bench::new(&[]);
    let result = bench.call(1, "finish", json!({"summary": "all done"})).await;
    assert_eq!(result.control, Some(Control::Finish { summary: "all done".into() }));
}

#[tokio::test]
async fn what_the_contract_does_not_give_is_refused_and_named() {
    let mut bench = Bench::new(&[("src/a.rs", "x\n"), ("doc.md", "x\n")]).granting(&["src/**"]);
    let outside = bench.call(1, "write", json!({"path": "doc.md", "content": "y\n"})).await;
    assert!(outside.refused && outside.text.contains("may write: src/**"), "{}", outside.text);
    let outside = bench.call(2, "delete", json!({"path": "doc.md"})).await;
    assert!(outside.refused);
    let inside = bench.call(3, "write", json!({"path": "src/a.rs", "content": "y\n"})).await;
    assert!(inside.ok, "{}", inside.text);
    for (n, path) in ["../x", "/etc/passwd", ".git/hooks/x", ".sage/policy.json"].iter().enumerate()
    {
        let result =
            bench.call(10 + n as u32, "write", json!({"path": path, "content": "x"})).await;
        assert!(result.refused, "{path}: {}", result.text);
        let result = bench.call(20 + n as u32, "read", json!({"path": path})).await;
        assert!(result.refused, "{path}: {}", result.text);
    }
    bench.cx.grant.tools = Some(["read".to_owned()].into());
    let not_given = bench.call(30, "run", json!({"command": "true"})).await;
    assert!(not_given.refused && not_given.text.contains("not given the tool run"));
    assert!(bench.call(31, "read", json!({"path": "doc.md"})).await.ok);
    bench.cx.grant = Grant::read_only();
    for (n, (name, args)) in [
        ("write", json!({"path": "src/a.rs", "content": "z"})),
        ("edit", json!({"path": "src/a.rs", "search": "y", "replace": "z"})),
        ("delete", json!({"path": "src/a.rs"})),
        ("run", json!({"command": "true"})),
    ]
    .into_iter()
    .enumerate()
    {
        let result = bench.call(40 + n as u32, name, args).await;
        assert!(result.refused && result.text.contains("only reading"), "{name}: {}", result.text);
    }
    let edits = vec![FileEdit::Write { path: "src/b.rs".into(), content: "x".into() }];
    assert!(bench.edits(50, edits).await.unwrap().refused);
    assert_eq!(bench.text("src/a.rs"), "y\n");
    assert_eq!(bench.text("doc.md"), "x\n");
    let names: Vec<String> =
        bench.tools.specs(&bench.cx.grant).into_iter().map(|spec| spec.name).collect();
    assert_eq!(names, ["list", "read", "search", "finish"]);
    // Nothing that was refused was started.
    let n_writes = bench.facts().iter().filter(|fact| fact.starts_with("called write")).count();
    assert_eq!(n_writes, 1);
}

#[tokio::test]
async fn policy_denies_asks_and_remembers() {
    let mut bench = Bench::new(&[]);
    let denied = bench.call(1, "run", json!({"command": "sudo ls"})).await;
    assert!(denied.refused && denied.text.contains("policy"), "{}", denied.text);
    assert_eq!(bench.facts(), ["refused run"]);

    bench.cx.policy = Policy::strict().into();
    let no = Refusing::new();
    let mut bench = bench.asking(no.clone());
    let refused = bench.call(2, "run", json!({"command": "touch x"})).await;
    assert!(refused.refused && !bench.exists("x"), "{}", refused.text);
    assert_eq!(no.tools()[0].what, "touch x");
    assert_eq!(bench.facts()[1..], ["human.tool_reviewed", "refused run"]);

    let yes = Approving::new();
    bench = bench.asking(yes.clone());
    assert!(bench.call(3, "run", json!({"command": "touch x"})).await.ok);
    assert_eq!(yes.tools().len(), 1);
    let at = bench.facts().iter().position(|fact| fact == "called run").unwrap() as u64 + 1;
    // Killed after the approved command began: it is not asked about again.
    bench.died_after(at);
    assert!(bench.call(3, "run", json!({"command": "touch x"})).await.ok);
    assert_eq!(yes.tools().len(), 1);
}

#[tokio::test]
async fn a_command_tells_output_and_exit_code() {
    let bench = Bench::new(&[]);
    let result = bench.call(1, "run", json!({"command": "echo hi; exit 2"})).await;
    assert_eq!(result.text, "hi\n[exit code 2]\n");
    assert_eq!((result.ok, result.exit_code), (false, Some(2)));
    assert_eq!(bench.progress.output(), "hi\n");
    let result = bench.call(2, "run", json!({"command": "sleep 50", "timeout_s": 1})).await;
    assert!(result.text.contains("time limit"), "{}", result.text);
    assert_eq!(bench.recorder.synced().0, 3, "synced when the second command was announced");
}

#[tokio::test]
async fn a_cancelled_call_ends_the_run_without_an_end_on_record() {
    let bench = Bench::new(&[]);
    let cancel = bench.cx.cancel.clone();
    let wanted = json!({"command": "echo go; sleep 50"});
    let call = bench.try_call(1, "run", wanted);
    let progress = bench.progress.clone();
    let stop = async {
        while progress.output().is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(call, stop);
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(bench.facts(), ["called run"]);
    let next = bench.try_call(2, "read", json!({"path": "x"})).await;
    assert!(matches!(next, Err(Error::Cancelled)));
}

#[tokio::test]
async fn gathered_values_are_read_once() {
    let mut bench = Bench::new(&[]);
    let gather = |bench: &Bench, value: Result<Value>| {
        bench.tools.gather(&bench.cx, call(1), "files", move || value)
    };
    assert_eq!(gather(&bench, Ok(json!(["a"]))).unwrap(), json!(["a"]));
    assert_eq!(bench.facts(), ["called gather:files", "finished gather:files true"]);
    bench.died_after(2);
    assert_eq!(gather(&bench, Ok(json!(["other"]))).unwrap(), json!(["a"]));
    assert_eq!(bench.facts().len(), 2);
    bench.died_after(1);
    assert_eq!(gather(&bench, Ok(json!(null))).unwrap(), json!(null), "null is a value");
    assert_eq!(bench.facts().len(), 2);
}

#[tokio::test]
async fn a_failed_gathering_fails_again_on_resume() {
    let mut bench = Bench::new(&[]);
    let fail = || Err(Error::Internal("no luck".into()));
    let first = bench.tools.gather(&bench.cx, call(1), "x", fail).unwrap_err().to_string();
    bench.died_after(2);
    let second = bench.tools.gather(&bench.cx, call(1), "x", || Ok(json!(1))).unwrap_err();
    assert_eq!(
        (first.as_str(), second.to_string().as_str()),
        ("x: internal: no luck", "x: internal: no luck")
    );
}

#[tokio::test]
async fn a_failing_log_ends_the_run_before_the_effect() {
    let bench = Bench::new(&[("a.txt", "old\n")]);
    bench.recorder.fail_from(sage_core::Seq(2));
    let result = bench.try_call(1, "write", json!({"path": "a.txt", "content": "new\n"})).await;
    assert!(matches!(result, Err(Error::Record(_))));
    assert_eq!(bench.text("a.txt"), "old\n");
    let bench = Bench::new(&[]);
    bench.recorder.fail_from(sage_core::Seq(1));
    assert!(bench.try_call(1, "run", json!({"command": "touch x"})).await.is_err());
    assert!(!bench.exists("x"));
}

#[tokio::test]
async fn results_are_bounded_and_secrets_of_size_do_not_reach_the_model() {
    let bench = Bench::new(&[]);
    let long: String = (0..5000).map(|n| format!("line {n}\n")).collect();
    fs::write(bench.at("long.txt"), &long).unwrap();
    let result = bench.call(1, "read", json!({"path": "long.txt"})).await;
    assert!(result.text.contains("for more set start_line to 801"), "{}", result.text);
    let result = bench.call(2, "run", json!({"command": "cat long.txt long.txt long.txt"})).await;
    assert!(result.text.len() < 60_000 && result.text.contains("bytes left out"));
    assert!(result.text.contains("run it again through head, tail or grep"));
}

#[tokio::test]
async fn a_recorded_refusal_is_returned_again() {
    let mut bench = Bench::new(&[]);
    let refused = bench.call(1, "read", json!({"path": "/etc/passwd"})).await;
    bench.died_after(1);
    // The rule may have changed since; the record stands.
    assert_eq!(bench.call(1, "read", json!({"path": "/etc/passwd"})).await, refused);
    assert_eq!(bench.facts().len(), 1);
    let kinds = bench.recorder.kinds();
    let EventKind::Tool(ToolEvent::Refused { reason, summary, .. }) = &kinds[0] else {
        panic!("{kinds:?}")
    };
    assert!(reason.contains("outside the work tree") && summary == "/etc/passwd");
    bench.continue_with(MemoryRecorder::new());
}

#[test]
fn the_specs_are_short() {
    let specs = ToolRegistry::builtin().specs(&Grant::everything());
    let json = serde_json::to_string(&specs).unwrap();
    assert!(json.len() <= crate::MAX_SPEC_BYTES, "{} bytes", json.len());
    assert_eq!(specs.len(), 8);
}
