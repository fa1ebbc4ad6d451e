//! The most that a plan can cost: calls x tokens x price, cut by the budgets that the program enforces.

use sage_core::Limits;

use super::{Plan, Task};

/// What one call of the model that a task would use can cost at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallBound {
    /// Tokens that fit into a prompt.
    pub input_tokens: u64,
    /// Tokens of the longest answer.
    pub output_tokens: u64,
    /// US dollars for a million input tokens; `None` when no price is known.
    pub usd_per_mtok_input: Option<f64>,
    /// US dollars for a million output tokens; `None` when no price is known.
    pub usd_per_mtok_output: Option<f64>,
}

impl CallBound {
    /// The bound of a call that either of two models may answer.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let dearer = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.max(b));
        Self {
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            usd_per_mtok_input: dearer(self.usd_per_mtok_input, other.usd_per_mtok_input),
            usd_per_mtok_output: dearer(self.usd_per_mtok_output, other.usd_per_mtok_output),
        }
    }
}

/// The worst case of a whole plan.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WorstCase {
    /// Model calls.
    pub calls: u64,
    /// Tokens.
    pub tokens: u64,
    /// US dollars, for the tasks whose model has a price.
    pub usd: f64,
    /// Whether every task's model has a price.
    pub priced: bool,
}

/// The worst case under the tasks' budgets and the run's own `limits`.
#[must_use]
pub fn worst_case(
    plan: &Plan,
    limits: &Limits,
    bound: &dyn Fn(&Task) -> Option<CallBound>,
) -> WorstCase {
    let mut total = WorstCase { priced: true, ..WorstCase::default() };
    for task in &plan.nodes {
        // A budget is for all attempts of a task together.
        let calls = u64::from(task.budget.calls.unwrap_or(u32::MAX));
        let budget = task.budget.tokens.unwrap_or(u64::MAX);
        let Some(bound) = bound(task) else {
            total.priced = false;
            total.calls = total.calls.saturating_add(calls);
            total.tokens = total.tokens.saturating_add(budget);
            continue;
        };
        let per_call = bound.input_tokens.saturating_add(bound.output_tokens);
        let tokens = calls.saturating_mul(per_call).min(budget);
        total.calls = total.calls.saturating_add(calls);
        total.tokens = total.tokens.saturating_add(tokens);
        match (bound.usd_per_mtok_input, bound.usd_per_mtok_output) {
            (Some(input), Some(output)) => {
                // Dearest split of the tokens: answers as long as they can be, prompts for the rest.
                let longest = calls.saturating_mul(bound.output_tokens).min(tokens);
                let (dear, cheap) = if output >= input { (output, input) } else { (input, output) };
                let usd = (longest as f64 * dear + (tokens - longest) as f64 * cheap) / 1e6;
                total.usd += usd.min(task.budget.usd.unwrap_or(f64::INFINITY));
            }
            _ => total.priced = false,
        }
    }
    total.calls = total.calls.min(limits.calls.map_or(u64::MAX, u64::from));
    total.tokens = total.tokens.min(limits.tokens.unwrap_or(u64::MAX));
    total.usd = total.usd.min(limits.usd.unwrap_or(f64::INFINITY));
    total
}

impl std::fmt::Display for WorstCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at most {} model calls and {} tokens", self.calls, grouped(self.tokens))?;
        match (self.priced, self.usd > 0.0) {
            (true, _) => write!(f, ", ${:.2}", self.usd),
            (false, true) => {
                write!(f, ", ${:.2} and what models without a known price cost", self.usd)
            }
            (false, false) => write!(f, "; no price is known for these models"),
        }
    }
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
