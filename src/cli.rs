//! The command line as data: every command, flag and value, and which flags contradict each other.
//!
//! Invariant: nothing is read here but argv. What a flag means is decided by the command that gets
//! it; defaults that are also settings live in `settings/table.rs` and are only named here.

mod apply;
mod errors;
mod project;
mod run;
mod runs;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use apply::*;
pub use errors::UsageError;
use errors::usage_error;
pub use project::*;
pub use run::*;
pub use runs::*;

/// Colours of help text: green headings, cyan literals, as in the rest of the output.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Turn a goal into a reviewed, tested change: planned, visible, replayable
#[derive(Debug, Parser)]
#[command(
    name = "sage",
    version,
    styles = STYLES,
    disable_help_subcommand = true,
    arg_required_else_help = false,
    infer_subcommands = false,
    max_term_width = 100,
    after_help = "Examples:\n  sage demo\n  sage run \"Create src/hello.py with greet() and a test\"\n  \
                  sage run --auto --max-cost 0.50 \"Fix the failing test\"\n\n\
                  Exit codes: `sage help exit-codes`. Settings: `sage config show`."
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command; absent for a bare `sage`.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every command takes, before or after its name.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Work on the project in DIR [default: the nearest folder upwards with .sage or .git]
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// Say less: only answers, warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour; NO_COLOR is respected by auto
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
}

impl GlobalArgs {
    /// What can be told of a command line that could not be read: only `--color` matters, for the
    /// message about it.
    pub fn of_broken_argv(argv: impl Iterator<Item = OsString>) -> Self {
        let words: Vec<String> = argv.map(|word| word.to_string_lossy().into_owned()).collect();
        let color =
            words.iter().enumerate().find_map(|(n, word)| match word.strip_prefix("--color") {
                Some("") => ColorWhen::from_str(words.get(n + 1)?, true).ok(),
                Some(rest) => ColorWhen::from_str(rest.strip_prefix('=')?, true).ok(),
                None => None,
            });
        Self { project: None, quiet: false, verbose: 0, color: color.unwrap_or(ColorWhen::Auto) }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set or the terminal cannot.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `--json`, for commands that print data.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct OutputArgs {
    /// Print JSON, one value per line, and nothing else on stdout
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn a goal into a plan, and the plan into a verified change
    Run(Box<RunArgs>),
    /// Go on with an interrupted run
    Resume(ResumeArgs),
    /// Run a recorded run again with its recorded answers and report differences
    Replay(ReplayArgs),
    /// Take back everything that a run changed
    Undo(UndoArgs),
    /// Watch the whole pipeline on a sample project, with scripted answers
    Demo(DemoArgs),
    /// Show, check or draw a plan
    Plan(PlanArgs),
    /// Show what the last or running run is doing
    Status(StatusArgs),
    /// List, show, compare or remove runs
    Runs(RunsArgs),
    /// Print the events of a run
    Log(LogArgs),
    /// Show what a first request to a model would be made of, in tokens
    Context(ContextArgs),
    /// Prepare a project for sage
    Init(InitArgs),
    /// Check that everything sage needs is there
    Doctor(DoctorArgs),
    /// Show, check or change settings and model routing
    Config(ConfigArgs),
    /// List configured models or test that one answers
    Models(ModelsArgs),
    /// Show, add or check the rules given to models
    Rules(RulesArgs),
    /// Show or change what tools may do
    Permissions(PermissionsArgs),
    /// Run a command as tasks run theirs, or show what confines them
    Sandbox(SandboxArgs),
    /// Show or reset the session, or show the hand-off of an interrupted run
    Session(SessionArgs),
    /// List what is remembered, or digest the recent runs
    Memory(MemoryArgs),
    /// Apply the edits in a model's answer to a folder
    Apply(ApplyArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// List all commands
    Commands(CommandsArgs),
    /// Print the version
    Version(VersionArgs),
    /// Explain a command or a topic
    Help(HelpArgs),
    /// Print a generated page of the documentation
    #[command(name = "__docs", hide = true)]
    Docs(DocsArgs),
}

impl Cli {
    /// Reads argv. The error is already in our words; `--help` and `--version` are errors of
    /// clap's that carry their text.
    pub fn read(argv: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let argv: Vec<OsString> = argv.into_iter().collect();
        let wrong = |error: clap::Error| usage_error(&error, &argv);
        let matches = Self::definition().try_get_matches_from(&argv).map_err(wrong)?;
        flags_are_with_their_command(&Self::definition(), &matches)?;
        let cli = Self::from_arg_matches(&matches).map_err(wrong)?;
        if cli.global.quiet && cli.global.verbose > 0 {
            return Err(UsageError::conflict("--quiet", "--verbose"));
        }
        if let Some(Command::Run(run)) = &cli.command
            && run.repo.is_some()
            && cli.global.project.is_some()
        {
            return Err(UsageError::conflict("--repo", "--project"));
        }
        Ok(cli)
    }

    /// The definition, with names and help texts, for completions, help and documentation.
    pub fn definition() -> clap::Command {
        <Self as CommandFactory>::command()
    }
}

/// A flag of `sage runs` itself (which lists) says nothing when a command such as `show` follows:
/// refuse it rather than ignore it.
fn flags_are_with_their_command(
    command: &clap::Command,
    matches: &clap::ArgMatches,
) -> Result<(), UsageError> {
    let Some((name, below)) = matches.subcommand() else { return Ok(()) };
    let Some(sub) = command.find_subcommand(name) else { return Ok(()) };
    let is_given = |arg: &&clap::Arg| {
        !arg.is_global_set()
            && matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
    };
    let Some(stray) = command.get_arguments().find(is_given) else {
        return flags_are_with_their_command(sub, below);
    };
    let shown =
        stray.get_long().map_or_else(|| stray.get_id().to_string(), |long| format!("--{long}"));
    if sub.get_arguments().any(|arg| arg.get_id() == stray.get_id()) {
        return Err(UsageError::Wrong {
            message: format!("`{shown}` stands before `{name}`, but belongs to it"),
            hint: format!("put `{shown}` after `{name}`"),
        });
    }
    Err(UsageError::conflict(&shown, name))
}

#[cfg(test)]
mod tests;
