//! `sage runs prune`: removes old runs, never one that goes on, and the saved states of files that no run
//! that is left refers to.

use sage_log::RunSummary;
use sage_tool::SnapshotStore;
use serde_json::json;

use super::summary_json;
use crate::app::now_ms;
use crate::cli::PruneArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::history::{self, local_time};
use crate::ui::{Ui, printable, size, style};

/// Removes them, or says what it would remove.
pub fn run(args: &PruneArgs, cx: &Context, ui: &Ui) -> Outcome {
    let runs = history::runs(cx);
    let all = runs.list()?;
    let chosen = choose(&all, args, now_ms());
    let mut n_removed = 0;
    let mut n_failed = 0;
    for run in chosen {
        if !args.dry_run
            && let Err(error) = runs.remove(&run.run)
        {
            n_failed += 1;
            ui.warn(format!("{} is kept: {error}", run.run));
            continue;
        }
        n_removed += 1;
        if args.output.json {
            let mut line = summary_json(run);
            line["removed"] = json!(!args.dry_run);
            ui.json(&line);
        } else {
            let word = if args.dry_run { "would remove" } else { "removed" };
            let goal = printable(run.goal.lines().next().unwrap_or_default()).into_owned();
            ui.line(format!(
                "{word} {} {} {goal}",
                style::heading(&run.run),
                local_time(run.started_at_ms)
            ));
        }
    }
    if !args.output.json {
        ui.note(format!("{n_removed} of {} runs", all.len()));
    }
    if !args.dry_run {
        free(cx, args.output.json, ui);
    }
    Ok(if n_failed > 0 { ExitCode::Config } else { ExitCode::Done })
}

/// Frees what no run needs any more. A failure is no reason to complain about the runs that are gone.
fn free(cx: &Context, json: bool, ui: &Ui) {
    let dir = cx.sage("snapshots");
    if !dir.is_dir() {
        return;
    }
    let freed = SnapshotStore::open(&dir)
        .map_err(sage_coder::Error::from)
        .and_then(|store| store.prune(|| sage_coder::in_use(&cx.sage(""))));
    match freed {
        Ok(bytes) if json => ui.json(&json!({ "freed_bytes": bytes })),
        Ok(0) => {}
        Ok(bytes) => ui.line(format!("freed {} of saved file states", size(bytes))),
        Err(error) => ui.warn(format!("saved file states are all kept: {error}")),
    }
}

/// The runs to remove: beyond the newest N (those that can be resumed do not count and stay), and
/// those that began before the given time. Running ones stay in any case.
fn choose<'a>(all: &'a [RunSummary], args: &PruneArgs, now_ms: u64) -> Vec<&'a RunSummary> {
    let oldest_kept = args
        .older_than
        .map(|age| now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
    all.iter()
        .enumerate()
        .filter(|(_, run)| !run.live)
        .filter(|(n, run)| {
            let beyond = args.keep.is_some_and(|keep| *n >= keep && !run.resumable);
            let too_old = oldest_kept.is_some_and(|oldest| run.started_at_ms < oldest);
            // With both, both must hold: `--keep 5 --older-than 30d` keeps the five newest.
            match (args.keep, oldest_kept) {
                (Some(keep), Some(_)) => too_old && *n >= keep,
                _ => beyond || too_old,
            }
        })
        .map(|(_, run)| run)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sage_core::RunId;

    use super::*;

    fn run(id: &str, started_at_ms: u64) -> RunSummary {
        RunSummary {
            run: RunId::new(id).unwrap(),
            goal: String::new(),
            started_at_ms,
            ended_at_ms: None,
            outcome: None,
            resumable: false,
            live: false,
            n_tasks: 0,
            n_done: 0,
            n_failed: 0,
            usd: 0.0,
            problem: None,
        }
    }

    fn chosen(all: &[RunSummary], keep: Option<usize>, older_than_s: Option<u64>) -> String {
        let args = PruneArgs {
            keep,
            older_than: older_than_s.map(Duration::from_secs),
            dry_run: true,
            output: crate::cli::OutputArgs::default(),
        };
        let names: Vec<&str> =
            choose(all, &args, 10_000).iter().map(|run| run.run.as_str()).collect();
        names.join(" ")
    }

    #[test]
    fn running_and_resumable_runs_are_kept() {
        let mut all = [run("d", 9_000), run("c", 8_000), run("b", 7_000), run("a", 1_000)];
        assert_eq!(chosen(&all, Some(1), None), "c b a");
        assert_eq!(chosen(&all, None, Some(5)), "a");
        assert_eq!(chosen(&all, Some(3), Some(1)), "a");
        assert_eq!(chosen(&all, Some(0), Some(100)), "");
        all[2].resumable = true;
        assert_eq!(chosen(&all, Some(1), None), "c a");
        assert_eq!(chosen(&all, None, Some(1)), "c b a");
        all[3].live = true;
        assert_eq!(chosen(&all, None, Some(1)), "c b");
    }
}
