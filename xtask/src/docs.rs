//! Writes the pages that the binary generates about itself: commands and environment.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Page and file.
const PAGES: [(&str, &str); 2] = [("cli", "docs/cli.md"), ("env", "docs/env.md")];

/// Runs the binary for each page and writes what it prints.
#[expect(clippy::disallowed_methods, reason = "a tool of this repository, not the product")]
pub fn write(root: &Path) -> anyhow::Result<()> {
    for (page, file) in PAGES {
        let output = std::process::Command::new("cargo")
            .args(["run", "--quiet", "--package", "sage", "--", "__docs", page])
            .current_dir(root)
            .output()
            .context("starting cargo")?;
        if !output.status.success() {
            bail!("`sage __docs {page}` failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        fs::write(root.join(file), output.stdout).with_context(|| format!("writing {file}"))?;
    }
    Ok(())
}
