//! The only place where tasks are spawned: a scope owns them, cancels them and joins them.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long [`TaskScope::end_within`] waits for aborted tasks to be dropped. Only a task that blocks
/// its thread takes longer.
const ABORT_GRACE: Duration = Duration::from_millis(200);

/// What the cancellation of a scope does to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnCancel {
    /// Nothing: the task watches the token itself, or ends soon anyway.
    Finish,
    /// Its future is dropped where it waits.
    Abort,
}

/// A task that panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the task {task:?} panicked: {message}")]
pub struct TaskPanic {
    /// The name that it was spawned under.
    pub task: String,
    /// What it panicked with.
    pub message: String,
}

/// Owns spawned tasks. Dropping it aborts those that are left.
#[derive(Debug)]
pub struct TaskScope {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
    panics: Vec<TaskPanic>,
    cancel: CancellationToken,
}

impl TaskScope {
    /// A scope without tasks, which is cancelled when `cancel` is.
    #[must_use]
    pub fn new(cancel: &CancellationToken) -> Self {
        Self {
            tasks: JoinSet::new(),
            names: HashMap::new(),
            panics: Vec::new(),
            cancel: cancel.child_token(),
        }
    }

    /// The token that tells the scope's tasks to end.
    #[must_use]
    pub fn token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Spawns a task under a name by which a panic is reported. Needs a tokio runtime.
    pub fn spawn<F>(&mut self, name: impl Into<String>, on_cancel: OnCancel, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.reap();
        let handle = match on_cancel {
            OnCancel::Finish => self.tasks.spawn(task),
            OnCancel::Abort => {
                let cancel = self.cancel.clone();
                self.tasks.spawn(async move {
                    cancel.run_until_cancelled_owned(task).await;
                })
            }
        };
        self.names.insert(handle.id(), name.into());
    }

    /// Tells the tasks to end; those spawned with [`OnCancel::Abort`] end where they wait.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits until every task has ended. The error lists those that panicked.
    pub async fn join(mut self) -> Result<(), Vec<TaskPanic>> {
        self.join_all().await;
        self.panicked()
    }

    /// Cancels, waits for the tasks for at most `grace`, then aborts those that are left.
    pub async fn end_within(mut self, grace: Duration) -> Result<(), Vec<TaskPanic>> {
        self.cancel.cancel();
        if timeout(grace, self.join_all()).await.is_err() {
            self.tasks.abort_all();
            // A task that still blocks its thread is left to the runtime.
            let _ = timeout(ABORT_GRACE, self.join_all()).await;
        }
        self.panicked()
    }

    async fn join_all(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Forgets tasks that have ended, so that a long-lived scope does not grow.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        match ended {
            Ok((id, ())) => {
                self.names.remove(&id);
            }
            Err(error) => {
                let task = self.names.remove(&error.id()).unwrap_or_default();
                if let Ok(payload) = error.try_into_panic() {
                    self.panics.push(TaskPanic { task, message: panic_message(&*payload) });
                }
            }
        }
    }

    fn panicked(self) -> Result<(), Vec<TaskPanic>> {
        if self.panics.is_empty() { Ok(()) } else { Err(self.panics) }
    }
}

/// What a panic says, if it says it as text.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a value that is not text".to_owned())
}

#[cfg(test)]
mod tests;
