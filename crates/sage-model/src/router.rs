//! Chooses a model for each attempt of each task and gets an answer out of it: retries, then the role's
//! fallback, then an error that lists what was tried.
//!
//! Invariants: the model of a conversation changes only when it becomes unavailable, and each
//! choice is a `model.routed` event; a call is over within [`CallTimeouts::whole`]; no model is tried
//! more often than [`RetryRules`] says. Choosing is `router/route.rs`, remembering is `router/pins.rs`.

pub(crate) mod pins;
mod route;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sage_core::{Clock, Event, EventKind, ModelEvent, Progress, ProgressSink, Recorder};
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::{ModelsConfig, Resolved};
use crate::health::HealthRules;
use crate::http::{CallTimeouts, Clocked};
use crate::provider::{Answer, Ask, Client, Provider, ProviderSet};
use crate::retry::RetryRules;
use crate::{
    ChatModel, ChatRequest, ChatResponse, DeltaSink, Error, Failure, ModelFacts, Price, Result,
    Tried, Trouble, estimate_usage,
};

use pins::{Pins, Slot};
use route::{Candidate, Choice, choose};

/// How a router behaves.
#[derive(Clone)]
pub struct RouterOptions {
    /// Time limits of a call.
    pub limits: CallTimeouts,
    /// When and how often a model is retried.
    pub retries: RetryRules,
    /// When a provider is left alone.
    pub health: HealthRules,
    /// For dates in `Retry-After`.
    pub clock: Arc<dyn Clock>,
    /// Seed of the jitter; a random one when absent.
    pub seed: Option<u64>,
}

impl RouterOptions {
    /// The documented defaults.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            limits: CallTimeouts::DEFAULT,
            retries: RetryRules::DEFAULT,
            health: HealthRules::DEFAULT,
            clock,
            seed: None,
        }
    }
}

/// The model that stands for all configured ones.
pub struct Router {
    config: ModelsConfig,
    providers: ProviderSet,
    recorder: Arc<dyn Recorder>,
    progress: Arc<dyn ProgressSink>,
    options: RouterOptions,
    chance: Mutex<fastrand::Rng>,
    pins: Mutex<Pins>,
}

impl Router {
    /// Makes a router. Nothing is connected to before the first call.
    #[must_use]
    pub fn new(
        config: ModelsConfig,
        mut providers: ProviderSet,
        recorder: Arc<dyn Recorder>,
        progress: Arc<dyn ProgressSink>,
        options: RouterOptions,
    ) -> Self {
        providers.set_health_rules(options.health);
        let chance = options.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            config,
            providers,
            recorder,
            progress,
            options,
            chance: Mutex::new(chance),
            pins: Mutex::new(Pins::default()),
        }
    }

    /// Takes a fact of an earlier process of the same run, so that a resumed attempt goes on with the
    /// model that it had, and a script with the reply that comes next. Call it for every past event, in
    /// order, before the first request.
    pub fn apply(&self, event: &Event) {
        match &event.kind {
            EventKind::Model(ModelEvent::Routed { call, role, features, chosen, .. }) => {
                self.pins().put(Slot::of(call, *role, features), call.index, chosen);
            }
            EventKind::Model(ModelEvent::Answered {
                call,
                role,
                provider,
                scripted: true,
                response,
                ..
            }) => {
                let client = self.providers.get(provider).and_then(|p| p.client.as_ref().ok());
                let Some(Client::Scripted(script)) = client else { return };
                let Ok(bytes) = self.recorder.get(response) else { return };
                if let Ok(past) = serde_json::from_slice::<ChatResponse>(&bytes) {
                    script.note_past(call, *role, &past.message);
                }
            }
            _ => {}
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &ModelsConfig {
        &self.config
    }

    /// The providers.
    #[must_use]
    pub fn providers(&self) -> &ProviderSet {
        &self.providers
    }

    fn pins(&self) -> std::sync::MutexGuard<'_, Pins> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could answer the request, best first, with the reason why one cannot.
    fn candidates_for(&self, request: &ChatRequest) -> Vec<Candidate> {
        route::candidates(&self.config, request, |resolved: &Resolved| {
            let provider = self.providers.get(&resolved.facts.provider)?;
            if let Err(failure) = &provider.client {
                return Some(failure.clone());
            }
            let why = provider.health.looks_open(std::time::Instant::now())?;
            Some(Failure::new(Trouble::CircuitOpen, why))
        })
    }

    /// The model that the request belongs to by now, or the one that the policy chooses.
    fn current(&self, request: &ChatRequest) -> (Vec<Candidate>, Choice) {
        let candidates = self.candidates_for(request);
        let pinned = self.pins().get(&slot_of(request), request.call.index);
        let choice = choose(&self.config, request, &candidates, pinned.as_deref());
        (candidates, choice)
    }

    /// Like [`Router::current`], for a call that is about to be made: one that had gone on to another
    /// model before its process died goes on with that.
    fn latest(&self, request: &ChatRequest) -> (Vec<Candidate>, Choice) {
        let candidates = self.candidates_for(request);
        let slot = slot_of(request);
        let pinned = self.pins().latest(&slot, request.call.index);
        let mut choice = choose(&self.config, request, &candidates, pinned.as_deref());
        let is_free = |choice: &Choice| {
            candidates.get(choice.at).is_some_and(|option| option.unavailable.is_none())
        };
        if choice.is_pinned && !is_free(&choice) {
            // The model of the attempt became unavailable between two calls.
            let other = choose(&self.config, request, &candidates, None);
            if is_free(&other) {
                choice = other;
            }
        }
        (candidates, choice)
    }

    fn announce(
        &self,
        request: &ChatRequest,
        candidates: &[Candidate],
        choice: &Choice,
    ) -> Result<()> {
        let Some(chosen) = candidates.get(choice.at) else { return Ok(()) };
        self.recorder.emit(
            ModelEvent::Routed {
                call: request.call.clone(),
                role: request.role,
                features: request.features.clone(),
                candidates: candidates.iter().map(Candidate::seen).collect(),
                chosen: chosen.name.clone(),
                reason: choice.reason.clone(),
                probability: 1.0,
            }
            .into(),
        )?;
        let slot = slot_of(request);
        self.pins().put(slot, request.call.index, &chosen.name);
        Ok(())
    }

    fn no_answer(&self, request: &ChatRequest, tried: Vec<Tried>) -> Error {
        Error::NoAnswer { role: request.role, tried }
    }
}

fn slot_of(request: &ChatRequest) -> Slot {
    Slot::of(&request.call, request.role, &request.features)
}

#[async_trait]
impl ChatModel for Router {
    async fn chat(&self, request: &ChatRequest, deltas: &dyn DeltaSink) -> Result<ChatResponse> {
        let started = Instant::now();
        let deadline = started + self.options.limits.whole;
        let (mut candidates, mut choice) = self.latest(request);
        let mut tried: Vec<Tried> = Vec::new();
        if !choice.is_pinned {
            self.announce(request, &candidates, &choice)?;
        }
        // Each round takes one option out, so there are at most as many as candidates.
        for _ in 0..candidates.len() {
            let Some(option) = candidates.get(choice.at) else { break };
            let resolved = option.resolved.clone();
            let Some(provider) = self.providers.get(&resolved.facts.provider) else { break };
            let (failure, n_tries) = match option.unavailable.clone() {
                Some(failure) => (failure, 0),
                None => {
                    match self.try_model(request, &resolved, provider, deadline, deltas).await? {
                        Ok(answer) => {
                            return Ok(self.respond(request, &resolved.facts, answer, started));
                        }
                        Err(given_up) => given_up,
                    }
                }
            };
            tried.push(Tried {
                model: resolved.facts.model.clone(),
                provider: provider.name.clone(),
                endpoint: provider.endpoint.clone(),
                trouble: failure.trouble,
                error: failure.message.clone(),
                n_tries,
            });
            route::give_up(&mut candidates, choice.at, &failure);
            let is_late = Instant::now() >= deadline;
            let Some(next) = route::next_best(&candidates, &failure).filter(|_| !is_late) else {
                break;
            };
            choice = next;
            self.announce(request, &candidates, &choice)?;
            let name = candidates.get(choice.at).map(|o| o.name.clone()).unwrap_or_default();
            self.notice(request, format!("{}, going on with {name}", failure.message));
        }
        // Options that were passed over because of their provider belong into the account.
        let passed_over = candidates.iter().filter_map(|option| {
            let failure = option.unavailable.as_ref().filter(|_| !option.was_tried)?;
            let facts = &option.resolved.facts;
            Some(Tried {
                model: facts.model.clone(),
                provider: facts.provider.clone(),
                endpoint: self.providers.get(&facts.provider)?.endpoint.clone(),
                trouble: failure.trouble,
                error: failure.message.clone(),
                n_tries: 0,
            })
        });
        let passed_over: Vec<Tried> = passed_over.collect();
        tried.extend(passed_over);
        Err(self.no_answer(request, tried))
    }

    fn facts(&self, request: &ChatRequest) -> Result<ModelFacts> {
        let (candidates, choice) = self.current(request);
        let prices: Vec<Price> =
            candidates.iter().map(|other| other.resolved.facts.price).collect();
        match candidates.into_iter().nth(choice.at) {
            Some(option) => {
                let facts = option.resolved.facts;
                Ok(ModelFacts { price: dearest(facts.price, &prices), ..facts })
            }
            None => Err(self.no_answer(request, Vec::new())),
        }
    }
}

/// What a call can cost at most: another candidate may have to answer it. Candidates without a known
/// price leave the figure as it is.
fn dearest(price: Price, others: &[Price]) -> Price {
    let known = others.iter().filter(|other| other.known && price.known);
    known.fold(price, |most, other| Price {
        input: most.input.max(other.input),
        cached_input: most.cached_input.max(other.cached_input),
        output: most.output.max(other.output),
        known: true,
    })
}

impl Router {
    /// Tries one model until it answers or is given up. The outer error is one that ends the run.
    async fn try_model(
        &self,
        request: &ChatRequest,
        resolved: &Resolved,
        provider: &Provider,
        deadline: Instant,
        deltas: &dyn DeltaSink,
    ) -> Result<std::result::Result<Answer, (Failure, u32)>> {
        if let Some(why) = provider.health.is_open(std::time::Instant::now()) {
            return Ok(Err((Failure::new(Trouble::CircuitOpen, why), 0)));
        }
        let mut n_tries = 0;
        loop {
            n_tries += 1;
            let failure = match self.try_once(request, resolved, provider, deadline, deltas).await {
                Ok(answer) => {
                    provider.health.succeeded();
                    return Ok(Ok(answer));
                }
                Err(failure) => failure,
            };
            let chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64();
            let pause = self
                .options
                .retries
                .pause(&failure, n_tries, chance)
                .filter(|pause| Instant::now() + *pause < deadline);
            self.recorder.emit(
                ModelEvent::TryFailed {
                    call: request.call.clone(),
                    model: resolved.facts.model.clone(),
                    provider: provider.name.clone(),
                    error: failure.message.clone(),
                    retry_in_ms: pause.map(millis),
                }
                .into(),
            )?;
            let Some(pause) = pause else {
                let now = std::time::Instant::now();
                provider.health.failed(failure.trouble, &failure.message, now);
                return Ok(Err((failure, n_tries)));
            };
            let model = &resolved.facts.model;
            let wait = pause.as_secs_f64();
            let text = format!("{model}: {}, trying again in {wait:.1} s", failure.message);
            self.notice(request, text);
            sleep(pause).await;
        }
    }

    async fn try_once(
        &self,
        request: &ChatRequest,
        resolved: &Resolved,
        provider: &Provider,
        deadline: Instant,
        deltas: &dyn DeltaSink,
    ) -> std::result::Result<Answer, Failure> {
        let client = provider.client.as_ref().map_err(Clone::clone)?;
        let late = |what: &str| {
            let limit = self.options.limits.whole.as_secs_f64();
            Failure::new(Trouble::Deadline, format!("{what} took over {limit} s"))
        };
        let permit = timeout_at(deadline, provider.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(late("waiting for the provider")) };
        let facts = &resolved.facts;
        let ask = Ask {
            request,
            facts,
            temperature: resolved.temperature.or(request.temperature),
            max_output_tokens: request
                .max_output_tokens
                .map_or(facts.max_output_tokens, |n| n.min(facts.max_output_tokens))
                .max(1),
            clocked: Clocked {
                limits: self.options.limits,
                deadline,
                now_ms: self.options.clock.now_ms(),
            },
        };
        let mut has_said = false;
        let mut say = |text: &str| {
            has_said = true;
            deltas.text(text);
        };
        // The client keeps its own limits; this one only makes sure.
        let answered = timeout_at(deadline, client.ask(&ask, &mut say)).await;
        let result = answered.unwrap_or_else(|_| Err(late("the whole call")));
        if result.is_err() && has_said {
            deltas.restart();
        }
        result
    }

    fn respond(
        &self,
        request: &ChatRequest,
        facts: &ModelFacts,
        answer: Answer,
        started: Instant,
    ) -> ChatResponse {
        let usage = answer.usage.unwrap_or_else(|| estimate_usage(request, &answer.message));
        ChatResponse {
            usd: facts.price.cost(&usage),
            message: answer.message,
            finish: answer.finish,
            usage,
            model: facts.model.clone(),
            provider: facts.provider.clone(),
            local: facts.local,
            scripted: facts.scripted,
            first_token_ms: answer.first_token.map(millis),
            latency_ms: millis(started.elapsed()),
        }
    }

    fn notice(&self, request: &ChatRequest, text: String) {
        let node = Some(request.call.node.clone());
        self.progress.progress(Progress::Notice { node, text });
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
