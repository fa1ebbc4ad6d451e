//! `delete`: removes one file.

use async_trait::async_trait;
use sage_core::{Effect, ToolSpec};
use serde_json::Value;

use super::{PATH_ALIASES, spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::change;
use crate::edits::{self, Overwrite};
use crate::error::ToolError;

pub(super) struct Delete;

#[async_trait]
impl Tool for Delete {
    fn spec(&self) -> ToolSpec {
        spec("delete", "Delete a file.", &[("path", "string", "")])
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["delete_file", "remove", "remove_file", "rm"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        PATH_ALIASES
    }

    fn intent(&self, args: &Value) -> Intent {
        let path = text(args, "path").to_owned();
        Intent { summary: path.clone(), removes: vec![path], ..Intent::default() }
    }

    fn edits(&self, args: &Value) -> Option<(Vec<change::FileEdit>, Overwrite)> {
        let edit = edits::Edit::Delete { path: text(args, "path").to_owned() };
        Some((vec![edit], Overwrite::Guarded))
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        change::apply(cx, &[edits::Edit::Delete { path: text(&args, "path").to_owned() }])
    }
}
