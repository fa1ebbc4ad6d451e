//! Calls that do not fit are not made, and what was reached is told once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sage_core::{
    Clock, ErrorKind, EventKind, Finish, FixedClock, Limits, Message, NodeId, Recorder, RunEvent,
    Usage,
};
use sage_model::{
    Budgeted, ChatModel, ChatRequest, ChatResponse, DeltaSink, Error, Ledger, MIN_OUTPUT_TOKENS,
    ModelFacts, ModelsConfig, NoDeltas, Price, Recorded, Result,
};

use crate::run::{MemoryLog, request};

/// Answers with what it was allowed to say, at a price of 1 and 2 dollars per million tokens.
struct Echo {
    price: Price,
    takes: Duration,
}

fn echo() -> Echo {
    let price = Price { input: 1.0, cached_input: 0.5, output: 2.0, known: true };
    Echo { price, takes: Duration::ZERO }
}

#[async_trait]
impl ChatModel for Echo {
    async fn chat(&self, request: &ChatRequest, _: &dyn DeltaSink) -> Result<ChatResponse> {
        tokio::time::sleep(self.takes).await;
        let output = request.max_output_tokens.unwrap();
        let usage =
            Usage { input: 10, cached_input: 0, output: u64::from(output), estimated: false };
        Ok(ChatResponse {
            message: Message::assistant(output.to_string()),
            finish: Finish::Stop,
            usage,
            model: "echo".into(),
            provider: "p".into(),
            local: false,
            scripted: false,
            usd: self.price.cost(&usage),
            first_token_ms: None,
            latency_ms: 1,
        })
    }

    fn facts(&self, _: &ChatRequest) -> Result<ModelFacts> {
        let facts = ModelsConfig::built_in().resolve("gpt-4o").facts;
        Ok(ModelFacts { max_output_tokens: 1000, price: self.price, ..facts })
    }
}

fn ledger(limits: Limits) -> Arc<Ledger> {
    Arc::new(Ledger::new(limits, Arc::new(FixedClock(0))))
}

fn budgeted(model: Echo, ledger: &Arc<Ledger>, log: &Arc<MemoryLog>) -> Budgeted<Echo> {
    let recorder: Arc<dyn Recorder> = log.clone();
    Budgeted::new(model, Arc::clone(ledger), recorder)
}

fn told(log: &MemoryLog) -> Vec<String> {
    let events = log.events().into_iter();
    events
        .filter_map(|event| match event.kind {
            EventKind::Run(RunEvent::BudgetReached { node, limit, exhausted, .. }) => {
                let whose = node.map_or("run".to_owned(), |node| node.to_string());
                Some(format!("{whose} {limit} {}", if exhausted { "100" } else { "80" }))
            }
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn calls_are_counted_and_the_one_too_many_is_not_made() {
    let (log, ledger) = (MemoryLog::new(), ledger(Limits { calls: Some(5), ..Limits::NONE }));
    let model = budgeted(echo(), &ledger, &log);
    for index in 1..=5 {
        model.chat(&request(index, "go"), &NoDeltas).await.unwrap();
    }
    let error = model.chat(&request(6, "go"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    let text = "the run's budget (calls) does not allow another model call: 5 of 5 used, the next call may need 1";
    assert_eq!(error.to_string(), text);
    assert!(model.chat(&request(7, "go"), &NoDeltas).await.is_err());
    assert_eq!(told(&log), ["run calls 80", "run calls 100"]);
    assert_eq!(ledger.spent().calls, 5);
}

#[tokio::test]
async fn an_answer_is_shortened_to_fit_but_not_below_the_floor() {
    let (log, ledger) = (MemoryLog::new(), ledger(Limits { tokens: Some(1500), ..Limits::NONE }));
    let model = budgeted(echo(), &ledger, &log);
    let ask = async |index| model.chat(&request(index, "go"), &NoDeltas).await;
    assert_eq!(ask(1).await.unwrap().message.text, "1000");
    // 490 tokens are left, of which the prompt may need 14.
    assert_eq!(ask(2).await.unwrap().message.text, "476");
    let error = ask(3).await.unwrap_err();
    assert!(matches!(error, Error::Budget { limit: "tokens", used: 1496.0, .. }), "{error}");

    let ledger = self::ledger(Limits { tokens: Some(14 + 255), ..Limits::NONE });
    let model = budgeted(echo(), &ledger, &log);
    assert_eq!(MIN_OUTPUT_TOKENS, 256);
    assert!(model.chat(&request(1, "go"), &NoDeltas).await.is_err());
    let ledger = self::ledger(Limits { usd: Some(0.001), ..Limits::NONE });
    let model = budgeted(echo(), &ledger, &log);
    assert_eq!(model.chat(&request(1, "go"), &NoDeltas).await.unwrap().message.text, "493");
}

#[tokio::test]
async fn money_is_reserved_at_the_worst_case_and_a_node_has_its_own_limit() {
    let (log, ledger) = (MemoryLog::new(), ledger(Limits { usd: Some(1.0), ..Limits::NONE }));
    let node = NodeId::new("task_001").unwrap();
    ledger.limit_node(&node, Limits { usd: Some(0.0001), ..Limits::NONE });
    let model = budgeted(echo(), &ledger, &log);
    let error = model.chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    assert!(matches!(&error, Error::Budget { node: Some(n), limit: "usd", .. } if *n == node));
    assert!(error.to_string().contains("$0.0000 of $0.0001 used"), "{error}");
    let mut other = request(1, "go");
    other.call.node = NodeId::new("task_002").unwrap();
    model.chat(&other, &NoDeltas).await.unwrap();
    assert_eq!(told(&log), ["task_001 usd 100"]);
    assert_eq!(ledger.spent_by(&other.call.node).calls, 1);
}

#[tokio::test]
async fn money_cannot_be_limited_where_no_price_is_known() {
    let (log, ledger) = (MemoryLog::new(), ledger(Limits { usd: Some(1.0), ..Limits::NONE }));
    let model = budgeted(Echo { price: Price::UNKNOWN, ..echo() }, &ledger, &log);
    let error = model.chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("has no price"), "{error}");
}

#[tokio::test]
async fn calls_side_by_side_cannot_overspend_together() {
    let (log, ledger) = (MemoryLog::new(), ledger(Limits { tokens: Some(2400), ..Limits::NONE }));
    let model = budgeted(Echo { takes: Duration::from_millis(20), ..echo() }, &ledger, &log);
    let requests: Vec<_> = (1..=6).map(|index| request(index, "go")).collect();
    let calls = requests.iter().map(|request| model.chat(request, &NoDeltas));
    let answers = futures_util::future::join_all(calls).await;
    let n_made = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((2..6).contains(&n_made), "{n_made}");
    assert!(ledger.spent().tokens <= 2400, "{:?}", ledger.spent());
}

#[tokio::test]
async fn a_dropped_call_gives_its_reservation_back() {
    let (log, ledger) = (MemoryLog::new(), ledger(Limits { tokens: Some(1200), ..Limits::NONE }));
    let slow = budgeted(Echo { takes: Duration::from_secs(60), ..echo() }, &ledger, &log);
    let request = request(1, "go");
    let call = slow.chat(&request, &NoDeltas);
    assert!(tokio::time::timeout(Duration::from_millis(10), call).await.is_err());
    let model = budgeted(echo(), &ledger, &log);
    assert_eq!(model.chat(&request, &NoDeltas).await.unwrap().message.text, "1000");
}

#[tokio::test]
async fn time_ends_a_call_that_takes_too_long() {
    struct Late;
    impl Clock for Late {
        fn now_ms(&self) -> u64 {
            0
        }
    }
    let (log, ledger) = (
        MemoryLog::new(),
        Arc::new(Ledger::new(Limits { time_s: Some(1), ..Limits::NONE }, Arc::new(Late))),
    );
    let model = budgeted(Echo { takes: Duration::from_secs(60), ..echo() }, &ledger, &log);
    let error = model.chat(&request(1, "go"), &NoDeltas).await.unwrap_err();
    assert!(matches!(error, Error::Budget { limit: "time_s", .. }), "{error}");
}

#[tokio::test]
async fn what_an_earlier_process_spent_stays_spent_and_a_refused_call_leaves_no_call_behind() {
    let log = MemoryLog::new();
    let first = ledger(Limits::NONE);
    let recorder: Arc<dyn Recorder> = log.clone();
    let model = Recorded::new(budgeted(echo(), &first, &log), recorder);
    model.chat(&request(1, "go"), &NoDeltas).await.unwrap();
    model.chat(&request(2, "go"), &NoDeltas).await.unwrap();

    let later = log.reopen(usize::MAX);
    let second = ledger(Limits { calls: Some(2), time_s: Some(60), ..Limits::NONE });
    for event in later.events() {
        second.apply(&event);
    }
    assert_eq!(second.spent(), first.spent());
    let recorder: Arc<dyn Recorder> = later.clone();
    let model = Recorded::new(budgeted(echo(), &second, &later), recorder);
    // Recorded answers are free.
    assert_eq!(model.chat(&request(2, "go"), &NoDeltas).await.unwrap().message.text, "1000");
    let error = model.chat(&request(3, "go"), &NoDeltas).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Budget);
    assert_eq!(later.names().split_off(4), ["run.budget_reached"]);
}
