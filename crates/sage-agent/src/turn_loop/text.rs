//! Takes an answer that calls no tools: edits written into its text, or just words.

use sage_model::ToolCalling;
use sage_tool::edits;

use super::calls::LOST;
use super::{Memory, Next, WorkEnd};
use crate::agent::{Agent, Reply};
use crate::{Conversation, Result};

/// How often a model may correct edits in its text that could not be read or did not apply.
const MAX_EDIT_RETRIES: u32 = 1;

/// Longest summary that is taken from an answer with edits, in characters.
const MAX_SUMMARY_CHARS: usize = 600;

/// What a model reads that took over from one that acted in another way.
const TAKEN_OVER: &str = "You take over from another model. Act as the system prompt now says.";

impl Agent {
    pub(super) async fn take_text(
        &self,
        conversation: &mut Conversation,
        reply: &Reply,
        memory: &mut Memory,
    ) -> Result<Next> {
        let text = reply.text();
        if self.cx.grant.read_only {
            return Ok(Next::End(WorkEnd::Answer(text.to_owned())));
        }
        // The same answer again fails again: nothing changed in between.
        if let Some((_, error)) = memory.failed_answer.take_if(|(answer, _)| answer == text) {
            let error = format!("{error}\nThe same answer was given twice.");
            return Ok(Next::End(WorkEnd::EditsRefused { error }));
        }
        // A model with tools that shows code without a name is explaining, not editing.
        let only_file = match reply.calling {
            ToolCalling::Text => conversation.only_file.as_deref(),
            ToolCalling::Native => None,
        };
        let error = match edits::parse_answer(text, only_file) {
            Ok(found) if found.is_empty() => return self.take_words(conversation, reply, memory),
            Ok(found) => {
                let id = self.calls.next();
                if self.is_lost(reply, &id, text) {
                    return Ok(retry(conversation, memory, LOST.to_owned()));
                }
                let result = self.tools.apply_edits(&self.cx, id, found).await?;
                if result.ok {
                    conversation.changed.extend(result.changed);
                    return Ok(Next::End(WorkEnd::Finished { summary: prose(text) }));
                }
                result.text
            }
            // It may also quote something that looks like the beginning of an edit.
            Err(_) if reply.calling == ToolCalling::Native => {
                return self.take_words(conversation, reply, memory);
            }
            Err(error) => error.to_string(),
        };
        memory.failed_answer = Some((text.to_owned(), error.clone()));
        Ok(retry(conversation, memory, error))
    }

    /// Words end the work, except those of a model that took over in this very call: it was told of
    /// tools that it does not have, or the other way round.
    fn take_words(
        &self,
        conversation: &mut Conversation,
        reply: &Reply,
        memory: &mut Memory,
    ) -> Result<Next> {
        if !memory.was_taken_over && self.next_calling(conversation)? != reply.calling {
            memory.was_taken_over = true;
            conversation.say(TAKEN_OVER);
            return Ok(Next::Turn { n_failed: 1 });
        }
        Ok(Next::End(WorkEnd::Answer(reply.text().to_owned())))
    }

    /// How the model acts that would answer the next request.
    fn next_calling(&self, conversation: &Conversation) -> Result<ToolCalling> {
        Ok(self.model.facts(&self.bare_request(self.calls.peek(), conversation))?.tool_calling)
    }
}

fn retry(conversation: &mut Conversation, memory: &mut Memory, error: String) -> Next {
    memory.n_edit_retries += 1;
    if memory.n_edit_retries > MAX_EDIT_RETRIES {
        return Next::End(WorkEnd::EditsRefused { error });
    }
    conversation.say(format!(
        "No file was changed, because an edit cannot be applied:\n{error}\n\
         Send all edits again, the corrected ones and those that were right."
    ));
    Next::Turn { n_failed: 1 }
}

/// The sentences of an answer, without its code, its blocks and the lines that name their files.
fn prose(text: &str) -> String {
    let mut sentences = Vec::new();
    let mut in_fence = false;
    let mut in_block = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("<<<<<<<") {
            in_block = true;
        } else if line.starts_with(">>>>>>>") {
            in_block = false;
        } else if !in_block && (line.starts_with("```") || line.starts_with("~~~")) {
            in_fence = !in_fence;
        } else if !in_fence && !in_block && line.contains(' ') {
            sentences.push(line);
        }
    }
    sentences.join(" ").chars().take(MAX_SUMMARY_CHARS).collect()
}
