//! Model calls as effects of a run: announced before they are made, recorded when they are answered,
//! never made again when an earlier process recorded the answer.
//!
//! Order: put the request, emit `model.called`, sync, call, put the answer, emit `model.answered`. The
//! answer needs no sync of its own: whatever depends on it syncs before it acts.

use std::sync::Arc;

use async_trait::async_trait;
use sage_core::{BlobRef, ModelEvent, Past, Recorder};

use crate::{ChatModel, ChatRequest, ChatResponse, DeltaSink, Error, ModelFacts, Result};

/// A model whose calls are recorded. The outermost decorator: what is inside may change a request.
pub struct Recorded<M> {
    inner: M,
    recorder: Arc<dyn Recorder>,
}

impl<M: ChatModel> Recorded<M> {
    /// Records the calls of `inner`.
    pub fn new(inner: M, recorder: Arc<dyn Recorder>) -> Self {
        Self { inner, recorder }
    }

    /// What is inside.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// The answer that an earlier process recorded for this very request. Emits nothing.
    fn past(&self, request: &ChatRequest, blob: &BlobRef) -> Result<Option<ChatResponse>> {
        let call = &request.call;
        match self.recorder.past(call) {
            Past::Nothing | Past::ModelUnknown => Ok(None),
            Past::Model { request: recorded, response, .. } => {
                if recorded != *blob {
                    let reason = self.first_difference(&recorded, blob);
                    return Err(Error::Diverged { call: call.clone(), reason });
                }
                let bytes = self.recorder.get(&response)?;
                serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::BadRecord {
                    what: "response",
                    call: call.clone(),
                    source,
                })
            }
            Past::Tool(_) => Err(Error::Diverged {
                call: call.clone(),
                reason: "a tool call was recorded in its place".to_owned(),
            }),
        }
    }

    fn first_difference(&self, recorded: &BlobRef, now: &BlobRef) -> String {
        let read = |blob: &BlobRef| {
            let bytes = self.recorder.get(blob).ok()?;
            serde_json::from_slice(&bytes).ok()
        };
        match (read(recorded), read(now)) {
            (Some(recorded), Some(now)) => crate::replayed::first_difference(&recorded, &now)
                .unwrap_or_else(|| "the requests differ in their spelling".to_owned()),
            _ => "its request cannot be read back".to_owned(),
        }
    }
}

/// The bytes under which a request is recorded.
pub(crate) fn request_bytes(request: &ChatRequest) -> Result<Vec<u8>> {
    serde_json::to_vec(request).map_err(|source| Error::BadRecord {
        what: "request",
        call: request.call.clone(),
        source,
    })
}

#[async_trait]
impl<M: ChatModel> ChatModel for Recorded<M> {
    /// Dropping the future leaves a call whose outcome is unknown; it is made again on resume.
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse> {
        let blob = self.recorder.put(&request_bytes(request)?)?;
        if let Some(response) = self.past(request, &blob)? {
            return Ok(response);
        }
        self.inner.admit(request)?;
        let call = request.call.clone();
        let called = ModelEvent::Called {
            call: call.clone(),
            role: request.role,
            request: blob,
            turn: request.turn,
            context: request.context,
        };
        self.recorder.emit(called.into())?;
        self.recorder.sync()?;
        match self.inner.chat(request, deltas).await {
            Ok(response) => {
                let bytes = serde_json::to_vec(&response).map_err(|source| Error::BadRecord {
                    what: "response",
                    call: call.clone(),
                    source,
                })?;
                let answered = ModelEvent::Answered {
                    call,
                    role: request.role,
                    model: response.model.clone(),
                    provider: response.provider.clone(),
                    local: response.local,
                    scripted: response.scripted,
                    response: self.recorder.put(&bytes)?,
                    finish: response.finish.clone(),
                    usage: response.usage,
                    usd: response.usd,
                    first_token_ms: response.first_token_ms,
                    latency_ms: response.latency_ms,
                };
                self.recorder.emit(answered.into())?;
                Ok(response)
            }
            Err(error) => {
                let (kind, message) = (error.kind(), error.to_string());
                let failed = ModelEvent::Failed { call, error: kind, message };
                self.recorder.emit(failed.into())?;
                Err(error)
            }
        }
    }

    fn facts(&self, request: &ChatRequest) -> Result<ModelFacts> {
        self.inner.facts(request)
    }

    fn admit(&self, request: &ChatRequest) -> Result<()> {
        self.inner.admit(request)
    }
}
