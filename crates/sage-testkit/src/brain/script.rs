//! Answers by rules: the first rule that fits a call answers it.

use std::sync::Mutex;

use sage_core::AgentRole;

use super::Brain;
use crate::reply::Reply;
use crate::seen::SeenRequest;

/// Which calls a rule is for. All that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct When {
    role: Option<AgentRole>,
    task: Option<String>,
    anywhere: Vec<String>,
    last: Vec<String>,
    nth: Option<usize>,
}

impl When {
    /// Every call.
    #[must_use]
    pub fn always() -> Self {
        Self::default()
    }

    /// Calls of this role.
    #[must_use]
    pub fn role(role: AgentRole) -> Self {
        Self { role: Some(role), ..Self::default() }
    }

    /// Calls for this task.
    #[must_use]
    pub fn task(mut self, id: &str) -> Self {
        self.task = Some(id.to_owned());
        self
    }

    /// Calls in which some message contains the text.
    #[must_use]
    pub fn says(mut self, text: &str) -> Self {
        self.anywhere.push(text.to_owned());
        self
    }

    /// Calls whose last message contains the text.
    #[must_use]
    pub fn ends_with_saying(mut self, text: &str) -> Self {
        self.last.push(text.to_owned());
        self
    }

    /// Only the `n`th call, from 1, among those for which the rest holds.
    #[must_use]
    pub fn nth(mut self, n: usize) -> Self {
        self.nth = Some(n);
        self
    }

    /// Whether all but the count holds.
    fn fits(&self, request: &SeenRequest) -> bool {
        let said = |text: &String| {
            request.messages.iter().any(|message| message.text.contains(text.as_str()))
        };
        self.role.is_none_or(|role| request.role() == Some(role))
            && self.task.as_ref().is_none_or(|task| request.task().as_ref() == Some(task))
            && self.anywhere.iter().all(said)
            && self.last.iter().all(|text| request.last().contains(text.as_str()))
    }
}

/// Rules in order, and an answer for what no rule covers.
pub struct Script {
    rules: Vec<Rule>,
    fallback: Reply,
}

struct Rule {
    when: When,
    reply: Reply,
    n_fitting: Mutex<usize>,
}

impl Script {
    /// No rules; says so to every call.
    #[must_use]
    pub fn new() -> Self {
        Self { rules: Vec::new(), fallback: Reply::text("no rule of the script fits this call") }
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, when: When, reply: Reply) -> Self {
        self.rules.push(Rule { when, reply, n_fitting: Mutex::new(0) });
        self
    }

    /// Answers what no rule covers.
    #[must_use]
    pub fn fallback(mut self, reply: Reply) -> Self {
        self.fallback = reply;
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Brain for Script {
    fn answer(&self, request: &SeenRequest) -> Reply {
        for rule in &self.rules {
            if !rule.when.fits(request) {
                continue;
            }
            let mut n_fitting = rule.n_fitting.lock().unwrap();
            *n_fitting += 1;
            if rule.when.nth.is_none_or(|nth| nth == *n_fitting) {
                return rule.reply.clone();
            }
        }
        self.fallback.clone()
    }
}
