//! Calls as effects: recorded once, answered from the record, told when they differ, replayed.

use std::sync::Arc;

use sage_core::{ErrorKind, ModelEvent, Recorder};
use sage_model::{ChatModel, Error, ModelsConfig, NoDeltas, Recorded, Replayed};

use crate::run::{MemoryLog, one_provider, request, router};
use crate::server::{Server, response, says};

fn recorded(url: &str, log: &Arc<MemoryLog>) -> Recorded<sage_model::Router> {
    let recorder: Arc<dyn Recorder> = log.clone();
    Recorded::new(router(&one_provider(url), log), recorder)
}

#[tokio::test]
async fn an_answered_call_is_not_made_again_and_tells_nothing_new() {
    let server = Server::start(vec![says("one"), says("two")]);
    let log = MemoryLog::new();
    let live = recorded(&server.url(), &log).chat(&request(1, "go"), &NoDeltas).await.unwrap();
    assert_eq!(log.names(), ["model.called", "model.routed", "model.answered"]);
    let later = log.reopen(usize::MAX);
    let again = recorded(&server.url(), &later).chat(&request(1, "go"), &NoDeltas).await.unwrap();
    assert_eq!(again, live);
    assert_eq!((server.n_requests(), later.events().len()), (1, 3));
}

#[tokio::test]
async fn a_call_whose_outcome_is_unknown_is_made_again() {
    let server = Server::start(vec![says("one"), says("two")]);
    let log = MemoryLog::new();
    recorded(&server.url(), &log).chat(&request(1, "go"), &NoDeltas).await.unwrap();
    for n_events in [1, 2] {
        let later = log.reopen(n_events);
        let model = recorded(&server.url(), &later);
        for event in later.events() {
            model.inner().apply(&event);
        }
        let again = model.chat(&request(1, "go"), &NoDeltas).await.unwrap();
        assert_eq!(again.message.text, "two");
        let routed = later.models().into_iter().filter(|e| matches!(e, ModelEvent::Routed { .. }));
        assert_eq!(routed.count(), 1);
    }
}

#[tokio::test]
async fn another_request_under_the_same_call_is_refused() {
    let server = Server::start(vec![says("one")]);
    let log = MemoryLog::new();
    recorded(&server.url(), &log).chat(&request(1, "go"), &NoDeltas).await.unwrap();
    let later = log.reopen(usize::MAX);
    let error =
        recorded(&server.url(), &later).chat(&request(1, "stop"), &NoDeltas).await.unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.to_string().contains("request.messages[1].text at character 1"), "{error}");
    assert_eq!(server.n_requests(), 1);
}

#[tokio::test]
async fn a_failed_call_is_recorded_without_secrets() {
    let server =
        Server::start(vec![response("401 Unauthorized", "", "key sk-very-secret is wrong")]);
    let log = MemoryLog::new();
    let error = recorded(&server.url(), &log).chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    let names = ["model.called", "model.routed", "model.try_failed", "model.failed"];
    assert_eq!(log.names(), names);
    let told = format!("{error} {error:?} {:?}", log.events());
    assert!(told.contains("401") && !told.contains("very-secret"), "{told}");
}

fn replayed(log: &Arc<MemoryLog>, live: &Arc<MemoryLog>, url: &str) -> Arc<Replayed> {
    let config = ModelsConfig::load(&one_provider(url), std::path::Path::new("m")).unwrap();
    let (blobs, recorder): (Arc<dyn Recorder>, Arc<dyn Recorder>) = (log.clone(), live.clone());
    Arc::new(Replayed::new(&log.events(), blobs, recorder, config))
}

#[tokio::test]
async fn a_replay_gives_the_same_answers_and_the_same_events_without_the_network() {
    let broken = response("500 Internal Server Error", "", "");
    let server = Server::start(vec![broken, says("one"), response("404 Not Found", "", "")]);
    let log = MemoryLog::new();
    let model = recorded(&server.url(), &log);
    let live = model.chat(&request(1, "go"), &NoDeltas).await.unwrap();
    let failed = model.chat(&request(2, "on"), &NoDeltas).await.unwrap_err();
    let n_requests = server.n_requests();

    let second = MemoryLog::new();
    let source = replayed(&log, &second, &server.url());
    let recorder: Arc<dyn Recorder> = second.clone();
    let replay = Recorded::new(source.clone(), recorder);
    assert_eq!(replay.facts(&request(1, "go")).unwrap(), model.facts(&request(1, "go")).unwrap());
    assert_eq!(replay.chat(&request(1, "go"), &NoDeltas).await.unwrap(), live);
    let error = replay.chat(&request(2, "on"), &NoDeltas).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (failed.kind(), failed.to_string()));
    assert_eq!(second.models(), log.models());
    assert_eq!(server.n_requests(), n_requests);
    assert!(source.differences().is_empty());
}

#[tokio::test]
async fn a_replay_tells_what_differs_and_still_answers() {
    let server = Server::start(vec![says("one")]);
    let log = MemoryLog::new();
    recorded(&server.url(), &log).chat(&request(1, "go"), &NoDeltas).await.unwrap();
    let second = MemoryLog::new();
    let replay = replayed(&log, &second, &server.url());
    let answer = replay.chat(&request(1, "go there"), &NoDeltas).await.unwrap();
    assert_eq!(answer.message.text, "one");
    let error = replay.chat(&request(9, "new"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    let told: Vec<String> =
        replay.differences().iter().map(|d| format!("{}: {}", d.call, d.what)).collect();
    assert_eq!(
        told,
        [
            "task_001#1.1: request.messages[1].text at character 3: \" there\" instead of \"\"",
            "task_001#1.9: the call was not made in the recorded run",
        ]
    );
}
