use sage_core::{NodeOutcome, Seq};

use super::*;

fn id(text: &str) -> NodeId {
    NodeId::new(text).unwrap()
}

fn end(node: &str, outcome: NodeOutcome, error: Option<ErrorKind>) -> Event {
    let kind =
        NodeEvent::Finished { node: id(node), attempt: 1, outcome, error, summary: String::new() };
    Event { seq: Seq(1), at_ms: 0, run: RunId::new("r").unwrap(), kind: kind.into() }
}

fn check(ends: &[Event], interrupted: &[&str], expected: Option<RunOutcome>) {
    let interrupted = interrupted.iter().map(|node| id(node)).collect();
    let outcome = GraphOutcome { interrupted, ..GraphOutcome::default() };
    assert_eq!(stopped_by(ends, &outcome), expected);
}

#[test]
fn what_stops_a_run_is_what_stopped_its_unfinished_tasks() {
    use NodeOutcome::{Failed, Interrupted};
    let budget = end("a", Failed, Some(ErrorKind::Budget));
    let full_disk = end("b", Failed, Some(ErrorKind::Environment));
    check(&[budget.clone(), full_disk.clone()], &["a"], Some(RunOutcome::OutOfBudget));
    check(std::slice::from_ref(&full_disk), &[], None);
    let unreachable = end("a", Failed, Some(ErrorKind::ModelUnavailable));
    check(&[unreachable.clone(), full_disk], &["a"], Some(RunOutcome::ModelUnavailable));
    // An end that says nothing still leaves something undone.
    check(&[end("a", Interrupted, None)], &["a"], Some(RunOutcome::Interrupted));
    check(&[], &["a"], Some(RunOutcome::Interrupted));
    check(&[end("a", Failed, Some(ErrorKind::Internal))], &["a"], Some(RunOutcome::Errored));
    check(&[unreachable, budget], &["a"], Some(RunOutcome::OutOfBudget));
}
