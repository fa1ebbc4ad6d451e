//! A bare `sage`: on a terminal a short welcome, else the help.

use super::list;
use crate::cli::Cli;
use crate::context::Terminal;
use crate::exit_code::ExitCode;
use crate::ui::{Ui, style};

/// Prints it.
pub fn run(ui: &Ui) -> ExitCode {
    let terminal = Terminal::detect();
    if terminal.stdin && terminal.stdout {
        ui.line(format!(
            "{} turns a goal into a plan you can read, and the plan into a tested change.",
            style::heading("sage")
        ));
        ui.line("");
        ui.line(format!(
            "  {}              watch it work, without a key or network",
            style::hint("sage demo")
        ));
        ui.line(format!(
            "  {}            check what is set up and what is missing",
            style::hint("sage doctor")
        ));
        ui.line(format!(
            "  {}        work on the project you are in",
            style::hint("sage run \"GOAL\"")
        ));
        ui.line("");
        list::grouped(ui);
        ui.line("");
        ui.line("`sage help COMMAND` explains one.");
    } else {
        ui.text(Cli::definition().render_long_help().ansi().to_string());
    }
    ExitCode::Done
}
