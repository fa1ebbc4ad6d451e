use std::sync::Mutex;
use std::time::Instant;

use super::*;

fn spec(line: &str) -> ProcessSpec {
    ProcessSpec {
        line: Line::Shell(line.to_owned()),
        cwd: "/".into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        jail: None,
        timeout: Duration::from_secs(20),
        max_output_bytes: 10_000,
    }
}

async fn run_line(line: &str) -> ProcessOutcome {
    run(&spec(line), &CancellationToken::new(), &|_| {}).await.unwrap()
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie that nobody has waited for yet is dead.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Waits for a condition that must become true soon.
fn soon(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_command_gives_code_output_and_time() {
    let outcome = run_line("echo out; echo err >&2; exit 3").await;
    assert_eq!((outcome.exit_code, outcome.output.as_str()), (Some(3), "out\nerr\n"));
    assert!(!outcome.succeeded() && !outcome.truncated && !outcome.timed_out);
    let outcome = run_line("kill -9 $$").await;
    assert_eq!((outcome.exit_code, outcome.signal), (None, Some(9)));
    let outcome = run_line("read x; echo got $x; pwd").await;
    assert_eq!(outcome.output, "got\n/\n", "there is nothing to read");
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let mut spec = spec("env");
    spec.env.extend([
        ("A".into(), "1".into()),
        ("B=C".into(), "x".into()),
        ("D".into(), "a\0".into()),
    ]);
    let outcome = run(&spec, &CancellationToken::new(), &|_| {}).await.unwrap();
    let mut names: Vec<&str> =
        outcome.output.lines().map(|line| line.split('=').next().unwrap()).collect();
    names.sort_unstable();
    // The shell itself adds PWD and the like.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    assert_eq!(names, ["A", "PATH"]);
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_an_error_that_names_it() {
    let argv = ProcessSpec { line: Line::Argv(vec!["no-such-program".into()]), ..spec("") };
    let error = run(&argv, &CancellationToken::new(), &|_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "starting no-such-program");
    let none = ProcessSpec { line: Line::Argv(vec![]), ..spec("") };
    assert!(run(&none, &CancellationToken::new(), &|_| {}).await.is_err());
    let nul = ProcessSpec { line: Line::Shell("a\0b".into()), ..spec("") };
    assert!(run(&nul, &CancellationToken::new(), &|_| {}).await.is_err());
}

#[tokio::test]
async fn a_time_limit_ends_the_whole_group() {
    let mut spec = spec("sleep 100 & echo $!; (trap '' TERM; sleep 100) & echo $!; wait");
    spec.timeout = Duration::from_millis(300);
    let started = Instant::now();
    let outcome = run(&spec, &CancellationToken::new(), &|_| {}).await.unwrap();
    assert!(outcome.timed_out && outcome.exit_code.is_none());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let pids: Vec<i32> = outcome.output.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    soon("grandchildren survive the time limit", || !pids.iter().any(|pid| is_alive(*pid)));
}

#[tokio::test]
async fn what_a_command_leaves_running_does_not_hold_us_up_and_is_ended() {
    let started = Instant::now();
    let outcome = run_line("sleep 100 & echo $!").await;
    assert_eq!(outcome.exit_code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let pid: i32 = outcome.output.trim().parse().unwrap();
    soon("a background process survives its command", || !is_alive(pid));
}

#[tokio::test]
async fn a_flood_of_output_is_capped() {
    let mut spec = spec("yes");
    spec.timeout = Duration::from_millis(300);
    let outcome = run(&spec, &CancellationToken::new(), &|_| {}).await.unwrap();
    assert!(outcome.truncated && outcome.output.len() < 11_000);
    assert!(outcome.output_bytes > 100_000);
    assert!(outcome.timed_out || outcome.flooded);
}

#[tokio::test]
async fn a_cancel_ends_a_command_at_once() {
    for line in ["sleep 100", "trap '' TERM; while :; do :; done"] {
        let cancel = CancellationToken::new();
        let seen = Mutex::new(String::new());
        let started = std::sync::OnceLock::new();
        let line = format!("echo ready; {line}");
        let outcome = run(&spec(&line), &cancel, &|text| {
            seen.lock().unwrap().push_str(text);
            started.set(Instant::now()).unwrap_or_default();
            cancel.cancel();
        })
        .await
        .unwrap();
        assert!(outcome.cancelled && !outcome.succeeded());
        assert_eq!(*seen.lock().unwrap(), "ready\n");
        let took = started.get().unwrap().elapsed();
        // The grace is 200 ms; the rest is for a loaded machine.
        assert!(took < Duration::from_millis(1000), "{took:?}");
    }
}

#[tokio::test]
async fn dropping_the_future_ends_the_command() {
    let (sender, mut pids) = tokio::sync::mpsc::unbounded_channel::<i32>();
    let spec = spec("echo $$; trap '' TERM; sleep 100 & wait; sleep 100");
    let on_output = move |text: &str| sender.send(text.trim().parse().unwrap()).unwrap();
    let cancel = CancellationToken::new();
    let pid = tokio::select! {
        _ = run(&spec, &cancel, &on_output) => panic!("it ended by itself"),
        pid = pids.recv() => pid.unwrap(),
    };
    soon("a dropped command survives", || !is_alive(pid));
}

#[tokio::test]
async fn output_is_streamed_without_torn_characters() {
    let seen = Mutex::new(String::new());
    let spec = spec("for i in 1 2 3; do printf 'h\\303'; printf '\\244\\n'; done");
    run(&spec, &CancellationToken::new(), &|text| seen.lock().unwrap().push_str(text))
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), "hä\nhä\nhä\n");
}

#[tokio::test]
async fn short_programs_answer_through_the_small_door() {
    let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let limit = Duration::from_secs(10);
    let answer = output(&["echo", "a", "b"], Path::new("/"), &env, limit).await.unwrap();
    assert_eq!(answer, Output { exit_code: Some(0), text: "a b\n".into() });
    assert!(output(&["no-such-program"], Path::new("/"), &env, limit).await.is_err());
}

/// The watching shell kills what is left of a process that was itself killed: shown with a process
/// that stands for us.
#[tokio::test]
async fn groups_do_not_outlive_a_killed_parent() {
    let mut watch = watch::Watch::default();
    #[expect(clippy::disallowed_methods, reason = "a group that nobody but the watch ends")]
    let mut child = {
        use std::os::unix::process::CommandExt;
        std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 100 & wait"])
            .process_group(0)
            .spawn()
            .unwrap()
    };
    let id = i32::try_from(child.id()).unwrap();
    let live = std::collections::BTreeSet::from([id]);
    watch.add(id, &live);
    watch.add(99_999_999, &live);
    watch.remove(99_999_999);
    watch.end();
    let status = child.wait().unwrap();
    assert_eq!(code_and_signal(status).1, Some(9));
}

/// Stands for us in the test below: starts a command that starts more, and waits.
#[tokio::test]
#[ignore = "a part of the next test, which kills it"]
async fn a_process_to_be_killed() {
    let line = "echo $$; sleep 100 & echo $!; (sleep 100; true) & echo $!; wait";
    let on_output = |text: &str| {
        use std::io::Write;
        std::io::stdout().write_all(format!("\n{text}").as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    };
    let spec = ProcessSpec { timeout: Duration::from_secs(60), ..spec(line) };
    run(&spec, &CancellationToken::new(), &on_output).await.unwrap();
}

#[tokio::test]
async fn nothing_outlives_us_however_we_die() {
    use std::io::{BufRead, BufReader};
    #[expect(clippy::disallowed_methods, reason = "stands for the program itself")]
    let mut us = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["process::tests::a_process_to_be_killed", "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(us.stdout.take().unwrap()).lines();
    let pids: Vec<i32> =
        lines.filter_map(|line| line.unwrap().trim().parse().ok()).take(3).collect();
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    us.kill().unwrap();
    us.wait().unwrap();
    soon("children survive our death", || !pids.iter().any(|pid| is_alive(*pid)));
}
