use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use sage_core::{RunId, Seq};
use sage_graph::{EdgeSpec, GraphSpec, NodeSpec};

use super::*;
use crate::NodeReport;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// `"a b c"` and `"a>b b>c"`.
fn graph(nodes: &str, edges: &str, attempts: u32) -> Arc<CompiledGraph> {
    let nodes = nodes.split_whitespace().map(|name| {
        let mut node = NodeSpec::new(id(name), "task");
        node.retry = Retry { attempts, backoff_ms: 1000 };
        node
    });
    let edges = edges.split_whitespace().map(|edge| {
        let (from, to) = edge.split_once('>').unwrap();
        EdgeSpec::after(id(from), id(to))
    });
    let spec = GraphSpec { nodes: nodes.collect(), edges: edges.collect() };
    Arc::new(spec.compile().unwrap())
}

fn rules(max_parallel: usize, on_failure: OnFailure) -> Rules {
    Rules { max_parallel, on_failure }
}

fn event(kind: impl Into<EventKind>) -> Event {
    Event { seq: Seq(1), at_ms: 0, run: RunId::new("r").unwrap(), kind: kind.into() }
}

fn started(node: &str, attempt: u32) -> Event {
    event(NodeEvent::Started { node: id(node), attempt })
}

fn finished(node: &NodeId, attempt: u32, report: NodeReport) -> Event {
    let NodeReport { outcome, error, summary } = report;
    event(NodeEvent::Finished { node: node.clone(), attempt, outcome, error, summary })
}

fn ended(node: &str, attempt: u32, report: NodeReport) -> Event {
    finished(&id(node), attempt, report)
}

fn done() -> NodeReport {
    NodeReport::done("")
}

fn failed(error: impl Into<Option<ErrorKind>>) -> NodeReport {
    NodeReport::failed(error, "")
}

fn show(actions: &[Action]) -> String {
    let show = |action: &Action| match action {
        Action::Skip { node, because } => format!("skip {node} because {because}"),
        Action::Start { node, attempt, delay_ms, begin } => {
            let delay = if *delay_ms == 0 { String::new() } else { format!(" in {delay_ms} ms") };
            let begin = if *begin == Begin::New { String::new() } else { format!(" {begin:?}") };
            format!("start {node}#{attempt}{begin}{delay}")
        }
    };
    actions.iter().map(show).collect::<Vec<_>>().join(", ")
}

/// What a scheduler says after each of the events, and its outcome at the end.
fn check(graph: Arc<CompiledGraph>, rules: Rules, events: &[Event], expected: Expect) {
    let mut scheduler = Scheduler::new(graph, rules);
    let mut lines = vec![show(&scheduler.next())];
    for event in events {
        scheduler.apply(event);
        lines.push(show(&scheduler.next()));
    }
    let outcome = scheduler.outcome();
    lines.push(format!(
        "done {:?} failed {:?} skipped {:?} interrupted {:?} not started {:?}",
        names(&outcome.done),
        names(&outcome.failed),
        names(&outcome.skipped),
        names(&outcome.interrupted),
        names(&outcome.not_started)
    ));
    expected.assert_eq(&lines.join("\n"));
}

fn names(ids: &[NodeId]) -> String {
    ids.iter().map(NodeId::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_free_slot_goes_to_the_first_node_that_is_ready() {
    check(
        graph("a b c d", "a>d", 1),
        rules(2, OnFailure::SkipDependents),
        &[ended("b", 1, done()), ended("a", 1, done()), ended("c", 1, done())],
        expect![[r#"
            start a#1, start b#1
            start c#1
            start d#1

            done "a b c" failed "" skipped "" interrupted "d" not started """#]],
    );
}

#[test]
fn a_failed_attempt_is_tried_again_later_and_later_until_none_is_left() {
    check(
        graph("a b", "a>b", 4),
        rules(2, OnFailure::SkipDependents),
        &[
            ended("a", 1, failed(None)),
            ended("a", 2, failed(ErrorKind::Tool)),
            ended("a", 3, failed(ErrorKind::ModelAnswer)),
            ended("a", 4, failed(None)),
        ],
        expect![[r#"
            start a#1
            start a#2 in 1000 ms
            start a#3 in 2000 ms
            start a#4 in 4000 ms
            skip b because a
            done "" failed "a" skipped "b" interrupted "" not started """#]],
    );
}

#[test]
fn a_failure_that_another_attempt_cannot_mend_is_final() {
    for kind in [ErrorKind::Config, ErrorKind::Usage, ErrorKind::Environment, ErrorKind::Rejected] {
        check(
            graph("a b", "a>b", 4),
            rules(2, OnFailure::SkipDependents),
            &[ended("a", 1, failed(kind))],
            expect![[r#"
                start a#1
                skip b because a
                done "" failed "a" skipped "b" interrupted "" not started """#]],
        );
    }
}

#[test]
fn everything_below_a_failed_node_is_skipped_on_its_account_and_the_rest_goes_on() {
    check(
        graph("a b c d e", "a>c b>d c>d d>e", 1),
        rules(1, OnFailure::SkipDependents),
        &[ended("a", 1, failed(None)), ended("b", 1, done())],
        expect![[r#"
            start a#1
            skip c because a, skip d because a, skip e because a, start b#1

            done "b" failed "a" skipped "c d e" interrupted "" not started """#]],
    );
}

#[test]
fn stop_starting_lets_running_nodes_finish_and_begins_nothing() {
    check(
        graph("a b c d", "a>d", 1),
        rules(2, OnFailure::StopStarting),
        &[ended("a", 1, failed(None)), ended("b", 1, done())],
        expect![[r#"
            start a#1, start b#1
            skip d because a

            done "b" failed "a" skipped "d" interrupted "" not started "c""#]],
    );
}

#[test]
fn a_failure_that_is_not_the_nodes_own_stops_the_run_and_is_taken_up_again() {
    for kind in [
        ErrorKind::ModelUnavailable,
        ErrorKind::Budget,
        ErrorKind::Interrupted,
        ErrorKind::Internal,
    ] {
        check(
            graph("a b c d", "a>d", 3),
            rules(2, OnFailure::SkipDependents),
            &[
                ended("a", 1, failed(None)),
                ended("a", 2, failed(kind)),
                ended("b", 1, done()),
                event(RunEvent::Resumed { sage_version: String::new(), changed_files: Vec::new() }),
                ended("a", 2, done()),
            ],
            expect![[r#"
                start a#1, start b#1
                start a#2 in 1000 ms


                start a#2 Again, start c#1
                start d#1
                done "a b" failed "" skipped "" interrupted "c d" not started """#]],
        );
    }
}

#[test]
fn a_resumed_run_takes_up_what_began_and_repeats_nothing_that_ended() {
    let past = [
        started("a", 1),
        ended("a", 1, done()),
        started("b", 1),
        ended("b", 1, failed(None)),
        started("b", 2),
        started("c", 1),
        ended("c", 1, NodeReport::interrupted("")),
        started("d", 1),
        ended("d", 1, failed(ErrorKind::Config)),
    ];
    let mut scheduler =
        Scheduler::new(graph("a b c d e f", "d>e c>f", 2), rules(9, OnFailure::SkipDependents));
    for event in &past {
        scheduler.apply(event);
    }
    // The process that saw the interruption starts nothing more.
    assert_eq!(show(&scheduler.next()), "skip e because d");
    scheduler.take_up();
    assert_eq!(show(&scheduler.next()), "start b#2 Unknown, start c#1 Again");
}

#[test]
fn events_about_other_nodes_mean_nothing() {
    let mut scheduler = Scheduler::new(graph("a", "", 1), rules(1, OnFailure::SkipDependents));
    scheduler.apply(&started("zebra", 1));
    scheduler.apply(&finished(&NodeId::plan(), 1, failed(ErrorKind::Budget)));
    assert_eq!(show(&scheduler.next()), "start a#1");
}

#[test]
fn no_back_off_exceeds_its_bound() {
    let retry = Retry { attempts: 100, backoff_ms: 7 };
    assert_eq!(backoff_ms(retry, 1), 0);
    assert_eq!(backoff_ms(retry, 3), 14);
    assert_eq!(backoff_ms(retry, 100), MAX_BACKOFF_MS);
    assert_eq!(backoff_ms(Retry { attempts: 100, backoff_ms: u64::MAX }, 2), MAX_BACKOFF_MS);
}

// ---- random graphs, random ends, random moments of death ----

/// How each attempt of each node ends: an index into [`ending`], by node and attempt.
type Script = Vec<[u8; 2]>;

#[derive(Debug, Clone)]
struct Case {
    graph: Arc<CompiledGraph>,
    script: Script,
    max_parallel: usize,
    /// Which of the running nodes ends next, step by step.
    choices: Vec<prop::sample::Index>,
}

fn cases() -> impl Strategy<Value = Case> {
    (1_usize..9).prop_flat_map(|n| {
        let pairs: Vec<(usize, usize)> =
            (0..n).flat_map(|to| (0..to).map(move |from| (from, to))).collect();
        let n_pairs = pairs.len();
        let edges = prop::collection::vec(prop::bool::weighted(0.3), n_pairs);
        let script = prop::collection::vec([0_u8..10, 0_u8..10], n);
        let choices = prop::collection::vec(any::<prop::sample::Index>(), 3 * n);
        (edges, script, 1_usize..4, choices).prop_map(
            move |(chosen, script, max_parallel, choices)| {
                let edges: Vec<String> = pairs
                    .iter()
                    .zip(chosen)
                    .filter(|(_, chosen)| *chosen)
                    .map(|((from, to), _)| format!("n{from}>n{to}"))
                    .collect();
                let nodes: Vec<String> = (0..n).map(|node| format!("n{node}")).collect();
                let graph = graph(&nodes.join(" "), &edges.join(" "), 2);
                Case { graph, script, max_parallel, choices }
            },
        )
    })
}

/// A node's own ends; the same for the same attempt in every process.
fn ending(script: &Script, node: &NodeId, attempt: u32) -> NodeReport {
    let number: usize = node.as_str()[1..].parse().unwrap();
    match script[number][attempt as usize - 1] {
        0 => failed(None),
        1 => failed(ErrorKind::Tool),
        2 => failed(ErrorKind::Config),
        _ => done(),
    }
}

/// Goes on from `past` until nothing is left to do. `end` says how an attempt ends.
fn simulate(
    case: &Case,
    past: &[Event],
    end: &dyn Fn(&NodeId, u32) -> NodeReport,
) -> (Vec<Event>, GraphOutcome) {
    let rules = rules(case.max_parallel, OnFailure::SkipDependents);
    let mut scheduler = Scheduler::new(Arc::clone(&case.graph), rules);
    past.iter().for_each(|event| scheduler.apply(event));
    scheduler.take_up();
    let mut log = past.to_vec();
    let mut running = BTreeMap::new();
    let mut choices = case.choices.iter().cycle();
    loop {
        let looked_ahead = scheduler.clone().next();
        let actions = scheduler.next();
        assert_eq!(actions, looked_ahead, "the same state gives the same actions");
        for action in actions {
            let kind = match action {
                Action::Skip { node, because } => {
                    assert!(scheduler.outcome().failed.contains(&because));
                    assert!(case.graph.reaches(&because, &node));
                    NodeEvent::Skipped { node, because }
                }
                Action::Start { node, attempt, begin, .. } => {
                    let done = scheduler.outcome().done;
                    let dependencies = case.graph.dependencies(&node);
                    assert!(dependencies.iter().all(|dependency| done.contains(dependency)));
                    assert_eq!(running.insert(node.clone(), attempt), None);
                    assert!(running.len() <= case.max_parallel);
                    if begin != Begin::New {
                        continue;
                    }
                    NodeEvent::Started { node, attempt }
                }
            };
            scheduler.apply_kind(&kind.clone().into());
            log.push(event(kind));
        }
        if running.is_empty() {
            break;
        }
        let ids: Vec<NodeId> = running.keys().cloned().collect();
        let node = choices.next().unwrap().get(&ids);
        let attempt = running.remove(node).unwrap();
        let end = finished(node, attempt, end(node, attempt));
        scheduler.apply(&end);
        log.push(end);
    }
    assert!(scheduler.is_finished());
    (log, scheduler.outcome())
}

fn started_attempts(events: &[Event]) -> Vec<(NodeId, u32)> {
    let started = events.iter().filter_map(|event| match &event.kind {
        EventKind::Node(NodeEvent::Started { node, attempt }) => Some((node.clone(), *attempt)),
        _ => None,
    });
    started.collect()
}

proptest! {
    #[test]
    fn dying_at_any_event_and_resuming_gives_the_same_outcome(case in cases()) {
        let end = |node: &NodeId, attempt| ending(&case.script, node, attempt);
        let (log, outcome) = simulate(&case, &[], &end);
        prop_assert!(outcome.interrupted.is_empty() && outcome.not_started.is_empty());
        for n_kept in 0..=log.len() {
            let (resumed_log, resumed) = simulate(&case, &log[..n_kept], &end);
            prop_assert_eq!(&resumed, &outcome, "after {} events", n_kept);
            let started = started_attempts(&resumed_log);
            let distinct: BTreeSet<_> = started.iter().collect();
            prop_assert_eq!(distinct.len(), started.len(), "an attempt was announced twice");
        }
    }

    #[test]
    fn a_run_that_stopped_for_outside_reasons_ends_as_if_it_had_not(
        case in cases(),
        kind in prop::sample::select(vec![
            ErrorKind::ModelUnavailable, ErrorKind::Budget, ErrorKind::Internal,
        ]),
        unlucky in any::<prop::sample::Index>(),
    ) {
        let end = |node: &NodeId, attempt| ending(&case.script, node, attempt);
        let (_, undisturbed) = simulate(&case, &[], &end);
        let unlucky = unlucky.get(case.graph.nodes()).id.clone();
        let (log, first) = simulate(&case, &[], &|node, attempt| {
            if *node == unlucky { failed(kind) } else { end(node, attempt) }
        });
        prop_assert!(first.interrupted.contains(&unlucky) || undisturbed.skipped.contains(&unlucky));
        let (_, resumed) = simulate(&case, &log, &end);
        prop_assert_eq!(resumed, undisturbed);
    }
}
