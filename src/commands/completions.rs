//! `sage completions SHELL`.

use super::version::VERSION;
use crate::cli::{Cli, CompletionsArgs};
use crate::exit_code::ExitCode;
use crate::ui::Ui;

/// Prints the script.
pub fn run(args: &CompletionsArgs, ui: &Ui) -> ExitCode {
    let all = Cli::definition();
    // The generators offer hidden commands too; what nobody should type is left out beforehand.
    let mut visible = clap::Command::new("sage")
        .args(all.get_arguments().cloned())
        .subcommands(all.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
        .version(VERSION)
        .disable_help_subcommand(true);
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible, "sage", &mut script);
    ui.text(String::from_utf8_lossy(&script));
    ExitCode::Done
}
