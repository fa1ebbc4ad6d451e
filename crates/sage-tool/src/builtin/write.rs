//! `write`: creates a file or replaces all of it.

use async_trait::async_trait;
use sage_core::{Effect, ToolSpec};
use serde_json::Value;

use super::{spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::change;
use crate::edits::{self, Overwrite};
use crate::error::ToolError;

pub(super) struct Write;

#[async_trait]
impl Tool for Write {
    fn spec(&self) -> ToolSpec {
        spec(
            "write",
            "Create a file, or replace all of one. To change a part of a file use edit.",
            &[
                ("path", "string", ""),
                ("content", "string", "The whole file"),
                ("overwrite?", "boolean", "Allow to drop most of an existing file"),
            ],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["write_file", "create", "create_file", "write_to_file", "save_file", "new_file"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("file_path", "path"),
            ("filepath", "path"),
            ("filename", "path"),
            ("file_name", "path"),
            ("file", "path"),
            ("target_file", "path"),
            ("absolute_path", "path"),
            ("contents", "content"),
            ("text", "content"),
            ("body", "content"),
            ("file_text", "content"),
            ("code", "content"),
            ("data", "content"),
        ]
    }

    fn intent(&self, args: &Value) -> Intent {
        let path = text(args, "path").to_owned();
        Intent { summary: path.clone(), writes: vec![path], ..Intent::default() }
    }

    fn edits(&self, args: &Value) -> Option<(Vec<change::FileEdit>, Overwrite)> {
        let allowed = args["overwrite"].as_bool().unwrap_or(false);
        let overwrite = if allowed { Overwrite::Allowed } else { Overwrite::Guarded };
        let edit = edits::Edit::Write {
            path: text(args, "path").to_owned(),
            content: text(args, "content").to_owned(),
        };
        Some((vec![edit], overwrite))
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let (edits, overwrite) = self.edits(&args).unwrap_or((Vec::new(), Overwrite::Guarded));
        change::apply_with(cx, &edits, overwrite)
    }
}
