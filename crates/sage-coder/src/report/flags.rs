//! What a person must look at: tests that were bent, tests that do not count, tests that are fewer.

use sage_core::{NodeId, Severity};
use sage_log::{Check, TestsWorthView, Weighed};

use crate::verify::BASELINE;

/// What a person must know about the tests, one line each.
pub(super) fn of_tests(tests: &TestsWorthView) -> Vec<String> {
    let bent = tests.flags.iter().map(|flag| {
        let word = match flag.finding.severity {
            Severity::Tampered => "tampered",
            Severity::Suspicious => "suspicious",
        };
        format!("{}: {word}: {} (log #{})", flag.node, flag.finding.text(), flag.seq)
    });
    let weighed = tests.weighed.iter().filter(|weighed| !weighed.worth.is_shown());
    let weighed = weighed.map(|weighed| {
        let Weighed { node, subject, worth, detail, seq, .. } = weighed;
        format!("{node}: {subject} {}: {detail} (log #{seq})", worth.words())
    });
    bent.chain(weighed).collect()
}

/// Commands of the project that ran fewer tests at the end than before the run.
pub(super) fn fewer_than_before(checks: &[Check]) -> Vec<String> {
    let of_run = |check: &&Check| check.node == NodeId::run() && check.n_tests.is_some();
    let mut found = Vec::new();
    for was in checks.iter().filter(of_run).filter(|check| check.attempt == BASELINE) {
        let mut after = checks.iter().filter(of_run).filter(|check| check.attempt > BASELINE);
        let Some(is) = after.rfind(|check| check.command == was.command) else {
            continue;
        };
        if is.n_tests < was.n_tests {
            let (before, now) = (was.n_tests.unwrap_or(0), is.n_tests.unwrap_or(0));
            let command = &is.command;
            found.push(format!(
                "`{command}` ran {now} tests, {before} before the run (log #{})",
                is.seq
            ));
        }
    }
    found
}
