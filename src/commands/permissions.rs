//! `sage permissions`: what tools may do, where that comes from, and changes to it.

use serde_json::json;

use crate::cli::{PermissionPart, PermissionsArgs, PermissionsCommand};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::policy_file::{self, PolicyFile};
use crate::ui::{Ui, printable, style, table};

/// Runs what was asked for.
pub fn run(args: PermissionsArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => show(args.output.json, cx, ui),
        Some(PermissionsCommand::Show(output)) => show(output.json, cx, ui),
        Some(PermissionsCommand::Set { part, value, output }) => {
            set(part, &value, output.json, cx, ui)
        }
        Some(PermissionsCommand::Reset(output)) => reset(output.json, cx, ui),
    }
}

fn name(part: PermissionPart) -> &'static str {
    match part {
        PermissionPart::Policy => "policy",
    }
}

fn show(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let permissions = policy_file::in_effect(cx)?;
    if json {
        for permission in &permissions {
            ui.json(&json!({
                "part": name(permission.part),
                "key": permission.part.key(),
                "value": permission.value,
                "source": permission.source,
                "env": permission.part.variable(),
            }));
        }
        return Ok(ExitCode::Done);
    }
    let row = |permission: &policy_file::Permission| {
        let source = match permission.source.as_str() {
            "default" => style::faint("default"),
            source => style::hint(source),
        };
        vec![name(permission.part).to_owned(), printable(&permission.value).into_owned(), source]
    };
    table::columns(&permissions.iter().map(row).collect::<Vec<_>>())
        .iter()
        .for_each(|line| ui.line(line));
    for key in PolicyFile::load(&cx.sage("policy.json"))?.unused() {
        ui.note(format!(
            "`{key}` of policy.json is kept and not used; `--project DIR` works elsewhere"
        ));
    }
    ui.note("never writable by tools: `.git`, `.sage`, and everything outside the project");
    Ok(ExitCode::Done)
}

fn set(part: PermissionPart, value: &str, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let value = (value != "clear").then_some(value);
    let path = cx.sage("policy.json");
    let mut file = PolicyFile::load(&path)?;
    file.set(part, value)?;
    file.save()?;
    if json {
        ui.json(&json!({ "part": name(part), "value": value, "file": path }));
    } else {
        let done = value.map_or_else(|| "cleared".to_owned(), |value| format!("set to {value}"));
        ui.note(format!("{} {done} in {}", name(part), style::hint(cx.shown(&path))));
    }
    if cx.env.get(part.variable()).is_some() {
        ui.warn(format!("`${}` is set and wins over the file", part.variable()));
    }
    Ok(ExitCode::Done)
}

fn reset(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let path = cx.sage("policy.json");
    let mut file = PolicyFile::load(&path)?;
    for part in PermissionPart::ALL {
        file.set(part, None)?;
    }
    file.save()?;
    if json {
        ui.json(&json!({ "reset": true, "file": path }));
    } else {
        ui.note("the defaults hold again");
    }
    for part in PermissionPart::ALL.into_iter().filter(|part| cx.env.get(part.variable()).is_some())
    {
        ui.warn(format!("`${}` is set and wins over the default", part.variable()));
    }
    Ok(ExitCode::Done)
}
