//! `sage config set`: changes one setting in a `config.yaml`, or the models of a role in a
//! `models.yaml`. Comments and everything else stay; what would not be valid is not written.

use std::path::{Path, PathBuf};

use sage_core::{AgentRole, nearest};
use sage_model::{ModelsConfig, RoleEdit};
use serde_json::json;

use crate::app::{self, ModelsSource};
use crate::cli::ConfigSetArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::settings::{self, Flags, TABLE};
use crate::ui::{Ui, style};

/// Changes it.
pub fn run(args: &ConfigSetArgs, cx: &Context, ui: &Ui) -> Outcome {
    let (path, what) = match (&args.key, &args.value, args.role) {
        (Some(key), Some(value), _) => (set_setting(key, value, args.global, cx)?, key.clone()),
        (_, _, Some(role)) => (set_role(role, args, cx)?, format!("routing.{role}")),
        _ => return Err(Failure::usage("nothing to set").hint("see `sage help config set`")),
    };
    if args.output.json {
        ui.json(&json!({ "file": path, "set": what }));
    } else {
        ui.note(format!("set {what} in {}", style::hint(cx.shown(&path))));
    }
    Ok(ExitCode::Done)
}

fn no_home() -> Failure {
    Failure::environment("there is no home folder for your own files")
}

fn set_setting(key: &str, value: &str, global: bool, cx: &Context) -> Result<PathBuf, Failure> {
    let Some(setting) = settings::find(key) else {
        let failure = Failure::usage(format!("there is no setting {key:?}"));
        return Err(match nearest(key, TABLE.iter().map(|setting| setting.key)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`sage config show` lists the settings"),
        });
    };
    if setting.is_personal() && !global {
        return Err(Failure::usage(format!("{key} is not for a project to set"))
            .hint("put it into your own settings with `--global`"));
    }
    let path = match global {
        true => cx.user_settings_file().ok_or_else(no_home)?,
        false => cx.settings_file(),
    };
    if let Err(problem) = setting.kind.parse(value) {
        return Err(Failure::usage(format!("{key}: {problem}")).hint("nothing was written"));
    }
    let text = files::read_if_exists(&path)?.unwrap_or_default();
    let edited = settings::set_in_yaml(&text, setting, value, &path)
        .map_err(|problems| Failure::problems("nothing was written", &problems))?;
    files::write_whole(&path, edited.as_bytes())?;
    Ok(path)
}

fn set_role(role: AgentRole, args: &ConfigSetArgs, cx: &Context) -> Result<PathBuf, Failure> {
    let edit = RoleEdit {
        primary: args.primary.clone(),
        fallback: args.fallback.clone(),
        fallback_triggers: (!args.trigger.is_empty()).then(|| args.trigger.clone()),
    };
    if edit == RoleEdit::default() {
        return Err(Failure::usage(format!("nothing to set for {role}"))
            .hint("give `--primary`, `--fallback` or `--trigger`"));
    }
    let settings = app::settings(cx, &Flags::default())?;
    let path = match (ModelsSource::find(cx, &settings), args.global) {
        (_, true) => cx.user_models_file().ok_or_else(no_home)?,
        (ModelsSource::Named { path, .. }, false) => path,
        (_, false) => cx.sage("models.yaml"),
    };
    let text = match files::read_if_exists(&path)? {
        Some(text) => text,
        None => first_text(cx, &settings, &path)?,
    };
    let edited = ModelsConfig::set_role(&text, &path, role.as_str(), &edit)?;
    files::write_whole(&path, edited.as_bytes())?;
    Ok(path)
}

/// What a new models file begins with: all that is in effect now, so that creating the file changes
/// nothing but what was asked for.
fn first_text(cx: &Context, settings: &settings::Settings, path: &Path) -> Result<String, Failure> {
    let source = ModelsSource::find(cx, settings);
    match source.path().filter(|found| found.as_path() != path) {
        Some(found) => Ok(files::read_if_exists(found)?.unwrap_or_default()),
        None => Ok(ModelsConfig::built_in_for(app::built_in(cx)).to_yaml()),
    }
}
