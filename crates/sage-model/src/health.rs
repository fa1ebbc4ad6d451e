//! A circuit per provider: after repeated failures it is left alone for a while instead of being asked
//! again by every task in turn.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Trouble;

/// Models in a row that were given up, retries and all, which opens the circuit.
pub const FAILURES_TO_OPEN: u32 = 3;
/// How long an open circuit lets nothing through; then one call may try.
pub const OPEN_FOR: Duration = Duration::from_secs(30);

/// When a provider is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthRules {
    /// Models in a row that were given up, retries and all, which opens the circuit.
    pub failures_to_open: u32,
    /// How long it stays open.
    pub open_for: Duration,
}

impl HealthRules {
    /// The documented defaults.
    pub const DEFAULT: Self = Self { failures_to_open: FAILURES_TO_OPEN, open_for: OPEN_FOR };
}

/// The health of one provider in this process.
#[derive(Debug)]
pub(crate) struct Health {
    rules: HealthRules,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    n_failures: u32,
    open_until: Option<Instant>,
    last: String,
}

impl Health {
    pub(crate) fn new(rules: HealthRules) -> Self {
        Self { rules, state: Mutex::new(State::default()) }
    }

    /// Why the provider is left alone at the moment, if it is. When the time is over the question
    /// itself lets one caller through: the next ones are held back until that call has ended well.
    pub(crate) fn is_open(&self, now: Instant) -> Option<String> {
        let mut state = self.lock();
        let until = state.open_until?;
        if now >= until {
            state.open_until = Some(now + self.rules.open_for);
            return None;
        }
        let seconds = (until - now).as_secs().max(1);
        Some(format!("left alone for {seconds} s after failures, the last: {}", state.last))
    }

    /// Like [`Health::is_open`], without letting anybody through.
    pub(crate) fn looks_open(&self, now: Instant) -> Option<String> {
        let state = self.lock();
        let until = state.open_until.filter(|until| now < *until)?;
        let seconds = (until - now).as_secs().max(1);
        Some(format!("left alone for {seconds} s after failures, the last: {}", state.last))
    }

    /// A call ended well, or at least reached a provider that works.
    pub(crate) fn succeeded(&self) {
        *self.lock() = State::default();
    }

    /// A model was given up. Only what says something about the provider counts.
    pub(crate) fn failed(&self, trouble: Trouble, message: &str, now: Instant) {
        let counts = trouble.is_of_provider()
            || matches!(trouble, Trouble::Overloaded | Trouble::Broken | Trouble::Silent);
        if !counts || trouble == Trouble::CircuitOpen {
            return;
        }
        // A wait in vain is too long to be repeated twice before drawing the conclusion.
        let weight = match trouble {
            Trouble::ConnectTimeout | Trouble::NoFirstToken => self.rules.failures_to_open,
            _ => 1,
        };
        let mut state = self.lock();
        state.n_failures = state.n_failures.saturating_add(weight);
        state.last = message.to_owned();
        if state.n_failures >= self.rules.failures_to_open {
            state.open_until = Some(now + self.rules.open_for);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is plain data: a panic elsewhere cannot have left it half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circuit_opens_after_failures_in_a_row_and_lets_one_call_try_later() {
        let health = Health::new(HealthRules::DEFAULT);
        let now = Instant::now();
        for _ in 0..FAILURES_TO_OPEN - 1 {
            health.failed(Trouble::Overloaded, "503", now);
        }
        health.failed(Trouble::Rejected, "400", now);
        assert_eq!(health.is_open(now), None);
        health.failed(Trouble::Overloaded, "503", now);
        let why = health.is_open(now + Duration::from_secs(1)).unwrap();
        assert!(why.contains("503") && why.contains("29 s"), "{why}");
        let later = now + OPEN_FOR;
        assert_eq!(health.is_open(later), None);
        assert!(health.is_open(later).is_some(), "only one call may try");
        health.succeeded();
        assert_eq!(health.is_open(later), None);
    }
}
