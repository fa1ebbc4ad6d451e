//! Arguments of the commands that look at runs.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::values;
use super::{ModelArgs, OutputArgs};

/// `sage status`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage status\n  sage status 2026-01 --json")]
pub struct StatusArgs {
    /// The run: its id, a unique beginning of it, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage runs`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage runs\n  sage runs diff last 2026-01\n  \
                  sage runs prune --keep 20 --dry-run")]
pub struct RunsArgs {
    /// What to do; `list` when absent.
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// Arguments of `list`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage context`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage context\n  sage context --role coder src/main.rs\n\n\
                        No model is asked. `sage runs show RUN --context` shows what a run really sent.")]
pub struct ContextArgs {
    /// The files that a task would be about
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,
    /// Only this role
    #[arg(long, value_name = "ROLE", value_parser = super::project::role)]
    pub role: Option<sage_core::AgentRole>,
    /// The goal
    #[arg(long, value_name = "GOAL")]
    pub goal: Option<String>,
    /// Which models would answer.
    #[command(flatten)]
    pub models: ModelArgs,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage runs` can do.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs of this project, newest first
    List(OutputArgs),
    /// Show one run: tasks, files, checks, models, cost
    Show(ShowArgs),
    /// Compare two runs: outcome, tasks, files, models, cost
    Diff {
        /// The first run
        #[arg(value_name = "A")]
        a: String,
        /// The second run
        #[arg(value_name = "B")]
        b: String,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove old runs and the saved file states that only they need; a run that can be resumed is kept
    /// unless --older-than names it
    Prune(PruneArgs),
}

/// `sage runs show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage runs show --files\n  sage runs show last --diff 4")]
pub struct ShowArgs {
    /// The run: its id, a unique beginning of it, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// Show its steps, and what each did to every file, ignored files included
    #[arg(long, conflicts_with = "diff")]
    pub files: bool,
    /// Show what a step changed as a unified diff, or what the whole run changed
    #[arg(long, value_name = "STEP", num_args = 0..=1, default_missing_value = "")]
    pub diff: Option<String>,
    /// Show what each prompt was made of, in tokens by section
    #[arg(long, conflicts_with_all = ["files", "diff"])]
    pub context: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage runs prune`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
pub struct PruneArgs {
    /// Keep the N newest runs
    #[arg(long, value_name = "N", group = "which")]
    pub keep: Option<usize>,
    /// Remove runs that began longer ago than this, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = values::duration, group = "which")]
    pub older_than: Option<Duration>,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage log`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sage log last --type model\n  sage log last --node task_001\n  \
                        sage log last --json | head"
)]
pub struct LogArgs {
    /// The run: its id, a unique beginning of it, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// Only events of this task
    #[arg(long, value_name = "ID")]
    pub node: Option<String>,
    /// Only events whose type begins so, such as `model` or `tool.refused`
    #[arg(long = "type", value_name = "PREFIX")]
    pub type_prefix: Option<String>,
    /// Only the event of this number, with the output of its command
    #[arg(long, value_name = "N", conflicts_with_all = ["follow", "node", "type_prefix"])]
    pub seq: Option<u64>,
    /// Go on printing until the run ends
    #[arg(long, short)]
    pub follow: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}
