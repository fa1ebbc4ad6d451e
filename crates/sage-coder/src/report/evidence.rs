//! What stands for each claim of a run: the command that showed it, its exit code, its duration, and the
//! event to look it up by. What only a model says is no claim.

use std::collections::BTreeMap;

use sage_core::{CheckKind, Event, EventKind, NodeId, TestWorth, WorkspaceEvent};
use sage_log::{Check, TestsWorthView};
use serde::Serialize;

use super::TaskReport;

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Something shows it.
    Shown,
    /// Something shows the opposite.
    Refuted,
    /// It was looked at, and nothing can be said.
    NotShown,
}

/// One claim with what stands for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claim {
    /// What is claimed.
    pub claim: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// The command, or what was looked at.
    pub by: String,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// Tests that ran, or files that were looked at.
    pub n_tests: Option<u64>,
    /// Number of the event in the run's log.
    pub seq: u64,
    /// The command that shows the event.
    pub look: String,
}

/// The claims of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskEvidence {
    /// The task, or `@run`.
    pub task: NodeId,
    /// Its claims, in the order in which they are made.
    pub claims: Vec<Claim>,
}

/// Gathers the claims of every task that ran, and of the run as a whole.
pub(super) fn of_tasks(
    run: &str,
    events: &[Event],
    tasks: &[TaskReport],
    checks: &[Check],
    tests: &TestsWorthView,
) -> Vec<TaskEvidence> {
    let nodes = tasks.iter().map(|task| task.id.clone()).chain([NodeId::run()]);
    let of_node = |node: NodeId| {
        let mut claims = Vec::new();
        files(run, events, &node, &mut claims);
        of_checks(run, &node, checks, &mut claims);
        of_tests(run, &node, checks, tests, &mut claims);
        TaskEvidence { task: node, claims }
    };
    nodes.map(of_node).filter(|of| !of.claims.is_empty()).collect()
}

fn look(run: &str, seq: u64) -> String {
    format!("sage log {run} --seq {seq}")
}

/// The files that a task left changed.
fn files(run: &str, events: &[Event], node: &NodeId, claims: &mut Vec<Claim>) {
    let mut last: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::Workspace(WorkspaceEvent::Changed { call, path, after, .. })
                if call.node == *node =>
            {
                last.insert(path, (event.seq.0, after.is_some()));
            }
            EventKind::Workspace(WorkspaceEvent::RolledBack { node: of, paths, .. })
                if of == node =>
            {
                last.retain(|path, _| !paths.iter().any(|back| back == path));
            }
            _ => {}
        }
    }
    claims.extend(last.into_iter().map(|(path, (seq, exists))| Claim {
        claim: if exists { "file written" } else { "file deleted" },
        standing: Standing::Shown,
        by: path.to_owned(),
        exit_code: None,
        duration_ms: None,
        n_tests: None,
        seq,
        look: look(run, seq),
    }));
}

/// The last result of each command of a task.
fn of_checks(run: &str, node: &NodeId, checks: &[Check], claims: &mut Vec<Claim>) {
    let mut last: Vec<&Check> = Vec::new();
    for check in checks.iter().filter(|check| check.node == *node) {
        last.retain(|known| {
            (known.kind, &known.command, known.attempt)
                != (check.kind, &check.command, check.attempt)
        });
        last.push(check);
    }
    for check in last {
        let claim = match check.kind {
            CheckKind::Lint => "parses",
            CheckKind::GeneratedTest => "its tests ran and passed",
            CheckKind::Acceptance => "accepted",
            CheckKind::Project if is_before(check) => "project verified before the run",
            CheckKind::Project => "project verified",
            // Told with what it shows.
            CheckKind::Counter => continue,
        };
        let standing = if check.passed { Standing::Shown } else { Standing::Refuted };
        claims.push(of_check(run, claim, standing, check));
    }
}

fn is_before(check: &Check) -> bool {
    check.node == NodeId::run() && check.attempt == crate::verify::BASELINE
}

fn of_check(run: &str, claim: &'static str, standing: Standing, check: &Check) -> Claim {
    Claim {
        claim,
        standing,
        by: check.command.clone(),
        exit_code: check.exit_code,
        duration_ms: Some(check.duration_ms),
        n_tests: check.n_tests,
        seq: check.seq.0,
        look: look(run, check.seq.0),
    }
}

fn of_tests(
    run: &str,
    node: &NodeId,
    checks: &[Check],
    tests: &TestsWorthView,
    claims: &mut Vec<Claim>,
) {
    for weighed in tests.weighed.iter().filter(|weighed| weighed.node == *node) {
        let standing = match weighed.worth {
            TestWorth::FailsBefore | TestWorth::KillsMutant => Standing::Shown,
            TestWorth::Worthless => Standing::Refuted,
            TestWorth::Untried => Standing::NotShown,
        };
        let shown_by =
            weighed.call.as_ref().and_then(|call| checks.iter().find(|check| check.call == *call));
        let (claim, by) = ("tests can fail", format!("{}: {}", weighed.subject, weighed.detail));
        claims.push(match shown_by {
            Some(check) => Claim { by, ..of_check(run, claim, standing, check) },
            None => Claim {
                claim,
                standing,
                by,
                exit_code: None,
                duration_ms: None,
                n_tests: None,
                seq: weighed.seq.0,
                look: look(run, weighed.seq.0),
            },
        });
    }
    for compared in tests.compared.iter().filter(|compared| compared.node == *node) {
        let counts = tests.flags.iter().any(|flag| flag.node == *node && flag.counts_against);
        let standing = match (counts, compared.n_findings) {
            (true, _) => Standing::Refuted,
            (false, 0) => Standing::Shown,
            (false, _) => Standing::NotShown,
        };
        let files = compared.n_files;
        let by = match compared.n_findings {
            0 => format!("{files} file{} that {} there before", plural(files), was(files)),
            n => format!("{n} finding{}, see flags", plural(n)),
        };
        claims.push(Claim {
            claim: "no test was bent",
            standing,
            by,
            exit_code: None,
            duration_ms: None,
            n_tests: None,
            seq: compared.seq.0,
            look: look(run, compared.seq.0),
        });
    }
}

const fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

const fn was(n: u64) -> &'static str {
    if n == 1 { "was" } else { "were" }
}
