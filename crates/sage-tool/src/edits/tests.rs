//! Edits as a caller sees them.

mod applying;
mod diffs;
mod properties;
