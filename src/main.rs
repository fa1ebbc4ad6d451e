//! The binary `sage`: parse, configure, wire, render.
//!
//! Invariant: nothing is read or started before the command that needs it asks. This file only turns
//! argv into a command and its outcome into an exit code.

mod app;
mod cli;
mod commands;
mod context;
mod env_vars;
mod exit_code;
mod failure;
mod files;
mod hints;
mod history;
mod panic_report;
mod policy_file;
mod session;
mod settings;
mod ui;

use std::process::ExitCode;

use cli::{Cli, UsageError};
use failure::Failure;

fn main() -> ExitCode {
    // Before anything else is read or started: a launcher has one thread and nothing to say.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == sage_tool::LAUNCHER_WORD) {
        return sage_tool::launch(args);
    }
    panic_report::install();
    // A panic is reported by the hook; here it only becomes an exit code.
    let code = std::panic::catch_unwind(start).unwrap_or(exit_code::ExitCode::Internal);
    code.into()
}

fn start() -> exit_code::ExitCode {
    let env = env_vars::EnvVars::read();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return explain(error, &env),
    };
    let ui = std::sync::Arc::new(ui::Ui::new(&cli.global, &env));
    match commands::dispatch(cli, env, &ui) {
        Ok(code) => code,
        Err(failure) => {
            ui.failure(&failure);
            failure.code
        }
    }
}

/// Prints help and version texts, or what is wrong with the command line.
fn explain(error: UsageError, env: &env_vars::EnvVars) -> exit_code::ExitCode {
    let global = cli::GlobalArgs::of_broken_argv(std::env::args_os());
    let ui = ui::Ui::new(&global, env);
    match error {
        UsageError::Text(text) => {
            ui.text(text);
            exit_code::ExitCode::Done
        }
        UsageError::Wrong { message, hint } => {
            ui.failure(&Failure::usage(message).hint(hint));
            exit_code::ExitCode::Usage
        }
    }
}

/// Ends the process at once: the second Ctrl-C.
#[expect(clippy::disallowed_methods, reason = "the one place that ends the process")]
pub(crate) fn exit_now(code: exit_code::ExitCode) -> ! {
    std::process::exit(i32::from(code.number()))
}
