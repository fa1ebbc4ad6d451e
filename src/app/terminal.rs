//! Asks the person at the terminal: reviews plans, approves tool calls, puts questions.
//!
//! Invariant: an answer comes from the person's keyboard and from nowhere else; the end of input
//! means no. Questions of parallel tasks wait for each other.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sage_core::{
    Answer, Approval, Decider, Interaction, PlanDecision, PlanReview, Question, ReviewedPlan,
    ToolRequest,
};
use similar::TextDiff;

use crate::policy_file::Keeper;
use crate::ui::{Ui, printable, style};

mod approval;

/// Answers that were not understood before a question counts as refused.
const MAX_ANSWERS: u32 = 100;
/// The longest line that is read.
const MAX_LINE_BYTES: u64 = 64 * 1024;

const REVIEW_PROMPT: &str = "[a]pprove [r]eject [e]dit [v]iew [?] ";
const REVIEW_HELP: &str = "  a  run the plan as it is drawn\n  r  reject it; nothing is changed (also: end of input)\n  \
                           e  edit it as a file, see the difference, decide again\n  \
                           d  discard what you edited\n  v  view the file";

/// Reads a line from the person; `None` at the end of input.
pub trait Keyboard: Send + Sync {
    /// Waits for a line.
    fn line(&self) -> Option<String>;
}

/// Lets the person edit a file and returns when they are done.
#[async_trait]
pub trait PlanEditor: Send + Sync {
    /// Opens it; the error is for the person.
    async fn edit(&self, file: &Path) -> Result<(), String>;
}

/// The process's own standard input.
pub struct Stdin;

impl Keyboard for Stdin {
    fn line(&self) -> Option<String> {
        let mut bytes = Vec::new();
        let n_read =
            std::io::stdin().lock().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).ok()?;
        (n_read > 0).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The person at the terminal.
pub struct TerminalInteraction {
    ui: Arc<Ui>,
    keyboard: Arc<dyn Keyboard>,
    editor: Arc<dyn PlanEditor>,
    before_question: Box<dyn Fn() + Send + Sync>,
    plan_file: PathBuf,
    keeper: Keeper,
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl TerminalInteraction {
    /// Asks on stderr and reads stdin. `before_question` makes sure that the live display has caught
    /// up; plans are edited in `plan_file`; `keeper` writes down what is approved for good.
    pub fn new(
        ui: Arc<Ui>,
        editor: Arc<dyn PlanEditor>,
        before_question: impl Fn() + Send + Sync + 'static,
        plan_file: PathBuf,
        keeper: Keeper,
    ) -> Self {
        Self::with_keyboard(ui, Arc::new(Stdin), editor, before_question, plan_file, keeper)
    }

    fn with_keyboard(
        ui: Arc<Ui>,
        keyboard: Arc<dyn Keyboard>,
        editor: Arc<dyn PlanEditor>,
        before_question: impl Fn() + Send + Sync + 'static,
        plan_file: PathBuf,
        keeper: Keeper,
    ) -> Self {
        let before_question = Box::new(before_question);
        let one_at_a_time = tokio::sync::Mutex::new(());
        Self { ui, keyboard, editor, before_question, plan_file, keeper, one_at_a_time }
    }

    async fn answer(&self, prompt: &str) -> Option<String> {
        self.ui.prompt(prompt);
        let keyboard = Arc::clone(&self.keyboard);
        let line = tokio::task::spawn_blocking(move || keyboard.line()).await.ok().flatten();
        if line.is_none() {
            self.ui.prompt("\n");
        }
        line.map(|line| line.trim().to_owned())
    }

    fn show_plan(&self, review: &PlanReview) {
        self.ui.aside(printable(&review.drawing));
        for note in &review.notes {
            self.ui.aside(format!("{} {}", style::warning("note:"), printable(note)));
        }
        self.ui.aside(format!("Worst case: {}", printable(&review.worst_case)));
    }

    async fn edit(&self, text: &str) -> Result<String, String> {
        let name = self.plan_file.display();
        let failed = |error: std::io::Error| format!("{name}: {error}");
        if let Some(folder) = self.plan_file.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(&self.plan_file, text).map_err(failed)?;
        self.editor.edit(&self.plan_file).await?;
        std::fs::read_to_string(&self.plan_file).map_err(failed)
    }

    fn show_difference(&self, before: &str, after: &str) {
        let diff = TextDiff::from_lines(before, after);
        for line in diff.unified_diff().context_radius(2).to_string().lines() {
            self.show_diff_line(line);
        }
    }

    fn show_diff_line(&self, line: &str) {
        let line = printable(line);
        self.ui.aside(match line.chars().next() {
            Some('+') => style::good(line),
            Some('-') => style::error(line),
            _ => line.into_owned(),
        });
    }
}

/// What a review holds while it goes on.
struct Reviewing {
    /// The plan that approval would start.
    review: PlanReview,
    /// Whether it is not the plan that was laid before the person.
    edited: bool,
    /// An edited text that is not a valid plan yet.
    draft: Option<String>,
}

impl Reviewing {
    fn end(self, decision: PlanDecision) -> ReviewedPlan {
        let edited =
            (self.edited && decision == PlanDecision::Approved).then_some(self.review.json);
        ReviewedPlan { decision, by: Decider::Person, edited }
    }
}

#[async_trait]
impl Interaction for TerminalInteraction {
    async fn review_plan(&self, review: PlanReview) -> ReviewedPlan {
        let _turn = self.one_at_a_time.lock().await;
        (self.before_question)();
        self.show_plan(&review);
        let mut reviewing = Reviewing { review, edited: false, draft: None };
        for _ in 0..MAX_ANSWERS {
            let Some(answer) = self.answer(REVIEW_PROMPT).await else { break };
            match answer.to_lowercase().as_str() {
                "a" | "approve" | "y" | "yes" if reviewing.draft.is_some() => {
                    self.ui.aside("what you edited is not a valid plan yet: edit it again, or discard it with `d`");
                }
                "a" | "approve" | "y" | "yes" => return reviewing.end(PlanDecision::Approved),
                "r" | "reject" | "n" | "no" | "q" => break,
                "d" | "discard" => {
                    reviewing.draft = None;
                    self.show_plan(&reviewing.review);
                }
                "v" | "view" => self.ui.aside(printable(&reviewing.review.json)),
                "e" | "edit" => self.revise(&mut reviewing).await,
                _ => self.ui.aside(REVIEW_HELP),
            }
        }
        reviewing.end(PlanDecision::Rejected)
    }

    async fn approve_tool(&self, request: ToolRequest) -> Approval {
        let _turn = self.one_at_a_time.lock().await;
        (self.before_question)();
        self.decide_on(&request).await
    }

    async fn ask(&self, question: Question) -> Answer {
        let _turn = self.one_at_a_time.lock().await;
        (self.before_question)();
        self.ui.aside(printable(&question.text));
        for (n, choice) in question.choices.iter().enumerate() {
            self.ui.aside(format!("  {}  {}", n + 1, printable(choice)));
        }
        let Some(answer) =
            self.answer("(empty to skip) ").await.filter(|answer| !answer.is_empty())
        else {
            return Answer::None;
        };
        let chosen =
            answer.parse::<usize>().ok().and_then(|n| question.choices.get(n.wrapping_sub(1)));
        Answer::Text(chosen.cloned().unwrap_or(answer))
    }
}

impl TerminalInteraction {
    async fn revise(&self, reviewing: &mut Reviewing) {
        let before = reviewing.draft.as_ref().unwrap_or(&reviewing.review.json);
        let after = match self.edit(before).await {
            Ok(after) => after,
            Err(error) => return self.ui.warn(format!("the plan was not edited: {error}")),
        };
        if after == reviewing.review.json {
            reviewing.draft = None;
            return self.ui.aside("nothing changed");
        }
        self.show_difference(&reviewing.review.json, &after);
        match reviewing.review.revise.call(&after) {
            Ok(review) => {
                *reviewing = Reviewing { review, edited: true, draft: None };
                self.show_plan(&reviewing.review);
            }
            Err(errors) => {
                self.ui.aside(format!(
                    "{} {}",
                    style::error("not a valid plan:"),
                    printable(&errors)
                ));
                reviewing.draft = Some(after);
            }
        }
    }
}

#[cfg(test)]
mod tests;
