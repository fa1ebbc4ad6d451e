//! A finished run's answers again, by call: for `sage replay`. Never networks.
//!
//! A request that differs from the recorded one is still answered (the changed rule or tool is what a
//! replay is for) and noted as a [`Difference`]; a call that was never made is an error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sage_core::{BlobRef, CallId, ErrorKind, Event, EventKind, ModelEvent, Recorder};
use serde_json::Value;

use crate::config::ModelsConfig;
use crate::recorded::request_bytes;
use crate::router::pins::{Pins, Slot};
use crate::{ChatModel, ChatRequest, ChatResponse, DeltaSink, Error, ModelFacts, Result};

/// The most differences that are kept; the first ones say what changed.
pub const MAX_DIFFERENCES: usize = 100;
/// How deep two requests are compared, and how much of a value is shown.
const MAX_DEPTH: usize = 64;
const SHOWN_CHARS: usize = 60;

/// How a replay strayed from what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The call.
    pub call: CallId,
    /// What differs, first place first.
    pub what: String,
}

/// A model that answers from a log.
pub struct Replayed {
    past: BTreeMap<CallId, PastCall>,
    /// Models chosen.
    routed: Pins,
    config: ModelsConfig,
    blobs: Arc<dyn Recorder>,
    live: Arc<dyn Recorder>,
    differences: Mutex<Vec<Difference>>,
}

#[derive(Debug, Default)]
struct PastCall {
    request: Option<BlobRef>,
    response: Option<BlobRef>,
    failed: Option<(ErrorKind, String)>,
    /// What the router told meanwhile: choices and failed tries.
    told: Vec<ModelEvent>,
}

impl Replayed {
    /// Answers from `events`, the log of the recorded run, whose payloads `blobs` reads. What the router
    /// told in the recorded run is told again to `live`, the replay's own log. `config` supplies facts
    /// about the models that the recorded run chose.
    #[must_use]
    pub fn new(
        events: &[Event],
        blobs: Arc<dyn Recorder>,
        live: Arc<dyn Recorder>,
        config: ModelsConfig,
    ) -> Self {
        let mut past: BTreeMap<CallId, PastCall> = BTreeMap::new();
        let mut routed = Pins::default();
        for event in events {
            let EventKind::Model(event) = &event.kind else { continue };
            match event {
                ModelEvent::Called { call, request, .. } => {
                    past.entry(call.clone()).or_default().request = Some(request.clone());
                }
                ModelEvent::Answered { call, response, .. } => {
                    past.entry(call.clone()).or_default().response = Some(response.clone());
                }
                ModelEvent::Failed { call, error, message } => {
                    past.entry(call.clone()).or_default().failed = Some((*error, message.clone()));
                }
                ModelEvent::Routed { call, role, features, chosen, .. } => {
                    routed.put(Slot::of(call, *role, features), call.index, chosen);
                    past.entry(call.clone()).or_default().told.push(event.clone());
                }
                ModelEvent::Exceeded { .. } => {}
                ModelEvent::TryFailed { call, .. } => {
                    past.entry(call.clone()).or_default().told.push(event.clone());
                }
            }
        }
        Self { past, routed, config, blobs, live, differences: Mutex::new(Vec::new()) }
    }

    /// The differences so far, in the order in which they were met.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        self.differences.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn differs(&self, call: &CallId, what: String) {
        let mut differences = self.differences.lock().unwrap_or_else(PoisonError::into_inner);
        if differences.len() < MAX_DIFFERENCES {
            differences.push(Difference { call: call.clone(), what });
        }
    }

    fn compare(&self, request: &ChatRequest, recorded: &BlobRef) -> Result<()> {
        // Put first: that is what redacts, and the recorded request was redacted too.
        let now = self.live.put(&request_bytes(request)?)?;
        if now == *recorded {
            return Ok(());
        }
        let read = |bytes: Vec<u8>| {
            serde_json::from_slice::<Value>(&bytes).map_err(|source| Error::BadRecord {
                what: "request",
                call: request.call.clone(),
                source,
            })
        };
        let (before, now) = (read(self.blobs.get(recorded)?)?, read(self.live.get(&now)?)?);
        if let Some(what) = first_difference(&before, &now) {
            self.differs(&request.call, what);
        }
        Ok(())
    }

    fn answer(&self, request: &ChatRequest) -> Result<ChatResponse> {
        let call = &request.call;
        let Some(past) = self.past.get(call) else {
            self.differs(call, "the call was not made in the recorded run".to_owned());
            return Err(Error::NotRecorded { call: call.clone() });
        };
        if let Some(recorded) = &past.request {
            self.compare(request, recorded)?;
        }
        for event in &past.told {
            self.live.emit(event.clone().into())?;
        }
        match (&past.response, &past.failed) {
            (Some(response), _) => {
                let bytes = self.blobs.get(response)?;
                serde_json::from_slice(&bytes).map_err(|source| Error::BadRecord {
                    what: "response",
                    call: call.clone(),
                    source,
                })
            }
            (None, Some((kind, message))) => {
                Err(Error::Replayed { kind: *kind, message: message.clone() })
            }
            (None, None) => {
                self.differs(call, "the call was not answered in the recorded run".to_owned());
                Err(Error::NotRecorded { call: call.clone() })
            }
        }
    }
}

#[async_trait]
impl ChatModel for Replayed {
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse> {
        let response = self.answer(request)?;
        if !response.message.text.is_empty() {
            deltas.text(&response.message.text);
        }
        Ok(response)
    }

    fn facts(&self, request: &ChatRequest) -> Result<ModelFacts> {
        let slot = Slot::of(&request.call, request.role, &request.features);
        let chosen = self.routed.get(&slot, request.call.index);
        let usual = || self.config.route(request.role).primary.clone();
        let name = chosen.or_else(|| request.fixed_model.clone()).unwrap_or_else(usual);
        Ok(self.config.resolve(&name).facts)
    }
}

/// The first place at which two JSON values differ, with both sides.
pub(crate) fn first_difference(before: &Value, now: &Value) -> Option<String> {
    walk(before, now, "request", 0)
}

fn walk(before: &Value, now: &Value, at: &str, depth: usize) -> Option<String> {
    if before == now {
        return None;
    }
    match (before, now) {
        (Value::Object(a), Value::Object(b)) if depth < MAX_DEPTH => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            let null = Value::Null;
            names.into_iter().find_map(|name| {
                let (a, b) = (a.get(name).unwrap_or(&null), b.get(name).unwrap_or(&null));
                walk(a, b, &format!("{at}.{name}"), depth + 1)
            })
        }
        (Value::Array(a), Value::Array(b)) if depth < MAX_DEPTH => {
            let inside = a.iter().zip(b).enumerate();
            let inside = inside
                .into_iter()
                .find_map(|(n, (a, b))| walk(a, b, &format!("{at}[{n}]"), depth + 1));
            inside.or_else(|| Some(format!("{at} has {} items instead of {}", b.len(), a.len())))
        }
        (Value::String(a), Value::String(b)) => {
            let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            let (a, b) = (cut(a, same), cut(b, same));
            Some(format!("{at} at character {}: {b:?} instead of {a:?}", same + 1))
        }
        (a, b) => Some(format!("{at}: {} instead of {}", shown(b), shown(a))),
    }
}

fn cut(text: &str, from: usize) -> String {
    text.chars().skip(from).take(SHOWN_CHARS).collect()
}

fn shown(value: &Value) -> String {
    cut(&value.to_string(), 0)
}
