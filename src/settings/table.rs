//! The one table of settings. `sage config show`, `docs/env.md`, validation and the accessors of
//! [`super::Settings`] are all made from it.

use std::fmt::Write as _;

use super::value::Kind;
use crate::env_vars::VARIABLES;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// `section.name`, as in `config.yaml`.
    pub key: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its default as text; empty means unset.
    pub default: &'static str,
    /// The environment variable that sets it.
    pub env: Option<&'static str>,
    /// The flag or flags that set it, for people.
    pub flag: Option<&'static str>,
    /// What it does, one sentence without a capital or a period.
    pub doc: &'static str,
}

const SECONDS: Kind = Kind::Count { min: 1, max: 86_400 };

const MIB: Kind = Kind::Count { min: 1, max: 1 << 30 };

/// Sections that a project's own file must not set: what confines a project is not for it to say.
const PERSONAL: &[&str] = &["sandbox"];

impl Setting {
    /// Whether only the person may set it, not the project.
    pub fn is_personal(&self) -> bool {
        self.key.split_once('.').is_some_and(|(section, _)| PERSONAL.contains(&section))
    }
}

/// Every setting, grouped by section.
pub const TABLE: &[Setting] = &[
    Setting {
        key: "run.mode",
        kind: Kind::Choice(&["research", "auto", "silent"]),
        default: "research",
        env: None,
        flag: Some("--research, --auto, --silent"),
        doc: "who decides: `research` lets you review the plan, `auto` runs it, `silent` never asks and skips what fails",
    },
    Setting {
        key: "run.full",
        kind: Kind::Bool,
        default: "false",
        env: None,
        flag: Some("--full"),
        doc: "verify deeply: the whole test suite, linters, a second review",
    },
    Setting {
        key: "run.no_clarify",
        kind: Kind::Bool,
        default: "false",
        env: Some("SAGE_NO_CLARIFY"),
        flag: Some("--no-clarify"),
        doc: "ask no clarifying questions before planning",
    },
    Setting {
        key: "run.output",
        kind: Kind::Choice(&["summary", "full", "debug"]),
        default: "summary",
        env: Some("SAGE_RUN_OUTPUT"),
        flag: None,
        doc: "how long the final report is",
    },
    Setting {
        key: "run.max_parallel",
        kind: Kind::Count { min: 1, max: 64 },
        default: "3",
        env: None,
        flag: Some("--max-parallel"),
        doc: "how many tasks run at a time",
    },
    Setting {
        key: "run.lanes",
        kind: Kind::Choice(&["auto", "never"]),
        default: "auto",
        env: None,
        flag: None,
        doc: "what tasks do that run at the same time and may write the same files: work in lanes and be merged (`auto`, needs git), or wait for each other (`never`)",
    },
    Setting {
        key: "run.max_repairs",
        kind: Kind::Count { min: 0, max: 20 },
        default: "3",
        env: None,
        flag: None,
        doc: "how often a task is repaired after its checks failed",
    },
    Setting {
        key: "run.turns",
        kind: Kind::Count { min: 1, max: 10_000 },
        default: "40",
        env: None,
        flag: None,
        doc: "how many turns one conversation of a task may take; a task's `budget.turns` in the plan replaces it",
    },
    Setting {
        key: "run.keep_failed",
        kind: Kind::Bool,
        default: "false",
        env: None,
        flag: Some("--keep-failed"),
        doc: "keep the changes of a failed task instead of taking them back",
    },
    Setting {
        key: "run.verify",
        kind: Kind::List,
        default: "",
        env: None,
        flag: None,
        doc: "commands that verify the project, each must exit 0; when empty they are found from the project's own files",
    },
    Setting {
        key: "run.verify_timeout_s",
        kind: SECONDS,
        default: "300",
        env: Some("SAGE_VERIFY_TIMEOUT_S"),
        flag: None,
        doc: "time limit of one verification command, in seconds",
    },
    Setting {
        key: "budget.usd",
        kind: Kind::Money,
        default: "",
        env: None,
        flag: Some("--max-cost"),
        doc: "the most a run may spend on models, in US dollars",
    },
    Setting {
        key: "budget.tokens",
        kind: Kind::Count { min: 1, max: u64::MAX },
        default: "",
        env: None,
        flag: Some("--max-tokens"),
        doc: "the most tokens a run may use, input and output together",
    },
    Setting {
        key: "budget.calls",
        kind: Kind::Count { min: 1, max: u32::MAX as u64 },
        default: "",
        env: None,
        flag: Some("--max-calls"),
        doc: "the most model calls a run may make",
    },
    Setting {
        key: "budget.turns",
        kind: Kind::Count { min: 1, max: u32::MAX as u64 },
        default: "",
        env: None,
        flag: Some("--max-turns"),
        doc: "the most turns that all tasks of a run may take together; a turn is one answer of a model at work and what it asked for",
    },
    Setting {
        key: "budget.time_s",
        kind: Kind::Count { min: 1, max: 31_536_000 },
        default: "",
        env: None,
        flag: Some("--max-time"),
        doc: "the longest a run may take, in seconds",
    },
    Setting {
        key: "models.file",
        kind: Kind::Text,
        default: "",
        env: Some("SAGE_MODELS_YAML"),
        flag: Some("--models"),
        doc: "the models file to read; when empty the first of `.sage/models.yaml`, the user's `models.yaml` and the built-in one",
    },
    Setting {
        key: "models.profile",
        kind: Kind::Text,
        default: "",
        env: Some("SAGE_MODEL_PROFILE"),
        flag: Some("--profile"),
        doc: "the profile of the models file that replaces its routing",
    },
    Setting {
        key: "models.connect_timeout_s",
        kind: SECONDS,
        default: "10",
        env: Some("SAGE_CONNECT_TIMEOUT_S"),
        flag: None,
        doc: "how long a connection to a provider may take, in seconds",
    },
    Setting {
        key: "models.first_token_timeout_s",
        kind: SECONDS,
        default: "120",
        env: Some("SAGE_FIRST_TOKEN_TIMEOUT_S"),
        flag: None,
        doc: "how long a model may think before its first token, in seconds",
    },
    Setting {
        key: "models.silence_timeout_s",
        kind: SECONDS,
        default: "60",
        env: Some("SAGE_SILENCE_TIMEOUT_S"),
        flag: None,
        doc: "how long a model may be silent in the middle of an answer, in seconds",
    },
    Setting {
        key: "models.call_timeout_s",
        kind: SECONDS,
        default: "600",
        env: Some("SAGE_CALL_TIMEOUT_S"),
        flag: None,
        doc: "how long a whole answer may take, in seconds",
    },
    Setting {
        key: "tools.command_timeout_s",
        kind: SECONDS,
        default: "120",
        env: None,
        flag: None,
        doc: "time limit of a command that a model runs, in seconds",
    },
    Setting {
        key: "tools.max_command_timeout_s",
        kind: SECONDS,
        default: "600",
        env: None,
        flag: None,
        doc: "the longest time limit that a model may ask for, in seconds",
    },
    Setting {
        key: "tools.max_output_bytes",
        kind: Kind::Count { min: 1_024, max: 1 << 30 },
        default: "49152",
        env: None,
        flag: None,
        doc: "how much of a command's output is kept, in bytes",
    },
    Setting {
        key: "tools.environment",
        kind: Kind::List,
        default: "",
        env: None,
        flag: None,
        doc: "names of further environment variables that commands may see; names that look secret are refused",
    },
    Setting {
        key: "sandbox.mode",
        kind: Kind::Choice(&["on", "landlock", "off"]),
        default: "on",
        env: Some("SAGE_SANDBOX"),
        flag: Some("--sandbox"),
        doc: "what confines commands: `on` all that the kernel offers, `landlock` the same without namespaces, `off` nothing",
    },
    Setting {
        key: "sandbox.missing",
        kind: Kind::Choice(&["refuse", "ask", "run"]),
        default: "ask",
        env: Some("SAGE_SANDBOX_MISSING"),
        flag: None,
        doc: "what happens where the kernel offers no sandbox: `ask` refuses when there is nobody to ask",
    },
    Setting {
        key: "sandbox.read",
        kind: Kind::List,
        default: "",
        env: None,
        flag: None,
        doc: "further folders that commands may read; `~/` is your home",
    },
    Setting {
        key: "sandbox.write",
        kind: Kind::List,
        default: "",
        env: None,
        flag: None,
        doc: "further folders that commands may write",
    },
    Setting {
        key: "sandbox.hide",
        kind: Kind::List,
        default: "",
        env: None,
        flag: None,
        doc: "further files and folders that commands must not see",
    },
    Setting {
        key: "sandbox.max_processes",
        kind: Kind::Count { min: 310, max: 1 << 22 },
        default: "2048",
        env: None,
        flag: None,
        doc: "how many processes and threads a command may have at a time",
    },
    Setting {
        key: "sandbox.max_file_mib",
        kind: MIB,
        default: "4096",
        env: None,
        flag: None,
        doc: "the largest file that a command may write, in MiB",
    },
    Setting {
        key: "sandbox.max_disk_mib",
        kind: MIB,
        default: "8192",
        env: None,
        flag: None,
        doc: "how much of the disk a command may fill, in MiB",
    },
    Setting {
        key: "sandbox.temp_mib",
        kind: MIB,
        default: "1024",
        env: None,
        flag: None,
        doc: "the size of a command's private temporary folder, in MiB",
    },
    Setting {
        key: "sandbox.max_memory_mib",
        kind: MIB,
        default: "16384",
        env: None,
        flag: None,
        doc: "data that one process of a command may hold in memory, in MiB",
    },
    Setting {
        key: "rules.max_bytes",
        kind: Kind::Count { min: 0, max: 1 << 20 },
        default: "8192",
        env: None,
        flag: None,
        doc: "how much of the rules a model is given, in bytes",
    },
];

/// The setting named `key`.
pub fn find(key: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.key == key)
}

/// `docs/env.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Settings and environment variables\n\n\
         This page is generated by `cargo xtask docs`.\n\n\
         A setting is taken from the last of these that has it: its default, the user's `~/.config/sage/config.yaml`, the project's \
         `.sage/config.yaml`, its environment variable, its flag. `sage config show` prints every setting with \
         its value and where that comes from; `sage config set KEY VALUE` changes one.\n\n\
         ## Settings\n\n\
         | setting | values | default | variable | flag | meaning |\n|---|---|---|---|---|---|\n",
    );
    for setting in TABLE {
        let default = if setting.default.is_empty() {
            "none".to_owned()
        } else {
            format!("`{}`", setting.default)
        };
        let flags = setting.flag.map(|flags| format!("`{}`", flags.replace(", ", "`, `")));
        let env = setting.env.map(|env| format!("`{env}`"));
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {default} | {} | {} | {} |",
            setting.key,
            setting.kind,
            env.unwrap_or_default(),
            flags.unwrap_or_default(),
            setting.doc,
        );
    }
    page.push_str("\n## Other variables\n\n| variable | meaning |\n|---|---|\n");
    for variable in VARIABLES {
        let _ = writeln!(page, "| `{}` | {} |", variable.name, variable.doc);
    }
    page.push_str(
        "\nVariables whose names look secret (`…_KEY`, `…_TOKEN`, `…_PASSWORD` and the like) are kept out of logs and out of \
         the environment of commands. A `SAGE_…` variable that is not on this page is reported by `sage doctor`.\n",
    );
    page
}
