//! Notices a model that does the same thing again and again.

use std::collections::BTreeMap;

use sage_core::{Effect, ToolCall};
use sage_tool::ToolResult;

/// The same failure for the so-manieth time earns a hint.
const HINT_AT: u32 = 2;

/// The same failure for the so-manieth time ends the work.
const GIVE_UP_AT: u32 = 3;

/// So many turns in a row with the same calls and the same results end the work.
const MAX_SAME_TURNS: u32 = 4;

/// What a model reads when it repeats a failure.
const HINT: &str = "[The same call failed the same way before. Do not send it again: read the file, \
    or do something else.]";

/// A call with what came of it.
type Done = (String, String, String);

/// The calls of a piece of work, as far as they repeat.
#[derive(Default)]
pub(super) struct Repeats {
    /// How often each call failed in each way, and what it may do.
    failures: BTreeMap<Done, (u32, Option<Effect>)>,
    this_turn: Vec<Done>,
    last_turn: Vec<Done>,
    n_same_turns: u32,
}

/// What to do about one result.
pub(super) enum Verdict {
    Fine,
    Hint(&'static str),
    GiveUp(String),
}

impl Repeats {
    /// Counts one result.
    pub fn count(
        &mut self,
        call: &ToolCall,
        effect: Option<Effect>,
        result: &ToolResult,
    ) -> Verdict {
        if !result.changed.is_empty() {
            // Something is different now, so a command that failed may well be tried again.
            self.failures.retain(|_, (_, effect)| *effect != Some(Effect::Execute));
        }
        let done = (call.name.clone(), call.arguments.clone(), result.text.clone());
        self.this_turn.push(done.clone());
        if result.ok {
            return Verdict::Fine;
        }
        let (n_times, _) =
            self.failures.entry(done).and_modify(|(n, _)| *n += 1).or_insert((1, effect));
        match *n_times {
            GIVE_UP_AT.. => Verdict::GiveUp(format!(
                "{} failed {n_times} times in the same way: {}",
                call.name,
                first_line(&result.text)
            )),
            HINT_AT => Verdict::Hint(HINT),
            _ => Verdict::Fine,
        }
    }

    /// Ends a turn. Tells what was repeated when the turns no longer differ.
    pub fn end_turn(&mut self) -> Option<String> {
        let this_turn = std::mem::take(&mut self.this_turn);
        let is_same = !this_turn.is_empty() && this_turn == self.last_turn;
        self.n_same_turns = if is_same { self.n_same_turns + 1 } else { 1 };
        let name = this_turn.first().map(|(name, ..)| name.clone()).unwrap_or_default();
        self.last_turn = this_turn;
        (self.n_same_turns >= MAX_SAME_TURNS)
            .then(|| format!("{} turns in a row were the same call of {name}", self.n_same_turns))
    }
}

fn first_line(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    text.lines().next().unwrap_or_default().chars().take(MAX_CHARS).collect()
}
