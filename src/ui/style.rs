//! The few styles there are: green success, red error, yellow warning, cyan hint, path and literal.
//! Meaning never depends on them: what is green also says `ok`.

use std::fmt;

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const HINT: Style = AnsiColor::Cyan.on_default();
const HEADING: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Success.
pub fn good(text: impl fmt::Display) -> String {
    paint(GOOD, text)
}

/// Failure.
pub fn error(text: impl fmt::Display) -> String {
    paint(ERROR, text)
}

/// Something to look at.
pub fn warning(text: impl fmt::Display) -> String {
    paint(WARNING, text)
}

/// A next step, a path, a literal.
pub fn hint(text: impl fmt::Display) -> String {
    paint(HINT, text)
}

/// A heading.
pub fn heading(text: impl fmt::Display) -> String {
    paint(HEADING, text)
}

/// Something that can be skipped while reading.
pub fn faint(text: impl fmt::Display) -> String {
    paint(FAINT, text)
}

fn paint(style: Style, text: impl fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
