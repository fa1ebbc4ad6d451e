//! `sage rules`: the merged rules, adding one, checking them.

use sage_agent::Rules;
use serde_json::json;

use crate::cli::{RulesArgs, RulesCommand, RulesShowArgs};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::ui::{Ui, printable, style, table};

/// Runs what was asked for.
pub fn run(args: RulesArgs, cx: &Context, ui: &Ui) -> Outcome {
    match args.command {
        None => show(&args.show, cx, ui),
        Some(RulesCommand::Show(show_args)) => show(&show_args, cx, ui),
        Some(RulesCommand::Add { text, global, output }) => {
            add(&text.join(" "), global, output.json, cx, ui)
        }
        Some(RulesCommand::Validate { strict, output }) => validate(strict, output.json, cx, ui),
    }
}

/// The rules that hold where the person stands: `AGENTS.md` files down to the working directory.
fn load(cx: &Context) -> Result<Rules, Failure> {
    let here =
        cx.cwd.strip_prefix(&cx.root).ok().map(|folder| folder.to_string_lossy().into_owned());
    let folders: Vec<String> = here.into_iter().filter(|folder| !folder.is_empty()).collect();
    let sources = sage_agent::rules::sources(cx.home.as_deref(), &cx.root, &folders)
        .map_err(|error| Failure::environment("looking for rules").because(error))?;
    Ok(Rules::load(&sources)?)
}

fn show(args: &RulesShowArgs, cx: &Context, ui: &Ui) -> Outcome {
    let rules = load(cx)?;
    let lines = rules.lines(args.role);
    if args.output.json {
        if args.layers {
            for layer in rules.layers() {
                ui.json(&json!({ "file": layer.file, "size_bytes": layer.n_bytes, "n_rules": layer.n_rules }));
            }
        }
        for line in lines {
            ui.json(&json!({ "file": line.file, "line": line.line, "heading": line.heading, "text": line.text }));
        }
        return Ok(ExitCode::Done);
    }
    if args.layers {
        let row = |layer: sage_agent::rules::LayerSummary| {
            vec![
                style::hint(layer.file),
                format!("{} rules", layer.n_rules),
                format!("{} bytes", layer.n_bytes),
            ]
        };
        let rows: Vec<Vec<String>> = rules.layers().into_iter().map(row).collect();
        table::columns(&rows).iter().for_each(|line| ui.line(line));
        if !rows.is_empty() {
            ui.line("");
        }
    }
    if lines.is_empty() {
        ui.note("there are no rules");
        ui.hint("`sage rules add TEXT` adds one; `sage init` writes a first file");
    }
    for line in lines {
        let text = printable(&line.text);
        let text = if line.heading { style::heading(text) } else { text.into_owned() };
        if args.layers {
            ui.line(format!("{text}  {}", style::faint(format!("({}:{})", line.file, line.line))));
        } else {
            ui.line(text);
        }
    }
    Ok(ExitCode::Done)
}

fn add(text: &str, global: bool, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let path = match (global, cx.user_rules_file()) {
        (false, _) => cx.sage("rules.md"),
        (true, Some(path)) => path,
        (true, None) => {
            return Err(Failure::environment("there is no home folder for your own rules"));
        }
    };
    let added = sage_agent::rules::add(&path, text)?;
    let is_new = added == sage_agent::rules::Added::Appended;
    if json {
        ui.json(&json!({ "file": path, "added": is_new }));
    } else if is_new {
        ui.note(format!("added to {}", style::hint(cx.shown(&path))));
    } else {
        ui.note(format!("{} has it already", style::hint(cx.shown(&path))));
    }
    Ok(ExitCode::Done)
}

fn validate(strict: bool, json: bool, cx: &Context, ui: &Ui) -> Outcome {
    let findings = load(cx)?.validate();
    for finding in &findings {
        if json {
            ui.json(&json!({
                "file": finding.file,
                "line": finding.line,
                "kind": finding.kind.as_str(),
                "text": finding.text,
            }));
        } else {
            let place = style::hint(format!("{}:{}", finding.file, finding.line));
            ui.line(format!(
                "{place} {} {}",
                style::warning(format!("{}:", finding.kind.as_str())),
                printable(&finding.text)
            ));
        }
    }
    if !json {
        match findings.len() {
            0 => ui.note(format!("{} the rules can be followed and checked", style::good("ok"))),
            n => ui.note(format!("{n} {}", if n == 1 { "finding" } else { "findings" })),
        }
    }
    Ok(if strict && !findings.is_empty() { ExitCode::Config } else { ExitCode::Done })
}
