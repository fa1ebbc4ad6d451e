//! `cargo xtask bench`: measures the release binary and records the figures in `docs/benchmarks.md`.
//!
//! Invariant: everything is measured from outside, on the binary as it ships, with providers on
//! loopback that answer at once; the time that a provider takes is not the program's and is taken
//! out. Not here: limits that fail a build. A busy machine is no reason to, so figures are recorded
//! and read by people.

mod disk;
mod machine;
mod measure;
mod page;
mod prompt;
mod scenario;
mod summary;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

pub use measure::measure;
use scenario::Bench;

/// Where the figures go, from the root of the repository.
const PAGE: &str = "docs/benchmarks.md";

/// What was asked for.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// How often each thing is measured, after one warm-up.
    pub n_runs: usize,
    /// Measures this binary instead of building one.
    pub binary: Option<PathBuf>,
    /// Prints the figures and leaves the page as it is.
    pub dry: bool,
    /// Measures only what has this in its name.
    pub only: String,
}

impl BenchOptions {
    /// Reads `--runs N`, `--binary FILE`, `--dry` and `--only NAME`.
    pub fn read(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { n_runs: 20, binary: None, dry: false, only: String::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--runs" => options.n_runs = value()?.parse().context("reading --runs")?,
                "--binary" => options.binary = Some(value()?.into()),
                "--dry" => options.dry = true,
                // Half a page is no page.
                "--only" => (options.only, options.dry) = (value()?.clone(), true),
                _ => anyhow::bail!("bench does not know {arg}"),
            }
        }
        ensure!(options.n_runs > 0, "--runs must be at least 1");
        Ok(options)
    }
}

/// Builds, measures, prints, and rewrites the generated part of the page.
pub fn run(root: &Path, options: &BenchOptions, out: &mut impl Write) -> anyhow::Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.canonicalize().context("finding the binary")?,
        None => machine::build_release(root)?,
    };
    let machine = machine::Machine::look(root)?;
    let figures = Bench::of(binary, options).figures(out)?;
    let text = page::generated(&machine, &figures);
    writeln!(out, "\n{text}")?;
    if !options.dry {
        let path = root.join(PAGE);
        let old = std::fs::read_to_string(&path).with_context(|| format!("reading {PAGE}"))?;
        std::fs::write(&path, page::replaced(&old, &text)?).context("writing the page")?;
    }
    Ok(())
}
