//! Arguments of the commands that look after a project, its settings and this program.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use sage_core::AgentRole;

use super::{ModelArgs, OutputArgs};

/// `sage init`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage init\n\nAn existing file is left alone and named; \
                        --force rewrites .sage/rules.md and .sage/config.yaml only.")]
pub struct InitArgs {
    /// Rewrite .sage/rules.md and .sage/config.yaml even if they exist
    #[arg(long)]
    pub force: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage doctor\n  sage doctor --deep --json\n\n\
                        Exit code 4 when unhealthy; a model that cannot be reached is degraded.")]
pub struct DoctorArgs {
    /// Ask every configured model for one token (this may cost a little)
    #[arg(long)]
    pub deep: bool,
    /// Which models are checked.
    #[command(flatten)]
    pub models: ModelArgs,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage config`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage config show\n  sage config set run.max_parallel 2\n  \
                  sage config set --role coder --primary gpt-4o --fallback gpt-4o-mini \\\n    \
                  --trigger \"primary_failure_count >= 2\"")]
pub struct ConfigArgs {
    /// What to do; `show` when absent.
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
    /// Arguments of `show`.
    #[command(flatten)]
    pub show: ConfigShowArgs,
}

/// Which configuration is looked at.
#[derive(Debug, Args)]
pub struct ConfigShowArgs {
    /// Which models are shown.
    #[command(flatten)]
    pub models: ModelArgs,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its value and where that comes from, and the routing of each role
    Show(ConfigShowArgs),
    /// Check config.yaml, models.yaml and policy.json; exit code 4 when one is wrong
    Validate(ConfigShowArgs),
    /// Print which files are read, in order, and which of them exist
    Paths(OutputArgs),
    /// Change a setting, or the models of a role, keeping comments
    Set(ConfigSetArgs),
    /// Write the built-in models to the user's models.yaml, to be edited there
    Migrate {
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Show the environment variables that matter, or what to set
    Env(ConfigEnvArgs),
}

/// `sage config set`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage config set run.max_parallel 2\n  \
                        sage config set --global --role coder --primary gpt-4o")]
pub struct ConfigSetArgs {
    /// The setting, such as run.max_parallel
    #[arg(value_name = "KEY", required_unless_present = "role", requires = "value")]
    pub key: Option<String>,
    /// Its new value
    #[arg(value_name = "VALUE")]
    pub value: Option<String>,
    /// Change the models of this role in models.yaml instead
    #[arg(long, value_name = "ROLE", value_parser = role, conflicts_with = "key")]
    pub role: Option<AgentRole>,
    /// The model that is asked first
    #[arg(long, value_name = "MODEL", requires = "role", conflicts_with = "key")]
    pub primary: Option<String>,
    /// The model that is asked when a trigger says so or the first cannot be reached
    #[arg(long, value_name = "MODEL", requires = "role", conflicts_with = "key")]
    pub fallback: Option<String>,
    /// When to prefer the fallback; may be repeated, replaces the list
    #[arg(long, value_name = "EXPRESSION", requires = "role", conflicts_with = "key")]
    pub trigger: Vec<String>,
    /// Change the user's file instead of the project's
    #[arg(long)]
    pub global: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage config env`.
#[derive(Debug, Args)]
pub struct ConfigEnvArgs {
    /// What to do; `show` when absent.
    #[command(subcommand)]
    pub command: Option<ConfigEnvCommand>,
    /// Arguments of `show`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage config env` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigEnvCommand {
    /// Print the environment variables that sage reads and their values; secrets are masked
    Show(OutputArgs),
    /// Print the lines to add to a shell profile for keys that the configured models need
    Setup(OutputArgs),
}

/// `sage models`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage models\n  sage models test qwen2.5-coder:1.5b")]
pub struct ModelsArgs {
    /// What to do; `list` when absent.
    #[command(subcommand)]
    pub command: Option<ModelsCommand>,
    /// Arguments of `list`.
    #[command(flatten)]
    pub list: ConfigShowArgs,
}

/// What `sage models` can do.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models of models.yaml with their roles, limits and prices
    List(ConfigShowArgs),
    /// Ask a model for one token; all configured models when none is named
    Test {
        /// The model
        #[arg(value_name = "MODEL")]
        name: Option<String>,
        /// Which configuration.
        #[command(flatten)]
        show: ConfigShowArgs,
    },
}

/// `sage rules`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sage rules --layers\n  sage rules add \"Use tabs in Makefiles\"\n  \
                  sage rules validate --strict"
)]
pub struct RulesArgs {
    /// What to do; `show` when absent.
    #[command(subcommand)]
    pub command: Option<RulesCommand>,
    /// Arguments of `show`.
    #[command(flatten)]
    pub show: RulesShowArgs,
}

/// Which rules.
#[derive(Debug, Args)]
pub struct RulesShowArgs {
    /// Only what this role is given
    #[arg(long, value_name = "ROLE", value_parser = role, visible_alias = "agent")]
    pub role: Option<AgentRole>,
    /// Name the files first, and the source of each line
    #[arg(long)]
    pub layers: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage rules` can do.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Print the merged rules
    Show(RulesShowArgs),
    /// Add a rule to .sage/rules.md
    Add {
        /// The rule
        #[arg(value_name = "TEXT", required = true)]
        text: Vec<String>,
        /// Add it to the user's rules instead of the project's
        #[arg(long)]
        global: bool,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Report rules that contradict each other, are unsafe or cannot be enforced
    Validate {
        /// Exit with 4 when there is a finding
        #[arg(long)]
        strict: bool,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// `sage permissions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage permissions\n  \
                  sage permissions explain \"npm install && npm test\"\n  \
                  sage permissions explain --path src/key.pem --write\n  \
                  sage permissions set policy strict\n  sage permissions reset")]
pub struct PermissionsArgs {
    /// What to do; `show` when absent.
    #[command(subcommand)]
    pub command: Option<PermissionsCommand>,
    /// Arguments of `show`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage permissions` can do.
#[derive(Debug, Subcommand)]
pub enum PermissionsCommand {
    /// Print the policy in effect, all rules, and where each comes from
    Show(OutputArgs),
    /// Say what would be decided about a command, a path, a host or a tool, and by which rule
    Explain(ExplainArgs),
    /// Check the policy files and the examples of their rules; exit code 4 when one is wrong
    Test(OutputArgs),
    /// Change one part in .sage/policy.json; `clear` removes it
    Set {
        /// Which part
        #[arg(value_name = "PART")]
        part: PermissionPart,
        /// Its value: `standard` or `strict`, or `clear`
        #[arg(value_name = "VALUE")]
        value: String,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove what was set; other keys of the file are kept
    Reset(OutputArgs),
}

/// `sage permissions explain`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage permissions explain \"curl https://x.org | sh\"\n  \
                  sage permissions explain --host pypi.org --json\n\n\
                  Prints allow, ask or deny, and the rule that decides. Exit code 0 whatever it is.")]
pub struct ExplainArgs {
    /// The command line, as a model would give it to `run`
    #[arg(value_name = "COMMAND", required_unless_present_any = ["path", "host", "tool"])]
    pub command: Option<String>,
    /// A file or folder of the project instead
    #[arg(long, value_name = "PATH", conflicts_with_all = ["command", "host"])]
    pub path: Option<String>,
    /// It is written, not read
    #[arg(long, requires = "path")]
    pub write: bool,
    /// It is deleted, or loses most of what it holds
    #[arg(long, requires = "path", conflicts_with = "write")]
    pub remove: bool,
    /// A host that commands want to reach instead
    #[arg(long, value_name = "HOST", conflicts_with_all = ["command", "path"])]
    pub host: Option<String>,
    /// The tool that does it [default: run for commands, read and write for paths]
    #[arg(long, value_name = "TOOL")]
    pub tool: Option<String>,
    /// Rules as they would be given to `sage run`.
    #[command(flatten)]
    pub rules: super::RuleArgs,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// A part of the permissions that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PermissionPart {
    /// How much tools may do without asking.
    Policy,
}

/// `sage session`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage session\n  sage session handoff")]
pub struct SessionArgs {
    /// What to do; `status` when absent.
    #[command(subcommand)]
    pub command: Option<SessionCommand>,
    /// Arguments of `status`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage session` can do.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Print the session of this project
    Status(OutputArgs),
    /// Forget the session's state and begin a new one
    Reset(OutputArgs),
    /// Write the session's state anew from the runs
    Refresh(OutputArgs),
    /// Print what an interrupted run left to be done
    Handoff {
        /// Forget it afterwards; the run itself is kept
        #[arg(long)]
        clear: bool,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// `sage memory`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage memory\n  sage memory digest --days 7")]
pub struct MemoryArgs {
    /// What to do; `list` when absent.
    #[command(subcommand)]
    pub command: Option<MemoryCommand>,
    /// Arguments of `list`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What `sage memory` can do.
#[derive(Debug, Subcommand)]
pub enum MemoryCommand {
    /// List the files of memory with their sizes
    List(OutputArgs),
    /// Write a digest of the recent runs: goals, outcomes, failures, cost
    Digest {
        /// Write it to FILE [default: .sage/memory/weekly_digest.md]
        #[arg(long, value_name = "FILE")]
        out: Option<std::path::PathBuf>,
        /// How many days back
        #[arg(
            long,
            value_name = "N",
            default_value_t = 7,
            value_parser = clap::value_parser!(u32).range(1..=3650)
        )]
        days: u32,
        /// `--json`.
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// `sage completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sage completions bash > ~/.local/share/bash-completion/completions/sage"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `sage commands`.
#[derive(Debug, Args)]
pub struct CommandsArgs {
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `sage help`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sage help run\n  sage help config set\n  sage help exit-codes")]
pub struct HelpArgs {
    /// A command, or `exit-codes`
    #[arg(value_name = "TOPIC")]
    pub topic: Vec<String>,
}

/// `sage __docs`.
#[derive(Debug, Args)]
pub struct DocsArgs {
    /// Which page
    #[arg(value_name = "PAGE")]
    pub page: DocsPage,
}

/// A generated page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DocsPage {
    /// Every command and flag.
    Cli,
    /// Every setting and environment variable.
    Env,
    /// Every exit code.
    ExitCodes,
}

pub(super) fn role(text: &str) -> Result<AgentRole, String> {
    text.parse().map_err(|error: sage_core::UnknownRole| error.to_string())
}

/// `sage sandbox`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sage sandbox -- cargo test\n  sage sandbox --json\n\nThe command sees and may \
                        change what a task's command does; its exit code is passed on. Without a command: what is enforced."
)]
pub struct SandboxArgs {
    /// What it reaches over the network: off, all, or hosts such as example.com,*.crates.io
    #[arg(long, value_name = "WHAT", default_value = "off")]
    pub network: String,
    /// What confines it: on, landlock or off [default: on; setting: sandbox.mode]
    #[arg(long, value_name = "MODE")]
    pub sandbox: Option<String>,
    /// Time limit in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_s: Option<u64>,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}
