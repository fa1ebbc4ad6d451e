//! The commands: which function runs each, and how they are grouped for people.
//!
//! Names, summaries and flags are in `cli.rs`; one file per command is in `commands/`. Adding a
//! command means a variant there, an arm and a place in [`GROUPS`] here, and a file.

mod apply;
mod completions;
mod config;
mod context;
mod demo;
mod docs;
mod doctor;
mod help;
mod init;
mod list;
mod log;
mod memory;
mod models;
mod permissions;
mod plan;
mod replay;
mod resume;
mod rules;
mod run;
mod runs;
mod sandbox;
mod session;
mod status;
mod undo;
mod version;
mod welcome;

use std::path::Path;
use std::sync::Arc;

use crate::cli::{Cli, Command, GlobalArgs};
use crate::context::Context;
use crate::env_vars::EnvVars;
use crate::failure::{Failure, Outcome};
use crate::panic_report;
use crate::ui::Ui;

/// Groups of commands, in the order of a first day.
pub const GROUPS: &[(&str, &[&str])] = &[
    ("Work", &["run", "resume", "plan", "undo", "apply", "demo"]),
    ("Look", &["status", "runs", "log", "replay", "context"]),
    ("Project", &["init", "rules", "permissions", "sandbox", "session", "memory"]),
    ("Set up", &["doctor", "config", "models"]),
    ("About", &["commands", "completions", "help", "version"]),
];

/// Runs what was asked for.
pub fn dispatch(cli: Cli, env: EnvVars, ui: &Arc<Ui>) -> Outcome {
    let Cli { global, command } = cli;
    match command {
        None => Ok(welcome::run(ui)),
        Some(Command::Version(args)) => Ok(version::run(&args, ui)),
        Some(Command::Commands(args)) => Ok(list::run(&args, ui)),
        Some(Command::Completions(args)) => Ok(completions::run(&args, ui)),
        Some(Command::Help(args)) => help::run(&args, ui),
        Some(Command::Docs(args)) => Ok(docs::run(&args, ui)),
        Some(Command::Apply(args)) => apply::run(&args, &global, ui),
        Some(command) => in_project(command, &global, env, ui),
    }
}

fn in_project(command: Command, global: &GlobalArgs, env: EnvVars, ui: &Arc<Ui>) -> Outcome {
    for (name, near) in env.unknown() {
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        ui.detail(format!("nothing reads the variable `{name}`{near}"));
    }
    let repo = match &command {
        Command::Run(args) => args.repo.as_deref().map(Path::to_owned),
        _ => None,
    };
    panic_report::inject_fault(&env);
    let cx = Context::discover(global, repo.as_deref(), env)?;
    match command {
        Command::Run(args) => run::run(&args, &cx, ui),
        Command::Resume(args) => resume::run(&args, &cx, ui),
        Command::Replay(args) => replay::run(&args, &cx, ui),
        Command::Undo(args) => undo::run(&args, &cx, ui),
        Command::Demo(args) => demo::run(&args, &cx, ui),
        Command::Plan(args) => plan::run(&args, &cx, ui),
        Command::Context(args) => context::run(&args, &cx, ui),
        Command::Status(args) => status::run(&args, &cx, ui),
        Command::Runs(args) => runs::run(args, &cx, ui),
        Command::Log(args) => log::run(&args, &cx, ui),
        Command::Init(args) => init::run(&args, &cx, ui),
        Command::Rules(args) => rules::run(args, &cx, ui),
        Command::Doctor(args) => doctor::run(&args, &cx, ui),
        Command::Config(args) => config::run(args, &cx, ui),
        Command::Models(args) => models::run(args, &cx, ui),
        Command::Permissions(args) => permissions::run(args, &cx, ui),
        Command::Sandbox(args) => sandbox::run(&args, &cx, ui),
        Command::Session(args) => session::run(args, &cx, ui),
        Command::Memory(args) => memory::run(args, &cx, ui),
        // Answered before a project was looked for.
        Command::Apply(_)
        | Command::Version(_)
        | Command::Commands(_)
        | Command::Completions(_)
        | Command::Help(_)
        | Command::Docs(_) => Err(Failure::internal("the command was dispatched twice")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let definition = Cli::definition();
        let mut defined: Vec<&str> = definition
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(clap::Command::get_name)
            .collect();
        grouped.sort_unstable();
        defined.sort_unstable();
        assert_eq!(grouped, defined);
    }
}
