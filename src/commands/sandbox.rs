//! `sage sandbox`: a command in the jail that tasks' commands get, to see what works in it.

use std::sync::Arc;
use std::time::Duration;

use sage_tool::process::{self, Line, ProcessOutcome, ProcessSpec};
use sage_tool::{Error, Network, Sandbox};
use serde_json::json;

use crate::app::{self, Interrupts, block_on, child_environment, confine};
use crate::cli::SandboxArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::settings::Flags;
use crate::ui::Ui;

/// Runs the command, or shows what is enforced.
pub fn run(args: &SandboxArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let mut flags = Flags::default();
    flags.set("sandbox.mode", args.sandbox.as_ref(), "--sandbox");
    let settings = app::settings(cx, &flags)?;
    let (env, _) = child_environment(&cx.env, settings.tool_environment());
    let sandbox = confine(cx, &settings, ui)?;
    let network = match args.network.as_str() {
        "all" => Network::All,
        "off" | "" => Network::Off,
        hosts => Network::Hosts(hosts.split(',').map(|host| host.trim().to_owned()).collect()),
    };
    let fail = |error: Error| Failure::new(error.kind(), error);
    let root = cx.root.canonicalize().map_err(|error| {
        Failure::environment(format!("opening {}", cx.root.display())).because(error)
    })?;
    let jail = sandbox.jail(&root, &env, &network).map_err(fail)?;
    let enforced = jail.as_ref().map(sage_tool::Jail::describe);
    if args.command.is_empty() {
        match enforced {
            Some(enforced) if args.output.json => ui.json(&enforced),
            Some(enforced) => show(&sandbox, &enforced, ui),
            None if args.output.json => ui.json(&json!(null)),
            None => ui.line(format!("no sandbox: {}", sandbox.in_words())),
        }
        return Ok(ExitCode::Done);
    }
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let limits = app::process_limits(&settings);
    let timeout = args.timeout_s.map_or(limits.timeout, Duration::from_secs);
    let spec = ProcessSpec {
        line: Line::Argv(args.command.clone()),
        cwd: root,
        env,
        jail,
        timeout,
        max_output_bytes: limits.max_output_bytes,
    };
    let is_json = args.output.json;
    let stream = |text: &str| {
        if !is_json {
            ui.text(text);
        }
    };
    let outcome = block_on(process::run(&spec, interrupts.token(), &stream))?.map_err(fail)?;
    if is_json {
        ui.json(&json!({
            "sandbox": enforced,
            "exit_code": outcome.exit_code,
            "signal": outcome.signal,
            "timed_out": outcome.timed_out,
            "over_limit": outcome.over_limit,
            "notes": outcome.notes,
            "output": outcome.output,
            "duration_ms": outcome.duration_ms,
        }));
    }
    Ok(ended(&outcome, timeout, ui))
}

fn ended(outcome: &ProcessOutcome, timeout: Duration, ui: &Ui) -> ExitCode {
    outcome.notes.iter().for_each(|note| ui.warn(note));
    if outcome.cancelled {
        return ExitCode::Interrupted;
    }
    if let Some(limit) = &outcome.over_limit {
        ui.warn(format!("stopped by the sandbox: {limit}"));
    } else if outcome.timed_out {
        ui.warn(format!("stopped after {} s", timeout.as_secs()));
    } else if let Some(signal) = outcome.signal {
        ui.warn(format!("killed by signal {signal}"));
    }
    match outcome.exit_code.and_then(|code| u8::try_from(code).ok()) {
        Some(code) if outcome.ended_by_itself() => ExitCode::OfCommand(code),
        _ => ExitCode::Failed,
    }
}

fn show(sandbox: &Sandbox, enforced: &serde_json::Value, ui: &Ui) {
    ui.line(format!("layers   {}", sandbox.in_words()));
    ui.line(format!("network  {}", enforced["network"]));
    for (word, key) in [
        ("write", "write"),
        ("read", "read"),
        ("forget", "read_and_forget_writes"),
        ("protect", "protected"),
        ("hide", "hidden"),
        ("empty", "fresh"),
    ] {
        for path in enforced[key].as_array().into_iter().flatten() {
            ui.line(format!("{word:<9}{}", path.as_str().unwrap_or_default()));
        }
    }
}
