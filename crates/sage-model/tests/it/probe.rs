//! What `sage doctor` learns about a provider.

use std::path::Path;

use sage_core::ErrorKind;
use sage_model::{ModelsConfig, Probe, ProviderSet, probe};
use serde_json::json;

use crate::run::{PATIENT, one_provider};
use crate::server::{Server, json as json_answer, response, says};

async fn check(yaml: &str, provider: &str, model: &str, deep: bool) -> Probe {
    let config = ModelsConfig::load(yaml, Path::new("m")).unwrap();
    let keys = |name: &str| (name == "TEST_KEY").then(|| "sk-very-secret".to_owned());
    let providers = ProviderSet::new(&config, &keys).unwrap();
    probe(&config, &providers, provider, Some(model), deep, PATIENT).await
}

#[tokio::test]
async fn a_healthy_provider_lists_its_models_and_answers() {
    let list = json_answer("200 OK", &json!({"data": [{"id": "m"}, {"id": "n"}]}));
    let server = Server::start(vec![list, says("ok")]);
    let found = check(&one_provider(&server.url()), "s", "m", true).await;
    assert_eq!(found.models, Some(vec!["m".to_owned(), "n".to_owned()]));
    assert!(found.reachable && found.error.is_none(), "{found:?}");
    assert_eq!((found.model_present, found.answered), (Some(true), Some(true)));
    assert_eq!(server.requests()[0].line, "GET /v1/models HTTP/1.1");
    assert_eq!(server.requests()[1].body["max_tokens"], 16);
}

#[tokio::test]
async fn ollama_tags_are_compared_without_latest() {
    let list = json_answer("200 OK", &json!({"models": [{"name": "qwen3:latest"}]}));
    let server = Server::start(vec![list]);
    let yaml = format!("providers:\n  ollama: {{base_url: \"{}\"}}\n", server.url());
    let found = check(&yaml, "ollama", "qwen3", false).await;
    assert_eq!((found.model_present, found.answered), (Some(true), None));
    let found = check(&yaml, "ollama", "llama3", false).await;
    assert_eq!(found.model_present, Some(false));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let server = Server::start(vec![response("401 Unauthorized", "", "no")]);
    let found = check(&one_provider(&server.url()), "s", "m", true).await;
    assert!(found.reachable && found.answered.is_none());
    assert!(
        matches!(&found.error, Some((ErrorKind::ModelUnavailable, text)) if text.contains("401"))
    );

    let found = check(&one_provider("http://127.0.0.1:9"), "s", "m", true).await;
    assert!(!found.reachable && found.error.is_some());

    let page = response("200 OK", "", "<html>");
    let server = Server::start(vec![page]);
    let found = check(&one_provider(&server.url()), "s", "m", false).await;
    assert!(found.reachable && found.error.is_some());

    // A server without a list may still have the model.
    let server = Server::start(vec![response("404 Not Found", "", ""), says("ok")]);
    let found = check(&one_provider(&server.url()), "s", "m", true).await;
    assert_eq!((found.models, found.answered, found.error), (None, Some(true), None));

    let found = check("", "nowhere", "m", true).await;
    assert!(matches!(found.error, Some((ErrorKind::Config, _))));
}
