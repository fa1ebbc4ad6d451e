//! Compares two logs event by event.
//!
//! Tasks that run in parallel interleave differently each time, so events are matched by what they
//! are about (node, kind, call) and by their order within that, not by their position in the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sage_core::{
    BlobRef, CallId, Event, EventKind, ModelEvent, NodeEvent, NodeId, RunEvent, Seq, ToolEvent,
    WorkspaceEvent,
};
use sage_log::Payloads;
use serde_json::Value;

use super::{Difference, normalise};

/// Most differences that are reported: the first one is what matters.
pub(super) const MAX_DIFFERENCES: usize = 20;

/// Characters of a differing text that are shown.
const MAX_SHOWN_CHARS: usize = 300;

/// Fields that say when, how long or under which name, not what.
const VOLATILE: &[&str] = &[
    "seq",
    "at_ms",
    "run",
    "duration_ms",
    "latency_ms",
    "first_token_ms",
    "sage_version",
    // Counted on the text before redaction, which only the recorded run saw.
    "context",
    // Not in older logs.
    "turn",
    "options",
    "snapshot",
    "root",
    "mode",
    "by",
    "source",
    "edited",
];

/// One of the two logs.
pub(super) struct Side<'a> {
    pub events: &'a [Event],
    pub payloads: &'a Payloads,
    pub roots: &'a [PathBuf],
}

/// Every difference, in the order of the record.
pub(super) fn events(recorded: &Side<'_>, replayed: &Side<'_>) -> Vec<Difference> {
    let (old, mut new) = (keyed(recorded), keyed(replayed));
    let mut found = Vec::new();
    for (key, event) in &old {
        match new.remove(key) {
            None => found.push((event.seq.0, missing(key, Some(event.seq.0), "present", "absent"))),
            Some(other) => {
                if let Some(difference) = differ(key, event, other, recorded, replayed) {
                    found.push((event.seq.0, difference));
                }
            }
        }
    }
    // What only the replay has is placed where it happened there.
    found.extend(
        new.into_iter().map(|(key, event)| (event.seq.0, missing(&key, None, "absent", "present"))),
    );
    found.sort_by_key(|(seq, _)| *seq);
    found.into_iter().map(|(_, difference)| difference).collect()
}

fn missing(key: &Key, seq: Option<u64>, recorded: &str, replayed: &str) -> Difference {
    Difference {
        seq,
        event: key.to_string(),
        field: String::new(),
        recorded: recorded.to_owned(),
        replayed: replayed.to_owned(),
    }
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    node: String,
    kind: String,
    call: String,
    nth: usize,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let about = if self.call.is_empty() { &self.node } else { &self.call };
        write!(f, "{}", self.kind)?;
        if !about.is_empty() {
            write!(f, " of {about}")?;
        }
        if self.nth > 0 {
            write!(f, " (number {})", self.nth + 1)?;
        }
        Ok(())
    }
}

fn keyed<'a>(side: &Side<'a>) -> BTreeMap<Key, &'a Event> {
    let mut map = BTreeMap::new();
    let last = last_of_repeated(side.events);
    let is_last = |event: &Event| {
        repeated(&event.kind).is_none_or(|what| last.get(&what) == Some(&event.seq))
    };
    for event in side.events.iter().filter(|event| is_compared(&event.kind) && is_last(event)) {
        let json = serde_json::to_value(&event.kind).unwrap_or_default();
        let text =
            |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let node = event.kind.node().map(ToString::to_string).unwrap_or_default();
        let mut key = Key { node, kind: text("type"), call: text("call"), nth: 0 };
        while map.contains_key(&key) {
            key.nth += 1;
        }
        map.insert(key, event);
    }
    map
}

/// The last event about each thing that a run says again when it is taken up.
fn last_of_repeated(events: &[Event]) -> BTreeMap<Repeated, Seq> {
    events.iter().filter_map(|event| Some((repeated(&event.kind)?, event.seq))).collect()
}

/// What a run that was interrupted says once more, because it did not come to an end at first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Repeated {
    ToolCalled(CallId),
    ModelCalled(CallId),
    ModelEnded(CallId),
    NodeFinished(NodeId, u32),
    RunFinished,
    Checked(CallId),
    Snapshotted(NodeId, u32),
}

fn repeated(kind: &EventKind) -> Option<Repeated> {
    match kind {
        EventKind::Tool(ToolEvent::Called { call, .. }) => Some(Repeated::ToolCalled(call.clone())),
        EventKind::Model(ModelEvent::Called { call, .. }) => {
            Some(Repeated::ModelCalled(call.clone()))
        }
        EventKind::Model(ModelEvent::Answered { call, .. } | ModelEvent::Failed { call, .. }) => {
            Some(Repeated::ModelEnded(call.clone()))
        }
        EventKind::Node(NodeEvent::Finished { node, attempt, .. }) => {
            Some(Repeated::NodeFinished(node.clone(), *attempt))
        }
        EventKind::Run(RunEvent::Finished { .. }) => Some(Repeated::RunFinished),
        EventKind::Workspace(WorkspaceEvent::Checked { call, .. }) => {
            Some(Repeated::Checked(call.clone()))
        }
        EventKind::Workspace(WorkspaceEvent::Snapshotted { node, attempt, .. }) => {
            Some(Repeated::Snapshotted(node.clone(), *attempt))
        }
        _ => None,
    }
}

/// A replay has no router, and it is never interrupted or taken up again. The run's own budget is not
/// that of its replay. What commands leave in ignored files (caches, times) is no difference; what they do
/// to all others has events of its own.
fn is_compared(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::Model(
            ModelEvent::Routed { .. } | ModelEvent::TryFailed { .. } | ModelEvent::Exceeded { .. }
        ) | EventKind::Run(
            RunEvent::Resumed { .. }
                | RunEvent::Sandboxed { .. }
                | RunEvent::LimitsChanged { .. }
                | RunEvent::PlanRefused { .. }
                | RunEvent::BudgetReached { node: None, .. }
                | RunEvent::Committed { .. }
        ) | EventKind::Workspace(
            WorkspaceEvent::Observed { .. }
                | WorkspaceEvent::UndoStarted { .. }
                | WorkspaceEvent::Undone { .. }
                | WorkspaceEvent::Redone { .. }
                | WorkspaceEvent::LaneOpened { .. }
                | WorkspaceEvent::LaneRebased { .. }
        ) | EventKind::Human(_)
    )
}

fn differ(
    key: &Key,
    old: &Event,
    new: &Event,
    recorded: &Side<'_>,
    replayed: &Side<'_>,
) -> Option<Difference> {
    let (before, after) = (fields(old, recorded), fields(new, replayed));
    let names = before.keys().chain(after.keys());
    let field = names.into_iter().find(|name| before.get(*name) != after.get(*name))?;
    let (recorded, replayed) = excerpt(
        before.get(field).map_or("", String::as_str),
        after.get(field).map_or("", String::as_str),
    );
    Some(Difference {
        seq: Some(old.seq.0),
        event: key.to_string(),
        field: field.clone(),
        recorded,
        replayed,
    })
}

/// The event's fields as comparable text, payloads included.
fn fields(event: &Event, side: &Side<'_>) -> BTreeMap<String, String> {
    let Ok(Value::Object(fields)) = serde_json::to_value(&event.kind) else {
        return BTreeMap::new();
    };
    fields
        .into_iter()
        .filter(|(name, _)| !VOLATILE.contains(&name.as_str()))
        .map(|(name, value)| {
            let text = match &value {
                Value::String(text) => payload(text, side).unwrap_or_else(|| text.clone()),
                other => other.to_string(),
            };
            (name, normalise::text(&text, side.roots))
        })
        .collect()
}

/// The payload behind a blob reference, made readable.
fn payload(text: &str, side: &Side<'_>) -> Option<String> {
    let blob: BlobRef = text.parse().ok()?;
    let bytes = side.payloads.get(&blob).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Spread over lines, a difference in a request shows as the line that differs.
    let Ok(mut json) = serde_json::from_str::<Value>(&text) else { return Some(text) };
    if let Value::Object(fields) = &mut json {
        for name in VOLATILE {
            fields.remove(*name);
        }
        // Counted on the text before redaction, which only the recorded run saw.
        if let Some(Value::Object(features)) = fields.get_mut("features") {
            features.remove("prompt_tokens");
        }
    }
    serde_json::to_string_pretty(&json).ok().map(|text| text.replace("\\n", "\n"))
}

/// The first lines at which two texts differ, with the line before.
fn excerpt(old: &str, new: &str) -> (String, String) {
    let same = old.lines().zip(new.lines()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| {
        let lines: Vec<&str> = text.lines().skip(same.saturating_sub(1)).take(6).collect();
        lines.join("\n").chars().take(MAX_SHOWN_CHARS).collect::<String>()
    };
    (part(old), part(new))
}
