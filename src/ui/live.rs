//! Shows a run while it happens: lines on stderr for people, or every event as JSON on stdout.
//!
//! Progress must never slow the run down, so it is handed to a thread of its own. Hints (model text,
//! command output) are dropped when [`MAX_WAITING_HINTS`] wait; events are few and are never dropped,
//! because with `--json` they are the answer.

mod lines;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use sage_core::{Progress, ProgressSink};

use super::Ui;
use lines::Lines;
pub use lines::duration;

/// How many hints may wait to be shown.
const MAX_WAITING_HINTS: usize = 512;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for people, on stderr.
    Lines {
        /// Also say why each model was chosen.
        explain_routing: bool,
    },
    /// Events as JSON, one per line, on stdout.
    Json,
}

/// The display; showing goes on until [`Live::finish`] or the last sink is dropped.
pub struct Live {
    sink: Arc<Sink>,
    thread: Option<JoinHandle<()>>,
}

struct Sink {
    to: Sender<Message>,
    waiting_hints: Arc<AtomicUsize>,
}

enum Message {
    Show(Box<Progress>),
    Flush(Sender<()>),
    End,
}

impl Live {
    /// Starts showing.
    pub fn start(ui: Arc<Ui>, form: Form) -> Self {
        let (to, from) = channel();
        let waiting_hints = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&waiting_hints);
        let show = move || show(&ui, form, &from, &waiting);
        let thread = std::thread::Builder::new().name("live display".to_owned()).spawn(show).ok();
        Self { sink: Arc::new(Sink { to, waiting_hints }), thread }
    }

    /// Where progress goes.
    pub fn sink(&self) -> Arc<dyn ProgressSink> {
        Arc::clone(&self.sink) as Arc<dyn ProgressSink>
    }

    /// Something that waits until all that was handed in so far is shown: before a question.
    pub fn flusher(&self) -> impl Fn() + Send + Sync + 'static {
        let sink = Arc::clone(&self.sink);
        move || {
            let (done, wait) = channel();
            if sink.to.send(Message::Flush(done)).is_ok() {
                // An error means that the display has ended, so everything is shown.
                let _ = wait.recv();
            }
        }
    }

    /// Shows what is left and ends.
    pub fn finish(mut self) {
        let _ = self.sink.to.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ProgressSink for Sink {
    fn progress(&self, progress: Progress) {
        if !matches!(progress, Progress::Logged(_)) {
            if self.waiting_hints.load(Ordering::Relaxed) >= MAX_WAITING_HINTS {
                return;
            }
            self.waiting_hints.fetch_add(1, Ordering::Relaxed);
        }
        // After the end there is nothing to show it to.
        let _ = self.to.send(Message::Show(Box::new(progress)));
    }
}

fn show(ui: &Ui, form: Form, from: &Receiver<Message>, waiting_hints: &AtomicUsize) {
    let mut lines = match form {
        Form::Lines { explain_routing } => Some(Lines::new(ui.level, explain_routing)),
        Form::Json => None,
    };
    for message in from {
        match message {
            Message::Show(progress) => {
                if !matches!(*progress, Progress::Logged(_)) {
                    waiting_hints.fetch_sub(1, Ordering::Relaxed);
                }
                match (&mut lines, &*progress) {
                    (Some(lines), progress) => {
                        for line in lines.on(progress) {
                            ui.aside(line);
                        }
                    }
                    (None, Progress::Logged(event)) => ui.json(event),
                    (None, _) => {}
                }
            }
            Message::Flush(done) => {
                let _ = done.send(());
            }
            Message::End => break,
        }
    }
}

#[cfg(test)]
mod tests;
