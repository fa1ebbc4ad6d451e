//! Messages that explain: what, why, by which evidence, and where the whole story is.

use sage_core::{CheckKind, Event, EventKind, NodeEvent, NodeOutcome};
use sage_log::{Check, Evidence, project};

use crate::context::RunCx;
use crate::plan::Task;

/// Longest first line, in characters.
const MAX_SUBJECT_CHARS: usize = 72;
/// Width of the text, in characters.
const WIDTH: usize = 72;
/// Longest paragraph, in characters.
const MAX_PARAGRAPH_CHARS: usize = 1_200;
/// Commands that are named.
const MAX_CHECKS: usize = 12;

/// A commit's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub subject: String,
    /// All of it.
    pub text: String,
}

/// The message for a task's commit.
pub(super) fn of_task(cx: &RunCx, task: &Task, events: &[Event]) -> Message {
    let summary = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Node(NodeEvent::Finished {
            node, outcome: NodeOutcome::Done, summary, ..
        }) if *node == task.id => Some(summary.as_str()),
        _ => None,
    });
    let checks = evidence(task, events);
    let redact = |text: &str| cx.wiring.redactor.redact(text).into_owned();
    let goal = cx.options.goal.trim();
    let parts = Parts {
        description: &redact(&task.description),
        summary: &redact(summary.unwrap_or_default()),
        goal: &redact(goal),
        evidence: &checks.iter().map(line).map(|line| redact(&line)).collect::<Vec<_>>(),
        trailers: &[format!("Task: {}", task.id), format!("Run: {}", cx.log.run())],
    };
    parts.message()
}

struct Parts<'a> {
    description: &'a str,
    summary: &'a str,
    goal: &'a str,
    evidence: &'a [String],
    trailers: &'a [String],
}

impl Parts<'_> {
    fn message(&self) -> Message {
        let (subject, rest) = subject(self.description);
        let mut paragraphs = vec![subject.clone()];
        paragraphs.extend([rest, self.summary.to_owned()].map(|text| wrapped(&text)));
        if !self.goal.is_empty() && self.goal != self.description {
            paragraphs.push(wrapped(&format!("Why: {}", self.goal)));
        }
        if !self.evidence.is_empty() {
            paragraphs.push(format!("Evidence:\n{}", self.evidence.join("\n")));
        }
        paragraphs.push(self.trailers.join("\n"));
        paragraphs.retain(|paragraph| !paragraph.trim().is_empty());
        Message { subject, text: format!("{}\n", paragraphs.join("\n\n")) }
    }
}

/// The commands that passed for the task in the work tree, or else for the run.
fn evidence(task: &Task, events: &[Event]) -> Vec<Check> {
    let all = project::<Evidence>(events);
    let shows = |kind| {
        matches!(kind, CheckKind::Acceptance | CheckKind::GeneratedTest | CheckKind::Project)
    };
    let counts = |check: &&Check| check.passed && !check.in_lane && shows(check.kind);
    let of = |is_of: &dyn Fn(&Check) -> bool| {
        let mut found: Vec<Check> = Vec::new();
        for check in all.iter().filter(counts).filter(|check| is_of(check)) {
            found.retain(|known| known.command != check.command);
            found.push(check.clone());
        }
        found.truncate(MAX_CHECKS);
        found
    };
    let own = of(&|check| check.node == task.id);
    if own.is_empty() { of(&|check| check.node == sage_core::NodeId::run()) } else { own }
}

fn line(check: &Check) -> String {
    let tests = match check.n_tests {
        Some(1) => ", 1 test".to_owned(),
        Some(n) => format!(", {n} tests"),
        None => String::new(),
    };
    let exit = check.exit_code.unwrap_or_default();
    let seconds = check.duration_ms as f64 / 1000.0;
    let command = printable(check.command.lines().next().unwrap_or_default());
    format!("- `{command}` passed (exit {exit}{tests}, {seconds:.1} s)")
}

/// The first sentence as far as it fits, and what does not.
fn subject(description: &str) -> (String, String) {
    let text = printable(description).split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = text.find(". ").map_or(text.len(), |at| at);
    let first = text[..sentence].trim_end_matches('.');
    let rest = text[sentence..].trim_start_matches(". ").to_owned();
    if first.is_empty() {
        return ("Change what a task asked for".to_owned(), rest);
    }
    if first.chars().count() <= MAX_SUBJECT_CHARS {
        return (first.to_owned(), rest);
    }
    let short: String = first.chars().take(MAX_SUBJECT_CHARS - 1).collect();
    let end = short.rfind(' ').filter(|end| *end > MAX_SUBJECT_CHARS / 2).unwrap_or(short.len());
    (format!("{}…", &short[..end]), text)
}

/// A paragraph in lines of bounded width. No line can be taken for a comment or a trailer.
fn wrapped(text: &str) -> String {
    let text: String = printable(text).chars().take(MAX_PARAGRAPH_CHARS).collect();
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_message_says_what_and_why_and_how_it_is_known() {
        let parts = Parts {
            description: "Add a --json flag to list. It prints one object per line and nothing else, so that scripts can read it.",
            summary: "src/list.py changed: the flag is there",
            goal: "Make the tool usable from scripts",
            evidence: &["- `python3 -m unittest` passed (exit 0, 4 tests, 0.2 s)".to_owned()],
            trailers: &["Task: task_001".to_owned(), "Run: r1".to_owned()],
        };
        expect![[r#"
            Add a --json flag to list

            It prints one object per line and nothing else, so that scripts can read
            it.

            src/list.py changed: the flag is there

            Why: Make the tool usable from scripts

            Evidence:
            - `python3 -m unittest` passed (exit 0, 4 tests, 0.2 s)

            Task: task_001
            Run: r1
        "#]]
        .assert_eq(&parts.message().text);
    }

    #[test]
    fn a_long_first_sentence_is_cut_at_a_word_and_given_in_full_below() {
        let long = "Rename every function of the parser that begins with an underscore and is used from other modules";
        let (subject, rest) = subject(long);
        assert_eq!(
            subject,
            "Rename every function of the parser that begins with an underscore and…"
        );
        assert_eq!(rest, long);
        assert_eq!(super::subject("\u{1b}[31m\n").0, "[31m");
        assert_eq!(super::subject(" \n").0, "Change what a task asked for");
    }
}
