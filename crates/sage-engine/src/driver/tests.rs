use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use expect_test::{Expect, expect};
use sage_core::{BlobRef, CallId, Past, RecordError, RunId, Seq};
use sage_graph::{EdgeSpec, GraphSpec, Retry};

use super::*;
use crate::OnFailure;

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// `"a b c"` and `"a>b b>c"`.
fn spec(nodes: &str, edges: &str) -> GraphSpec {
    let edges = edges.split_whitespace().map(|edge| {
        let (from, to) = edge.split_once('>').unwrap();
        EdgeSpec::after(id(from), id(to))
    });
    GraphSpec {
        nodes: nodes.split_whitespace().map(|name| NodeSpec::new(id(name), "task")).collect(),
        edges: edges.collect(),
    }
}

/// Keeps events with the paused clock's time, in milliseconds since the test began.
struct Log {
    begun: Instant,
    events: Mutex<Vec<Event>>,
    is_full: AtomicBool,
}

impl Log {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            events: Mutex::new(Vec::new()),
            is_full: AtomicBool::new(false),
        })
    }

    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn show(&self) -> String {
        let show = |event: &Event| {
            let what = match &event.kind {
                EventKind::Node(NodeEvent::Started { node, attempt }) => {
                    format!("{node}#{attempt} started")
                }
                EventKind::Node(NodeEvent::Finished { node, attempt, outcome, error, summary }) => {
                    let error = error.map(|error| format!(" {error:?}")).unwrap_or_default();
                    format!("{node}#{attempt} {outcome:?}{error} {summary}").trim_end().to_owned()
                }
                EventKind::Node(NodeEvent::Skipped { node, because }) => {
                    format!("{node} skipped because of {because}")
                }
                other => format!("{other:?}"),
            };
            format!("{} ms: {what}", event.at_ms)
        };
        self.events().iter().map(show).collect::<Vec<_>>().join("\n")
    }
}

impl Recorder for Log {
    fn put(&self, bytes: &[u8]) -> std::result::Result<BlobRef, RecordError> {
        Ok(BlobRef::of(bytes))
    }

    fn get(&self, blob: &BlobRef) -> std::result::Result<Vec<u8>, RecordError> {
        Err(RecordError { doing: format!("reading {blob}"), source: None })
    }

    fn emit(&self, kind: EventKind) -> std::result::Result<Seq, RecordError> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(RecordError { doing: "appending".to_owned(), source: None });
        }
        let mut events = self.events.lock().unwrap();
        let seq = Seq(events.len() as u64 + 1);
        let at_ms = self.begun.elapsed().as_millis() as u64;
        events.push(Event { seq, at_ms, run: RunId::new("r").unwrap(), kind });
        Ok(seq)
    }

    fn sync(&self) -> std::result::Result<(), RecordError> {
        Ok(())
    }

    fn past(&self, _: &CallId) -> Past {
        Past::Nothing
    }
}

/// What a node does in these tests.
#[derive(Clone)]
enum Act {
    /// Works for so many milliseconds, then reports; stops at once when cancelled.
    Work(u64, NodeReport),
    /// Works without listening to the cancellation.
    Deaf(u64),
    /// Fails as soon as it is cancelled, as if a tool of it had been killed.
    FailWhenCancelled,
    Panic,
    /// Fills the disk.
    FillDisk(Arc<Log>),
}

fn work(ms: u64) -> Act {
    Act::Work(ms, NodeReport::done(""))
}

/// Acts by node, one after the other; the last one is repeated.
#[derive(Default)]
struct Actors {
    acts: BTreeMap<String, Vec<Act>>,
    n_runs: Mutex<BTreeMap<String, usize>>,
    n_running: AtomicUsize,
    most_running: AtomicUsize,
    may_take_up: bool,
    given_up: Mutex<Vec<String>>,
}

impl Actors {
    fn new(acts: impl IntoIterator<Item = (&'static str, Vec<Act>)>) -> Self {
        let acts = acts.into_iter().map(|(node, acts)| (node.to_owned(), acts)).collect();
        Self { acts, ..Self::default() }
    }

    fn next_act(&self, node: &NodeId) -> Act {
        let mut n_runs = self.n_runs.lock().unwrap();
        let n_runs = n_runs.entry(node.to_string()).or_default();
        *n_runs += 1;
        let acts = &self.acts[node.as_str()];
        acts[(*n_runs - 1).min(acts.len() - 1)].clone()
    }
}

#[async_trait]
impl NodeRunner for Actors {
    async fn run(&self, node: &NodeSpec, _: u32, cancel: CancellationToken) -> NodeReport {
        let act = self.next_act(&node.id);
        let n_running = self.n_running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(n_running, Ordering::SeqCst);
        let report = match act {
            Act::Work(ms, report) => tokio::select! {
                () = sleep(Duration::from_millis(ms)) => report,
                () = cancel.cancelled() => NodeReport::interrupted("stopped"),
            },
            Act::Deaf(ms) => {
                sleep(Duration::from_millis(ms)).await;
                NodeReport::done("")
            }
            Act::FailWhenCancelled => {
                cancel.cancelled().await;
                NodeReport::failed(ErrorKind::Tool, "killed")
            }
            Act::Panic => panic!("lost the plot"),
            Act::FillDisk(log) => {
                log.is_full.store(true, Ordering::SeqCst);
                NodeReport::done("")
            }
        };
        self.n_running.fetch_sub(1, Ordering::SeqCst);
        report
    }

    async fn may_take_up(&self, _: &NodeSpec, _: u32) -> bool {
        self.may_take_up
    }

    async fn give_up(&self, node: &NodeSpec, attempt: u32) {
        self.given_up.lock().unwrap().push(format!("{}#{attempt}", node.id));
    }
}

const RULES: Rules = Rules { max_parallel: 3, on_failure: OnFailure::SkipDependents };

struct Bench {
    log: Arc<Log>,
    actors: Arc<Actors>,
    graph: Arc<CompiledGraph>,
    cancel: CancellationToken,
}

impl Bench {
    fn new(spec: &GraphSpec, actors: Actors) -> Self {
        Self {
            log: Log::new(),
            actors: Arc::new(actors),
            graph: Arc::new(spec.compile().unwrap()),
            cancel: CancellationToken::new(),
        }
    }

    async fn run(&self, past: &[Event]) -> Result<GraphOutcome> {
        run(
            Arc::clone(&self.graph),
            RULES,
            Arc::clone(&self.actors) as Arc<dyn NodeRunner>,
            Arc::clone(&self.log) as Arc<dyn Recorder>,
            past,
            self.cancel.clone(),
        )
        .await
    }

    /// Cancels at the given time of the paused clock.
    async fn run_and_cancel_at(&self, ms: u64) -> Result<GraphOutcome> {
        let cancel = async {
            sleep(Duration::from_millis(ms)).await;
            self.cancel.cancel();
        };
        tokio::join!(self.run(&[]), cancel).0
    }

    fn check_log(&self, expected: Expect) {
        expected.assert_eq(&self.log.show());
    }
}

#[tokio::test(start_paused = true)]
async fn six_independent_nodes_run_three_at_a_time_without_barriers() {
    let lengths = [("a", 10), ("b", 40), ("c", 25), ("d", 10), ("e", 30), ("f", 5)];
    let bench = Bench::new(
        &spec("a b c d e f", ""),
        Actors::new(lengths.map(|(node, ms)| (node, vec![work(ms)]))),
    );
    let outcome = bench.run(&[]).await.unwrap();
    assert!(outcome.is_success());
    assert_eq!(bench.actors.most_running.load(Ordering::SeqCst), 3);
    bench.check_log(expect![[r#"
        0 ms: a#1 started
        0 ms: b#1 started
        0 ms: c#1 started
        10 ms: a#1 Done
        10 ms: d#1 started
        20 ms: d#1 Done
        20 ms: e#1 started
        25 ms: c#1 Done
        25 ms: f#1 started
        30 ms: f#1 Done
        40 ms: b#1 Done
        50 ms: e#1 Done"#]]);
}

#[tokio::test(start_paused = true)]
async fn a_node_starts_when_its_own_dependencies_are_done_not_when_the_layer_is() {
    let bench = Bench::new(
        &spec("slow quick next", "quick>next"),
        Actors::new([
            ("slow", vec![work(100)]),
            ("quick", vec![work(10)]),
            ("next", vec![work(10)]),
        ]),
    );
    bench.run(&[]).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: slow#1 started
        0 ms: quick#1 started
        10 ms: quick#1 Done
        10 ms: next#1 started
        20 ms: next#1 Done
        100 ms: slow#1 Done"#]]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_its_back_off_and_a_failed_node_takes_its_dependents_along() {
    let mut spec = spec("a b c", "a>b b>c");
    spec.nodes[0].retry = Retry { attempts: 3, backoff_ms: 100 };
    spec.nodes[1].retry = Retry { attempts: 2, backoff_ms: 0 };
    let failure = || Act::Work(10, NodeReport::failed(None, "tests fail"));
    let bench = Bench::new(
        &spec,
        Actors::new([
            ("a", vec![failure(), failure(), work(10)]),
            ("b", vec![failure()]),
            ("c", vec![work(10)]),
        ]),
    );
    bench.run(&[]).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: a#1 started
        10 ms: a#1 Failed tests fail
        110 ms: a#2 started
        120 ms: a#2 Failed tests fail
        320 ms: a#3 started
        330 ms: a#3 Done
        330 ms: b#1 started
        340 ms: b#1 Failed tests fail
        340 ms: b#2 started
        350 ms: b#2 Failed tests fail
        350 ms: c skipped because of b"#]]);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_runner_is_an_internal_failure_and_stops_the_run() {
    let bench = Bench::new(
        &spec("a b c", "b>c"),
        Actors::new([("a", vec![Act::Panic]), ("b", vec![work(10)]), ("c", vec![work(10)])]),
    );
    let outcome = bench.run(&[]).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: a#1 started
        0 ms: b#1 started
        0 ms: a#1 Failed Internal panicked: lost the plot
        10 ms: b#1 Done"#]]);
    assert_eq!(outcome.interrupted, [id("a")]);
    assert_eq!(outcome.not_started, [id("c")]);
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_time_is_up_is_told_then_dropped_and_has_failed() {
    let mut spec = spec("listens deaf", "");
    for node in &mut spec.nodes {
        node.timeout_s = Some(2);
    }
    let bench = Bench::new(
        &spec,
        Actors::new([("listens", vec![work(60_000)]), ("deaf", vec![Act::Deaf(60_000)])]),
    );
    let outcome = bench.run(&[]).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: listens#1 started
        0 ms: deaf#1 started
        2000 ms: listens#1 Failed timed out after 2 s
        7000 ms: deaf#1 Failed timed out after 2 s"#]]);
    assert_eq!(outcome.failed, [id("listens"), id("deaf")]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_within_its_grace_and_everything_unfinished_can_be_taken_up() {
    let bench = Bench::new(
        &spec("listens deaf killed later", ""),
        Actors::new([
            ("listens", vec![work(60_000), work(10)]),
            ("deaf", vec![Act::Deaf(60_000), work(10)]),
            ("killed", vec![Act::FailWhenCancelled, work(10)]),
            ("later", vec![work(10)]),
        ]),
    );
    let outcome = bench.run_and_cancel_at(50).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: listens#1 started
        0 ms: deaf#1 started
        0 ms: killed#1 started
        650 ms: killed#1 Interrupted Interrupted killed
        650 ms: listens#1 Interrupted Interrupted stopped
        650 ms: deaf#1 Interrupted Interrupted stopped before its end"#]]);
    assert_eq!(outcome.interrupted, [id("listens"), id("deaf"), id("killed")]);
    assert_eq!(outcome.not_started, [id("later")]);

    // A later process goes on: the same attempts, without announcing them again.
    let past = bench.log.events();
    let later = Bench { log: Log::new(), cancel: CancellationToken::new(), ..bench };
    let outcome = later.run(&past).await.unwrap();
    assert!(outcome.is_success());
    later.check_log(expect![[r#"
        10 ms: listens#1 Done
        10 ms: later#1 started
        10 ms: deaf#1 Done
        10 ms: killed#1 Done
        20 ms: later#1 Done"#]]);
}

#[tokio::test(start_paused = true)]
async fn a_run_cancelled_before_it_begins_starts_nothing() {
    let bench = Bench::new(&spec("a", ""), Actors::new([("a", vec![work(10)])]));
    bench.cancel.cancel();
    let outcome = bench.run(&[]).await.unwrap();
    assert_eq!(outcome.not_started, [id("a")]);
    assert_eq!(bench.log.show(), "");
}

#[tokio::test(start_paused = true)]
async fn a_back_off_does_not_hold_up_a_run_that_stops() {
    let mut spec = spec("retried broke", "");
    spec.nodes[0].retry = Retry { attempts: 2, backoff_ms: 60_000 };
    let bench = Bench::new(
        &spec,
        Actors::new([
            ("retried", vec![Act::Work(10, NodeReport::failed(None, ""))]),
            ("broke", vec![Act::Work(20, NodeReport::failed(ErrorKind::Budget, "0.50 USD used"))]),
        ]),
    );
    let outcome = bench.run(&[]).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: retried#1 started
        0 ms: broke#1 started
        10 ms: retried#1 Failed
        20 ms: broke#1 Failed Budget 0.50 USD used"#]]);
    assert_eq!(outcome.interrupted, [id("retried"), id("broke")]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_unknown_outcome_follows_its_nodes_rule() {
    let mut spec = spec("retry fail ask below", "fail>below");
    spec.nodes[1].on_unknown = OnUnknown::Fail;
    spec.nodes[2].on_unknown = OnUnknown::Ask;
    for node in &mut spec.nodes {
        node.retry.attempts = 2;
    }
    let past = Log::new();
    for node in ["retry", "fail", "ask"] {
        past.emit(NodeEvent::Started { node: id(node), attempt: 1 }.into()).unwrap();
    }
    let acts = ["retry", "fail", "ask", "below"].map(|node| (node, vec![work(10)]));
    let bench = Bench::new(&spec, Actors::new(acts.clone()));
    bench.run(&past.events()).await.unwrap();
    bench.check_log(expect![[r#"
        0 ms: fail#1 Failed Rejected an earlier process ended in the middle of it, and it is not taken up again
        0 ms: below skipped because of fail
        0 ms: ask#1 Failed Rejected an earlier process ended in the middle of it, and it is not taken up again
        10 ms: retry#1 Done"#]]);
    let mut given_up = bench.actors.given_up.lock().unwrap().clone();
    given_up.sort();
    assert_eq!(given_up, ["ask#1", "fail#1"]);

    let bench = Bench::new(&spec, Actors { may_take_up: true, ..Actors::new(acts) });
    let outcome = bench.run(&past.events()).await.unwrap();
    assert_eq!(outcome.done, [id("retry"), id("ask")]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_written_stops_the_runners_and_is_an_error() {
    let log = Log::new();
    let actors = Actors::new([
        ("fills", vec![Act::FillDisk(Arc::clone(&log))]),
        ("works", vec![work(60_000)]),
    ]);
    let bench = Bench { log, ..Bench::new(&spec("fills works", ""), actors) };
    let error = bench.run(&[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Environment);
    assert_eq!(bench.actors.n_running.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nodes_that_stream_to_each_other_are_refused() {
    let mut spec = spec("a b", "a>b");
    spec.edges[0].kind = sage_graph::EdgeKind::Stream;
    let bench = Bench::new(&spec, Actors::default());
    let error = bench.run(&[]).await.unwrap_err();
    assert_eq!(error.to_string(), "nodes that stream to each other cannot be run: a, b");
    assert_eq!(error.kind(), ErrorKind::Usage);
}
