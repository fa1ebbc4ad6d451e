//! The wording of what is found about tests: whether they can fail, and whether they were bent.

use sage_core::{Tampering, TestWorth};

use super::short;
use crate::ui::{Level, style};

/// Tests that were weighed.
pub(super) fn weighed(subject: &str, worth: TestWorth, detail: &str) -> (Level, String) {
    let text = format!("{}: {} ({})", short(subject), worth.words(), short(detail));
    match worth.is_shown() {
        true => (Level::Verbose, style::faint(text)),
        false => (Level::Normal, style::warning(text)),
    }
}

/// Tests that were compared with what they were.
pub(super) fn compared(findings: &[Tampering]) -> (Level, String) {
    let found: Vec<String> = findings.iter().map(|found| short(&found.text())).collect();
    match found.as_slice() {
        [] => (Level::Verbose, style::faint("no test that was there was bent")),
        found => (Level::Normal, style::warning(format!("flagged: {}", found.join("; ")))),
    }
}
