//! Edits as a caller sees them.

mod answers;
mod applying;
mod diffs;
mod properties;
mod resolving;
