//! `sage commands`: all commands, in groups.

use serde_json::json;

use super::GROUPS;
use crate::cli::{Cli, CommandsArgs};
use crate::exit_code::ExitCode;
use crate::ui::{Ui, style, table};

/// Prints them.
pub fn run(args: &CommandsArgs, ui: &Ui) -> ExitCode {
    if args.output.json {
        for (group, name, summary, subcommands) in all() {
            ui.json(&json!({
                "name": name, "group": group, "summary": summary, "subcommands": subcommands,
            }));
        }
    } else {
        grouped(ui);
    }
    ExitCode::Done
}

/// Prints names and summaries below the headings of their groups.
pub fn grouped(ui: &Ui) {
    let rows: Vec<Vec<String>> = all()
        .into_iter()
        .map(|(_, name, summary, _)| vec![format!("  {}", style::hint(name)), summary])
        .collect();
    let mut lines = table::columns(&rows).into_iter();
    for (n, (group, names)) in GROUPS.iter().enumerate() {
        if n > 0 {
            ui.line("");
        }
        ui.line(style::heading(group));
        for line in lines.by_ref().take(names.len()) {
            ui.line(line);
        }
    }
}

type Row = (&'static str, &'static str, String, Vec<String>);

fn all() -> Vec<Row> {
    let definition = Cli::definition();
    let row = |group: &'static str, name: &'static str| {
        let command = definition.find_subcommand(name)?;
        let summary = command.get_about().map(ToString::to_string).unwrap_or_default();
        let subcommands = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        Some((group, name, summary, subcommands))
    };
    let named =
        GROUPS.iter().flat_map(|(group, names)| names.iter().map(move |name| (*group, *name)));
    named.filter_map(|(group, name)| row(group, name)).collect()
}
