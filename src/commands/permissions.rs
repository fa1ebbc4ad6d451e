//! `sage permissions`: what tools may do, where that comes from, and changes to it.

mod explain;

use sage_tool::{Rule, RuleName};
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
        Some(PermissionsCommand::Explain(explained)) => explain::run(&explained, cx, ui),
        Some(PermissionsCommand::Test(output)) => test(output.json, cx, ui),
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
    let policy = policy_file::policy(cx, &[])?;
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
        for rule in policy.rules() {
            ui.json(&json!({ "rule": RuleName::of(rule), "because": rule.because }));
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
    if !policy.rules().is_empty() {
        let rows: Vec<Vec<String>> = policy.rules().iter().map(rule_row).collect();
        ui.line("");
        table::columns(&rows).iter().for_each(|line| ui.line(line));
    }
    for key in PolicyFile::load(&cx.sage("policy.json"))?.unused() {
        ui.note(format!(
            "`{key}` of policy.json is kept and not used; `--project DIR` works elsewhere"
        ));
    }
    ui.note("never writable by tools: `.git`, `.sage`, and everything outside the project");
    ui.note("`sage permissions explain \"COMMAND\"` says which rule decides");
    Ok(ExitCode::Done)
}

fn rule_row(rule: &Rule) -> Vec<String> {
    let text = rule.text();
    let (say, about) = text.split_once(' ').unwrap_or((&text, ""));
    let say = match rule.say {
        sage_tool::Say::Allow => style::good(say),
        sage_tool::Say::Ask => style::warning(say),
        sage_tool::Say::Deny => style::error(say),
    };
    let because = rule.because.as_deref().unwrap_or_default();
    vec![
        say,
        printable(about).into_owned(),
        style::hint(rule.origin()),
        style::faint(printable(because).into_owned()),
    ]
}

/// Checks both files with all their examples.
fn test(json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let (user, project) = policy_file::files(cx)?;
    policy_file::policy(cx, &[])?;
    let (n_user, n_project) = (user.rules.len(), project.rules.len());
    if json {
        ui.json(&json!({ "ok": true, "user_rules": n_user, "project_rules": n_project }));
    } else {
        ui.line(format!(
            "{} {n_user} rules of yours, {n_project} of the project: every example fits",
            style::good("ok")
        ));
    }
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
