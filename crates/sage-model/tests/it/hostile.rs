//! Servers that fail, lie or fall silent: every case is bounded, sorted, and never taken for an answer.

use std::time::{Duration, Instant};

use sage_core::{ErrorKind, ModelEvent};
use sage_model::{CallTimeouts, Error, Result, RetryRules, Trouble};
use serde_json::json;

use crate::run::{PATIENT, ask, ask_with, options};
use crate::server::{
    Act, Server, chunked, completion, json as json_answer, response, says, send, stream_head,
};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(5);

fn trouble<T: std::fmt::Debug>(result: Result<T>) -> (Trouble, ErrorKind, String) {
    let error = result.unwrap_err();
    match &error {
        Error::NoAnswer { tried, .. } => (tried[0].trouble, error.kind(), error.to_string()),
        other => panic!("{other}"),
    }
}

fn half() -> String {
    "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n".to_owned()
}

#[tokio::test]
async fn broken_streams_are_tried_again_and_their_half_answers_forgotten() {
    let cases: Vec<(&str, Vec<Act>)> = vec![
        ("closed without an end", vec![stream_head(), send(&half()), Act::Close]),
        ("reset", vec![Act::Abort, stream_head(), send(&half()), Act::Reset]),
        ("closed before anything", vec![Act::Close]),
        (
            "a chunk cut off",
            vec![
                send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\ndata: {"),
                Act::Close,
            ],
        ),
        (
            "a length cut off",
            vec![send("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"choices\":"), Act::Close],
        ),
        ("unreadable event", chunked("data: {\"choices\": oops}\n\n")),
        ("an event cut off", chunked(&completion("x")[..30])),
        (
            "an error inside",
            chunked(&(half() + "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n")),
        ),
        ("500", response("500 Internal Server Error", "", "oops")),
        ("503", response("503 Service Unavailable", "", "<html>busy</html>")),
        ("408", response("408 Request Timeout", "", "")),
        ("409", response("409 Conflict", "", "")),
        (
            "429",
            json_answer(
                "429 Too Many Requests",
                &json!({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}),
            ),
        ),
        ("empty choices", chunked("data: {\"choices\":[]}\n\ndata: [DONE]\n\n")),
        ("no choices", json_answer("200 OK", &json!({"choices": []}))),
        ("nothing said", says("")),
        (
            "null said",
            json_answer(
                "200 OK",
                &json!({"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}),
            ),
        ),
        ("no body", chunked("")),
        ("not HTTP", vec![send("SSH-2.0-OpenSSH_9.9\r\n"), Act::Close]),
    ];
    for (what, acts) in cases {
        let server = Server::start(vec![acts, says("whole")]);
        let (result, log, said) = ask(&server.url()).await;
        let response = result.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(response.message.text, "whole", "{what}");
        assert!(said == "whole" || said == "half|whole", "{what}: {said}");
        assert_eq!(server.n_requests(), 2, "{what}");
        let failed = log
            .models()
            .into_iter()
            .filter(|e| matches!(e, ModelEvent::TryFailed { retry_in_ms: Some(_), .. }));
        assert_eq!(failed.count(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_given_up_after_three_tries() {
    let cases: Vec<(Vec<Act>, Trouble, ErrorKind)> = vec![
        (
            response("500 Internal Server Error", "", ""),
            Trouble::Overloaded,
            ErrorKind::ModelUnavailable,
        ),
        (chunked(&half()), Trouble::Broken, ErrorKind::ModelUnavailable),
        (chunked("garbage\n\nmore garbage\n\n"), Trouble::Broken, ErrorKind::ModelUnavailable),
        (says(" \n"), Trouble::Empty, ErrorKind::ModelAnswer),
    ];
    for (acts, expected, kind) in cases {
        let server = Server::start(vec![acts]);
        let (result, log, _) = ask(&server.url()).await;
        let (found, found_kind, message) = trouble(result);
        assert_eq!((found, found_kind), (expected, kind), "{message}");
        assert_eq!(server.n_requests(), 3, "{message}");
        assert!(message.contains("3 tries") && message.contains(&server.url()), "{message}");
        let tries =
            log.models().into_iter().filter(|e| matches!(e, ModelEvent::TryFailed { .. })).count();
        assert_eq!(tries, 3, "{message}");
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_tried_again() {
    let page =
        response("200 OK", "Content-Type: text/html\r\n", "<!doctype html><p>Welcome to the hotel");
    let quota = json!({"error": {"message": "pay", "code": "insufficient_quota"}});
    let filtered =
        chunked("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n");
    let cases: Vec<(Vec<Act>, Trouble, ErrorKind)> = vec![
        (
            response("401 Unauthorized", "", "bad key sk-very-secret"),
            Trouble::Unauthorised,
            ErrorKind::ModelUnavailable,
        ),
        (response("403 Forbidden", "", ""), Trouble::Unauthorised, ErrorKind::ModelUnavailable),
        (response("404 Not Found", "", ""), Trouble::ModelMissing, ErrorKind::ModelUnavailable),
        (response("400 Bad Request", "", "nope"), Trouble::Rejected, ErrorKind::ModelAnswer),
        (json_answer("429 Too Many Requests", &quota), Trouble::Quota, ErrorKind::ModelUnavailable),
        (page, Trouble::Protocol, ErrorKind::ModelUnavailable),
        (
            json_answer("200 OK", &json!({"status": "ok"})),
            Trouble::Protocol,
            ErrorKind::ModelUnavailable,
        ),
        (filtered, Trouble::Withheld, ErrorKind::ModelAnswer),
    ];
    for (acts, expected, kind) in cases {
        let server = Server::start(vec![acts, says("late")]);
        let (found, found_kind, message) = trouble(ask(&server.url()).await.0);
        assert_eq!((found, found_kind), (expected, kind), "{message}");
        assert_eq!(server.n_requests(), 1, "{message}");
        assert!(!message.contains("sk-very-secret"), "{message}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_limit_of_its_phase() {
    let before_head = vec![Act::Stall(LONG)];
    let after_head = vec![stream_head(), Act::Stall(LONG)];
    let role_only =
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    let only_pings = vec![
        stream_head(),
        send(role_only),
        send(": ping\n\n"),
        Act::Stall(SHORT / 2),
        send(": ping\n\n"),
        Act::Stall(LONG),
    ];
    let after_token = vec![stream_head(), send(&half()), Act::Stall(LONG)];
    let cases = [
        (before_head, Trouble::NoFirstToken),
        (after_head, Trouble::NoFirstToken),
        (only_pings, Trouble::NoFirstToken),
        (after_token, Trouble::Silent),
    ];
    for (acts, expected) in cases {
        let server = Server::start(vec![acts]);
        let limits = match expected {
            Trouble::Silent => CallTimeouts { silence: SHORT, ..PATIENT },
            _ => CallTimeouts { first_token: SHORT, ..PATIENT },
        };
        let started = Instant::now();
        let (result, _, _) = ask_with(&server.url(), options(limits)).await;
        let (found, kind, message) = trouble(result);
        assert_eq!((found, kind), (expected, ErrorKind::ModelUnavailable), "{message}");
        assert_eq!(server.n_requests(), 1, "waiting in vain is not repeated: {message}");
        let took = started.elapsed();
        assert!(took >= SHORT && took < LONG, "{message}: {took:?}");
    }
}

#[tokio::test]
async fn the_whole_call_ends_at_its_limit_however_busy_the_stream_is() {
    let mut acts = vec![stream_head()];
    for _ in 0..100 {
        acts.extend([send(&half()), Act::Stall(Duration::from_millis(20))]);
    }
    let server = Server::start(vec![acts]);
    let limits = CallTimeouts { whole: SHORT * 2, ..PATIENT };
    let started = Instant::now();
    let (found, _, message) = trouble(ask_with(&server.url(), options(limits)).await.0);
    assert_eq!(found, Trouble::Deadline, "{message}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(server.n_requests(), 1);
}

#[tokio::test]
async fn a_complete_answer_is_kept_when_its_stream_does_not_end() {
    let finished =
        "data: {\"choices\":[{\"delta\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}\n\n";
    for end in [vec![Act::Stall(LONG)], vec![Act::Close]] {
        let mut acts = vec![stream_head(), send(finished)];
        acts.extend(end);
        let server = Server::start(vec![acts]);
        let limits = CallTimeouts { silence: SHORT, ..PATIENT };
        let started = Instant::now();
        let (result, _, _) = ask_with(&server.url(), options(limits)).await;
        assert_eq!(result.unwrap().message.text, "whole");
        assert!(started.elapsed() < LONG);
    }
    let server = Server::start(vec![vec![
        Act::Abort,
        stream_head(),
        send(finished),
        Act::Stall(SHORT),
        Act::Reset,
    ]]);
    assert_eq!(ask(&server.url()).await.0.unwrap().message.text, "whole");
}

#[tokio::test]
async fn a_stream_without_end_is_cut_at_the_bound() {
    let megabyte = "x".repeat(1 << 20);
    let line = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{megabyte}\"}}}}]}}\n\n");
    let mut acts = vec![stream_head()];
    acts.extend(std::iter::repeat_n(send(&line), 40));
    let server = Server::start(vec![acts]);
    let (found, kind, message) = trouble(ask(&server.url()).await.0);
    assert_eq!((found, kind), (Trouble::TooBig, ErrorKind::ModelAnswer), "{message}");
}

#[tokio::test]
async fn a_wish_to_wait_is_kept_and_one_too_long_gives_up_at_once() {
    let busy = |wish: &str| response("429 Too Many Requests", wish, "");
    let server = Server::start(vec![busy("Retry-After: 1\r\n"), says("later")]);
    let started = Instant::now();
    assert_eq!(ask(&server.url()).await.0.unwrap().message.text, "later");
    assert!(started.elapsed() >= Duration::from_secs(1));

    let date =
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    let server = Server::start(vec![busy(date), says("later")]);
    let started = Instant::now();
    assert_eq!(ask(&server.url()).await.0.unwrap().message.text, "later");
    assert!(started.elapsed() >= Duration::from_secs(1));

    let server = Server::start(vec![busy("Retry-After: 3600\r\n"), says("never")]);
    let started = Instant::now();
    let (found, _, _) = trouble(ask(&server.url()).await.0);
    assert_eq!((found, server.n_requests()), (Trouble::Overloaded, 1));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_endpoint_that_is_down_fails_at_once() {
    // Bound, so that nobody else has the port, and closed before it is asked.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let mut options = options(PATIENT);
    options.retries = RetryRules::DEFAULT;
    let started = Instant::now();
    let (result, log, _) = ask_with(&url, options).await;
    let (found, kind, message) = trouble(result);
    assert_eq!((found, kind), (Trouble::Refused, ErrorKind::ModelUnavailable), "{message}");
    assert!(message.contains("Connection refused") && message.contains("2 tries"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(log.names(), ["model.routed", "model.try_failed", "model.try_failed"]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_fails_at_once() {
    let (found, kind, message) = trouble(ask("http://no-such-host.invalid:1").await.0);
    assert_eq!((found, kind), (Trouble::Refused, ErrorKind::ModelUnavailable), "{message}");
}

#[tokio::test]
async fn a_handshake_that_is_not_answered_ends_at_the_limit_for_connecting() {
    let server = Server::start(vec![says("plain")]);
    let url = server.url().replace("http:", "https:");
    let limits = CallTimeouts { connect: SHORT, ..PATIENT };
    let (found, kind, message) = trouble(ask_with(&url, options(limits)).await.0);
    assert_eq!((found, kind), (Trouble::ConnectTimeout, ErrorKind::ModelUnavailable), "{message}");
    assert_eq!(server.n_requests(), 0);
}
