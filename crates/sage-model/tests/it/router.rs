//! Which model answers, and what is recorded about the choice.

use std::io::Write;

use sage_core::{AgentRole, ErrorKind, ModelEvent, RouteFeatures};
use sage_model::{ChatModel, HealthRules, NoDeltas};

use crate::run::{MemoryLog, PATIENT, options, request, router, router_with};
use crate::server::{Server, response, says};

fn two_providers(first: &str, second: &str) -> String {
    format!(
        "providers:\n  a: {{kind: openai, base_url: \"{first}\"}}\n  b: {{kind: openai, base_url: \"{second}\"}}\n\
         models:\n  big: {{provider: a}}\n  small: {{provider: b, tool_calling: text}}\n  other: {{provider: a}}\n\
         routing:\n  default: {{primary: big, fallback: small, fallback_triggers: [\"task_complexity_score > 0.8\"]}}\n  reviewer: {{primary: big, fallback: other}}\n"
    )
}

fn routed(log: &MemoryLog) -> Vec<(String, String)> {
    let events = log.models().into_iter();
    events
        .filter_map(|event| match event {
            ModelEvent::Routed { chosen, reason, probability, .. } => {
                assert_eq!(probability, 1.0);
                Some((chosen, reason))
            }
            _ => None,
        })
        .collect()
}

fn down() -> Vec<crate::server::Act> {
    response("401 Unauthorized", "", "")
}

#[tokio::test]
async fn a_trigger_chooses_the_fallback_and_the_attempt_keeps_it() {
    let (a, b) = (Server::start(vec![says("a")]), Server::start(vec![says("b")]));
    let log = MemoryLog::new();
    let router = router(&two_providers(&a.url(), &b.url()), &log);
    let mut hard = request(1, "go");
    hard.features = RouteFeatures { task_complexity_score: 0.9, ..RouteFeatures::default() };
    assert_eq!(router.facts(&hard).unwrap().model, "small");
    assert_eq!(router.chat(&hard, &NoDeltas).await.unwrap().message.text, "b");
    // The same attempt, now looking easy: no change in the middle of a conversation.
    let easy = request(2, "go on");
    assert_eq!(router.chat(&easy, &NoDeltas).await.unwrap().message.text, "b");
    let mut next = request(1, "again");
    next.call.attempt = 2;
    assert_eq!(router.chat(&next, &NoDeltas).await.unwrap().message.text, "a");
    assert_eq!(
        routed(&log),
        [
            ("small".to_owned(), "trigger: task_complexity_score > 0.8".to_owned()),
            ("big".to_owned(), "no trigger holds".to_owned()),
        ]
    );
}

#[tokio::test]
async fn an_unavailable_model_is_replaced_for_the_rest_of_the_attempt() {
    let (a, b) = (Server::start(vec![down()]), Server::start(vec![says("b")]));
    let log = MemoryLog::new();
    let router = router(&two_providers(&a.url(), &b.url()), &log);
    assert_eq!(router.chat(&request(1, "go"), &NoDeltas).await.unwrap().model, "small");
    assert_eq!(router.chat(&request(2, "go"), &NoDeltas).await.unwrap().model, "small");
    assert_eq!((a.n_requests(), b.n_requests()), (1, 2));
    assert_eq!(log.names(), ["model.routed", "model.try_failed", "model.routed"]);
    let (chosen, reason) = routed(&log).pop().unwrap();
    assert_eq!(chosen, "small");
    assert!(reason.contains("unavailable") && reason.contains("401"), "{reason}");
}

#[tokio::test]
async fn when_nothing_answers_everything_tried_is_listed() {
    let (a, b) =
        (Server::start(vec![down()]), Server::start(vec![response("404 Not Found", "", "")]));
    let log = MemoryLog::new();
    let router = router(&two_providers(&a.url(), &b.url()), &log);
    let error = router.chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    let text = error.to_string();
    for part in ["coder", "big (a at ", "401", "small (b at ", "404", &a.url(), &b.url()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A provider that refuses the key is not asked for its other models.
    let mut review = request(1, "go");
    review.role = AgentRole::Reviewer;
    let text = router.chat(&review, &NoDeltas).await.unwrap_err().to_string();
    assert!(text.contains("other (a at ") && text.contains("not tried"), "{text}");
    assert_eq!(a.n_requests(), 2);
}

#[tokio::test]
async fn a_fault_of_one_model_lets_another_of_the_same_provider_try() {
    let broken = response("500 Internal Server Error", "", "");
    let server = Server::start(vec![broken.clone(), broken.clone(), broken, says("other")]);
    let log = MemoryLog::new();
    let router = router(&two_providers(&server.url(), "http://127.0.0.1:9"), &log);
    let mut review = request(1, "go");
    review.role = AgentRole::Reviewer;
    assert_eq!(router.chat(&review, &NoDeltas).await.unwrap().model, "other");
}

#[tokio::test]
async fn a_fixed_model_stands_alone() {
    let (a, b) = (Server::start(vec![down()]), Server::start(vec![says("b")]));
    let log = MemoryLog::new();
    let router = router(&two_providers(&a.url(), &b.url()), &log);
    let mut fixed = request(1, "go");
    fixed.fixed_model = Some("other".to_owned());
    assert!(router.chat(&fixed, &NoDeltas).await.is_err());
    assert_eq!(b.n_requests(), 0);
    assert_eq!(routed(&log), [("other".to_owned(), "the task names this model".to_owned())]);
}

#[tokio::test]
async fn a_missing_key_is_known_before_anything_is_sent() {
    let server = Server::start(vec![says("b")]);
    let yaml = format!(
        "providers:\n  a: {{kind: openai, base_url: \"https://models.example/v1\", api_key_env: NO_SUCH_KEY}}\n  b: {{kind: openai, base_url: \"{}\"}}\n\
         models:\n  big: {{provider: a}}\n  small: {{provider: b}}\nprimary: big\nfallback: small\n",
        server.url()
    );
    let log = MemoryLog::new();
    let router_ = router(&yaml, &log);
    assert_eq!(router_.chat(&request(1, "go"), &NoDeltas).await.unwrap().model, "small");
    let Some(ModelEvent::Routed { candidates, reason, .. }) = log.models().into_iter().next()
    else {
        panic!("not routed")
    };
    assert!(candidates[0].unavailable.as_deref().unwrap().contains("NO_SUCH_KEY"));
    assert!(reason.contains("NO_SUCH_KEY"), "{reason}");
    assert_eq!(log.names(), ["model.routed"]);
    let alone = yaml.replace("fallback: small\n", "");
    let error = router(&alone, &log).chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    assert!(error.to_string().contains("no key: NO_SUCH_KEY"), "{error}");
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone() {
    let server = Server::start(vec![response("401 Unauthorized", "", "")]);
    let log = MemoryLog::new();
    let mut options = options(PATIENT);
    options.health = HealthRules { failures_to_open: 2, ..HealthRules::DEFAULT };
    let router = router_with(&crate::run::one_provider(&server.url()), &log, options);
    for index in 1..=4 {
        let mut request = request(index, "go");
        request.call.attempt = index;
        let error = router.chat(&request, &NoDeltas).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ModelUnavailable);
    }
    assert_eq!(server.n_requests(), 2);
}

#[tokio::test]
async fn a_resumed_attempt_goes_on_with_its_model() {
    let (a, b) = (Server::start(vec![down()]), Server::start(vec![says("b")]));
    let yaml = two_providers(&a.url(), &b.url());
    let log = MemoryLog::new();
    let first = router(&yaml, &log);
    first.chat(&request(1, "go"), &NoDeltas).await.unwrap();
    let later = log.reopen(usize::MAX);
    let second = router(&yaml, &later);
    for event in later.events() {
        second.apply(&event);
    }
    // The first call saw the primary before it failed; the later ones belong to the fallback.
    assert_eq!(second.facts(&request(1, "go")).unwrap().model, "big");
    assert_eq!(second.facts(&request(2, "go")).unwrap().model, "small");
    assert_eq!(second.chat(&request(2, "go"), &NoDeltas).await.unwrap().model, "small");
    assert_eq!(a.n_requests(), 1);
    assert_eq!(later.events().len(), log.events().len(), "nothing new to tell");
}

#[tokio::test]
async fn a_script_is_a_provider_and_resumes_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let script = "replies:\n  - {role: coder, text: first}\n  - {role: coder, text: second}\n";
    std::fs::File::create(folder.path().join("s.yaml"))
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let yaml = "providers:\n  demo: {kind: scripted, script: s.yaml}\nprimary: demo/any\n";
    let log = MemoryLog::new();
    let make = |log: &std::sync::Arc<MemoryLog>| {
        let path = folder.path().join("models.yaml");
        let config = sage_model::ModelsConfig::load(yaml, &path).unwrap();
        let providers = sage_model::ProviderSet::new(&config, &|_| None).unwrap();
        let recorder: std::sync::Arc<dyn sage_core::Recorder> = log.clone();
        let progress = std::sync::Arc::new(sage_core::NoProgress);
        let router = sage_model::Router::new(
            config,
            providers,
            recorder.clone(),
            progress,
            options(PATIENT),
        );
        (router, recorder)
    };
    let (first, recorder) = make(&log);
    let response = sage_model::Recorded::new(first, recorder)
        .chat(&request(1, "go"), &NoDeltas)
        .await
        .unwrap();
    assert!(response.scripted && response.message.text == "first");
    let later = log.reopen(usize::MAX);
    let (second, recorder) = make(&later);
    for event in later.events() {
        second.apply(&event);
    }
    let second = sage_model::Recorded::new(second, recorder);
    assert_eq!(second.chat(&request(1, "go"), &NoDeltas).await.unwrap().message.text, "first");
    assert_eq!(second.chat(&request(2, "go"), &NoDeltas).await.unwrap().message.text, "second");
    let error = second.chat(&request(3, "what now"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ModelAnswer);
    assert!(error.to_string().contains("no reply left for coder to \"what now\""), "{error}");
}

#[tokio::test]
async fn requests_beyond_the_providers_limit_wait_for_their_turn() {
    let slow = vec![crate::server::Act::Stall(std::time::Duration::from_millis(100))];
    let answer = [slow, says("a")].concat();
    let server = Server::start(vec![answer]);
    let yaml = crate::run::one_provider(&server.url())
        .replace("kind: openai,", "kind: openai, max_concurrency: 1,");
    let log = MemoryLog::new();
    let router = router(&yaml, &log);
    let requests: Vec<_> = (1..=3).map(|index| request(index, "go")).collect();
    let calls = requests.iter().map(|request| router.chat(request, &NoDeltas));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(server.n_connections(), 1, "one at a time");
}
