//! The way of one call through the door.

use std::sync::Arc;

use sage_core::{CallId, Effect, ToolCall, ToolPast, head_and_tail};
use serde_json::{Value, json};

use super::ask::{Passed, ask_about_files, ask_policy};
use super::{APPLY_EDITS, ToolRegistry};
use crate::args;
use crate::call::{CallCx, Intent, Tool, ToolCx, ToolResult};
use crate::change::{self, FileEdit};
use crate::edits::Overwrite;
use crate::effects::{AfterCommand, Watched};
use crate::error::{Error, Result, ToolError};
use crate::journal::{BEFORE_KEY, Journal, Standing};
use crate::path::{PathError, WorkPath};

/// Longest text for a model, in characters; tools have tighter bounds of their own.
pub const MAX_RESULT_CHARS: usize = 60_000;

/// A call that is understood.
struct Understood<'a> {
    tool: &'a Arc<dyn Tool>,
    name: String,
    args: Value,
    intent: Intent,
}

impl ToolRegistry {
    pub(super) async fn pass(
        &self,
        cx: &ToolCx,
        call: CallId,
        wanted: &ToolCall,
    ) -> Result<ToolResult> {
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let understood = match self.understand(cx, wanted) {
            Ok(understood) => understood,
            Err(problem) => return self.turn_away(cx, call, wanted, problem),
        };
        let Understood { tool, name, args, intent } = understood;
        let journal = Journal::new(&*cx.recorder, call.clone(), &name, &intent.summary);
        let interrupted = match journal.standing(&args)? {
            Standing::Answered(bytes) => return answered(&journal, &bytes),
            Standing::Interrupted(past) => Some(past),
            Standing::Fresh => None,
        };
        if let Some(reason) = objection(cx, &name, tool.effect(), &intent) {
            return refuse(&journal, &reason);
        }
        let was_allowed = interrupted.is_some();
        if let Some(command) = &intent.command
            && let Some(reason) = ask_policy(cx, &call, &name, command, was_allowed).await?
        {
            return refuse(&journal, &reason);
        }
        let edits = tool.edits(&args);
        let proposed = edits.as_ref().map(|(edits, overwrite)| (edits.as_slice(), *overwrite));
        let may_remove =
            match ask_about_files(cx, &call, &name, &intent, proposed, was_allowed).await? {
                Passed::Yes { may_remove } => may_remove,
                Passed::No(reason) => return refuse(&journal, &reason),
            };
        let done = if tool.effect() == Effect::Execute {
            perform_watched(cx, &journal, tool, args, interrupted).await?
        } else {
            if interrupted.is_none() {
                journal.called(tool.effect(), &args, false)?;
            }
            let call_cx = CallCx { cx, call, interrupted, may_remove };
            told(tool.call(&call_cx, args).await)?
        };
        finish(&journal, done)
    }

    pub(super) async fn pass_edits(
        &self,
        cx: &ToolCx,
        call: CallId,
        edits: Vec<FileEdit>,
    ) -> Result<ToolResult> {
        if cx.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let args = json!({ "edits": edits });
        let intent = change::intent_of(&edits);
        let journal = Journal::new(&*cx.recorder, call.clone(), APPLY_EDITS, &intent.summary);
        let interrupted = match journal.standing(&args)? {
            Standing::Answered(bytes) => return answered(&journal, &bytes),
            Standing::Interrupted(past) => Some(past),
            Standing::Fresh => None,
        };
        // The tool's name is the program's own, so that no list of allowed tools can hold it; what it
        // may write is decided like any other write.
        if let Some(reason) = objection_to_paths(cx, &intent) {
            return refuse(&journal, &reason);
        }
        let proposed = Some((edits.as_slice(), Overwrite::Guarded));
        let was_allowed = interrupted.is_some();
        let may_remove =
            match ask_about_files(cx, &call, APPLY_EDITS, &intent, proposed, was_allowed).await? {
                Passed::Yes { may_remove } => may_remove,
                Passed::No(reason) => return refuse(&journal, &reason),
            };
        if interrupted.is_none() {
            journal.called(Effect::Write, &args, false)?;
        }
        let call_cx = CallCx { cx, call, interrupted, may_remove };
        let done = told(change::apply(&call_cx, &edits))?;
        finish(&journal, done)
    }

    fn understand<'a>(
        &'a self,
        cx: &ToolCx,
        wanted: &ToolCall,
    ) -> std::result::Result<Understood<'a>, Problem> {
        let Some(tool) = self.find(&wanted.name) else {
            return Err(Problem::NoSuchTool(self.unknown(&wanted.name, &cx.grant)));
        };
        let spec = tool.spec();
        let args = args::parse(&wanted.arguments)
            .and_then(|given| args::fit(given, &spec, tool.argument_aliases()))
            .map_err(|problem| Problem::BadArguments {
                name: spec.name.clone(),
                effect: tool.effect(),
                problem,
            })?;
        let intent = tool.intent(&args);
        Ok(Understood { tool, name: spec.name, args, intent })
    }

    /// Answers a call that was not understood. Nothing happens, but it is on record.
    fn turn_away(
        &self,
        cx: &ToolCx,
        call: CallId,
        wanted: &ToolCall,
        problem: Problem,
    ) -> Result<ToolResult> {
        let args = json!(wanted.arguments);
        match problem {
            Problem::NoSuchTool(text) => {
                let short: String = wanted.name.chars().take(64).collect();
                let journal = Journal::new(&*cx.recorder, call, &short, &wanted.arguments);
                match journal.standing(&args)? {
                    Standing::Answered(bytes) => answered(&journal, &bytes),
                    _ => refuse(&journal, &text),
                }
            }
            Problem::BadArguments { name, effect, problem } => {
                let journal = Journal::new(&*cx.recorder, call, &name, &wanted.arguments);
                match journal.standing(&args)? {
                    Standing::Answered(bytes) => return answered(&journal, &bytes),
                    Standing::Interrupted(_) => {}
                    Standing::Fresh => match cx.grant.objection(&name, effect) {
                        Some(reason) => return refuse(&journal, &reason),
                        None => journal.called(effect, &args, false)?,
                    },
                }
                finish(&journal, ToolResult::failure(problem))
            }
        }
    }
}

enum Problem {
    NoSuchTool(String),
    BadArguments { name: String, effect: Effect, problem: String },
}

pub(super) fn answered(journal: &Journal<'_>, bytes: &[u8]) -> Result<ToolResult> {
    serde_json::from_slice(bytes).map_err(|_| journal.unreadable())
}

pub(crate) fn refuse(journal: &Journal<'_>, reason: &str) -> Result<ToolResult> {
    let result = ToolResult::refusal(reason);
    journal.refused(reason, &result)?;
    Ok(result)
}

pub(super) fn finish(journal: &Journal<'_>, mut result: ToolResult) -> Result<ToolResult> {
    result.text = head_and_tail(&result.text, MAX_RESULT_CHARS);
    if result.refused {
        journal.refused(&result.text, &result)?;
    }
    journal.finished(result.ok, &result, &result.text)?;
    Ok(result)
}

/// Turns what a model should read into a result.
pub(super) fn told(done: std::result::Result<ToolResult, ToolError>) -> Result<ToolResult> {
    match done {
        Ok(result) => Ok(result),
        Err(ToolError::Told(text)) => Ok(ToolResult::failure(text)),
        Err(ToolError::Refused { reason }) => Ok(ToolResult::refusal(&reason)),
        Err(ToolError::Ends(error)) => Err(error),
    }
}

/// What the contract says against a call.
fn objection(cx: &ToolCx, name: &str, effect: Effect, intent: &Intent) -> Option<String> {
    cx.grant.objection(name, effect).or_else(|| objection_to_paths(cx, intent))
}

pub(super) fn objection_to_paths(cx: &ToolCx, intent: &Intent) -> Option<String> {
    type Found = std::result::Result<WorkPath, PathError>;
    let objection = |found: Found, is_written: bool| match found {
        Ok(path) if is_written => cx.grant.objection_to_write(path.as_str()),
        Err(error) if error.is_escape() => Some(error.to_string()),
        // A malformed path is told by the tool itself.
        Ok(_) | Err(_) => None,
    };
    let reads = intent.reads.iter().map(|path| (cx.workspace.resolve(path), false));
    let writes = intent.writes.iter().map(|path| (cx.workspace.resolve(path), true));
    let removes = intent.removes.iter().map(|path| (cx.workspace.resolve_entry(path), true));
    reads.chain(writes).chain(removes).find_map(|(found, is_written)| objection(found, is_written))
}

/// Performs a call that starts processes, and accounts for what they did to the files.
async fn perform_watched(
    cx: &ToolCx,
    journal: &Journal<'_>,
    tool: &Arc<dyn Tool>,
    args: Value,
    interrupted: Option<ToolPast>,
) -> Result<ToolResult> {
    let before = interrupted.as_ref().and_then(|past| journal.before_of(past));
    let watched = Watched::begin(cx, &journal.call, before, AfterCommand::KeepGranted).await?;
    journal.called(Effect::Execute, &with_before(&args, &watched), true)?;
    let call_cx = CallCx { cx, call: journal.call.clone(), interrupted, may_remove: false };
    let done = tool.call(&call_cx, args).await;
    let after = watched.end(cx, &journal.call).await?;
    let mut result = told(done)?;
    result.changed = after.kept;
    if !after.put_back.is_empty()
        && let Value::Object(details) = &mut result.details
    {
        let put_back = after.put_back.iter();
        let put_back: Vec<Value> =
            put_back.map(|(path, held)| json!({ "path": path, "held": held })).collect();
        details.insert("put_back".to_owned(), Value::Array(put_back));
    }
    if !after.notes.is_empty() {
        result.text = format!("{}\n{}", result.text.trim_end(), after.notes.join("\n"));
    }
    if let Some(reason) = after.refused {
        result.refused = true;
        result.text = format!("refused: {reason}\n{}", result.text);
    }
    Ok(result)
}

/// The arguments as they are logged: with the state to which the command's effects are compared,
/// should this process not live to see its end.
pub(crate) fn with_before(args: &Value, watched: &Watched<'_>) -> Value {
    let mut args = args.clone();
    if let (Value::Object(fields), Some(before)) = (&mut args, watched.before_ref()) {
        fields.insert(BEFORE_KEY.to_owned(), json!(before));
    }
    args
}
