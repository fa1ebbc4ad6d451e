//! Turns the argument parser's errors into ours: one line that names the flag, and one hint.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use sage_core::nearest;

use super::Cli;

/// Argv could not be understood, or asked for a text that the parser has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageError {
    /// `--help` or `--version`: not an error, the text goes to stdout. Holds ANSI codes.
    Text(String),
    /// What is wrong, and the next step.
    Wrong {
        /// One line, lower case, names the flag or value.
        message: String,
        /// The next step.
        hint: String,
    },
}

impl UsageError {
    /// Two flags that contradict each other.
    pub fn conflict(a: &str, b: &str) -> Self {
        Self::Wrong {
            message: format!("`{a}` cannot be used with `{b}`"),
            hint: format!("leave out `{a}` or `{b}`"),
        }
    }
}

/// Translates an error about this command line.
pub fn usage_error(error: &clap::Error, argv: &[OsString]) -> UsageError {
    let command = Commanded::of(argv);
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join("`, `")),
        _ => None,
    };
    let arg = text(ContextKind::InvalidArg).unwrap_or_default();
    let see_help = || match command.path.as_str() {
        "" => "see `sage help`".to_owned(),
        path => format!("see `sage help {path}`"),
    };
    let (message, hint) = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return UsageError::Text(error.render().ansi().to_string());
        }
        ErrorKind::InvalidSubcommand => {
            let found = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let near =
                command.near_command(&found).or_else(|| text(ContextKind::SuggestedSubcommand));
            (
                format!("unknown command `{}`", shortened(&found)),
                near.map_or_else(|| "see `sage commands`".to_owned(), did_you_mean),
            )
        }
        ErrorKind::UnknownArgument => {
            let what = if arg.starts_with('-') { "unknown flag" } else { "unexpected argument" };
            let near = command.near_flag(&arg).or_else(|| text(ContextKind::SuggestedArg));
            let hint = match near {
                Some(near) => did_you_mean(near),
                None if command.path == "run" && !arg.starts_with('-') => {
                    "put the whole goal in quotes".to_owned()
                }
                None => see_help(),
            };
            (format!("{what} `{}`", shortened(&arg)), hint)
        }
        ErrorKind::ArgumentConflict => {
            let arg = flag_only(&arg);
            let prior = match error.get(ContextKind::PriorArg) {
                Some(ContextValue::String(text)) => Some(flag_only(text)),
                Some(ContextValue::Strings(texts)) => texts.first().map(|text| flag_only(text)),
                _ => None,
            };
            match prior {
                Some(prior) if prior == arg => {
                    (format!("`{arg}` is given more than once"), "give it once".to_owned())
                }
                Some(prior) => (
                    format!("`{arg}` cannot be used with `{prior}`"),
                    format!("leave out `{arg}` or `{prior}`"),
                ),
                None => (format!("`{arg}` cannot be used here"), see_help()),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            (format!("missing `{}`", alternatives(&arg)), see_help())
        }
        ErrorKind::InvalidValue => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            let message = if value.is_empty() {
                format!("`{}` needs a value", flag_only(&arg))
            } else {
                format!("`{}` cannot be {:?}", flag_only(&arg), shortened(&value))
            };
            let hint = match (text(ContextKind::SuggestedValue), text(ContextKind::ValidValue)) {
                (Some(near), _) => did_you_mean(near),
                (None, Some(valid)) if !valid.is_empty() => format!("possible values: `{valid}`"),
                _ => see_help(),
            };
            (message, hint)
        }
        ErrorKind::ValueValidation => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            (
                match cause {
                    Some(cause) => format!("`{}`: {cause}", flag_only(&arg)),
                    None => format!("`{}` cannot be {:?}", flag_only(&arg), shortened(&value)),
                },
                see_help(),
            )
        }
        ErrorKind::MissingSubcommand => ("a command is missing".to_owned(), see_help()),
        ErrorKind::InvalidUtf8 => (
            "an argument is not valid UTF-8".to_owned(),
            "rename the file or quote differently".to_owned(),
        ),
        _ => (first_line(error), see_help()),
    };
    UsageError::Wrong { message, hint }
}

fn did_you_mean(near: String) -> String {
    format!("did you mean `{near}`?")
}

/// `--plan <FILE>` as the person types it: `--plan`.
fn flag_only(arg: &str) -> String {
    let first = arg.split([' ', '[', '=']).next().unwrap_or(arg);
    if first.starts_with('-') { first.to_owned() } else { arg.to_owned() }
}

/// A required choice, which the parser writes `<--keep <N>|--older-than <DURATION>>`.
fn alternatives(arg: &str) -> String {
    match arg.strip_prefix("<-").and_then(|rest| rest.strip_suffix('>')) {
        Some(choice) => format!("-{choice}").replace('|', "` or `"),
        None => arg.to_owned(),
    }
}

fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    if text.chars().count() <= MAX_CHARS {
        return text.to_owned();
    }
    text.chars().take(MAX_CHARS).chain("…".chars()).collect()
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// The command that the words of a command line lead to.
struct Commanded {
    /// Its names below `sage`, such as `config set`.
    path: String,
    definition: clap::Command,
}

impl Commanded {
    fn of(argv: &[OsString]) -> Self {
        let mut definition = Cli::definition();
        definition.build();
        let mut path = String::new();
        for word in argv.iter().skip(1).filter_map(|word| word.to_str()) {
            let Some(sub) = definition.find_subcommand(word).filter(|sub| !sub.is_hide_set())
            else {
                continue;
            };
            definition = sub.clone();
            path.push_str(if path.is_empty() { "" } else { " " });
            path.push_str(definition.get_name());
        }
        Self { path, definition }
    }

    fn near_command(&self, found: &str) -> Option<String> {
        let subs = self.definition.get_subcommands().filter(|sub| !sub.is_hide_set());
        nearest(found, subs.map(clap::Command::get_name)).map(str::to_owned)
    }

    fn near_flag(&self, arg: &str) -> Option<String> {
        let typed = arg.strip_prefix("--")?;
        let flags = self.definition.get_arguments().filter_map(clap::Arg::get_long);
        nearest(typed, flags).map(|flag| format!("--{flag}"))
    }
}
