//! A run log in memory, for unit tests of everything that takes a [`Recorder`].
//!
//! Times are the sequence numbers, so that a snapshot of the events is the same on every machine.
//! What an earlier process left behind comes from [`MemoryRecorder::continued`] or is set by hand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use sage_core::{
    BlobRef, CallId, Event, EventKind, ModelEvent, Past, PastChange, RecordError, Recorder, RunId,
    Seq, ToolEvent, ToolPast, WorkspaceEvent,
};
use serde_json::Value;

/// A cheap handle to a log in memory; clones share the log.
#[derive(Debug, Clone)]
pub struct MemoryRecorder {
    log: Arc<Mutex<Log>>,
}

#[derive(Debug)]
struct Log {
    run: RunId,
    events: Vec<Event>,
    blobs: BTreeMap<BlobRef, Vec<u8>>,
    past: HashMap<CallId, Past>,
    n_syncs: usize,
    synced: Seq,
    fail_from: Option<Seq>,
}

impl Default for MemoryRecorder {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryRecorder {
    /// An empty log of the run `test-run`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            log: Arc::new(Mutex::new(Log {
                run: RunId::new("test-run").unwrap(),
                events: Vec::new(),
                blobs: BTreeMap::new(),
                past: HashMap::new(),
                n_syncs: 0,
                synced: Seq(0),
                fail_from: None,
            })),
        }
    }

    /// The recorder that a later process would have: the same events and blobs, and as its past what
    /// the events tell. Appending to it leaves this one alone.
    #[must_use]
    pub fn continued(&self) -> Self {
        self.continued_after(Seq(u64::MAX))
    }

    /// Like [`Self::continued`], for a process that died right after appending `last`.
    #[must_use]
    pub fn continued_after(&self, last: Seq) -> Self {
        let log = self.lock();
        let events: Vec<Event> =
            log.events.iter().filter(|event| event.seq <= last).cloned().collect();
        let past = past_of(&events);
        Self {
            log: Arc::new(Mutex::new(Log {
                run: log.run.clone(),
                events,
                blobs: log.blobs.clone(),
                past,
                n_syncs: 0,
                synced: Seq(0),
                fail_from: None,
            })),
        }
    }

    /// Says what an earlier process recorded about one call.
    pub fn set_past(&self, call: CallId, past: Past) {
        self.lock().past.insert(call, past);
    }

    /// Makes every append from this one on fail, as a full disk would.
    pub fn fail_from(&self, seq: Seq) {
        self.lock().fail_from = Some(seq);
    }

    /// Everything appended so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// The facts without position and time.
    #[must_use]
    pub fn kinds(&self) -> Vec<EventKind> {
        self.lock().events.iter().map(|event| event.kind.clone()).collect()
    }

    /// The dotted names of the facts, such as `node.finished`.
    #[must_use]
    pub fn type_names(&self) -> Vec<String> {
        self.lock().events.iter().map(|event| event.kind.type_name()).collect()
    }

    /// A payload as text, invalid bytes replaced. Panics when it was never stored.
    #[must_use]
    pub fn text(&self, blob: &BlobRef) -> String {
        String::from_utf8_lossy(&self.bytes(blob)).into_owned()
    }

    /// A payload as JSON. Panics when it was never stored or is not JSON.
    #[must_use]
    pub fn json(&self, blob: &BlobRef) -> Value {
        serde_json::from_slice(&self.bytes(blob)).expect("the blob is JSON")
    }

    /// Every payload, by address.
    #[must_use]
    pub fn blobs(&self) -> BTreeMap<BlobRef, Vec<u8>> {
        self.lock().blobs.clone()
    }

    /// How often the log was made durable.
    #[must_use]
    pub fn n_syncs(&self) -> usize {
        self.lock().n_syncs
    }

    /// The last event that was durable when asked.
    #[must_use]
    pub fn synced(&self) -> Seq {
        self.lock().synced
    }

    fn bytes(&self, blob: &BlobRef) -> Vec<u8> {
        self.lock().blobs.get(blob).cloned().unwrap_or_else(|| panic!("no blob {blob}"))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Recorder for MemoryRecorder {
    fn put(&self, bytes: &[u8]) -> Result<BlobRef, RecordError> {
        let blob = BlobRef::of(bytes);
        self.lock().blobs.insert(blob.clone(), bytes.to_vec());
        Ok(blob)
    }

    fn get(&self, blob: &BlobRef) -> Result<Vec<u8>, RecordError> {
        self.lock()
            .blobs
            .get(blob)
            .cloned()
            .ok_or_else(|| RecordError { doing: format!("reading blob {blob}"), source: None })
    }

    fn emit(&self, kind: EventKind) -> Result<Seq, RecordError> {
        let mut log = self.lock();
        let seq = Seq(log.events.len() as u64 + 1);
        if log.fail_from.is_some_and(|from| seq >= from) {
            return Err(RecordError { doing: format!("appending event {seq}"), source: None });
        }
        let run = log.run.clone();
        log.events.push(Event { seq, at_ms: seq.0, run, kind });
        Ok(seq)
    }

    fn sync(&self) -> Result<(), RecordError> {
        let mut log = self.lock();
        log.n_syncs += 1;
        log.synced = Seq(log.events.len() as u64);
        Ok(())
    }

    fn past(&self, call: &CallId) -> Past {
        self.lock().past.get(call).cloned().unwrap_or(Past::Nothing)
    }
}

/// What a log tells about each call in it.
fn past_of(events: &[Event]) -> HashMap<CallId, Past> {
    let mut past = HashMap::new();
    let mut requests = HashMap::new();
    for event in events {
        match &event.kind {
            EventKind::Model(ModelEvent::Called { call, request, .. }) => {
                requests.insert(call.clone(), request.clone());
                past.insert(call.clone(), Past::ModelUnknown);
            }
            EventKind::Model(ModelEvent::Answered { call, response, usage, usd, .. }) => {
                if let Some(request) = requests.get(call).cloned() {
                    let (response, usage, usd) = (response.clone(), *usage, *usd);
                    past.insert(call.clone(), Past::Model { request, response, usage, usd });
                }
            }
            EventKind::Tool(ToolEvent::Called { call, args, .. }) => {
                let args = args.clone();
                let tool = ToolPast { args, changes: Vec::new(), result: None };
                past.insert(call.clone(), Past::Tool(tool));
            }
            EventKind::Workspace(WorkspaceEvent::Changed { call, path, before, after, .. }) => {
                if let Some(Past::Tool(tool)) = past.get_mut(call) {
                    let (path, before, after) = (path.clone(), before.clone(), after.clone());
                    tool.changes.push(PastChange { path, before, after });
                }
            }
            EventKind::Tool(ToolEvent::Finished { call, ok, result, .. }) => {
                if let Some(Past::Tool(tool)) = past.get_mut(call) {
                    tool.result = Some((result.clone(), !ok));
                }
            }
            EventKind::Tool(ToolEvent::Refused { call, result, .. }) => {
                let refused = past.entry(call.clone()).or_insert_with(|| {
                    // A refusal has no arguments of its own in the log.
                    let args = BlobRef::of(b"");
                    Past::Tool(ToolPast { args, changes: Vec::new(), result: None })
                });
                if let Past::Tool(tool) = refused {
                    tool.result = Some((result.clone(), true));
                }
            }
            _ => {}
        }
    }
    past
}

#[cfg(test)]
mod tests {
    use sage_core::{Effect, NodeId};

    use super::*;

    fn call(index: u32) -> CallId {
        CallId { node: NodeId::new("a").unwrap(), attempt: 1, index }
    }

    fn called(log: &MemoryRecorder, index: u32) {
        let args = log.put(b"{}").unwrap();
        let (tool, summary) = ("read".to_owned(), String::new());
        let event =
            ToolEvent::Called { call: call(index), tool, effect: Effect::Read, args, summary };
        log.emit(event.into()).unwrap();
    }

    fn finished(log: &MemoryRecorder, index: u32) {
        let result = log.put(b"text").unwrap();
        let (tool, summary) = ("read".to_owned(), String::new());
        let event = ToolEvent::Finished {
            call: call(index),
            tool,
            ok: true,
            result,
            summary,
            duration_ms: 1,
        };
        log.emit(event.into()).unwrap();
    }

    #[test]
    fn a_continued_log_knows_finished_and_unknown_calls() {
        let log = MemoryRecorder::new();
        called(&log, 1);
        finished(&log, 1);
        called(&log, 2);
        assert_eq!(log.past(&call(1)), Past::Nothing, "a fresh run has no past");

        let later = log.continued();
        let Past::Tool(first) = later.past(&call(1)) else { panic!("call 1 is a tool call") };
        assert_eq!(first.result, Some((BlobRef::of(b"text"), false)));
        let Past::Tool(second) = later.past(&call(2)) else { panic!("call 2 is a tool call") };
        assert_eq!(second.result, None);
        assert_eq!(later.past(&call(3)), Past::Nothing);

        let torn = log.continued_after(Seq(1));
        let Past::Tool(first) = torn.past(&call(1)) else { panic!("call 1 is a tool call") };
        assert_eq!(first.result, None, "its end is not in the shorter log");
    }

    #[test]
    fn appends_fail_when_told_to() {
        let log = MemoryRecorder::new();
        called(&log, 1);
        log.fail_from(Seq(2));
        let result = log.put(b"x").unwrap();
        let refused = ToolEvent::Refused {
            call: call(1),
            tool: "read".to_owned(),
            summary: String::new(),
            reason: String::new(),
            result,
        };
        assert!(log.emit(refused.into()).is_err());
        assert_eq!(log.events().len(), 1);
    }
}
