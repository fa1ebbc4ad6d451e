//! Lets a model work until it is done: one model call, the tools it asked for, and again.
//!
//! Invariants: every loop and retry has a bound with a name; an answer that was cut off is never acted
//! on; every tool call is answered in the conversation, performed or not; and the same record gives the
//! same turns, because indices are taken in the order of the calls and nothing else is looked at.

mod calls;
mod repeats;
mod spoken;
mod text;

use std::collections::BTreeSet;

use sage_core::{Finish, Message};
use sage_model::ToolCalling;

use crate::agent::{Agent, Purpose, Reply};
use crate::{Conversation, Result};
use repeats::Repeats;

/// Answers in a row that may be cut off at the output limit before the work is given up.
const MAX_CUT_OFF: u32 = 2;

/// What a model reads after an answer that was cut off.
const CUT_OFF: &str = "Your answer was cut off at the output limit and nothing of it was done. \
    Send less in one answer: one file or a few small edits, without explanations.";

/// What a model reads before its last answer.
const LAST_TURN: &str =
    "[This is your last answer: make the change complete and call finish in it.]";

/// How a piece of work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkEnd {
    /// The model says that it is done, or all edits of its answer were applied.
    Finished {
        /// What it did, in its words.
        summary: String,
    },
    /// The model said something and did nothing.
    Answer(String),
    /// The caller's predicate was satisfied.
    Stopped,
    /// [`crate::TurnLimits::max_turns`] was reached.
    TurnsUsedUp,
    /// The model did the same thing again and again, or every answer was cut off.
    Looping {
        /// What it repeated, one line.
        what: String,
    },
    /// Edits in the model's text could not be applied, nor could their correction. No file changed.
    EditsRefused {
        /// Why, as the model was told.
        error: String,
    },
}

/// What a turn came to, for the caller to decide whether that is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progressed<'a> {
    /// Number of turns so far.
    pub turn: u32,
    /// The files that the conversation changed so far, sorted. It is recorded with the run, unlike
    /// the work tree, which may be ahead of the record when a run is taken up again.
    pub changed: &'a BTreeSet<String>,
    /// How many calls of this turn were refused or failed.
    pub n_failed: usize,
}

/// What remains to be done after a turn.
enum Next {
    Turn { n_failed: usize },
    End(WorkEnd),
}

/// What the loop remembers from turn to turn.
#[derive(Default)]
struct Memory {
    repeats: Repeats,
    n_cut_off: u32,
    n_edit_retries: u32,
    /// The last answer whose edits could not be applied, and why.
    failed_answer: Option<(String, String)>,
    was_taken_over: bool,
}

impl Agent {
    /// Lets the model work in the conversation until it is done, stuck or out of turns, or until
    /// `stop` says after a turn that it is enough.
    ///
    /// How the model acts follows the model that will answer, turn by turn: tool calls, or edits in
    /// its text. `stop` must depend on its argument alone, or a run cannot be taken up again.
    ///
    /// Cancellation, by the token in [`Agent::cx`] or by dropping the future, may leave a tool call
    /// started; its outcome is found when the run is taken up again.
    pub async fn work(
        &self,
        conversation: &mut Conversation,
        stop: &(dyn for<'p> Fn(&Progressed<'p>) -> bool + Sync),
    ) -> Result<WorkEnd> {
        let mut memory = Memory::default();
        for turn in 1..=self.limits.max_turns {
            if turn > 1 && turn == self.limits.max_turns {
                remind(conversation);
            }
            let mut reply = self.call_model(conversation, Purpose::Work).await?;
            self.hear_calls(conversation, &mut reply);
            let n_failed = match self.act(conversation, &reply, &mut memory).await? {
                Next::End(end) => return Ok(end),
                Next::Turn { n_failed } => n_failed,
            };
            if stop(&Progressed { turn, changed: &conversation.changed, n_failed }) {
                return Ok(WorkEnd::Stopped);
            }
        }
        Ok(WorkEnd::TurnsUsedUp)
    }

    /// Turns calls that the model wrote into its text into calls.
    fn hear_calls(&self, conversation: &mut Conversation, reply: &mut Reply) {
        let id = format!("said_{}", reply.call.index);
        let answer = &mut reply.response.message;
        if reply.calling == ToolCalling::Text || !answer.tool_calls.is_empty() {
            return;
        }
        let is_tool = |name: &str| self.tools.effect(name).is_some();
        let heard = spoken::spoken_calls(&answer.text, &id, &is_tool)
            .map(|(said, calls)| (said.to_owned(), calls));
        if let Some((said, calls)) = heard {
            answer.text = said;
            answer.tool_calls = calls;
            if let Some(last) = conversation.messages.last_mut() {
                last.clone_from(answer);
            }
        }
    }

    async fn act(
        &self,
        conversation: &mut Conversation,
        reply: &Reply,
        memory: &mut Memory,
    ) -> Result<Next> {
        if reply.response.finish == Finish::Length {
            return Ok(cut_off(conversation, reply, memory));
        }
        memory.n_cut_off = 0;
        if reply.response.message.tool_calls.is_empty() {
            self.take_text(conversation, reply, memory).await
        } else {
            self.take_calls(conversation, reply, memory).await
        }
    }
}

/// Answers a cut-off answer without acting on any part of it: a call whose arguments look complete may
/// still be one of several that belong together.
fn cut_off(conversation: &mut Conversation, reply: &Reply, memory: &mut Memory) -> Next {
    for call in &reply.response.message.tool_calls {
        conversation.messages.push(Message::tool(&call.id, CUT_OFF));
    }
    if reply.response.message.tool_calls.is_empty() {
        conversation.say(CUT_OFF);
    }
    memory.n_cut_off += 1;
    if memory.n_cut_off > MAX_CUT_OFF {
        let what =
            format!("answers that are cut off at the output limit ({} in a row)", memory.n_cut_off);
        return Next::End(WorkEnd::Looping { what });
    }
    Next::Turn { n_failed: 1 }
}

/// Announces the last turn at the end of what the model reads next.
fn remind(conversation: &mut Conversation) {
    if let Some(last) = conversation.messages.last_mut() {
        last.text.push_str("\n\n");
        last.text.push_str(LAST_TURN);
    }
}

#[cfg(test)]
mod tests;
