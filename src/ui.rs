//! All output. stdout is the answer, stderr is the conversation.
//!
//! Invariant: nothing else in the program writes to the terminal. Text may hold ANSI styles (from
//! [`style`]); they are removed where colour is off. A reader that goes away is not an error: what
//! is written afterwards is dropped. Text that comes from models, files or tools passes
//! [`printable`] first, so that it cannot command the terminal.

pub mod live;
pub mod style;
pub mod table;

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::cli::{ColorWhen, GlobalArgs};
use crate::context::Terminal;
use crate::env_vars::EnvVars;
use crate::failure::Failure;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Warnings and errors.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// `-v`: every step.
    Verbose,
    /// `-vv`: model text and command output as they come.
    Debug,
}

/// The terminal, or whatever stands in for it.
pub struct Ui {
    out: Mutex<Stream>,
    err: Mutex<Stream>,
    /// How much is said on stderr.
    pub level: Level,
    /// Columns that a line may take.
    pub width: usize,
}

struct Stream {
    to: Box<dyn Write + Send>,
    color: bool,
    gone: bool,
}

/// Columns when nothing says how wide the terminal is.
const DEFAULT_WIDTH: usize = 80;

impl Ui {
    /// The process's own streams.
    pub fn new(global: &GlobalArgs, env: &EnvVars) -> Self {
        let terminal = Terminal::detect();
        let color = |is_terminal| uses_color(global.color, is_terminal, env);
        Self {
            out: Stream::new(io::stdout(), color(terminal.stdout)),
            err: Stream::new(io::stderr(), color(terminal.stderr)),
            level: match (global.quiet, global.verbose) {
                (true, _) => Level::Quiet,
                (false, 0) => Level::Normal,
                (false, 1) => Level::Verbose,
                (false, _) => Level::Debug,
            },
            width: width(env),
        }
    }

    /// Streams of a test.
    #[cfg(test)]
    pub fn to(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        level: Level,
    ) -> Self {
        Self {
            out: Stream::new(out, false),
            err: Stream::new(err, false),
            level,
            width: DEFAULT_WIDTH,
        }
    }

    /// A line of the answer.
    pub fn line(&self, text: impl AsRef<str>) {
        lock(&self.out).write(text.as_ref(), true);
    }

    /// A part of the answer that has its own line ends.
    pub fn text(&self, text: impl AsRef<str>) {
        lock(&self.out).write(text.as_ref(), false);
    }

    /// One JSON value on one line of the answer.
    pub fn json(&self, value: &impl Serialize) {
        // Values made by us serialise; if one does not, the line says so instead of being lost.
        let line = serde_json::to_string(value)
            .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string());
        lock(&self.out).write_plain(&line);
    }

    /// A line of the conversation.
    pub fn note(&self, text: impl AsRef<str>) {
        if self.level >= Level::Normal {
            lock(&self.err).write(text.as_ref(), true);
        }
    }

    /// A line of the conversation for those who asked for more.
    pub fn detail(&self, text: impl AsRef<str>) {
        if self.level >= Level::Verbose {
            lock(&self.err).write(text.as_ref(), true);
        }
    }

    /// A line of the conversation whose level the caller has already weighed.
    pub fn aside(&self, text: impl AsRef<str>) {
        lock(&self.err).write(text.as_ref(), true);
    }

    /// Part of a line of the conversation, written even with `--quiet`: prompts.
    pub fn prompt(&self, text: impl AsRef<str>) {
        lock(&self.err).write(text.as_ref(), false);
    }

    /// A warning.
    pub fn warn(&self, text: impl AsRef<str>) {
        let text = format!("{} {}", style::warning("warning:"), text.as_ref());
        lock(&self.err).write(&text, true);
    }

    /// A next step.
    pub fn hint(&self, text: impl AsRef<str>) {
        self.note(format!("{} {}", style::hint("hint:"), text.as_ref()));
    }

    /// An error: what, its causes indented, an empty line, the hint.
    pub fn failure(&self, failure: &Failure) {
        lock(&self.err).write(&render_failure(failure), true);
    }

    /// Whether the reader of the answer went away; then there is no point in going on.
    pub fn answer_is_unread(&self) -> bool {
        lock(&self.out).gone
    }
}

impl Stream {
    fn new(to: impl Write + Send + 'static, color: bool) -> Mutex<Self> {
        Mutex::new(Self { to: Box::new(to), color, gone: false })
    }

    fn write(&mut self, text: &str, newline: bool) {
        let text: Cow<'_, str> = if self.color {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(anstream::adapter::strip_str(text).to_string())
        };
        self.put(&text, newline);
    }

    fn write_plain(&mut self, text: &str) {
        self.put(text, true);
    }

    fn put(&mut self, text: &str, newline: bool) {
        if self.gone {
            return;
        }
        let mut write = || {
            self.to.write_all(text.as_bytes())?;
            if newline {
                self.to.write_all(b"\n")?;
            }
            self.to.flush()
        };
        // A reader that went away, or a full device: there is nobody left to tell.
        self.gone = write().is_err();
    }
}

/// A panic while printing must not silence the report about it.
fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

fn uses_color(when: ColorWhen, is_terminal: bool, env: &EnvVars) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            is_terminal && env.get("NO_COLOR").is_none() && env.get("TERM") != Some("dumb")
        }
    }
}

fn width(env: &EnvVars) -> usize {
    const NARROWEST: usize = 20;
    const WIDEST: usize = 400;
    let asked = env.get("COLUMNS").and_then(|columns| columns.parse().ok());
    let own = || terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    asked.or_else(own).unwrap_or(DEFAULT_WIDTH).clamp(NARROWEST, WIDEST)
}

fn render_failure(failure: &Failure) -> String {
    let mut text = format!("{} {}", style::error("error:"), printable(&failure.error.to_string()));
    for cause in failure.error.chain().skip(1) {
        for line in cause.to_string().lines() {
            text.push_str("\n  ");
            text.push_str(&printable(line));
        }
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("\n\n{} {hint}", style::hint("hint:")));
    }
    text
}

/// A number of bytes as people say it.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// The text without characters that command a terminal; line ends and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(commands) {
        Cow::Owned(text.chars().map(|c| if commands(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes the report about a panic; used by the panic hook, when no [`Ui`] may be at hand.
pub fn raw_stderr(text: &str) {
    // Nothing can be done about a closed stderr.
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
pub use tests::Captured;

#[cfg(test)]
mod tests;
