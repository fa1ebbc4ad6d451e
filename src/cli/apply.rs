//! Arguments of `sage apply`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::OutputArgs;

/// `sage apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sage apply < answer.md\n  sage apply --check --json --input answer.md\n  \
                        sage apply --root src --file main.py --format udiff < change.diff\n\n\
                        Exit codes: 0 applied, 1 rejected (nothing was changed), 2 usage. \
                        Formats and refusals: docs/edits.md."
)]
pub struct ApplyArgs {
    /// Apply to the files below DIR [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Read only edits of this format
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: AnswerFormat,
    /// The file of edits that name none, and of a whole-file answer
    #[arg(long, value_name = "NAME")]
    pub file: Option<String>,
    /// Read the answer from FILE [default: standard input]
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Say what would happen and write nothing
    #[arg(long)]
    pub check: bool,
    /// `--json`.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How the edits of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// Whatever is found, several formats in one answer too.
    Auto,
    /// Search/replace blocks.
    SearchReplace,
    /// Unified diffs.
    Udiff,
    /// `*** Begin Patch`.
    Patch,
    /// Whole files in code fences.
    Whole,
}
