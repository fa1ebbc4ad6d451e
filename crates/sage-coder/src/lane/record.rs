//! The log as the tools of a task in a lane see it.

use std::sync::Arc;

use sage_core::{BlobRef, CallId, EventKind, Past, RecordError, Recorder, Seq, WorkspaceEvent};
use sage_log::RunLog;

/// Says of every change and every check that it was made in the lane.
pub(crate) struct LaneRecorder(pub Arc<RunLog>);

impl Recorder for LaneRecorder {
    fn put(&self, bytes: &[u8]) -> Result<BlobRef, RecordError> {
        self.0.put(bytes)
    }

    fn get(&self, blob: &BlobRef) -> Result<Vec<u8>, RecordError> {
        self.0.get(blob)
    }

    fn emit(&self, kind: EventKind) -> Result<Seq, RecordError> {
        self.0.emit(match kind {
            EventKind::Workspace(event) => EventKind::Workspace(in_lane(event)),
            other => other,
        })
    }

    fn sync(&self) -> Result<(), RecordError> {
        self.0.sync()
    }

    fn past(&self, call: &CallId) -> Past {
        self.0.past(call)
    }
}

fn in_lane(event: WorkspaceEvent) -> WorkspaceEvent {
    match event {
        WorkspaceEvent::Changed { call, path, before, after, lines_added, lines_removed } => {
            WorkspaceEvent::LaneChanged { call, path, before, after, lines_added, lines_removed }
        }
        mut event => {
            if let WorkspaceEvent::Checked { in_lane, .. } = &mut event {
                *in_lane = true;
            }
            event
        }
    }
}
