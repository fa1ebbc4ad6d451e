//! `edit`: replaces one place of a file.

use async_trait::async_trait;
use sage_core::{Effect, ToolSpec};
use serde_json::Value;

use super::{spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::change;
use crate::edits::{self, Overwrite};
use crate::error::ToolError;

pub(super) struct Edit;

const ALIASES: &[(&str, &str)] = &[
    ("file_path", "path"),
    ("filepath", "path"),
    ("filename", "path"),
    ("file_name", "path"),
    ("file", "path"),
    ("target_file", "path"),
    ("absolute_path", "path"),
    ("old_string", "search"),
    ("old_str", "search"),
    ("old_text", "search"),
    ("old", "search"),
    ("find", "search"),
    ("new_string", "replace"),
    ("new_str", "replace"),
    ("new_text", "replace"),
    ("new", "replace"),
    ("replacement", "replace"),
];

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        spec(
            "edit",
            "Replace one place in a file. `search` must be copied from the file and occur exactly once.",
            &[
                ("path", "string", ""),
                ("search", "string", "Lines as they are now, without line numbers"),
                ("replace", "string", "Lines as they shall be"),
            ],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["str_replace", "edit_file", "replace", "search_replace", "replace_in_file", "apply_edit"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        ALIASES
    }

    fn intent(&self, args: &Value) -> Intent {
        let path = text(args, "path").to_owned();
        Intent { summary: path.clone(), writes: vec![path], ..Intent::default() }
    }

    fn edits(&self, args: &Value) -> Option<(Vec<change::FileEdit>, Overwrite)> {
        let edit = edits::Edit::Replace {
            path: Some(text(args, "path").to_owned()),
            search: text(args, "search").to_owned(),
            replace: text(args, "replace").to_owned(),
        };
        Some((vec![edit], Overwrite::Guarded))
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let (edits, _) = self.edits(&args).unwrap_or((Vec::new(), Overwrite::Guarded));
        change::apply(cx, &edits)
    }
}
