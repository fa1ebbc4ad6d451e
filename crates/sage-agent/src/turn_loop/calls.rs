//! Performs the tool calls of one answer.

use futures_util::future::join_all;
use sage_core::{CallId, Effect, Message, Past, RepeatGrade, ToolCall, ToolEvent};
use sage_tool::{Control, ToolResult};

use super::repeats::Verdict;
use super::{Memory, Next, WorkEnd};
use crate::agent::{Agent, Reply};
use crate::context::facts::DoneCall;
use crate::volatile::{call_key, path_of, shown};
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
        memory.repeats.begin_turn();
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
        if let Some(summary) = turn.finished {
            return Ok(Next::End(WorkEnd::Finished { summary }));
        }
        if let Some(what) = turn.given_up {
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
            let mut asked = Vec::new();
            for call in some {
                let id = self.calls.next();
                let objection = self.object(memory, call, &id, &mut turn)?;
                asked.push((call, id, objection));
            }
            let done = asked.iter().map(async |(call, id, objection)| match objection {
                Some(reason) => self.tools.decline(&self.cx, id.clone(), call, reason),
                None => self.tools.call(&self.cx, id.clone(), call).await,
            });
            let done = join_all(done).await;
            for ((call, id, objection), result) in asked.iter().zip(done) {
                let taken = Taken { call, id, was_done: objection.is_none(), result: result? };
                self.take_result(conversation, taken, memory, &mut turn)?;
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
            let objection = self.object(memory, call, &id, &mut turn)?;
            let result = match &objection {
                Some(reason) => self.tools.decline(&self.cx, id.clone(), call, reason)?,
                None => self.tools.call(&self.cx, id.clone(), call).await?,
            };
            let taken = Taken { call, id: &id, was_done: objection.is_none(), result };
            self.take_result(conversation, taken, memory, &mut turn)?;
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

    /// Why a call is not to be done, if it leads nowhere; for the model.
    fn object(
        &self,
        memory: &mut Memory,
        call: &ToolCall,
        id: &CallId,
        turn: &mut Turn,
    ) -> Result<Option<String>> {
        let name = self.tools.name_of(&call.name);
        let effect = self.tools.effect(&call.name);
        let Some(verdict) = memory.repeats.object(&name, call, effect) else { return Ok(None) };
        self.tell_repeated(id, &name, &verdict)?;
        if verdict.grade == RepeatGrade::Stopped {
            turn.given_up.get_or_insert_with(|| verdict.what());
        }
        Ok(Some(format!("it repeats itself: {}", verdict.text)))
    }

    /// Puts on record that the model repeats itself, once: a run that is taken up passes here again.
    fn tell_repeated(&self, id: &CallId, name: &str, verdict: &Verdict) -> Result<()> {
        if matches!(self.cx.recorder.past(id), Past::Nothing) {
            let repeated = ToolEvent::Repeated {
                call: id.clone(),
                tool: name.to_owned(),
                summary: verdict.shown.clone(),
                n_times: verdict.n_times,
                grade: verdict.grade,
            };
            self.cx.recorder.emit(repeated.into()).map_err(sage_tool::Error::from)?;
        }
        Ok(())
    }

    fn take_result(
        &self,
        conversation: &mut Conversation,
        taken: Taken<'_>,
        memory: &mut Memory,
        turn: &mut Turn,
    ) -> Result<()> {
        let Taken { call, id, was_done, result } = taken;
        let name = self.tools.name_of(&call.name);
        let effect = self.tools.effect(&call.name);
        let recorder = &*self.cx.recorder;
        let mut text =
            self.cx.outputs.cut(recorder, &result.text).map_err(sage_tool::Error::from)?;
        if was_done && let Some(hint) = memory.repeats.count(&name, call, effect, &result) {
            self.tell_repeated(id, &name, &hint)?;
            text.push_str(&format!("\n[{}]", hint.text));
        }
        if was_done {
            let key = call_key(&name, call, effect);
            let done = DoneCall { key, path: path_of(call), effect, shown: shown(&name, call) };
            conversation.facts.note(done, &result);
        }
        conversation.messages.push(Message::tool(&call.id, text));
        conversation.changed.extend(result.changed);
        if !result.ok {
            turn.n_failed += 1;
        }
        if let Some(Control::Finish { summary }) = result.control {
            turn.finished = Some(summary);
        }
        Ok(())
    }
}

/// A call with what came of it.
struct Taken<'a> {
    call: &'a ToolCall,
    id: &'a CallId,
    was_done: bool,
    result: ToolResult,
}
