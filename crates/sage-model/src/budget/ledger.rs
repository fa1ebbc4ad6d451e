//! What was spent, what is reserved, what is left: plain sums under one lock, shared by every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sage_core::{
    CallId, Clock, Event, EventKind, Limits, ModelEvent, NodeEvent, NodeId, RunEvent, Spent,
};

use crate::tokens::Calibration;
use crate::{ChatRequest, ChatResponse};

/// The share of a limit at which it is announced.
pub const WARN_AT: f64 = 0.8;

/// What a run and its nodes may spend and have spent; shared by everything that the run starts.
pub struct Ledger {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    run: Account,
    nodes: BTreeMap<NodeId, Account>,
    /// What was announced, so that it is announced once: node, limit, exhausted.
    told: BTreeSet<(Option<NodeId>, &'static str, bool)>,
    /// The last event of the past, to tell working time from the time between two processes.
    last_at_ms: Option<u64>,
    /// Calls of earlier processes that were begun and have no end on record so far: whether each is a
    /// turn, and the estimate of its prompt.
    begun: BTreeMap<CallId, (bool, u64)>,
    /// How far estimates are below what providers count.
    calibration: Calibration,
}

#[derive(Default, Clone)]
struct Account {
    limits: Limits,
    spent: Spent,
    reserved: Spent,
    /// Working time of earlier processes.
    past_ms: u64,
    /// Whether an earlier process was at work on it, as far as its events were applied.
    was_busy: bool,
    /// When this process began to work on it.
    since_ms: Option<u64>,
}

/// A limit that a call would exceed.
pub(super) struct Excess {
    pub node: Option<NodeId>,
    pub limit: &'static str,
    pub used: f64,
    pub allowed: f64,
    pub needed: f64,
}

impl Ledger {
    /// A ledger whose time begins now.
    #[must_use]
    pub fn new(run: Limits, clock: Arc<dyn Clock>) -> Self {
        let since_ms = Some(clock.now_ms());
        let account = Account { limits: run, since_ms, ..Account::default() };
        let state = State { run: account, ..State::default() };
        Self { clock, state: Mutex::new(state) }
    }

    /// Sets what a node may spend, over all its attempts.
    pub fn limit_node(&self, node: &NodeId, limits: Limits) {
        self.lock().nodes.entry(node.clone()).or_default().limits = limits;
    }

    /// Takes a fact of an earlier process of the same run: what was spent stays spent, also in time.
    /// The time between two processes is not counted.
    pub fn apply(&self, event: &Event) {
        let mut state = self.lock();
        let is_resumed = matches!(event.kind, EventKind::Run(RunEvent::Resumed { .. }));
        let last_at_ms = state.last_at_ms.replace(event.at_ms).filter(|_| !is_resumed);
        let worked_ms = last_at_ms.map_or(0, |last| event.at_ms.saturating_sub(last));
        state.run.past_ms = state.run.past_ms.saturating_add(worked_ms);
        for account in state.nodes.values_mut().filter(|account| account.was_busy) {
            account.past_ms = account.past_ms.saturating_add(worked_ms);
        }
        match &event.kind {
            EventKind::Node(NodeEvent::Started { node, .. }) => {
                state.nodes.entry(node.clone()).or_default().was_busy = true;
            }
            EventKind::Node(NodeEvent::Finished { node, .. }) => {
                state.nodes.entry(node.clone()).or_default().was_busy = false;
            }
            EventKind::Model(ModelEvent::Called { call, turn, context, .. }) => {
                let estimate = context.map_or(0, |context| context.prompt());
                if state.begun.insert(call.clone(), (*turn, estimate)).is_some() {
                    state.spend(&call.node, &ONE_CALL);
                }
            }
            EventKind::Model(ModelEvent::Answered { call, model, usage, usd, .. }) => {
                let (is_turn, estimate) = state.begun.remove(call).unwrap_or_default();
                state.calibration.observe(model, estimate, usage);
                let (turns, tokens) = (u32::from(is_turn), usage.total());
                state.spend(&call.node, &Spent { calls: 1, turns, tokens, usd: *usd });
            }
            EventKind::Model(ModelEvent::Failed { call, .. }) => {
                state.begun.remove(call);
                state.spend(&call.node, &ONE_CALL);
            }
            EventKind::Run(RunEvent::BudgetReached { node, limit, allowed, exhausted, .. }) => {
                let known = Limits::NAMES.into_iter().find(|l| l == limit);
                // What was told of another limit than today's has to be told again.
                let of_run = |name| state.run.limit(name) == Some(*allowed);
                if let Some(limit) = known.filter(|limit| node.is_some() || of_run(*limit)) {
                    state.told.insert((node.clone(), limit, *exhausted));
                }
            }
            _ => {}
        }
    }

    /// What the run has spent, without reservations.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.lock().run.spent
    }

    /// What a node has spent, without reservations.
    #[must_use]
    pub fn spent_by(&self, node: &NodeId) -> Spent {
        self.lock().nodes.get(node).map(|account| account.spent).unwrap_or_default()
    }

    /// What of tokens and money a provider counts more than was set aside for a call, if a limit on
    /// either holds for it.
    pub(super) fn excess_of(&self, reservation: &Reservation, spent: &Spent) -> bool {
        let state = self.lock();
        let of_node = state.nodes.get(&reservation.node).map(|account| account.limits);
        [Some(state.run.limits), of_node].into_iter().flatten().any(|limits| {
            (limits.tokens.is_some() && spent.tokens > reservation.worst.tokens)
                || (limits.usd.is_some() && spent.usd > reservation.worst.usd + SLACK_USD)
        })
    }

    /// What the provider will count at most for a prompt of this estimate.
    pub(super) fn counted(&self, model: &str, estimate: u64) -> u64 {
        self.lock().calibration.counted(model, estimate)
    }

    /// The limit in money that a call of `node` has to keep, if there is one.
    pub(super) fn allowed_usd(&self, node: &NodeId) -> Option<f64> {
        let state = self.lock();
        let of_node = state.nodes.get(node).and_then(|account| account.limits.usd);
        [state.run.limits.usd, of_node].into_iter().flatten().min_by(f64::total_cmp)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain numbers: a panic elsewhere cannot have left them half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the worst case of a call, or tells which limit it would exceed.
    pub(super) fn reserve(
        self: &Arc<Self>,
        node: &NodeId,
        worst: Spent,
    ) -> std::result::Result<Reservation, Excess> {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        // Whether the provider answered them nobody knows; that they were made counts.
        for call in std::mem::take(&mut state.begun).into_keys() {
            state.spend(&call.node, &ONE_CALL);
        }
        state.nodes.entry(node.clone()).or_default().since_ms.get_or_insert(now_ms);
        state.check(node, &worst, now_ms)?;
        for account in state.accounts(node) {
            account.reserved.add(&worst);
        }
        Ok(Reservation { ledger: Arc::clone(self), node: node.clone(), worst })
    }

    /// How much of the run's own time is left, earlier processes counted; `None` without a limit.
    #[must_use]
    pub fn run_time_left(&self) -> Option<Duration> {
        self.time_left(&NodeId::run()).map(|(left_ms, ..)| Duration::from_millis(left_ms))
    }

    /// Milliseconds until a limit on time is reached, and whose limit it is.
    pub(super) fn time_left(&self, node: &NodeId) -> Option<(u64, Option<NodeId>, u64)> {
        let now_ms = self.clock.now_ms();
        let state = self.lock();
        let left = |account: &Account, node: Option<NodeId>| {
            let allowed_s = account.limits.time_s?;
            let allowed_ms = allowed_s.saturating_mul(1000);
            Some((allowed_ms.saturating_sub(account.used_ms(now_ms)), node, allowed_s))
        };
        let of_node = state.nodes.get(node).and_then(|a| left(a, Some(node.clone())));
        [left(&state.run, None), of_node].into_iter().flatten().min_by_key(|(ms, ..)| *ms)
    }

    /// What has to be announced now, marked as announced.
    pub(super) fn news(&self, node: &NodeId) -> Vec<RunEvent> {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let mut news = Vec::new();
        let run = state.run.clone();
        let of_node = state.nodes.get(node).cloned().unwrap_or_default();
        for (whose, account) in [(None, run), (Some(node.clone()), of_node)] {
            for (limit, used, allowed) in account.uses(now_ms) {
                let exhausted = used >= allowed;
                let is_warned = exhausted || used >= WARN_AT * allowed;
                let key = (whose.clone(), limit, exhausted);
                if is_warned && allowed > 0.0 && state.told.insert(key) {
                    news.push(reached(whose.clone(), limit, used, allowed, exhausted));
                }
            }
        }
        news
    }

    pub(super) fn refused(&self, excess: &Excess) -> Option<RunEvent> {
        let key = (excess.node.clone(), excess.limit, true);
        let is_new = self.lock().told.insert(key);
        is_new
            .then(|| reached(excess.node.clone(), excess.limit, excess.used, excess.allowed, true))
    }
}

/// A call of which nothing is known but that it was made.
const ONE_CALL: Spent = Spent { calls: 1, turns: 0, tokens: 0, usd: 0.0 };

/// Sums of prices are not exact; a thousandth of a cent decides nothing.
const SLACK_USD: f64 = 1e-9;

fn reached(
    node: Option<NodeId>,
    limit: &str,
    used: f64,
    allowed: f64,
    exhausted: bool,
) -> RunEvent {
    RunEvent::BudgetReached { node, limit: limit.to_owned(), allowed, used, exhausted }
}

impl State {
    fn accounts(&mut self, node: &NodeId) -> [&mut Account; 2] {
        [&mut self.run, self.nodes.entry(node.clone()).or_default()]
    }

    fn spend(&mut self, node: &NodeId, spent: &Spent) {
        for account in self.accounts(node) {
            account.spent.add(spent);
        }
    }

    fn check(&self, node: &NodeId, worst: &Spent, now_ms: u64) -> std::result::Result<(), Excess> {
        let of_node = self.nodes.get(node).map(|account| (Some(node.clone()), account));
        for (whose, account) in [Some((None, &self.run)), of_node].into_iter().flatten() {
            if let Some((limit, used, allowed, needed)) = account.exceeds(worst, now_ms) {
                return Err(Excess { node: whose, limit, used, allowed, needed });
            }
        }
        Ok(())
    }
}

impl Account {
    fn used_ms(&self, now_ms: u64) -> u64 {
        let live_ms = self.since_ms.map_or(0, |since| now_ms.saturating_sub(since));
        self.past_ms.saturating_add(live_ms)
    }

    fn limit(&self, name: &str) -> Option<f64> {
        let mut uses = self.uses(0).into_iter();
        uses.find_map(|(limit, _, allowed)| (limit == name).then_some(allowed))
    }

    /// Every limit with what is used of it, reservations left out.
    fn uses(&self, now_ms: u64) -> Vec<(&'static str, f64, f64)> {
        let Limits { calls, turns, tokens, usd, time_s } = self.limits;
        let used_s = self.used_ms(now_ms) as f64 / 1000.0;
        [
            calls.map(|n| ("calls", f64::from(self.spent.calls), f64::from(n))),
            turns.map(|n| ("turns", f64::from(self.spent.turns), f64::from(n))),
            tokens.map(|n| ("tokens", self.spent.tokens as f64, n as f64)),
            usd.map(|n| ("usd", self.spent.usd, n)),
            time_s.map(|n| ("time_s", used_s, n as f64)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The first limit that `worst` would exceed: its name, used, allowed, needed.
    fn exceeds(&self, worst: &Spent, now_ms: u64) -> Option<(&'static str, f64, f64, f64)> {
        self.uses(now_ms).into_iter().find_map(|(limit, used, allowed)| {
            let (reserved, needed, slack) = match limit {
                "calls" => (f64::from(self.reserved.calls), f64::from(worst.calls), 0.0),
                "turns" => (f64::from(self.reserved.turns), f64::from(worst.turns), 0.0),
                "tokens" => (self.reserved.tokens as f64, worst.tokens as f64, 0.0),
                "usd" => (self.reserved.usd, worst.usd, SLACK_USD),
                // Time is used by waiting: a call may begin while some is left.
                _ => return (used >= allowed).then_some((limit, used, allowed, 0.0)),
            };
            let used = used + reserved;
            (used + needed > allowed + slack).then_some((limit, used, allowed, needed))
        })
    }
}

/// Arithmetic of what is spent.
trait Sum {
    fn add(&mut self, other: &Self);
    fn take(&mut self, other: &Self);
}

impl Sum for Spent {
    fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.turns = self.turns.saturating_add(other.turns);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.usd += other.usd;
    }

    fn take(&mut self, other: &Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.turns = self.turns.saturating_sub(other.turns);
        self.tokens = self.tokens.saturating_sub(other.tokens);
        self.usd = (self.usd - other.usd).max(0.0);
    }
}

/// A call's worst case, held until the call is over, however it ends.
pub(super) struct Reservation {
    ledger: Arc<Ledger>,
    node: NodeId,
    worst: Spent,
}

impl Reservation {
    /// The worst case that is held.
    pub(super) fn worst(&self) -> &Spent {
        &self.worst
    }

    /// The call was answered. Returns what it spent.
    pub(super) fn settle(&self, request: &ChatRequest, response: &ChatResponse) -> Spent {
        let (turns, tokens) = (u32::from(request.turn), response.usage.total());
        let spent = Spent { calls: 1, turns, tokens, usd: response.usd };
        let estimate = crate::estimate_prompt_tokens(request);
        let mut state = self.ledger.lock();
        state.calibration.observe(&response.model, estimate, &response.usage);
        state.spend(&self.node, &spent);
        spent
    }

    /// The call failed; that it was made still counts.
    pub(super) fn fail(&self) {
        self.ledger.lock().spend(&self.node, &ONE_CALL);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.ledger.lock();
        for account in state.accounts(&self.node) {
            account.reserved.take(&self.worst);
        }
    }
}
