//! Checks of this repository that the compiler does not make. Each is a function from the tree to the
//! problems found, so that `cargo xtask` and the tests call the same thing; and its benchmarks.

pub mod bench;
pub mod docs;
pub mod layers;
pub mod tidy;

use std::path::{Path, PathBuf};

/// The repository that this crate was built in.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
