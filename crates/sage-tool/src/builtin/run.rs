//! `run`: a command line, under time and output bounds.

use std::time::Duration;

use async_trait::async_trait;
use sage_core::{Effect, Progress, ToolSpec};
use serde_json::{Value, json};

use super::{count, spec, text};
use crate::call::{CallCx, Intent, Tool, ToolResult};
use crate::error::{Error, ToolError};
use crate::process::{self, Line, ProcessOutcome, ProcessSpec};

pub(super) struct Run;

#[async_trait]
impl Tool for Run {
    fn spec(&self) -> ToolSpec {
        spec(
            "run",
            "Run a shell command in the root of the tree and see its output. No input, no background \
             processes.",
            &[("command", "string", ""), ("timeout_s?", "integer", "")],
        )
    }

    fn effect(&self) -> Effect {
        Effect::Execute
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["bash", "shell", "execute", "run_command", "sh", "terminal", "execute_command", "exec"]
    }

    fn argument_aliases(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("cmd", "command"),
            ("script", "command"),
            ("shell_command", "command"),
            ("line", "command"),
            ("timeout", "timeout_s"),
            ("timeout_seconds", "timeout_s"),
        ]
    }

    fn intent(&self, args: &Value) -> Intent {
        let command = text(args, "command").to_owned();
        Intent { summary: command.clone(), command: Some(command), ..Intent::default() }
    }

    async fn call(&self, cx: &CallCx<'_>, args: Value) -> Result<ToolResult, ToolError> {
        let command = text(&args, "command");
        if command.trim().is_empty() {
            return Err(ToolError::told("the command is empty"));
        }
        let limits = &cx.cx.process;
        let timeout = match count(&args, "timeout_s") {
            None | Some(0) => limits.timeout,
            Some(seconds) => Duration::from_secs(seconds as u64).min(limits.max_timeout),
        };
        let outcome = run_line(cx, command, timeout).await?;
        Ok(tell(&outcome, timeout))
    }
}

/// Runs a command line of the task and streams its output.
pub(crate) async fn run_line(
    cx: &CallCx<'_>,
    command: &str,
    timeout: Duration,
) -> Result<ProcessOutcome, ToolError> {
    let root = cx.cx.workspace.root();
    let jail = cx.cx.sandbox.jail(root, &cx.cx.env, &cx.cx.grant.network)?;
    let spec = ProcessSpec {
        line: Line::Shell(command.to_owned()),
        cwd: root.to_owned(),
        env: cx.cx.env.clone(),
        jail,
        timeout,
        max_output_bytes: cx.cx.process.max_output_bytes,
    };
    let stream = |delta: &str| {
        let delta = delta.to_owned();
        cx.cx.progress.progress(Progress::Output { call: cx.call.clone(), delta });
    };
    let outcome = match process::run(&spec, &cx.cx.cancel, &stream).await {
        Ok(outcome) => outcome,
        // A line that the system cannot take (a NUL in it, too long) is the model's to mend.
        Err(Error::Spawn { source, .. })
            if matches!(
                source.kind(),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::ArgumentListTooLong
            ) =>
        {
            return Err(ToolError::told(format!("the command cannot be started: {source}")));
        }
        Err(error) => return Err(error.into()),
    };
    if outcome.cancelled { Err(Error::Cancelled.into()) } else { Ok(outcome) }
}

fn tell(outcome: &ProcessOutcome, timeout: Duration) -> ToolResult {
    let mut out = outcome.output.trim_end().to_owned();
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("[{}]\n", how_it_ended(outcome, timeout)));
    for note in &outcome.notes {
        out.push_str(&format!("[{note}]\n"));
    }
    if outcome.truncated {
        out.push_str("[to see what was left out, run it again through head, tail or grep]\n");
    }
    ToolResult { ok: outcome.succeeded(), exit_code: outcome.exit_code, ..ToolResult::success(out) }
        .with_details(json!({
            "duration_ms": outcome.duration_ms,
            "signal": outcome.signal,
            "timed_out": outcome.timed_out,
            "truncated": outcome.truncated,
            "output_bytes": outcome.output_bytes,
            "sandboxed": outcome.sandboxed,
        }))
}

/// One phrase: exit code, signal, or which bound stopped it.
pub(crate) fn how_it_ended(outcome: &ProcessOutcome, timeout: Duration) -> String {
    if outcome.timed_out {
        return format!("stopped after {} s, its time limit", timeout.as_secs_f32());
    }
    if outcome.flooded {
        return format!("stopped after {} bytes of output", outcome.output_bytes);
    }
    if let Some(limit) = &outcome.over_limit {
        return format!("stopped by the sandbox: {limit}");
    }
    match (outcome.exit_code, outcome.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "it did not end".to_owned(),
    }
}
