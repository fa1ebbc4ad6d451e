//! The tools that come with the program, one file each.
//!
//! Their specs are a part of every first prompt, so they are few, flat and short: all of them together
//! stay under [`MAX_SPEC_BYTES`].

mod delete;
mod edit;
mod finish;
mod list;
mod read;
mod run;
mod search;
mod write;

use std::sync::Arc;

use sage_core::ToolSpec;
use serde_json::{Value, json};

use crate::call::Tool;

pub(crate) use run::{how_it_ended, run_line};

/// Bound on the JSON of all specs, in bytes (about 1,100 tokens).
pub const MAX_SPEC_BYTES: usize = 4400;

/// Every built-in tool, in the order in which models see them.
pub(crate) fn all() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(list::List),
        Arc::new(read::Read),
        Arc::new(search::Search),
        Arc::new(edit::Edit),
        Arc::new(write::Write),
        Arc::new(delete::Delete),
        Arc::new(run::Run),
        Arc::new(finish::Finish),
    ]
}

/// Other names that models use for a path.
const PATH_ALIASES: &[(&str, &str)] = &[
    ("file_path", "path"),
    ("filepath", "path"),
    ("filename", "path"),
    ("file_name", "path"),
    ("file", "path"),
    ("target_file", "path"),
    ("absolute_path", "path"),
    ("directory", "path"),
    ("dir", "path"),
    ("folder", "path"),
];

/// A spec from `(name, type, description)` rows; names that end in `?` are optional.
fn spec(name: &str, description: &str, rows: &[(&str, &str, &str)]) -> ToolSpec {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for (name, kind, description) in rows {
        let plain = name.trim_end_matches('?');
        if plain == *name {
            required.push(plain);
        }
        let schema = if description.is_empty() {
            json!({ "type": kind })
        } else {
            json!({ "type": kind, "description": description })
        };
        properties.insert(plain.to_owned(), schema);
    }
    let parameters = json!({ "type": "object", "properties": properties, "required": required });
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
}

/// An argument that is text; the checked arguments have every required one.
fn text<'a>(args: &'a Value, name: &str) -> &'a str {
    args[name].as_str().unwrap_or_default()
}

/// An argument that is a count; negative ones count as 0.
fn count(args: &Value, name: &str) -> Option<usize> {
    let number = args[name].as_i64()?;
    Some(usize::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests;
