//! Which model answers: a pure decision over the configuration, the features and what is available.

use sage_core::Candidate as Seen;

use crate::config::{ModelsConfig, Resolved};
use crate::{ChatRequest, Failure, Trouble};

/// A model that could answer.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The name as configured.
    pub name: String,
    pub resolved: Resolved,
    /// `primary`, `fallback` or `fixed`.
    pub position: &'static str,
    /// Why it cannot answer, if it cannot.
    pub unavailable: Option<Failure>,
    /// Whether that is because it was asked in this very call.
    pub was_tried: bool,
}

impl Candidate {
    /// As the event tells it.
    pub(super) fn seen(&self) -> Seen {
        Seen {
            model: self.name.clone(),
            provider: self.resolved.facts.provider.clone(),
            position: self.position.to_owned(),
            unavailable: self.unavailable.as_ref().map(|failure| failure.message.clone()),
        }
    }
}

/// The model that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Index among the candidates.
    pub at: usize,
    pub reason: String,
    /// Whether it had been chosen before.
    pub is_pinned: bool,
}

/// The models that may answer, in order of preference when no trigger holds.
///
/// A fixed model stands alone: whoever names one model in a plan does not want another.
pub(super) fn candidates(
    config: &ModelsConfig,
    request: &ChatRequest,
    unavailable: impl Fn(&Resolved) -> Option<Failure>,
) -> Vec<Candidate> {
    let candidate = |name: &str, position: &'static str| {
        let resolved = config.resolve(name);
        let unavailable = unavailable(&resolved);
        let name = name.to_owned();
        Candidate { name, resolved, position, unavailable, was_tried: false }
    };
    if let Some(fixed) = &request.fixed_model {
        return vec![candidate(fixed, "fixed")];
    }
    let route = config.route(request.role);
    let mut candidates = vec![candidate(&route.primary, "primary")];
    if let Some(fallback) = route.fallback.as_ref().filter(|name| **name != route.primary) {
        candidates.push(candidate(fallback, "fallback"));
    }
    candidates
}

/// Chooses among the candidates, which are never none.
pub(super) fn choose(
    config: &ModelsConfig,
    request: &ChatRequest,
    candidates: &[Candidate],
    pinned: Option<&str>,
) -> Choice {
    if let Some(at) = pinned.and_then(|name| candidates.iter().position(|c| c.name == name)) {
        return Choice { at, reason: "chosen before".to_owned(), is_pinned: true };
    }
    let (wanted, reason) = wanted(config, request, candidates);
    let is_free = |at: usize| candidates.get(at).is_some_and(|c| c.unavailable.is_none());
    if is_free(wanted) {
        return Choice { at: wanted, reason, is_pinned: false };
    }
    match (0..candidates.len()).find(|at| is_free(*at)) {
        Some(at) => {
            let why = candidates.get(wanted).and_then(|c| c.unavailable.as_ref());
            let why = why.map(|failure| failure.message.as_str()).unwrap_or_default();
            Choice {
                at,
                reason: format!("{reason}, but it is unavailable: {why}"),
                is_pinned: false,
            }
        }
        // Nobody is free: the one that is wanted says why.
        None => Choice { at: wanted, reason, is_pinned: false },
    }
}

fn wanted(
    config: &ModelsConfig,
    request: &ChatRequest,
    candidates: &[Candidate],
) -> (usize, String) {
    if request.fixed_model.is_some() {
        return (0, "the task names this model".to_owned());
    }
    let fallback = candidates.iter().position(|c| c.position == "fallback");
    let triggers = &config.route(request.role).fallback_triggers;
    match (fallback, triggers.iter().find(|trigger| trigger.eval(&request.features))) {
        (Some(at), Some(trigger)) => (at, format!("trigger: {trigger}")),
        (_, None) if !triggers.is_empty() => (0, "no trigger holds".to_owned()),
        _ => (0, format!("the model of {}", request.role)),
    }
}

/// Notes that a candidate failed. When the failure is of its provider, the provider's other models are
/// out as well.
pub(super) fn give_up(candidates: &mut [Candidate], at: usize, failure: &Failure) {
    let Some(provider) = candidates.get(at).map(|c| c.resolved.facts.provider.clone()) else {
        return;
    };
    for (n, candidate) in candidates.iter_mut().enumerate() {
        let is_same = candidate.resolved.facts.provider == provider;
        if n == at {
            candidate.was_tried = true;
            candidate.unavailable = Some(failure.clone());
        } else if is_same && failure.trouble.is_of_provider() && candidate.unavailable.is_none() {
            candidate.unavailable = Some(failure.clone());
        }
    }
}

/// The next candidate that is free, after one failed.
pub(super) fn next_best(candidates: &[Candidate], failure: &Failure) -> Option<Choice> {
    // A call whose time is over has none left for another model.
    if failure.trouble == Trouble::Deadline {
        return None;
    }
    let at = candidates.iter().position(|c| c.unavailable.is_none() && !c.was_tried)?;
    let reason = format!("the model before it is unavailable: {}", failure.message);
    Some(Choice { at, reason, is_pinned: false })
}
