//! `sage version`.

use serde_json::json;

use crate::cli::VersionArgs;
use crate::exit_code::ExitCode;
use crate::ui::Ui;

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints it.
pub fn run(args: &VersionArgs, ui: &Ui) -> ExitCode {
    if args.output.json {
        ui.json(&json!({
            "name": "sage",
            "version": VERSION,
            "event_format": sage_core::EVENT_FORMAT_VERSION,
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
        }));
    } else {
        ui.line(format!("sage {VERSION}"));
    }
    ExitCode::Done
}
