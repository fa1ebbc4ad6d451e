//! A panic is a fault of ours: one short report, where the log is, exit code 70.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::path::PathBuf;
use std::sync::Mutex;

use crate::env_vars::EnvVars;
use crate::ui;

/// The log of the run that is going on, for the report. Set once a run has one.
static LOG: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Remembers where the log of the run is.
pub fn note_log(folder: PathBuf) {
    if let Ok(mut log) = LOG.lock() {
        *log = Some(folder);
    }
}

/// Installs the hook. The backtrace is printed only when `RUST_BACKTRACE` asks for one.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("no message");
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
        let mut report = format!("error: a fault of sage: {what}{}", place.unwrap_or_default());
        // Never wait for a lock here: the panic may have happened while it was held.
        if let Ok(log) = LOG.try_lock()
            && let Some(folder) = log.as_ref()
        {
            report.push_str(&format!("\n  the log of the run is in {}", folder.display()));
        }
        report
            .push_str("\n\nhint: please report this with the text above; nothing you had is lost");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            report.push_str(&format!("\n\n{trace}"));
        }
        ui::raw_stderr(&report);
    }));
}

/// Panics when `SAGE_FAULT_PANIC` asks for it, so that a test can see the report.
#[expect(clippy::panic, reason = "the fault that the test wants")]
pub fn inject_fault(env: &EnvVars) {
    if env.is_on("SAGE_FAULT_PANIC") {
        panic!("asked for by SAGE_FAULT_PANIC");
    }
}
