//! Budgets: no call is made whose worst case does not fit into what the run, or its node, has left.
//!
//! Worst case of a call: the prompt's estimated tokens plus the most that the answer may have, at the
//! model's price. It is reserved before the call and settled after it, so calls that run side by side
//! cannot overspend together. Retries of one call are not reserved again. Estimates are raised by what
//! providers counted before; where one still counts more than was set aside, that is told.

mod ledger;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sage_core::{ModelEvent, NodeId, Recorder, Spent};

use crate::{
    ChatModel, ChatRequest, ChatResponse, DeltaSink, Error, ModelFacts, Result,
    estimate_prompt_tokens,
};

/// An answer is not shortened below this to make a call fit: less is of no use.
pub const MIN_OUTPUT_TOKENS: u32 = 256;
/// How often an answer is shortened before the call is refused.
const MAX_FITTINGS: usize = 8;

use ledger::{Excess, Reservation};
pub use ledger::{Ledger, WARN_AT};

/// A model that keeps to a ledger.
pub struct Budgeted<M> {
    inner: M,
    ledger: Arc<Ledger>,
    recorder: Arc<dyn Recorder>,
}

impl<M: ChatModel> Budgeted<M> {
    /// Makes `inner` keep to `ledger`; limits that are reached are events of `recorder`.
    pub fn new(inner: M, ledger: Arc<Ledger>, recorder: Arc<dyn Recorder>) -> Self {
        Self { inner, ledger, recorder }
    }

    /// What is inside.
    pub fn inner(&self) -> &M {
        &self.inner
    }

    /// Reserves the call, shortening its answer if that makes it fit. Returns the most output tokens.
    fn reserve(&self, request: &ChatRequest) -> Result<(Reservation, u32)> {
        let facts = self.inner.facts(request)?;
        let most = request
            .max_output_tokens
            .map_or(facts.max_output_tokens, |n| n.min(facts.max_output_tokens));
        self.check_price(request, &facts)?;
        let prompt_tokens = self.ledger.counted(&facts.model, estimate_prompt_tokens(request));
        let worst = |output: u32| {
            let usage = sage_core::Usage {
                input: prompt_tokens,
                cached_input: 0,
                output: u64::from(output),
                estimated: true,
            };
            let (turns, usd) = (u32::from(request.turn), facts.price.cost(&usage));
            Spent { calls: 1, turns, tokens: usage.total(), usd }
        };
        let node = &request.call.node;
        let mut output = most;
        // Each round makes the answer fit one limit; more rounds than limits happen only when other calls
        // take what was left in between.
        let mut n_fittings = 0;
        let excess = loop {
            let excess = match self.ledger.reserve(node, worst(output)) {
                Ok(reservation) => return Ok((reservation, output)),
                Err(excess) => excess,
            };
            n_fittings += 1;
            match fitting(&excess, &worst(0), output) {
                Some(fit) if fit >= MIN_OUTPUT_TOKENS && n_fittings < MAX_FITTINGS => output = fit,
                _ => break excess,
            }
        };
        if let Some(event) = self.ledger.refused(&excess) {
            self.recorder.emit(event.into())?;
        }
        let Excess { node, limit, used, allowed, needed } = excess;
        Err(Error::Budget { node, limit, used, allowed, needed })
    }

    fn check_price(&self, request: &ChatRequest, facts: &ModelFacts) -> Result<()> {
        match self.ledger.allowed_usd(&request.call.node) {
            Some(allowed) if !facts.price.known => Err(Error::PriceUnknown {
                model: facts.model.clone(),
                provider: facts.provider.clone(),
                allowed,
            }),
            _ => Ok(()),
        }
    }

    fn tell_excess(
        &self,
        request: &ChatRequest,
        reservation: &Reservation,
        spent: &Spent,
    ) -> Result<()> {
        if self.ledger.excess_of(reservation, spent) {
            let exceeded = ModelEvent::Exceeded {
                call: request.call.clone(),
                reserved_tokens: reservation.worst().tokens,
                used_tokens: spent.tokens,
                reserved_usd: reservation.worst().usd,
                used_usd: spent.usd,
            };
            self.recorder.emit(exceeded.into())?;
        }
        Ok(())
    }

    fn announce(&self, node: &NodeId) -> Result<()> {
        for event in self.ledger.news(node) {
            self.recorder.emit(event.into())?;
        }
        Ok(())
    }
}

#[async_trait]
impl<M: ChatModel> ChatModel for Budgeted<M> {
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse> {
        let (reservation, output) = self.reserve(request)?;
        let node = request.call.node.clone();
        let request = ChatRequest { max_output_tokens: Some(output), ..request.clone() };
        let call = self.inner.chat(&request, deltas);
        let result = match self.ledger.time_left(&node) {
            None => call.await,
            Some((left_ms, whose, allowed_s)) => {
                let limit = Duration::from_millis(left_ms);
                tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
                    let allowed = allowed_s as f64;
                    let (limit, used, needed) = ("time_s", allowed, 0.0);
                    Err(Error::Budget { node: whose, limit, used, allowed, needed })
                })
            }
        };
        match &result {
            Ok(response) => {
                let spent = reservation.settle(&request, response);
                self.tell_excess(&request, &reservation, &spent)?;
            }
            Err(_) => reservation.fail(),
        }
        drop(reservation);
        self.announce(&node)?;
        result
    }

    fn facts(&self, request: &ChatRequest) -> Result<ModelFacts> {
        self.inner.facts(request)
    }

    /// Refuses a call that does not fit, before anything is recorded about it.
    fn admit(&self, request: &ChatRequest) -> Result<()> {
        self.reserve(request).map(drop)
    }
}

/// The most output tokens that fit what a limit has left, always fewer than `output`; absent when the
/// limit does not depend on the answer's length or the prompt alone is too much.
fn fitting(excess: &Excess, prompt: &Spent, output: u32) -> Option<u32> {
    let prompt = match excess.limit {
        "tokens" => prompt.tokens as f64,
        "usd" => prompt.usd,
        _ => return None,
    };
    let per_token = (excess.needed - prompt) / f64::from(output.max(1));
    let left = excess.allowed - excess.used - prompt;
    if per_token <= 0.0 || left <= 0.0 {
        return None;
    }
    // A conversion to an integer type stays in its range.
    let fitting = (left / per_token).floor() as u32;
    Some(fitting.min(output.saturating_sub(1)))
}
