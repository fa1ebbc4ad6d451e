use std::sync::Mutex;

use sage_core::{ApprovalScope, NodeId, Revise, Shown};

use super::*;
use crate::failure::Failure;
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
        Box::new(|rules| match rules {
            [rule] if rule.contains("full disk") => Err(Failure::environment("the disk is full")),
            rules => Ok(format!("the file with {}", rules.join(" "))),
        }),
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
                shown: Shown::Nothing,
                remember: Vec::new(),
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

fn request(shown: Shown, remember: &[&str]) -> ToolRequest {
    ToolRequest {
        node: NodeId::new("t").unwrap(),
        tool: "run".into(),
        what: "a && b".into(),
        because: "ask command:b (project, x:3, rule 1)".into(),
        shown,
        remember: remember.iter().map(|&rule| rule.to_owned()).collect(),
    }
}

fn decided(request: &ToolRequest, typed: &[&'static str]) -> (Approval, String) {
    with(typed, &[], async |person: &TerminalInteraction| person.decide_on(request).await)
}

#[test]
fn an_approval_holds_for_as_long_as_the_person_says() {
    let command = Shown::Command {
        parts: vec!["b".into()],
        folder: "/project".into(),
        network: "off".into(),
    };
    let lasting = request(command.clone(), &["{\"command\": [\"b\"]}"]);
    let (approval, shown) = decided(&lasting, &["?", "y"]);
    assert_eq!(approval, Approval::once(true, Decider::Person));
    for part in
        ["  a && b\n", "asked about: b", "in /project; network: off", "because ask command:b"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains("{\"command\": [\"b\"]}"), "the help shows the rule: {shown}");
    assert_eq!(decided(&lasting, &["r"]).0.scope, ApprovalScope::Run);
    let (approval, shown) = decided(&lasting, &["a"]);
    assert_eq!((approval.allowed, approval.scope), (true, ApprovalScope::Always));
    assert!(shown.contains("noted in the file with {\"command\""), "{shown}");
    assert!(!decided(&lasting, &["n"]).0.allowed);
    assert!(!decided(&lasting, &["nonsense"; 1000]).0.allowed);

    // Where no rule can say it, or none can be written, it lasts as long as it can.
    let (approval, shown) = decided(&request(command.clone(), &[]), &["a", "r"]);
    assert_eq!((approval.allowed, approval.scope), (true, ApprovalScope::Run));
    assert!(!shown.contains("[a]lways"), "{shown}");
    let (approval, shown) = decided(&request(command, &["full disk"]), &["a"]);
    assert_eq!((approval.allowed, approval.scope), (true, ApprovalScope::Run));
    assert!(shown.contains("the disk is full"), "{shown}");
}

#[test]
fn a_long_difference_is_shown_as_head_and_tail_and_whole_on_demand() {
    let diff: String = (0..200).map(|n| format!("-line {n}\n")).collect();
    let long = request(Shown::Edit { diff }, &[]);
    let (_, shown) = decided(&long, &["n"]);
    assert!(shown.contains("-line 0\n") && shown.contains("-line 199\n"), "{shown}");
    assert!(!shown.contains("-line 100\n") && shown.contains("150 more lines"), "{shown}");
    let (_, shown) = decided(&long, &["d", "n"]);
    assert!(shown.contains("-line 100\n"), "{shown}");
    let short = request(Shown::Edit { diff: "-a\n+b\n".into() }, &[]);
    assert!(!decided(&short, &["n"]).1.contains("[d]iff"));
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
