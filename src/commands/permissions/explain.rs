//! `sage permissions explain`: what would be decided, and by which rule.

use sage_tool::{Access, Finding, Policy, Say, Workspace};
use serde_json::Value;

use crate::cli::ExplainArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::policy_file;
use crate::ui::{Ui, printable, style};

/// Explains.
pub fn run(args: &ExplainArgs, cx: &Context, ui: &Ui) -> Outcome {
    let policy = policy_file::policy(cx, &args.rules.texts())?;
    if let Some(command) = &args.command {
        return explain_command(args, &policy, command, cx, ui);
    }
    let tool = args.tool.as_deref();
    let (what, finding) = if let Some(path) = &args.path {
        of_path(args, &policy, path, cx)?
    } else if let Some(host) = &args.host {
        (format!("host {host}"), policy.judge_host(host))
    } else {
        let tool = tool.unwrap_or_default();
        (format!("tool {tool}"), policy.judge_tool(tool))
    };
    if args.output.json {
        let mut line = serde_json::to_value(&finding).unwrap_or_default();
        if let Value::Object(fields) = &mut line {
            fields.insert("what".to_owned(), what.into());
        }
        ui.json(&line);
    } else {
        ui.line(format!("{}  {}", word(finding.say), printable(&what)));
        tell(&finding, "  ", ui);
    }
    Ok(ExitCode::Done)
}

fn explain_command(
    args: &ExplainArgs,
    policy: &Policy,
    command: &str,
    cx: &Context,
    ui: &Ui,
) -> Outcome {
    let tool = args.tool.as_deref().unwrap_or("run");
    let judgement = policy.judge_command(tool, command, &cx.root);
    if args.output.json {
        let mut line = serde_json::to_value(&judgement).unwrap_or_default();
        if let Value::Object(fields) = &mut line {
            fields.insert("command".to_owned(), command.into());
            fields.insert("tool".to_owned(), tool.into());
        }
        ui.json(&line);
        return Ok(ExitCode::Done);
    }
    ui.line(format!("{}  {}", word(judgement.say), printable(command)));
    if let [part] = judgement.parts.as_slice() {
        tell(&part.finding, "  ", ui);
        return Ok(ExitCode::Done);
    }
    for part in &judgement.parts {
        ui.line(format!("  {}  {}", word(part.finding.say), printable(&part.part)));
        tell(&part.finding, "    ", ui);
    }
    Ok(ExitCode::Done)
}

fn of_path(
    args: &ExplainArgs,
    policy: &Policy,
    path: &str,
    cx: &Context,
) -> Result<(String, Finding), Failure> {
    let access = match (args.write, args.remove) {
        (_, true) => Access::Remove,
        (true, _) => Access::Write,
        _ => Access::Read,
    };
    let usual = match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::Remove => "delete",
    };
    let tool = args.tool.as_deref().unwrap_or(usual);
    let what = format!("{} {path}", access.as_str());
    let workspace = Workspace::open(&cx.root)?;
    let finding = match workspace.resolve(path) {
        Ok(path) if access == Access::Remove => {
            let how = "this deletes the file, or removes most of it";
            policy.judge_removal(tool, path.as_str(), how)
        }
        Ok(path) => policy.judge_path(tool, path.as_str(), access),
        Err(error) if error.is_escape() => {
            Finding { say: Say::Deny, because: error.to_string(), rule: None, note: None }
        }
        Err(error) => return Err(Failure::usage(error)),
    };
    Ok((what, finding))
}

fn tell(finding: &Finding, indent: &str, ui: &Ui) {
    let source = if finding.rule.is_some() { "" } else { " (built in)" };
    ui.line(format!("{indent}{}{}", printable(&finding.because), style::faint(source)));
    if let Some(note) = &finding.note {
        ui.line(format!("{indent}{}", style::faint(printable(note).into_owned())));
    }
}

fn word(say: Say) -> String {
    match say {
        Say::Allow => style::good("allow"),
        Say::Ask => style::warning("ask"),
        Say::Deny => style::error("deny"),
    }
}
