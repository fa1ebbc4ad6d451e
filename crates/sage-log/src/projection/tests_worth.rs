//! What a run's tests are worth: which can fail, and what was done to those that were there.

use std::collections::BTreeSet;

use sage_core::{
    CallId, Event, EventKind, NodeId, Seq, Severity, Tampering, TestWorth, WorkspaceEvent,
};
use serde::Serialize;

use super::Projection;

/// Collects what was found about tests. Of several rounds of one task the last counts: what a repair
/// put right is no flag any more, and the log keeps it.
#[derive(Debug, Clone, Default)]
pub struct TestsWorth {
    weighed: Vec<Weighed>,
    flags: Vec<(u32, Flag)>,
    compared: Vec<Compared>,
}

/// What was found about tests.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TestsWorthView {
    /// Test files, and commands, that were weighed.
    pub weighed: Vec<Weighed>,
    /// What was done to tests, worst first within a task.
    pub flags: Vec<Flag>,
    /// Tasks whose changes to tests were compared, with the event.
    pub compared: Vec<Compared>,
}

/// One weighing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Weighed {
    /// The task.
    pub node: NodeId,
    /// Its attempt.
    pub attempt: u32,
    /// The test file or command.
    pub subject: String,
    /// New or changed tests in it.
    pub n_tests: u64,
    /// What was found.
    pub worth: TestWorth,
    /// The check that shows it.
    pub call: Option<CallId>,
    /// What was tried.
    pub detail: String,
    /// Its event.
    pub seq: Seq,
    #[serde(skip)]
    round: u32,
}

/// One finding about tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flag {
    /// The task.
    pub node: NodeId,
    /// Its attempt.
    pub attempt: u32,
    /// What was found.
    pub finding: Tampering,
    /// Whether the task failed on its account.
    pub counts_against: bool,
    /// Its event.
    pub seq: Seq,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The task.
    pub node: NodeId,
    /// Its attempt.
    pub attempt: u32,
    /// Files that were there before and had to do with tests.
    pub n_files: u64,
    /// Findings.
    pub n_findings: u64,
    /// Its event.
    pub seq: Seq,
    #[serde(skip)]
    round: u32,
}

impl Projection for TestsWorth {
    type View = TestsWorthView;

    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Workspace(WorkspaceEvent::TestsWeighed {
                node,
                attempt,
                round,
                subject,
                n_tests,
                worth,
                call,
                detail,
            }) => {
                self.weighed.retain(|known| {
                    known.node != *node || (known.attempt, known.round) >= (*attempt, *round)
                });
                self.weighed.retain(|known| known.node != *node || known.subject != *subject);
                self.weighed.push(Weighed {
                    node: node.clone(),
                    attempt: *attempt,
                    round: *round,
                    subject: subject.clone(),
                    n_tests: *n_tests,
                    worth: *worth,
                    call: call.clone(),
                    detail: detail.clone(),
                    seq: event.seq,
                });
            }
            EventKind::Workspace(WorkspaceEvent::TestsCompared {
                node,
                attempt,
                round,
                n_files,
                findings,
            }) => {
                let key = (*attempt, *round);
                self.flags
                    .retain(|(round, flag)| flag.node != *node || (flag.attempt, *round) >= key);
                // What was found while tests were weighed belongs to the same comparison.
                let is_same = |known: &&mut Compared| {
                    known.node == *node && (known.attempt, known.round) == key
                };
                match self.compared.iter_mut().find(is_same) {
                    Some(known) => known.n_findings += findings.len() as u64,
                    None => {
                        self.compared.retain(|known| known.node != *node);
                        self.compared.push(Compared {
                            node: node.clone(),
                            attempt: *attempt,
                            n_files: *n_files,
                            n_findings: findings.len() as u64,
                            seq: event.seq,
                            round: *round,
                        });
                    }
                }
                self.flags.extend(findings.iter().map(|finding| {
                    let flag = Flag {
                        node: node.clone(),
                        attempt: *attempt,
                        counts_against: finding.counts_against(),
                        finding: finding.clone(),
                        seq: event.seq,
                    };
                    (*round, flag)
                }));
            }
            _ => {}
        }
    }

    fn view(&self) -> TestsWorthView {
        TestsWorthView {
            weighed: self.weighed.clone(),
            flags: self.flags.iter().map(|(_, flag)| flag.clone()).collect(),
            compared: self.compared.clone(),
        }
    }
}

impl TestsWorthView {
    /// Findings of at least this severity.
    pub fn of_severity(&self, least: Severity) -> impl Iterator<Item = &Flag> {
        self.flags.iter().filter(move |flag| flag.finding.severity >= least)
    }

    /// Tests that were weighed and do not count, without repetition.
    #[must_use]
    pub fn worthless(&self) -> BTreeSet<&str> {
        let worthless = |weighed: &&Weighed| weighed.worth == TestWorth::Worthless;
        self.weighed.iter().filter(worthless).map(|weighed| weighed.subject.as_str()).collect()
    }
}
