//! A run in memory: the log that models write to, and routers over canned servers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sage_core::{
    AgentRole, BlobRef, CallId, Event, EventKind, FixedClock, Message, ModelEvent, NoProgress,
    NodeId, Past, RecordError, Recorder, RouteFeatures, RunId, Seq,
};
use sage_model::{
    CallTimeouts, ChatModel, ChatRequest, ChatResponse, DeltaSink, ModelsConfig, ProviderSet,
    Result, RetryRules, Router, RouterOptions,
};

/// A log in memory. What an earlier process wrote is answered by `past`.
#[derive(Default)]
pub struct MemoryLog {
    events: Mutex<Vec<Event>>,
    blobs: Mutex<HashMap<BlobRef, Vec<u8>>>,
    n_past: usize,
}

impl MemoryLog {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The log as a later process opens it, cut after `n_events`.
    pub fn reopen(&self, n_events: usize) -> Arc<Self> {
        let events: Vec<Event> = self.events().into_iter().take(n_events).collect();
        let blobs = Mutex::new(self.blobs.lock().unwrap().clone());
        Arc::new(Self { n_past: events.len(), events: Mutex::new(events), blobs })
    }

    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// The names of the events, in order, `sync` among them.
    pub fn names(&self) -> Vec<String> {
        self.events().iter().map(|event| event.kind.type_name()).collect()
    }

    pub fn models(&self) -> Vec<ModelEvent> {
        let events = self.events().into_iter();
        events
            .filter_map(|event| match event.kind {
                EventKind::Model(event) => Some(event),
                _ => None,
            })
            .collect()
    }
}

impl Recorder for MemoryLog {
    fn put(&self, bytes: &[u8]) -> std::result::Result<BlobRef, RecordError> {
        let blob = BlobRef::of(bytes);
        self.blobs.lock().unwrap().insert(blob.clone(), bytes.to_vec());
        Ok(blob)
    }

    fn get(&self, blob: &BlobRef) -> std::result::Result<Vec<u8>, RecordError> {
        let missing = || RecordError { doing: format!("reading {blob}"), source: None };
        self.blobs.lock().unwrap().get(blob).cloned().ok_or_else(missing)
    }

    fn emit(&self, kind: EventKind) -> std::result::Result<Seq, RecordError> {
        let mut events = self.events.lock().unwrap();
        let seq = Seq(events.len() as u64 + 1);
        let run = RunId::new("r").unwrap();
        events.push(Event { seq, at_ms: 1000 * seq.0, run, kind });
        Ok(seq)
    }

    fn sync(&self) -> std::result::Result<(), RecordError> {
        Ok(())
    }

    fn past(&self, wanted: &CallId) -> Past {
        let mut found = Past::Nothing;
        let mut asked = None;
        for event in self.events().into_iter().take(self.n_past) {
            match event.kind {
                EventKind::Model(ModelEvent::Called { call, request, .. }) if call == *wanted => {
                    found = Past::ModelUnknown;
                    asked = Some(request);
                }
                EventKind::Model(ModelEvent::Answered { call, response, usage, usd, .. })
                    if call == *wanted =>
                {
                    if let Some(request) = asked.clone() {
                        found = Past::Model { request, response, usage, usd };
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// Collects live text.
#[derive(Default)]
pub struct Said(pub Mutex<String>);

impl DeltaSink for Said {
    fn text(&self, delta: &str) {
        self.0.lock().unwrap().push_str(delta);
    }

    fn restart(&self) {
        self.0.lock().unwrap().push('|');
    }
}

impl Said {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

pub fn request(index: u32, text: &str) -> ChatRequest {
    ChatRequest {
        call: CallId { node: NodeId::new("task_001").unwrap(), attempt: 1, index },
        role: AgentRole::Coder,
        features: RouteFeatures::default(),
        fixed_model: None,
        messages: vec![Message::system("You write code."), Message::user(text)],
        tools: Vec::new(),
        response_schema: None,
        temperature: Some(0.1),
        max_output_tokens: None,
        turn: false,
        context: None,
    }
}

/// Limits long enough never to matter.
pub const PATIENT: CallTimeouts = CallTimeouts {
    connect: Duration::from_secs(10),
    first_token: Duration::from_secs(10),
    silence: Duration::from_secs(10),
    whole: Duration::from_secs(20),
};

/// Three tries without noticeable pauses.
pub const QUICK: RetryRules = RetryRules {
    max_tries: 3,
    first_pause: Duration::from_millis(2),
    max_pause: Duration::from_millis(4),
    refused_pause: Duration::from_millis(2),
    max_retry_after: Duration::from_millis(1500),
};

pub fn options(limits: CallTimeouts) -> RouterOptions {
    RouterOptions {
        limits,
        retries: QUICK,
        seed: Some(7),
        ..RouterOptions::new(Arc::new(FixedClock(1_000)))
    }
}

/// One try per call, and a provider that is asked however often it fails.
pub fn single_try() -> RouterOptions {
    let mut options = options(PATIENT);
    options.retries.max_tries = 1;
    options.health.failures_to_open = u32::MAX;
    options
}

pub fn router_with(yaml: &str, log: &Arc<MemoryLog>, options: RouterOptions) -> Router {
    let config = ModelsConfig::load(yaml, Path::new("models.yaml")).unwrap();
    let keys = |name: &str| (name == "TEST_KEY").then(|| "sk-very-secret".to_owned());
    let providers = ProviderSet::new(&config, &keys).unwrap();
    let recorder: Arc<dyn Recorder> = log.clone();
    Router::new(config, providers, recorder, Arc::new(NoProgress), options)
}

pub fn router(yaml: &str, log: &Arc<MemoryLog>) -> Router {
    router_with(yaml, log, options(PATIENT))
}

/// A configuration with one OpenAI-compatible provider `s` and the model `m`.
pub fn one_provider(url: &str) -> String {
    format!(
        "providers:\n  s: {{kind: openai, base_url: \"{url}/v1\", api_key_env: TEST_KEY}}\nmodels:\n  m: {{provider: s, usd_per_mtok: {{input: 1, output: 2}}}}\nprimary: m\n"
    )
}

/// Asks the server at `url` once, through a router with one model.
pub async fn ask(url: &str) -> (Result<ChatResponse>, Arc<MemoryLog>, String) {
    ask_with(url, options(PATIENT)).await
}

pub async fn ask_with(
    url: &str,
    options: RouterOptions,
) -> (Result<ChatResponse>, Arc<MemoryLog>, String) {
    let log = MemoryLog::new();
    let said = Said::default();
    let router = router_with(&one_provider(url), &log, options);
    let result = router.chat(&request(1, "hello"), &said).await;
    (result, log, said.text())
}
