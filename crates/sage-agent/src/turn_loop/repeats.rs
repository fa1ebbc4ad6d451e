//! Notices a model that goes in circles, and answers in rising grades: it is told, then the call is not
//! done again, then the work ends.
//!
//! Calls are compared without what differs at every try ([`crate::volatile`]), over the last
//! [`WINDOW_TURNS`] turns and however many others lie between, so that a circle of several calls is
//! noticed like one of one. When something has changed that matters to a call, its count begins anew:
//! a test may fail alike after every edit. All of it follows from the calls and their recorded results,
//! so a run that is taken up decides as it did.

use std::collections::BTreeMap;

use sage_core::{Effect, RepeatGrade, ToolCall};
use sage_tool::ToolResult;

use crate::volatile::{call_key, path_of, result_key, shown};

/// How many turns back a call counts as the same again.
const WINDOW_TURNS: u32 = 48;

/// Calls that are remembered at most; those asked for longest ago are forgotten first.
const MAX_REMEMBERED: usize = 400;

/// At which asking, the first included, each answer is due.
struct Grades {
    hint: u32,
    refuse: u32,
    stop: u32,
}

/// A change of files that failed: without a change it fails again for certain.
const FAILED_CHANGE: Grades = Grades { hint: 2, refuse: 2, stop: 4 };

/// Anything else that failed in the same way.
const FAILED: Grades = Grades { hint: 2, refuse: 3, stop: 4 };

/// A command, or a change of files, that went well with the same result.
const SAME: Grades = Grades { hint: 3, refuse: 4, stop: 5 };

/// Looking at the same thing. More is allowed: what was seen may have been cut from the conversation.
const SAME_READ: Grades = Grades { hint: 3, refuse: 5, stop: 7 };

/// A command whatever came of it, when no file changed meanwhile.
const ANY: Grades = Grades { hint: 8, refuse: 12, stop: 14 };

/// What is known of one call, as the turns in which it happened.
#[derive(Default)]
struct Record {
    effect: Option<Effect>,
    path: Option<String>,
    /// Failed like the last time.
    failed: Vec<u32>,
    /// Went well with the same result as the last time.
    same: Vec<u32>,
    /// Was done at all.
    done: Vec<u32>,
    /// Was asked for and not done.
    refused: Vec<u32>,
    /// The last result, without what differs at every try.
    result: String,
    /// Its first line as it was.
    said: String,
    asked_at: u32,
}

/// The calls of a piece of work, as far as they repeat.
#[derive(Default)]
pub(super) struct Repeats {
    turn: u32,
    records: BTreeMap<String, Record>,
}

/// What is to be done about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub grade: RepeatGrade,
    /// How often it was asked for, this time included.
    pub n_times: u32,
    /// The call in a few words.
    pub shown: String,
    /// For the model.
    pub text: String,
}

impl Verdict {
    /// What the work is said to have ended with.
    pub fn what(&self) -> String {
        format!("`{}` (asked for {} times, {})", self.shown, self.n_times, self.text)
    }
}

impl Repeats {
    /// Begins a turn.
    pub fn begin_turn(&mut self) {
        self.turn += 1;
    }

    /// Whether a call that was just asked for is one too many. Counts it if so.
    pub fn object(
        &mut self,
        name: &str,
        call: &ToolCall,
        effect: Option<Effect>,
    ) -> Option<Verdict> {
        let turn = self.turn;
        let record = self.records.get_mut(&call_key(name, call, effect))?;
        record.forget(turn);
        let (n_times, grades, is_failure) = record.count(1)?;
        let grade = match n_times {
            n if n >= grades.stop => RepeatGrade::Stopped,
            n if n >= grades.refuse => RepeatGrade::Refused,
            _ => return None,
        };
        record.refused.push(turn);
        record.asked_at = turn;
        let text = match (grade, is_failure) {
            (RepeatGrade::Stopped, true) => "it failed and nothing that matters to it had changed",
            (RepeatGrade::Stopped, false) => "with nothing changed in between",
            (_, true) => {
                return Some(Verdict {
                    grade,
                    n_times,
                    shown: shown(name, call),
                    text: format!(
                        "this very call failed before ({}) and nothing that matters to it has \
                         changed since. {}",
                        record.said,
                        way_out(effect)
                    ),
                });
            }
            (_, false) => {
                "it was done before with the same outcome and no file has changed since. Work with \
                 what you know, change something, or finish"
            }
        };
        Some(Verdict { grade, n_times, shown: shown(name, call), text: text.to_owned() })
    }

    /// Counts what came of a call that was done. Returns a hint where one is due.
    pub fn count(
        &mut self,
        name: &str,
        call: &ToolCall,
        effect: Option<Effect>,
        result: &ToolResult,
    ) -> Option<Verdict> {
        self.make_room();
        if !result.changed.is_empty() {
            self.something_changed(&result.changed);
        }
        let turn = self.turn;
        let record = self.records.entry(call_key(name, call, effect)).or_default();
        record.effect = effect;
        record.path = path_of(call);
        record.asked_at = turn;
        record.forget(turn);
        let came_of_it = result_key(&result.text, effect);
        let is_same = came_of_it == record.result;
        record.said = first_line(&result.text);
        record.result = came_of_it;
        if result.ok {
            record.failed.clear();
            record.refused.clear();
            // What changes files on its own account may do so again: it is no waiting.
            if !is_same && effect != Some(Effect::Write) {
                record.same.clear();
            }
            note(&mut record.same, turn, effect);
        } else {
            record.same.clear();
            if !is_same && effect != Some(Effect::Write) {
                record.failed.clear();
            }
            note(&mut record.failed, turn, effect);
        }
        note(&mut record.done, turn, effect);
        let (n_times, grades, is_failure) = record.count(0)?;
        if n_times < grades.hint {
            return None;
        }
        let text = if is_failure {
            format!("The same call failed the same way before. {}", way_out(effect))
        } else {
            "The same call had the same outcome before, and no file has changed since. Work with what \
             you know, change something, or finish."
                .to_owned()
        };
        Some(Verdict { grade: RepeatGrade::Hint, n_times, shown: shown(name, call), text })
    }

    /// Something is different now, so what failed or was looked at may well be tried again. A change that
    /// could not be made depends on its own file alone; one that was made and is made again and again
    /// is a circle of its own.
    fn something_changed(&mut self, paths: &[String]) {
        for record in self.records.values_mut() {
            let is_change = record.effect == Some(Effect::Write);
            let concerns = record.path.as_ref().is_none_or(|path| paths.contains(path));
            if !is_change {
                record.same.clear();
                record.done.clear();
            }
            if !is_change || concerns {
                record.failed.clear();
                record.refused.clear();
            }
        }
    }

    fn make_room(&mut self) {
        while self.records.len() >= MAX_REMEMBERED {
            let oldest = self.records.iter().min_by_key(|(_, record)| record.asked_at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            self.records.remove(&key);
        }
    }
}

impl Record {
    /// Forgets what lies too far back.
    fn forget(&mut self, turn: u32) {
        let is_recent = |at: &u32| at.saturating_add(WINDOW_TURNS) > turn;
        for turns in [&mut self.failed, &mut self.same, &mut self.done, &mut self.refused] {
            turns.retain(is_recent);
        }
    }

    /// The count that comes closest to an answer, with `more` askings on top, its grades, and whether it
    /// is one of failures.
    fn count(&self, more: u32) -> Option<(u32, Grades, bool)> {
        let n = |turns: &Vec<u32>| u32::try_from(turns.len()).unwrap_or(u32::MAX);
        let refused = n(&self.refused);
        let is_change = !matches!(self.effect, Some(Effect::Execute | Effect::Read));
        if !self.failed.is_empty() {
            let grades = if is_change { FAILED_CHANGE } else { FAILED };
            return Some((n(&self.failed) + refused + more, grades, true));
        }
        let grades = if self.effect == Some(Effect::Read) { SAME_READ } else { SAME };
        let is_moving = n(&self.same) < grades.hint;
        let any = n(&self.done) + refused + more;
        if self.effect == Some(Effect::Execute) && is_moving && any >= ANY.hint {
            return Some((any, ANY, false));
        }
        (!self.same.is_empty()).then_some((n(&self.same) + refused + more, grades, false))
    }
}

/// Reads of one answer run side by side, so that the same one twice in it is no repetition.
fn note(turns: &mut Vec<u32>, turn: u32, effect: Option<Effect>) {
    if effect != Some(Effect::Read) || turns.last() != Some(&turn) {
        turns.push(turn);
    }
}

fn way_out(effect: Option<Effect>) -> &'static str {
    match effect {
        Some(Effect::Write) => {
            "Do something else: read that part of the file as it is now and copy from it, or write the \
             whole file."
        }
        Some(Effect::Execute) => {
            "Do not send it again: change what makes it fail, or find out more with another command."
        }
        _ => "Do not send it again: look for what is there, or do something else.",
    }
}

fn first_line(text: &str) -> String {
    const MAX_CHARS: usize = 160;
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests;
