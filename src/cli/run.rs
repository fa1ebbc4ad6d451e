//! Arguments of the commands that run the pipeline or look at its plan.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::OutputArgs;
use super::values::{self, RoleModel};

/// `sage run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sage run \"Create src/hello.py with greet() and a test\"\n  \
                        sage run --auto --max-cost 0.50 --max-time 10m \"Fix the failing test\"\n  \
                        sage run --plan-only \"Split the parser\" && sage run --plan .sage/last_plan.json --auto")]
pub struct RunArgs {
    /// What should be true afterwards, in your words
    #[arg(value_name = "GOAL", required_unless_present_any = ["plan", "resume"])]
    pub goal: Option<String>,

    /// Review the plan yourself before anything changes [default; setting: run.mode]
    #[arg(long, conflicts_with_all = ["auto", "silent"], help_heading = "Who decides")]
    pub research: bool,
    /// Run the plan without review; only policy questions remain
    #[arg(long, help_heading = "Who decides")]
    pub auto: bool,
    /// Never ask; skip a failed task with its dependents and do the rest (more than --auto)
    #[arg(long, help_heading = "Who decides")]
    pub silent: bool,
    /// What confines commands: on, landlock or off [default: on; setting: sandbox.mode]
    #[arg(long, value_name = "MODE", conflicts_with = "resume", help_heading = "Who decides")]
    pub sandbox: Option<String>,
    /// Ask no clarifying questions [env: SAGE_NO_CLARIFY]
    #[arg(long, help_heading = "Who decides")]
    pub no_clarify: bool,

    /// Verify deeply: the whole test suite, linters, a second review [setting: run.full]
    #[arg(long, conflicts_with = "plan_only", help_heading = "What is done")]
    pub full: bool,
    /// Stop after the plan is made and shown
    #[arg(long, conflicts_with_all = ["dry_run", "resume"], help_heading = "What is done")]
    pub plan_only: bool,
    /// Run this plan instead of asking a model for one
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = "What is done")]
    pub plan: Option<PathBuf>,
    /// Do everything in a copy, print the diff, leave the work tree as it is
    #[arg(long, conflicts_with = "resume", help_heading = "What is done")]
    pub dry_run: bool,
    /// Work in a git work tree of its own, on a new branch, and leave yours as it is
    #[arg(long, conflicts_with_all = ["plan_only", "dry_run", "resume"], help_heading = "What is done")]
    pub worktree: bool,
    /// Commit what each task did to the branch that is checked out, if the run succeeds
    #[arg(long, conflicts_with_all = ["plan_only", "dry_run", "resume"], help_heading = "What is done")]
    pub commit: bool,
    /// Commit to a new branch NAME instead, without switching to it
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["plan_only", "dry_run", "resume"],
        help_heading = "What is done"
    )]
    pub branch: Option<String>,
    /// Keep the changes of a failed task [setting: run.keep_failed]
    #[arg(long, conflicts_with = "plan_only", help_heading = "What is done")]
    pub keep_failed: bool,
    /// Ignore an interrupted run and everything remembered
    #[arg(long, conflicts_with = "resume", help_heading = "What is done")]
    pub fresh: bool,
    /// Go on with an interrupted run [default: the last]
    #[arg(
        long,
        value_name = "RUN",
        num_args = 0..=1,
        default_missing_value = "last",
        conflicts_with = "goal",
        help_heading = "What is done"
    )]
    pub resume: Option<String>,
    /// Work on the repository in PATH
    #[arg(long, value_name = "PATH", help_heading = "What is done")]
    pub repo: Option<PathBuf>,
    /// Look at and change only what matches GLOB; may be repeated
    #[arg(long, value_name = "GLOB", help_heading = "What is done")]
    pub include: Vec<String>,
    /// Run at most N tasks at a time [default: 3; setting: run.max_parallel]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=64),
        conflicts_with = "plan_only",
        help_heading = "What is done"
    )]
    pub max_parallel: Option<u64>,

    /// Which models answer.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Print why each model was chosen
    #[arg(long, help_heading = "Models")]
    pub explain_routing: bool,

    /// What may be spent.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// What tools may do.
    #[command(flatten)]
    pub rules: RuleArgs,

    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Ask for a final answer that fits the JSON Schema in FILE
    #[arg(long, value_name = "FILE", conflicts_with = "plan_only", help_heading = "Output")]
    pub output_schema: Option<PathBuf>,
    /// Write the final answer to FILE
    #[arg(long, value_name = "FILE", conflicts_with = "plan_only", help_heading = "Output")]
    pub output_last_message: Option<PathBuf>,
}

/// Which models answer.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Models")]
pub struct ModelArgs {
    /// Read models from FILE [env: SAGE_MODELS_YAML; setting: models.file]
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
    /// Use this profile of models.yaml [env: SAGE_MODEL_PROFILE; setting: models.profile]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Use MODEL for ROLE, such as coder=gpt-4o; may be repeated
    #[arg(long, value_name = "ROLE=MODEL")]
    pub model: Vec<RoleModel>,
}

/// What a run may spend; reaching a limit stops it with exit code 6, resumable.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Budget")]
pub struct LimitArgs {
    /// Spend at most USD on models [setting: budget.usd]
    #[arg(long, value_name = "USD", value_parser = values::usd, allow_negative_numbers = true)]
    pub max_cost: Option<f64>,
    /// Use at most N tokens, such as 200k [setting: budget.tokens]
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true)]
    pub max_tokens: Option<u64>,
    /// Take at most this long, such as 90s or 1h30m [setting: budget.time_s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub max_time: Option<Duration>,
    /// Make at most N model calls [setting: budget.calls]
    #[arg(long, value_name = "N", value_parser = values::calls, allow_negative_numbers = true)]
    pub max_calls: Option<u32>,
    /// Take at most N turns in all tasks together [setting: budget.turns]
    #[arg(long, value_name = "N", value_parser = values::calls, allow_negative_numbers = true)]
    pub max_turns: Option<u32>,
}

/// Rules for this run, over those of policy.json.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What tools may do")]
pub struct RuleArgs {
    /// Do without asking: command:'npm install', write:'docs/**', remove:old.py, host:pypi.org, tool:run;
    /// may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::rule)]
    pub allow: Vec<String>,
    /// Ask before this; may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::rule)]
    pub ask: Vec<String>,
    /// Never do this; may be repeated
    #[arg(long, value_name = "RULE", value_parser = values::rule)]
    pub deny: Vec<String>,
}

impl RuleArgs {
    /// The rules as a run keeps them: `allow command:npm install`.
    pub fn texts(&self) -> Vec<String> {
        let all = [("allow", &self.allow), ("ask", &self.ask), ("deny", &self.deny)];
        let of = |(say, rules): (&str, &Vec<String>)| {
            rules.iter().map(|rule| format!("{say} {rule}")).collect::<Vec<_>>()
        };
        all.into_iter().flat_map(of).collect()
    }
}

/// `sage resume`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage resume\n  sage resume 2026-01 --max-cost 2")]
pub struct ResumeArgs {
    /// The run: its id, a unique beginning of it, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// Which models answer.
    #[command(flatten)]
    pub models: ModelArgs,
    /// What may be spent, counting what the run spent before.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// What tools may do, besides what the run's first flags said.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage replay`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage replay last\n\nUses no model and no network. \
                        Exit code 1 when the replay differs from the record.")]
pub struct ReplayArgs {
    /// The run: its id, a unique beginning of it, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub run: String,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage undo`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sage undo --dry-run\n  sage undo last:4\n  sage undo --file src/lib.rs\n  \
                        sage undo --keep 'docs/**'\n  sage undo --redo\n\n\
                        `sage runs show --files` lists the steps of a run. Every undo can be taken back."
)]
pub struct UndoArgs {
    /// What to take back: a run (its id, a unique beginning of it, or `last`), or RUN:STEP for the
    /// state before a step
    #[arg(value_name = "RUN[:STEP]", default_value = "last")]
    pub target: String,
    /// Restore only this file, or what is in this folder; may be repeated
    #[arg(long, value_name = "PATH")]
    pub file: Vec<PathBuf>,
    /// The same as --file
    #[arg(value_name = "PATH", last = true)]
    pub paths: Vec<PathBuf>,
    /// Leave these files as they are: a path or a pattern such as 'docs/**'; may be repeated
    #[arg(long, value_name = "PATTERN")]
    pub keep: Vec<String>,
    /// Also restore files that were changed since by you or by a later run; they are saved first
    #[arg(long)]
    pub force: bool,
    /// Take the last undo of the run back
    #[arg(long, conflicts_with_all = ["file", "paths", "keep", "put_back"])]
    pub redo: bool,
    /// Bring back what commands had changed outside their tasks' paths and sage had put back
    #[arg(long)]
    pub put_back: bool,
    /// Show what would be restored and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage demo`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage demo --keep\n\nNeeds no key, no network and no daemon: \
                        the model's answers are scripted, everything else is real.")]
pub struct DemoArgs {
    /// Leave the sample project in place and say where it is
    #[arg(long)]
    pub keep: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage plan`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage plan\n  sage plan validate my_plan.json\n  \
                  sage plan render --format mermaid > plan.mmd")]
pub struct PlanArgs {
    /// What to do with it; `show` when absent.
    #[command(subcommand)]
    pub command: Option<PlanCommand>,
    /// Arguments of `show`.
    #[command(flatten)]
    pub show: PlanFileArgs,
}

/// What `sage plan` can do.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Show a plan: drawing, tasks, contract, worst-case cost
    Show(PlanFileArgs),
    /// Check a plan and list every problem with its task and field
    Validate(PlanFileArgs),
    /// Draw a plan
    Render {
        /// Which plan.
        #[command(flatten)]
        plan: PlanFileArgs,
        /// The form of the drawing
        #[arg(long, value_name = "FORM", default_value = "terminal")]
        format: PlanFormat,
    },
}

/// Which plan.
#[derive(Debug, Clone, Args)]
pub struct PlanFileArgs {
    /// The plan file [default: .sage/last_plan.json]
    #[arg(value_name = "FILE", conflicts_with = "run")]
    pub file: Option<PathBuf>,
    /// The plan of a run instead: its id, a unique beginning of it, or `last`
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The form of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Boxes and arrows as text.
    Terminal,
    /// A Mermaid flow chart.
    Mermaid,
    /// Graphviz DOT.
    Dot,
}
