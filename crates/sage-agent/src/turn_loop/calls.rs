//! Performs the tool calls of one answer.

use futures_util::future::join_all;
use sage_core::{CallId, Effect, Message, Past, ToolCall, head_and_tail};
use sage_tool::{Control, ToolResult};

use super::repeats::Verdict;
use super::{Memory, Next, WorkEnd};
use crate::agent::{Agent, Reply};
use crate::{Conversation, Result};

/// Tool calls of one answer that are performed; the rest are not, and the model is told.
const MAX_CALLS_PER_TURN: usize = 32;

/// Reading calls that run at the same time.
const MAX_PARALLEL_READS: usize = 8;

const TOO_MANY: &str =
    "Not done: too many calls in one answer. Send it again if you still need it.";
const NOT_FINISHED: &str =
    "Not finished: a call before this one failed. See why, put it right, then call finish again.";
const AFTER_FINISH: &str = "Not done: it comes after finish.";

/// How the log marks a place from which it took a secret.
const REDACTED: &str = "[redacted:";

/// What a model reads whose answer the log has only in part.
pub(super) const LOST: &str = "Not done: the run was interrupted, and a secret in this was not kept. \
    Send it again in full.";

/// What the calls of one answer came to.
#[derive(Default)]
struct Turn {
    n_failed: usize,
    finished: Option<String>,
    given_up: Option<String>,
}

impl Agent {
    pub(super) async fn take_calls(
        &self,
        conversation: &mut Conversation,
        reply: &Reply,
        memory: &mut Memory,
    ) -> Result<Next> {
        let calls = reply.response.message.tool_calls.as_slice();
        let (calls, too_many) = calls.split_at(calls.len().min(MAX_CALLS_PER_TURN));
        let only_reads =
            calls.iter().all(|call| self.tools.effect(&call.name) == Some(Effect::Read));
        let mut turn = if only_reads {
            self.read_all(conversation, calls, memory).await?
        } else {
            self.perform_in_order(conversation, reply, calls, memory).await?
        };
        for call in too_many {
            conversation.messages.push(Message::tool(&call.id, TOO_MANY));
            turn.n_failed += 1;
        }
        let repeated = memory.repeats.end_turn();
        if let Some(summary) = turn.finished {
            return Ok(Next::End(WorkEnd::Finished { summary }));
        }
        if let Some(what) = turn.given_up.or(repeated) {
            return Ok(Next::End(WorkEnd::Looping { what }));
        }
        Ok(Next::Turn { n_failed: turn.n_failed })
    }

    /// Performs reading calls side by side. Their indices follow the order of the calls, whichever is
    /// done first.
    async fn read_all(
        &self,
        conversation: &mut Conversation,
        calls: &[ToolCall],
        memory: &mut Memory,
    ) -> Result<Turn> {
        let mut turn = Turn::default();
        for some in calls.chunks(MAX_PARALLEL_READS) {
            let started: Vec<_> = some
                .iter()
                .map(|call| self.tools.call(&self.cx, self.calls.next(), call))
                .collect();
            for (call, result) in some.iter().zip(join_all(started).await) {
                self.take_result(conversation, call, result?, memory, &mut turn);
            }
        }
        Ok(turn)
    }

    /// Performs calls one after the other. `finish` counts only when everything before it in the same
    /// answer went well: the model could not know the results when it wrote it.
    async fn perform_in_order(
        &self,
        conversation: &mut Conversation,
        reply: &Reply,
        calls: &[ToolCall],
        memory: &mut Memory,
    ) -> Result<Turn> {
        let mut turn = Turn::default();
        for call in calls {
            let is_control = self.tools.effect(&call.name) == Some(Effect::Control);
            let objection = if turn.finished.is_some() {
                Some(AFTER_FINISH)
            } else if is_control && turn.n_failed > 0 {
                Some(NOT_FINISHED)
            } else {
                None
            };
            if let Some(objection) = objection {
                conversation.messages.push(Message::tool(&call.id, objection));
                continue;
            }
            let id = self.calls.next();
            if self.is_lost(reply, &id, &call.arguments) {
                conversation.messages.push(Message::tool(&call.id, LOST));
                turn.n_failed += 1;
                continue;
            }
            let result = self.tools.call(&self.cx, id, call).await?;
            self.take_result(conversation, call, result, memory, &mut turn);
        }
        Ok(turn)
    }

    /// Whether what an answer asks for can no longer be known: the answer is from the record of an
    /// earlier process, where a secret in it was taken out, and what it asks for was not begun then.
    pub(super) fn is_lost(&self, reply: &Reply, id: &CallId, text: &str) -> bool {
        text.contains(REDACTED)
            && matches!(self.cx.recorder.past(&reply.call), Past::Model { .. })
            && matches!(self.cx.recorder.past(id), Past::Nothing)
    }

    fn take_result(
        &self,
        conversation: &mut Conversation,
        call: &ToolCall,
        result: ToolResult,
        memory: &mut Memory,
        turn: &mut Turn,
    ) {
        let mut text = head_and_tail(&result.text, self.limits.max_tool_output_chars);
        match memory.repeats.count(call, self.tools.effect(&call.name), &result) {
            Verdict::Fine => {}
            Verdict::Hint(hint) => {
                text.push('\n');
                text.push_str(hint);
            }
            Verdict::GiveUp(what) => turn.given_up = Some(what),
        }
        conversation.messages.push(Message::tool(&call.id, text));
        conversation.changed.extend(result.changed);
        if !result.ok {
            turn.n_failed += 1;
        }
        if let Some(Control::Finish { summary }) = result.control {
            turn.finished = Some(summary);
        }
    }
}
