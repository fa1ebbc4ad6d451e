//! `finish`: the model says that it is done.

use async_trait::async_trait;
use sage_core::{Effect, ToolSpec};
use serde_json::Value;

use super::{spec, text};
use crate::call::{CallCx, Control, Intent, Tool, ToolResult};
use crate::error::ToolError;

pub(super) struct Finish;

#[async_trait]
impl Tool for Finish {
    fn spec(&self) -> ToolSpec {
        spec(
            "finish",
            "End the task when it is done or cannot be done.",
            &[("summary", "string", "What was done, or what is in the way")],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Control
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["done", "complete", "submit", "task_complete", "attempt_completion", "end"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("message", "summary"),
            ("result", "summary"),
            ("answer", "summary"),
            ("text", "summary"),
            ("reason", "summary"),
        ]
    }

    fn intent(&self, args: &Value) -> Intent {
        Intent { summary: text(args, "summary").to_owned(), ..Intent::default() }
    }

    async fn call(&self, _: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let summary = text(&args, "summary").to_owned();
        let control = Some(Control::Finish { summary });
        Ok(ToolResult { control, ..ToolResult::success("finished") })
    }
}
