//! What the model, and the log, are told about changes that were put back.

use sage_core::BlobRef;

use super::byproducts::is_lock;
use super::{AfterCommand, Effects};

/// Paths that are named in a message.
const MAX_NAMED: usize = 8;

/// What was put back (with what it held until then), and what could not be.
#[derive(Debug, Default)]
pub(super) struct Back {
    pub done: Vec<(String, Option<BlobRef>)>,
    pub impossible: Vec<String>,
    /// Paths that were changed for it, those included of which nobody is told.
    pub n_changed: usize,
}

impl Back {
    pub(super) fn merge(&mut self, other: Self) {
        self.n_changed += other.n_changed;
        self.done.extend(other.done);
        self.impossible.extend(other.impossible);
    }
}

/// Says in `effects` what was put back. Returns how many paths.
pub(super) fn tell(
    effects: &mut Effects,
    back: Back,
    rule: AfterCommand,
    is_certain: bool,
) -> usize {
    if !back.impossible.is_empty() {
        effects.notes.push(format!(
            "[changed outside the task's paths, and cannot be put back: {}]",
            named(&back.impossible)
        ));
    }
    let n_back = back.done.len();
    if n_back == 0 {
        return 0;
    }
    let done = back.done.iter().map(|(path, _)| path.clone());
    let (locks, done): (Vec<String>, Vec<String>) = done.partition(|path| is_lock(path));
    effects.put_back = back.done;
    if !locks.is_empty() {
        // Building does this; nobody wanted to write there.
        effects.notes.push(format!("[put back, outside the task's paths: {}]", named(&locks)));
    }
    if done.is_empty() {
        return n_back;
    }
    let paths = named(&done);
    match (rule, is_certain) {
        (AfterCommand::KeepGranted, true) => {
            effects.refused =
                Some(format!("outside the task's paths: {paths} (put back as before)"));
        }
        // Another command ran at the same time and may have done it.
        (AfterCommand::KeepGranted, false) => {
            effects.notes.push(format!("[put back, outside the task's paths: {paths}]"));
        }
        (AfterCommand::PutBackAll, _) => effects.notes.push(format!("[put back: {paths}]")),
    }
    n_back
}

/// Names some of these paths.
pub(super) fn named(paths: &[String]) -> String {
    // A folder stands for what is in it.
    let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    paths.sort_unstable();
    let mut shown: Vec<&str> = Vec::new();
    for path in paths {
        let is_inside =
            |folder: &&str| path.strip_prefix(*folder).is_some_and(|r| r.starts_with('/'));
        if !shown.iter().any(is_inside) {
            shown.push(path);
        }
    }
    let rest = shown.len().saturating_sub(MAX_NAMED);
    let mut text = shown.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}
