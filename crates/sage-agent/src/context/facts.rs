//! What must not be lost when steps are cut: the files that were changed, what failed and does not work
//! yet, and what the person said meanwhile. Kept as facts of recorded calls, never as a model's words.
//!
//! The goal, the contract and the rules need no place here: they are in the messages that are never cut.

use std::collections::BTreeSet;

use sage_core::Effect;
use sage_tool::ToolResult;

/// Failures that are kept; the oldest give way.
const MAX_FAILURES: usize = 12;

/// What is kept of one failure, in characters.
const MAX_SAID_CHARS: usize = 240;

/// What is kept of one thing that the person said, in characters.
const MAX_GUIDANCE_CHARS: usize = 1_000;

/// Things that the person said which are kept; the oldest give way.
const MAX_GUIDANCE: usize = 20;

/// What begins the message that stands for what was cut.
pub(crate) const FACTS_HEAD: &str =
    "[Earlier steps were cut to save room. This is on record from them:";

/// What a conversation has come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Facts {
    failures: Vec<Failure>,
    guidance: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Failure {
    /// The call without what differs at every try.
    key: String,
    path: Option<String>,
    effect: Effect,
    shown: String,
    said: String,
}

/// A call that was done, as facts are made of it.
pub(crate) struct DoneCall {
    pub key: String,
    pub path: Option<String>,
    pub effect: Option<Effect>,
    pub shown: String,
}

impl Facts {
    /// Takes what came of a call.
    pub fn note(&mut self, call: DoneCall, result: &ToolResult) {
        self.failures.retain(|failure| {
            let is_again = failure.key == call.key;
            let is_mended = failure.effect == Effect::Write
                && failure.path.as_ref().is_some_and(|path| result.changed.contains(path));
            !is_again && !is_mended
        });
        let effect = call.effect.filter(|effect| matches!(effect, Effect::Write | Effect::Execute));
        let Some(effect) = effect.filter(|_| !result.ok) else { return };
        let DoneCall { key, path, shown, .. } = call;
        self.failures.push(Failure { key, path, effect, shown, said: gist(&result.text) });
        if self.failures.len() > MAX_FAILURES {
            self.failures.remove(0);
        }
    }

    /// Takes what the person said.
    pub fn guide(&mut self, text: &str) {
        self.guidance.push(text.chars().take(MAX_GUIDANCE_CHARS).collect());
        if self.guidance.len() > MAX_GUIDANCE {
            self.guidance.remove(0);
        }
    }

    /// The message that stands for what was cut, at most about `max_chars` long.
    pub fn text(&self, changed: &BTreeSet<String>, max_chars: usize) -> String {
        let mut text = FACTS_HEAD.to_owned();
        if !self.guidance.is_empty() {
            text.push_str("\nthe person said:");
            for said in &self.guidance {
                text.push_str(&format!("\n- {said}"));
            }
        }
        let failures: String = self
            .failures
            .iter()
            .map(|failure| format!("\n- `{}`: {}", failure.shown, failure.said))
            .collect();
        let room = max_chars.saturating_sub(text.chars().count() + failures.chars().count());
        text.push_str(&format!("\nfiles changed so far: {}", listed(changed, room)));
        if failures.is_empty() {
            text.push_str("\nopen failures: none");
        } else {
            text.push_str("\nopen failures:");
            text.push_str(&failures);
        }
        text.push(']');
        text
    }
}

/// As many names as fit, at least a few.
fn listed(names: &BTreeSet<String>, max_chars: usize) -> String {
    const MIN_SHOWN: usize = 8;
    if names.is_empty() {
        return "none".to_owned();
    }
    let mut out = String::new();
    for (n, name) in names.iter().enumerate() {
        if n >= MIN_SHOWN && out.chars().count() + name.chars().count() > max_chars {
            out.push_str(&format!(" and {} more", names.len() - n));
            break;
        }
        if n > 0 {
            out.push_str(", ");
        }
        out.push_str(name);
    }
    out
}

/// The last lines: a failure's end says what it was.
fn gist(text: &str) -> String {
    const MAX_LINES: usize = 4;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let last: Vec<&str> = lines.rev().take(MAX_LINES).collect();
    let joined = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
    let n_chars = joined.chars().count();
    joined.chars().skip(n_chars.saturating_sub(MAX_SAID_CHARS)).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn call(shown: &str, path: Option<&str>, effect: Effect) -> DoneCall {
        let (key, path) = (shown.to_owned(), path.map(str::to_owned));
        DoneCall { key, path, effect: Some(effect), shown: shown.to_owned() }
    }

    #[test]
    fn a_failure_stays_open_until_it_is_mended() {
        let mut facts = Facts::default();
        let changed = BTreeSet::from(["a.py".to_owned(), "b.py".to_owned()]);
        let test = || call("make test", None, Effect::Execute);
        let edit = || call("edit a.py", Some("a.py"), Effect::Write);
        facts.note(test(), &ToolResult::failure("...\nE  assert 1 == 2\n\n[exit code 1]\n"));
        facts.note(edit(), &ToolResult::failure("a.py: the search text is not in the file"));
        facts.note(
            call("read x", Some("x"), Effect::Read),
            &ToolResult::failure("x does not exist"),
        );
        facts.guide("No globals.");
        expect![[r#"
            [Earlier steps were cut to save room. This is on record from them:
            the person said:
            - No globals.
            files changed so far: a.py, b.py
            open failures:
            - `make test`: ... / E  assert 1 == 2 / [exit code 1]
            - `edit a.py`: a.py: the search text is not in the file]"#]]
        .assert_eq(&facts.text(&changed, 4000));
        let written =
            ToolResult { changed: vec!["a.py".to_owned()], ..ToolResult::success("changed") };
        facts.note(call("write a.py", Some("a.py"), Effect::Write), &written);
        facts.note(test(), &ToolResult::success("ok"));
        assert!(facts.text(&changed, 4000).ends_with("open failures: none]"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut facts = Facts::default();
        for n in 0..100 {
            let failed = ToolResult::failure("x".repeat(10_000));
            facts.note(call(&format!("try {n}"), None, Effect::Execute), &failed);
            facts.guide(&"y".repeat(10_000));
        }
        let changed = (0..10_000).map(|n| format!("src/file_{n}.py")).collect();
        let text = facts.text(&changed, 30_000);
        assert!(text.chars().count() < 31_000);
        assert!(text.contains("`try 99`") && text.contains(" more\n"), "{text}");
    }
}
