//! `sage config validate`: every configuration file that exists, each with its problems.

use std::path::Path;

use sage_model::ModelsConfig;
use serde_json::json;

use crate::app::{self, ModelsSource};
use crate::cli::ConfigShowArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::policy_file::{self, PolicyFile};
use crate::settings::{self, Flags};
use crate::ui::{Ui, printable, style};

/// What was found about one file, or about the whole.
pub struct Checked {
    /// The file, or what else was checked.
    pub what: String,
    /// What is wrong, one line each.
    pub problems: Vec<String>,
}

/// Prints it.
pub fn run(args: &ConfigShowArgs, cx: &Context, ui: &Ui) -> Outcome {
    let mut flags = Flags::default();
    args.models.flags(&mut flags);
    let mut checked = check_files(cx);
    checked.extend(check_whole(cx, args, &flags, &checked));
    let is_valid = checked.iter().all(|file| file.problems.is_empty());
    for file in &checked {
        if args.output.json {
            ui.json(&json!({ "file": file.what, "ok": file.problems.is_empty(), "problems": file.problems }));
        } else if file.problems.is_empty() {
            ui.line(format!("{} {}", style::good("ok"), style::hint(&file.what)));
        } else {
            for problem in &file.problems {
                ui.line(format!("{} {}", style::error("wrong"), printable(problem)));
            }
        }
    }
    if !is_valid && !args.output.json {
        ui.hint("nothing was changed; correct the lines above and validate again");
    }
    Ok(if is_valid { ExitCode::Done } else { ExitCode::Config })
}

/// Checks every configuration file that exists by itself.
pub fn check_files(cx: &Context) -> Vec<Checked> {
    let mut checked = Vec::new();
    for path in
        cx.user_settings_file().into_iter().chain([cx.settings_file()]).filter(|path| path.exists())
    {
        let problems = settings::read_file(&path).err().unwrap_or_default();
        let problems = problems.iter().map(ToString::to_string).collect();
        checked.push(Checked { what: cx.shown(&path), problems });
    }
    for path in cx
        .user_models_file()
        .into_iter()
        .chain([cx.sage("models.yaml")])
        .filter(|path| path.exists())
    {
        checked.push(Checked { what: cx.shown(&path), problems: models_problems(cx, &path) });
    }
    let policy = cx.sage("policy.json");
    if policy.exists() {
        let problems =
            PolicyFile::load(&policy).err().map(|failure| format!("{:#}", failure.error));
        checked.push(Checked { what: cx.shown(&policy), problems: problems.into_iter().collect() });
    }
    if let Some(policy) = policy_file::user_file(cx).filter(|path| path.exists()) {
        let problems = sage_tool::PolicyFile::load(&policy, sage_tool::Layer::User).err();
        let problems = problems.map(|error| error.to_string()).into_iter().collect();
        checked.push(Checked { what: cx.shown(&policy), problems });
    }
    checked
}

fn models_problems(cx: &Context, path: &Path) -> Vec<String> {
    let read =
        crate::files::read_text(path).map_err(|error| format!("{}: {error}", path.display()));
    let loaded = read.and_then(|text| {
        let base = app::built_in(cx);
        ModelsConfig::load_over(base, &text, path).map_err(|error| error.to_string())
    });
    loaded.err().into_iter().collect()
}

/// Checks what only shows when all is put together: variables, flags, a file named by one of them, the
/// profile. Problems that a file has by itself are not told twice.
fn check_whole(
    cx: &Context,
    args: &ConfigShowArgs,
    flags: &Flags,
    files: &[Checked],
) -> Vec<Checked> {
    if files.iter().any(|file| !file.problems.is_empty()) {
        return Vec::new();
    }
    let whole =
        |problems: Vec<String>| Checked { what: "environment and flags".to_owned(), problems };
    let settings = match app::settings(cx, flags) {
        Ok(settings) => settings,
        Err(failure) => return vec![whole(causes(&failure.error))],
    };
    let source = ModelsSource::find(cx, &settings);
    let problems = match app::load_models(cx, &settings, &args.models) {
        Ok(_) => Vec::new(),
        Err(failure) => vec![format!("{:#}", failure.error)],
    };
    match source {
        ModelsSource::Named { ref path, .. } => vec![Checked { what: cx.shown(path), problems }],
        _ => vec![whole(problems)],
    }
}

/// The problems below the error's own line, one per line.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let cause = error.chain().nth(1).map_or_else(|| error.to_string(), ToString::to_string);
    cause.lines().map(str::to_owned).collect()
}
