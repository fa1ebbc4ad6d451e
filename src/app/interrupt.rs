//! Ctrl-C and SIGTERM: the first cancels a token, so that the run stops its children, writes what it
//! knows and exits 130; the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::ui::Ui;

/// Listens for the rest of the process. A thread with a small runtime of its own does it, so that
/// the second signal works even when the run is stuck.
#[derive(Debug, Clone)]
pub struct Interrupts {
    cancel: CancellationToken,
    happened: Arc<AtomicBool>,
}

impl Interrupts {
    /// Starts listening; from now on the signals do not end the process by themselves.
    pub fn listen(ui: Arc<Ui>) -> Result<Self, Failure> {
        let interrupts =
            Self { cancel: CancellationToken::new(), happened: Arc::new(AtomicBool::new(false)) };
        let failed =
            |error: std::io::Error| Failure::environment("listening for signals").because(error);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let (mut ctrl_c, mut terminate) = {
            let _inside = runtime.enter();
            let ctrl_c = signal(SignalKind::interrupt()).map_err(failed)?;
            (ctrl_c, signal(SignalKind::terminate()).map_err(failed)?)
        };
        let listener = interrupts.clone();
        let listen = async move {
            loop {
                tokio::select! {
                    _ = ctrl_c.recv() => {}
                    _ = terminate.recv() => {}
                }
                if listener.happened.swap(true, Ordering::SeqCst) {
                    sage_tool::process::kill_all();
                    crate::exit_now(ExitCode::Interrupted);
                }
                listener.cancel.cancel();
                ui.note("stopping; once more to stop at once");
            }
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(listen))
            .map_err(failed)?;
        Ok(interrupts)
    }

    /// Cancelled by the first signal.
    pub fn token(&self) -> &CancellationToken {
        &self.cancel
    }
}
