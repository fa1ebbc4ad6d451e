//! The generated part of `docs/benchmarks.md`.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::machine::Machine;
use super::scenario::{CHECKED_EDITS, Figures, N_EDITS, Row};
use super::summary::Summary;

const BEGIN: &str = "<!-- begin: written by `cargo xtask bench` -->\n";
const END: &str = "<!-- end -->\n";

/// What the program must stay below.
struct Target {
    what: &'static str,
    limit: f64,
    unit: &'static str,
}

/// Other agents at the one-task run, measured earlier on the same kind of machine.
struct Peer {
    name: &'static str,
    seconds: Option<f64>,
    mb: Option<f64>,
    prompt_tokens: Option<f64>,
}

const PEERS: &[Peer] = &[
    Peer { name: "the ancestor", seconds: Some(1.6), mb: Some(136.0), prompt_tokens: None },
    Peer {
        name: "leanest peer, first",
        seconds: Some(0.35),
        mb: Some(134.0),
        prompt_tokens: Some(9600.0),
    },
    Peer {
        name: "leanest peer, second",
        seconds: Some(0.34),
        mb: Some(111.0),
        prompt_tokens: Some(3900.0),
    },
    Peer {
        name: "smallest prompt (a shell-only agent; 4 s of processor time)",
        seconds: None,
        mb: Some(228.0),
        prompt_tokens: Some(850.0),
    },
];

/// The page with its generated part replaced.
pub fn replaced(page: &str, generated: &str) -> anyhow::Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("the page has no mark of a beginning")?;
    let (_, after) = rest.split_once(END).context("the page has no mark of an end")?;
    Ok(format!("{before}{BEGIN}\n{generated}\n{END}{after}"))
}

/// All tables.
pub fn generated(machine: &Machine, figures: &Figures) -> String {
    [machine_section(machine, figures), targets(figures), peers(figures), details(figures)]
        .join("\n")
        .trim_end()
        .to_owned()
        + "\n"
}

fn machine_section(machine: &Machine, figures: &Figures) -> String {
    let Machine { date, commit, n_cores, processor, kernel, rustc, load } = machine;
    let sync = figures.sync_ms;
    format!(
        "Measured on {date} at commit {commit}: {n_cores} cores ({processor}), {kernel}, {rustc}; load \
         average {load} at the start; making a small write durable takes {:.1} ms (median; least {:.1} \
         ms). Each figure is the median of {} after a warm-up, and the least.\n",
        sync.median, sync.min, figures.n_runs
    )
}

fn targets(figures: &Figures) -> String {
    let mut text = String::from(
        "## Targets\n\n| what | target | median | least | |\n|---|---:|---:|---:|---|\n",
    );
    let mut line = |target: Target, value: Summary| {
        let verdict = if value.median < target.limit { "met" } else { "**missed**" };
        let Target { what, limit, unit } = target;
        let _ = writeln!(
            text,
            "| {what} | < {limit} {unit} | {} | {} | {verdict} |",
            number(value.median),
            number(value.min)
        );
    };
    let exact = |value: f64| Summary { min: value, median: value };
    let target = |what, limit, unit| Target { what, limit, unit };
    let size = megabytes(figures.binary_bytes);
    line(target("release binary", 25.0, "MB"), exact(size));
    if let Some(row) = figures.row("`sage --version`") {
        line(target("`sage --version`, time", 10.0, "ms"), row.own_ms);
        line(target("`sage --version`, peak memory", 15.0, "MiB"), row.peak_mib);
    }
    if let Some(row) = figures.row(ONE_TASK) {
        line(target("run of one task, over the provider's time", 60.0, "ms"), row.own_ms);
        line(target("run of one task, peak memory", 40.0, "MiB"), row.peak_mib);
    }
    if let Some(row) = figures.row(CHECKED_EDITS) {
        // A thousand in a second.
        let limit = as_f64(N_EDITS);
        line(
            target("150 edits of 1,000-line files: at least 1,000 in a second", limit, "ms"),
            row.own_ms,
        );
    }
    for (role, prompt) in &figures.prompts {
        let what = if *role == "coder" {
            "first prompt of the coder"
        } else {
            "first prompt of the planner"
        };
        line(target(what, 3000.0, "tokens"), exact(as_f64(prompt.tokens())));
    }
    text
}

const ONE_TASK: &str = "run, one task";

fn peers(figures: &Figures) -> String {
    let mut text = String::from(
        "## Next to others\n\nThe same job: one goal, one new file, a provider that answers at once. The others were \
         measured earlier, on the same kind of machine.\n\n\
         | agent | time over the provider's | times ours | peak memory | times ours | prompt | times ours |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    let Some(row) = figures.row(ONE_TASK) else { return text };
    let prompt = figures.prompts.iter().find(|(role, _)| *role == "coder");
    let tokens = prompt.map_or(f64::NAN, |(_, prompt)| as_f64(prompt.tokens()));
    let (seconds, mb) = (row.own_ms.median / 1e3, row.peak_mib.median * 1.048_576);
    let _ = writeln!(text, "| sage | {seconds:.3} s | | {mb:.0} MB | | {tokens:.0} tokens | |");
    for peer in PEERS {
        let cell = |value: Option<f64>, ours: f64, unit: &str| match value {
            Some(value) => format!("{value} {unit} | {:.1}", value / ours),
            None => "| ".to_owned(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            peer.name,
            cell(peer.seconds, seconds, "s"),
            cell(peer.mb, mb, "MB"),
            cell(peer.prompt_tokens, tokens, "tokens"),
        );
    }
    text
}

fn details(figures: &Figures) -> String {
    let mut text = String::from(
        "## Everything measured\n\n| what | ms over the provider's | least | ms of processors | MiB at most | model calls | KB sent |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in &figures.rows {
        let Row { name, own_ms, cpu_ms, peak_mib, n_calls, sent_bytes } = row;
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} |",
            number(own_ms.median),
            number(own_ms.min),
            number(cpu_ms.median),
            number(peak_mib.median),
            n_calls,
            number(as_f64(*sent_bytes) / 1e3)
        );
    }
    text.push_str(
        "\n## First prompts\n\n| role | instructions | tools | answer's schema | whole request | tokens of instructions and tools |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    for (role, prompt) in &figures.prompts {
        let _ = writeln!(
            text,
            "| {role} | {} bytes | {} bytes | {} bytes | {} bytes | {} |",
            prompt.system_bytes,
            prompt.tools_bytes,
            prompt.schema_bytes,
            prompt.request_bytes,
            prompt.tokens()
        );
    }
    text
}

impl Figures {
    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

fn number(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn as_f64(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_between_the_marks_is_replaced() {
        let page = format!("# Title\n{BEGIN}old\n{END}after\n");
        let once = replaced(&page, "new\n").unwrap();
        assert_eq!(once, format!("# Title\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(replaced(&once, "new\n").unwrap(), once);
        assert!(replaced("# Title\n", "new\n").is_err());
    }
}
