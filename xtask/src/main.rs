//! `cargo xtask`: the checks and generators of this repository; see the library for what they do.

use std::io::Write as _;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <check or generator>...
       cargo xtask bench [--runs N] [--binary FILE] [--dry] [--only NAME]

  layers   crates use lower layers only, and each heavy dependency has one owner
  tidy     sizes, headers, comments, links, stray paths
  docs     writes docs/cli.md and docs/env.md, which the binary generates
  bench    builds the release binary, measures it, records the figures in docs/benchmarks.md
";

fn main() -> anyhow::Result<ExitCode> {
    let root = xtask::root();
    let mut out = std::io::stdout().lock();
    let checks: Vec<String> = std::env::args().skip(1).collect();
    if checks.is_empty() {
        write!(out, "{USAGE}")?;
        return Ok(ExitCode::from(2));
    }
    match checks[0].as_str() {
        "bench" => {
            let options = xtask::bench::BenchOptions::read(&checks[1..])?;
            xtask::bench::run(&root, &options, &mut out)?;
            return Ok(ExitCode::SUCCESS);
        }
        "measure" => return xtask::bench::measure(&checks[1..]),
        _ => {}
    }
    let mut n_problems = 0;
    for check in checks {
        let problems = match check.as_str() {
            "layers" => xtask::layers::check(&root)?,
            "tidy" => xtask::tidy::check(&root)?.iter().map(ToString::to_string).collect(),
            "docs" => xtask::docs::write(&root).map(|()| Vec::new())?,
            _ => {
                write!(out, "unknown check {check:?}\n\n{USAGE}")?;
                return Ok(ExitCode::from(2));
            }
        };
        for problem in &problems {
            writeln!(out, "{problem}")?;
        }
        if problems.is_empty() {
            writeln!(out, "{check}: ok")?;
        } else {
            writeln!(out, "{check}: {} problems", problems.len())?;
        }
        n_problems += problems.len();
    }
    Ok(if n_problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
