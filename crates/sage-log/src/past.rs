//! What earlier processes recorded about each call, looked up by a task that runs again.
//!
//! Built once, when a run is reopened; what this process appends later is not in it, because the code
//! that runs now has the results of its own calls.

use std::collections::HashMap;

use sage_core::{
    BlobRef, CallId, Event, EventKind, ModelEvent, Past, PastChange, ToolEvent, ToolPast, Usage,
    WorkspaceEvent,
};

/// The recorded calls of a run.
#[derive(Debug, Default)]
pub(crate) struct PastCalls {
    calls: HashMap<CallId, Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    model: Option<ModelCall>,
    /// Arguments of the last start.
    args: Option<BlobRef>,
    /// Every change that was announced, in order, over all times the call was taken up.
    changes: Vec<PastChange>,
    /// The last result, and whether it is an error for the model.
    result: Option<(BlobRef, bool)>,
    /// The arguments that the last result belongs to.
    finished_args: Option<BlobRef>,
}

#[derive(Debug)]
struct ModelCall {
    /// Request of the last start.
    request: BlobRef,
    answer: Option<Answer>,
}

#[derive(Debug)]
struct Answer {
    request: BlobRef,
    response: BlobRef,
    usage: Usage,
    usd: f64,
}

impl PastCalls {
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut past = Self::default();
        for event in events {
            match &event.kind {
                EventKind::Model(event) => past.add_model(event),
                EventKind::Tool(event) => past.add_tool(event),
                EventKind::Workspace(
                    WorkspaceEvent::Changed { call, path, before, after, .. }
                    | WorkspaceEvent::LaneChanged { call, path, before, after, .. },
                ) => {
                    past.entry(call).changes.push(PastChange {
                        path: path.clone(),
                        before: before.clone(),
                        after: after.clone(),
                    });
                }
                _ => {}
            }
        }
        past
    }

    /// What was recorded about `call`. A result whose payload `is_intact` denies (the machine died
    /// before it was durable) counts as never having arrived.
    pub(crate) fn get(&self, call: &CallId, is_intact: impl Fn(&BlobRef) -> bool) -> Past {
        let Some(recorded) = self.calls.get(call) else { return Past::Nothing };
        if let Some(model) = &recorded.model {
            return match &model.answer {
                Some(answer) if is_intact(&answer.response) => Past::Model {
                    request: answer.request.clone(),
                    response: answer.response.clone(),
                    usage: answer.usage,
                    usd: answer.usd,
                },
                _ => Past::ModelUnknown,
            };
        }
        let result = recorded.result.clone().filter(|(blob, _)| is_intact(blob));
        let args = if result.is_some() { &recorded.finished_args } else { &recorded.args };
        Past::Tool(ToolPast {
            // A call that was refused before it started has no arguments on record.
            args: args.clone().unwrap_or_else(|| BlobRef::of(b"")),
            changes: recorded.changes.clone(),
            result,
        })
    }

    fn add_model(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::Called { call, request, .. } => {
                let recorded = self.entry(call);
                let answer = recorded.model.take().and_then(|model| model.answer);
                recorded.model = Some(ModelCall { request: request.clone(), answer });
            }
            ModelEvent::Answered { call, response, usage, usd, .. } => {
                // An answer without a start has no request to be matched with.
                if let Some(model) = &mut self.entry(call).model {
                    model.answer = Some(Answer {
                        request: model.request.clone(),
                        response: response.clone(),
                        usage: *usage,
                        usd: *usd,
                    });
                }
            }
            ModelEvent::Routed { .. }
            | ModelEvent::TryFailed { .. }
            | ModelEvent::Exceeded { .. }
            | ModelEvent::Failed { .. } => {}
        }
    }

    fn add_tool(&mut self, event: &ToolEvent) {
        match event {
            ToolEvent::Called { call, args, .. } => {
                self.entry(call).args = Some(args.clone());
            }
            ToolEvent::Finished { call, result, ok, .. } => {
                let recorded = self.entry(call);
                recorded.result = Some((result.clone(), !ok));
                recorded.finished_args = recorded.args.clone();
            }
            ToolEvent::Refused { call, result, .. } => {
                let recorded = self.entry(call);
                recorded.result = Some((result.clone(), true));
                recorded.finished_args = recorded.args.clone();
            }
            ToolEvent::Repeated { .. } => {}
        }
    }

    fn entry(&mut self, call: &CallId) -> &mut Recorded {
        self.calls.entry(call.clone()).or_default()
    }
}
