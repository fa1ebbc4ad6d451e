//! A progress sink that keeps what it is given.

use std::sync::{Arc, Mutex, MutexGuard};

use sage_core::{Progress, ProgressSink};

/// Keeps every hint; clones share the list.
#[derive(Debug, Clone, Default)]
pub struct RecordingProgress {
    taken: Arc<Mutex<Vec<Progress>>>,
}

impl RecordingProgress {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything so far, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Progress> {
        self.lock().clone()
    }

    /// The streamed text of all calls, joined.
    #[must_use]
    pub fn text(&self) -> String {
        let taken = self.lock();
        let deltas = taken.iter().filter_map(|progress| match progress {
            Progress::Text { delta, .. } => Some(delta.as_str()),
            _ => None,
        });
        deltas.collect()
    }

    /// The output of all child processes, joined.
    #[must_use]
    pub fn output(&self) -> String {
        let taken = self.lock();
        let deltas = taken.iter().filter_map(|progress| match progress {
            Progress::Output { delta, .. } => Some(delta.as_str()),
            _ => None,
        });
        deltas.collect()
    }

    /// The texts of all notices.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let taken = self.lock();
        let texts = taken.iter().filter_map(|progress| match progress {
            Progress::Notice { text, .. } => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ProgressSink for RecordingProgress {
    fn progress(&self, progress: Progress) {
        self.lock().push(progress);
    }
}
