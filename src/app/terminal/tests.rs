use std::sync::Mutex;

use sage_core::{NodeId, Revise};

use super::*;
use crate::ui::{Captured, Level};

struct Typed(Mutex<Vec<&'static str>>);

impl Keyboard for Typed {
    fn line(&self) -> Option<String> {
        let mut lines = self.0.lock().unwrap();
        (!lines.is_empty()).then(|| lines.remove(0).to_owned())
    }
}

/// Writes these texts, one per call.
struct Writes(Mutex<Vec<&'static str>>);

#[async_trait]
impl PlanEditor for Writes {
    async fn edit(&self, file: &Path) -> Result<(), String> {
        let text = self.0.lock().unwrap().remove(0);
        std::fs::write(file, text).map_err(|error| error.to_string())
    }
}

fn plan(json: &str) -> PlanReview {
    PlanReview {
        json: json.to_owned(),
        drawing: format!("[{}]", json.trim()),
        notes: vec!["a note".into()],
        worst_case: "$0.10".into(),
        revise: Revise::new(|text| {
            if text.starts_with("plan") { Ok(plan(text)) } else { Err("tasks: missing".into()) }
        }),
    }
}

fn with<T>(
    typed: &[&'static str],
    edits: &[&'static str],
    work: impl AsyncFnOnce(&TerminalInteraction) -> T,
) -> (T, String) {
    let folder = tempfile::tempdir().unwrap();
    let shown = Captured::default();
    let ui = Arc::new(Ui::to(Captured::default(), shown.clone(), Level::Quiet));
    let person = TerminalInteraction::with_keyboard(
        ui,
        Arc::new(Typed(Mutex::new(typed.to_vec()))),
        Arc::new(Writes(Mutex::new(edits.to_vec()))),
        || {},
        folder.path().join(".sage/last_plan.json"),
    );
    let result = crate::app::block_on(work(&person)).unwrap();
    (result, shown.text())
}

fn review(typed: &[&'static str], edits: &[&'static str]) -> (ReviewedPlan, String) {
    with(typed, edits, async |person: &TerminalInteraction| {
        person.review_plan(plan("plan 1\n")).await
    })
}

#[test]
fn the_plan_its_notes_and_worst_case_are_shown_before_the_question() {
    let (reviewed, shown) = review(&["a"], &[]);
    assert_eq!(reviewed.decision, PlanDecision::Approved);
    assert_eq!(reviewed.edited, None);
    assert_eq!(shown, format!("[plan 1]\nnote: a note\nWorst case: $0.10\n{REVIEW_PROMPT}"));
}

#[test]
fn the_end_of_input_and_endless_nonsense_reject() {
    assert_eq!(review(&[], &[]).0.decision, PlanDecision::Rejected);
    assert_eq!(review(&["r"], &[]).0.decision, PlanDecision::Rejected);
    let nonsense = vec!["what"; 1000];
    assert_eq!(review(&nonsense, &[]).0.decision, PlanDecision::Rejected);
}

#[test]
fn an_edited_plan_is_shown_with_its_difference_and_asked_about_again() {
    let (reviewed, shown) = review(&["e", "a"], &["plan 2\n"]);
    assert_eq!(reviewed.edited.as_deref(), Some("plan 2\n"));
    assert!(shown.contains("-plan 1\n+plan 2\n[plan 2]"), "{shown}");
}

#[test]
fn an_invalid_edit_cannot_be_approved_only_mended_or_discarded() {
    let (reviewed, shown) = review(&["e", "a", "d", "a"], &["nonsense"]);
    assert!(shown.contains("not a valid plan: tasks: missing"), "{shown}");
    assert!(shown.contains("not a valid plan yet"), "{shown}");
    assert_eq!((reviewed.decision, reviewed.edited), (PlanDecision::Approved, None));
    let (reviewed, _) = review(&["e", "e", "a"], &["nonsense", "plan 3"]);
    assert_eq!(reviewed.edited.as_deref(), Some("plan 3"));
    // Rejecting drops what was edited.
    assert_eq!(review(&["e", "r"], &["plan 2"]).0.edited, None);
}

#[test]
fn a_tool_call_happens_only_after_a_yes() {
    let allowed = |typed: &[&'static str]| {
        with(typed, &[], async |person: &TerminalInteraction| {
            let request = ToolRequest {
                node: NodeId::new("t").unwrap(),
                tool: "run".into(),
                what: "rm -r x".into(),
                because: "it deletes".into(),
            };
            person.approve_tool(request).await.allowed
        })
        .0
    };
    assert!(allowed(&["y"]));
    assert!(allowed(&["what", "yes"]));
    assert!(!allowed(&["n"]));
    assert!(!allowed(&[""]));
    assert!(!allowed(&[]));
}

#[test]
fn a_question_is_answered_with_a_number_a_text_or_nothing() {
    let ask = |typed: &[&'static str]| {
        with(typed, &[], async |person: &TerminalInteraction| {
            person
                .ask(Question { text: "which?".into(), choices: vec!["red".into(), "blue".into()] })
                .await
        })
        .0
    };
    assert_eq!(ask(&["2"]), Answer::Text("blue".into()));
    assert_eq!(ask(&["0"]), Answer::Text("0".into()));
    assert_eq!(ask(&["green"]), Answer::Text("green".into()));
    assert_eq!(ask(&[""]), Answer::None);
    assert_eq!(ask(&[]), Answer::None);
}
