//! `sage completions SHELL`.

use crate::cli::{Cli, CompletionsArgs};
use crate::exit_code::ExitCode;
use crate::ui::Ui;

/// Prints the script.
pub fn run(args: &CompletionsArgs, ui: &Ui) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::definition(), "sage", &mut script);
    ui.text(String::from_utf8_lossy(&script));
    ExitCode::Done
}
