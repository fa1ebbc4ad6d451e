//! `sage config`: what is in effect and why, whether the files are valid, and changes to them.

mod env;
mod paths;
mod set;
mod show;
mod validate;

pub use validate::check_files;

use crate::app;
use crate::cli::{ConfigArgs, ConfigCommand};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::ui::{Ui, style};
use sage_model::ModelsConfig;
use serde_json::json;

/// Runs what was asked for.
pub fn run(args: ConfigArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => show::run(&args.show, cx, ui),
        Some(ConfigCommand::Show(show_args)) => show::run(&show_args, cx, ui),
        Some(ConfigCommand::Validate(show_args)) => validate::run(&show_args, cx, ui),
        Some(ConfigCommand::Paths(output)) => paths::run(output.json, cx, ui),
        Some(ConfigCommand::Set(set_args)) => set::run(&set_args, cx, ui),
        Some(ConfigCommand::Migrate { force, output }) => migrate(force, output.json, cx, ui),
        Some(ConfigCommand::Env(env_args)) => env::run(&env_args, cx, ui),
    }
}

fn migrate(force: bool, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let path = cx
        .user_models_file()
        .ok_or_else(|| Failure::environment("there is no home folder for your models.yaml"))?;
    if path.exists() && !force {
        return Err(Failure::config(format!("{} exists", path.display()))
            .hint("edit it, or replace it with `sage config migrate --force`"));
    }
    let text = ModelsConfig::built_in_for(app::built_in(cx)).to_yaml();
    let text = format!(
        "# Your models for sage; a project's own `.sage/models.yaml` wins over this file.\n{text}"
    );
    files::write_whole(&path, text.as_bytes())?;
    if json {
        ui.json(&json!({ "file": path }));
    } else {
        ui.note(format!("wrote {}", style::hint(cx.shown(&path))));
    }
    Ok(ExitCode::Done)
}
