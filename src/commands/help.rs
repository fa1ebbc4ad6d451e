//! `sage help [TOPIC]`: the help of a command, or a topic that is no command.

use sage_core::nearest;

use crate::cli::{Cli, HelpArgs};
use crate::exit_code::{self, ExitCode};
use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

/// Topics that are no commands.
const TOPICS: &[&str] = &["exit-codes"];

/// Prints it.
pub fn run(args: &HelpArgs, ui: &Ui) -> Outcome {
    if let [topic] = args.topic.as_slice()
        && topic == "exit-codes"
    {
        ui.text(format!("Exit codes of sage:\n\n{}", exit_code::table()));
        return Ok(ExitCode::Done);
    }
    let mut command = Cli::definition();
    // Gives every command its full name and the flags of its parents.
    command.build();
    for name in &args.topic {
        let names = command.get_subcommands().map(clap::Command::get_name);
        let near = nearest(name, names.chain(TOPICS.iter().copied())).map(str::to_owned);
        let Some(found) = command.find_subcommand(name) else {
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see `sage commands`".to_owned(),
            };
            return Err(Failure::usage(format!("there is no help on `{name}`")).hint(hint));
        };
        command = found.clone();
    }
    ui.text(command.render_long_help().ansi().to_string());
    Ok(ExitCode::Done)
}
