//! `sage config paths`: which files are read, in order, and which of them exist.

use std::path::PathBuf;

use serde_json::json;

use crate::app::{self, ModelsSource};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::settings::Flags;
use crate::ui::{Ui, style, table};

/// Prints them.
pub fn run(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let settings = app::settings(cx, &Flags::default())?;
    let source = ModelsSource::find(cx, &settings);
    let mut paths: Vec<(&str, PathBuf)> = vec![("project", cx.root.clone())];
    let mut add = |what, path: Option<PathBuf>| paths.extend(path.map(|path| (what, path)));
    add("user settings", cx.user_settings_file());
    add("project settings", Some(cx.settings_file()));
    if let ModelsSource::Named { path, .. } = &source {
        add("models named by a setting", Some(path.clone()));
    }
    add("project models", Some(cx.sage("models.yaml")));
    add("user models", cx.user_models_file());
    add("permissions", Some(cx.sage("policy.json")));
    add("user permissions", crate::policy_file::user_file(cx));
    add("user rules", cx.user_rules_file());
    add("project rules", Some(cx.sage("rules.md")));
    add("runs", Some(cx.runs()));
    for (what, path) in &paths {
        if json {
            let in_effect = source.path() == Some(path);
            ui.json(&json!({ "what": what, "path": path, "exists": path.exists(), "models_in_effect": in_effect }));
        }
    }
    if !json {
        let row = |(what, path): &(&str, PathBuf)| {
            let state = match path.exists() {
                true if source.path() == Some(path) => "exists, in effect",
                true => "exists",
                false => "-",
            };
            vec![(*what).to_owned(), style::hint(path.display()), state.to_owned()]
        };
        table::columns(&paths.iter().map(row).collect::<Vec<_>>())
            .iter()
            .for_each(|line| ui.line(line));
        ui.line(format!("models: {source}"));
    }
    Ok(ExitCode::Done)
}
