//! Providers that refuse, fall silent, break off or talk nonsense: the run ends within its bounds,
//! with the documented exit code and a next step, or it recovers.

use std::time::Duration;

use sage_testkit::{
    FakeOllama, FakeOpenAi, Fault, FaultPlan, Fixture, ModelsYaml, Output, PlannedBrain,
    refused_url,
};

use crate::support::{World, assert_no_crash, sandbox, story};

/// What a hopeless endpoint may take.
const SOON: Duration = Duration::from_secs(10);
/// What an endpoint may take that is worth trying again.
const AFTER_RETRIES: Duration = Duration::from_secs(45);

/// Runs against a provider of which every model call goes wrong in the same way.
fn against(fault: &Fault, limit: Duration) -> (World, Output) {
    let faults = FaultPlan::always(fault.clone());
    let mut world = World::with_faults(&Fixture::default(), PlannedBrain::hello(), faults);
    // The configured limits of a patient user would make the tests slow.
    for name in ["SAGE_FIRST_TOKEN_TIMEOUT_S", "SAGE_SILENCE_TIMEOUT_S"] {
        world.sandbox.env(name, "2");
    }
    world.sandbox.env("SAGE_CALL_TIMEOUT_S", "8");
    let args = ["run", PlannedBrain::HELLO_GOAL, "--auto"];
    let output = world.sandbox.sage(&args).timeout(limit + SOON).run();
    assert_no_crash(&output);
    assert!(output.duration < limit, "{fault:?}: {output}");
    (world, output)
}

/// Every call goes wrong: the run must say that no model could be reached and what to do next.
#[track_caller]
fn check_unavailable(fault: &Fault, limit: Duration) {
    let (world, output) = against(fault, limit);
    assert_eq!(output.code, Some(5), "{fault:?}: {output}");
    output.expect_text("hint");
    assert_eq!(world.sandbox.git_status(), [""; 0], "{fault:?}");
    let run = world.sandbox.last_run();
    assert_eq!(run.finished().unwrap()["outcome"], "model_unavailable", "{}", story(&run));
}

/// Every call goes wrong, but with something that can be taken for an answer: no success either way.
#[track_caller]
fn check_useless(fault: &Fault, limit: Duration) -> Output {
    let (world, output) = against(fault, limit);
    assert!(matches!(output.code, Some(1 | 5)), "{fault:?}: {output}");
    assert_eq!(world.sandbox.git_status(), [""; 0], "{fault:?}");
    output
}

/// Every call has the flaw, and the job is done all the same.
#[track_caller]
fn check_harmless(fault: &Fault) {
    let (world, output) = against(fault, AFTER_RETRIES);
    assert_eq!(output.code, Some(0), "{fault:?}: {output}");
    assert_eq!(world.calls().len(), 3, "{fault:?}: no call is repeated: {output}");
}

/// The first calls go wrong, the rest is fine.
#[track_caller]
fn check_recovers(n_calls: usize, fault: &Fault) -> Duration {
    let faults = FaultPlan::first(n_calls, fault.clone());
    let mut world = World::with_faults(&Fixture::default(), PlannedBrain::hello(), faults);
    world.sandbox.env("SAGE_FIRST_TOKEN_TIMEOUT_S", "2").env("SAGE_SILENCE_TIMEOUT_S", "2");
    let output = world.run_auto(&[]);
    assert_eq!(output.code, Some(0), "{fault:?} x {n_calls}: {output}");
    assert_eq!(world.calls().len(), 3 + n_calls, "{fault:?}: {output}");
    let run = world.sandbox.last_run();
    assert_eq!(run.of_type("model.try_failed").len(), n_calls, "{}", story(&run));
    output.duration
}

#[test]
fn a_refused_connection_exits_5_within_10_seconds() {
    let mut sandbox = sandbox();
    for models in [ModelsYaml::openai(&refused_url()), ModelsYaml::ollama(&refused_url())] {
        sandbox.models(&models);
        let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);
        output.expect_code(5).expect_text("127.0.0.1").expect_text("hint");
        assert!(output.duration < SOON, "{output}");
    }
}

#[test]
fn a_wrong_key_exits_5_within_10_seconds() {
    let server = FakeOpenAi::with(PlannedBrain::hello()).api_key("sk-right-0123456789").start();
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::openai(&server.url()).provider("api_key_env: FAKE_KEY"));
    sandbox.env("FAKE_KEY", "sk-wrong-0123456789");
    let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);
    output.expect_code(5).expect_text("401").expect_text("hint");
    assert!(!output.all().contains("sk-wrong-0123456789"), "{output}");
    assert!(output.duration < SOON, "{output}");
    assert!(server.requests().len() <= 2, "a wrong key does not get better");

    sandbox.env("FAKE_KEY", "sk-right-0123456789");
    sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto", "--fresh"]).expect_code(0);
}

#[test]
fn an_unauthorised_answer_without_a_key_exits_5() {
    check_unavailable(&Fault::UNAUTHORISED, SOON);
}

#[test]
fn a_missing_model_exits_5_and_is_named() {
    let server = FakeOllama::with(PlannedBrain::hello()).models(&["other:1b"]).start();
    let mut sandbox = sandbox();
    sandbox.models(&ModelsYaml::ollama(&server.url()));
    let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);
    output.expect_code(5).expect_text(FakeOllama::MODEL).expect_text("hint");
    check_unavailable(&Fault::NOT_FOUND, SOON);
}

#[test]
fn a_silent_endpoint_exits_5_within_the_configured_limit() {
    check_unavailable(&Fault::Silent, AFTER_RETRIES);
}

#[test]
fn silence_after_the_first_token_exits_5_within_the_configured_limit() {
    check_unavailable(&Fault::SilentAfterFirstToken, AFTER_RETRIES);
}

#[test]
fn a_server_that_always_fails_exits_5() {
    check_unavailable(&Fault::SERVER_ERROR, AFTER_RETRIES);
}

#[test]
fn a_server_that_always_wants_us_to_come_back_later_exits_5() {
    check_unavailable(&Fault::RetryAfter(1), AFTER_RETRIES);
    // Nobody waits for a day.
    check_unavailable(&Fault::RetryAfter(86_400), AFTER_RETRIES);
}

#[test]
fn connections_that_always_break_exit_5() {
    for fault in [Fault::Reset, Fault::ResetMidStream, Fault::CutMidStream] {
        check_unavailable(&fault, AFTER_RETRIES);
    }
}

#[test]
fn streams_that_always_end_in_the_middle_exit_5() {
    for fault in [Fault::Truncated, Fault::ErrorMidStream] {
        check_unavailable(&fault, AFTER_RETRIES);
    }
}

#[test]
fn nonsense_instead_of_an_answer_is_no_success() {
    for fault in [Fault::Garbage, Fault::Html, Fault::EmptyChoices, Fault::EmptyMessage] {
        check_useless(&fault, AFTER_RETRIES);
    }
}

#[test]
fn a_line_without_an_end_is_not_read_to_its_end() {
    let output = check_useless(&Fault::GiantLine(200_000_000), AFTER_RETRIES);
    assert!(output.peak_memory_bytes < 120_000_000, "{} bytes", output.peak_memory_bytes);
}

#[test]
fn a_stream_that_drips_for_ever_ends_at_the_limit_of_the_call() {
    check_unavailable(&Fault::SlowDrip(Duration::from_millis(1500)), Duration::from_secs(75));
}

#[test]
fn small_flaws_do_not_matter() {
    for fault in [
        Fault::NoUsage,
        Fault::UnknownFinish,
        Fault::DuplicateCallIds,
        Fault::SlowDrip(Duration::from_millis(5)),
    ] {
        check_harmless(&fault);
    }
}

#[test]
fn an_answer_without_an_end_mark_or_in_one_piece_is_an_answer() {
    for fault in [Fault::NoEndMark, Fault::JsonInsteadOfStream] {
        check_harmless(&fault);
    }
}

#[test]
fn a_server_that_recovers_is_asked_again() {
    for fault in [
        Fault::SERVER_ERROR,
        Fault::Status(503),
        Fault::Reset,
        Fault::ResetMidStream,
        Fault::CutMidStream,
        Fault::Truncated,
    ] {
        check_recovers(1, &fault);
    }
    check_recovers(2, &Fault::SERVER_ERROR);
}

#[test]
fn a_server_that_says_when_to_come_back_is_obeyed() {
    let took = check_recovers(1, &Fault::RetryAfter(2));
    assert!(took >= Duration::from_secs(2), "{took:?}");
    let took = check_recovers(1, &Fault::RetryAfterDate(Duration::from_secs(3)));
    assert!(took >= Duration::from_millis(1500), "{took:?}");
}

#[test]
fn the_fallback_answers_when_the_first_model_is_gone() {
    let faults = FaultPlan::none();
    let world = World::with_faults(&Fixture::default(), PlannedBrain::hello(), faults);
    let sandbox = sandbox();
    sandbox.git_init();
    let text = format!(
        "providers:\n  gone: {{kind: openai, base_url: \"{}\"}}\n  \
         fake: {{kind: openai, base_url: \"{}\"}}\n\
         models:\n  first: {{provider: gone}}\n  second: {{provider: fake, tool_calling: native}}\n\
         routing:\n  default: {{primary: first, fallback: second}}\n",
        refused_url(),
        world.server.url()
    );
    sandbox.write(".sage/models.yaml", text);
    let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);
    output.expect_code(0);
    let run = sandbox.last_run();
    let answered = run.of_type("model.answered");
    assert!(answered.iter().all(|event| event["model"] == "second"), "{}", story(&run));
    assert!(!run.of_type("model.try_failed").is_empty(), "{}", story(&run));
}

#[test]
fn hostile_lines_of_ollama_are_bounded_as_well() {
    for (fault, code) in [
        (Fault::Garbage, None),
        (Fault::Truncated, Some(5)),
        (Fault::ErrorMidStream, Some(5)),
        (Fault::SERVER_ERROR, Some(5)),
        (Fault::EmptyChoices, None),
        (Fault::NoUsage, Some(0)),
    ] {
        let faults = FaultPlan::always(fault.clone());
        let server = FakeOllama::with(PlannedBrain::hello()).faults(faults).start();
        let mut sandbox = sandbox();
        sandbox.git_init();
        sandbox.models(&ModelsYaml::ollama(&server.url()));
        let output = sandbox.run(&["run", PlannedBrain::HELLO_GOAL, "--auto"]);
        assert_no_crash(&output);
        match code {
            Some(code) => assert_eq!(output.code, Some(code), "{fault:?}: {output}"),
            None => assert!(matches!(output.code, Some(1 | 5)), "{fault:?}: {output}"),
        }
        assert!(output.duration < AFTER_RETRIES, "{fault:?}: {output}");
    }
}
