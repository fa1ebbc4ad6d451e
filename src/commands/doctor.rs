//! `sage doctor`: whether everything is there that sage needs, and the next step where it is not.
//!
//! Unhealthy means that every command would fail (a broken configuration, a project that cannot be
//! written, git missing in a git repository): exit code 4. Degraded means that something would: no
//! model can be reached, a program that the project's tests need is missing.

mod machine;
mod project;
mod providers;

use serde_json::{Value, json};

use crate::app;
use crate::cli::DoctorArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::Outcome;
use crate::settings::Flags;
use crate::ui::{Ui, printable, style, table};

/// How bad it is when a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing works.
    Critical,
    /// Something does not work.
    Optional,
    /// Good to know.
    Info,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Optional => "optional",
            Self::Info => "info",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, in `snake_case`; `provider openai` names one of several.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// How bad it is when it is not.
    pub severity: Severity,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub next_step: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, severity: Severity, detail: impl Into<String>) -> Self {
        Self { name: name.into(), ok: true, severity, detail: detail.into(), next_step: None }
    }

    fn failed(
        name: impl Into<String>,
        severity: Severity,
        detail: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        let next_step = Some(next_step.into());
        Self { name: name.into(), ok: false, severity, detail: detail.into(), next_step }
    }
}

/// Runs the checks and prints them.
pub fn run(args: &DoctorArgs, cx: &Context, ui: &Ui) -> Outcome {
    let mut checks = vec![machine::binary()];
    checks.extend(project::configuration(cx));
    checks.extend(project::environment(cx));
    checks.push(project::writable(cx));
    checks.push(machine::temporary_folder(cx));
    checks.extend(machine::disk(cx));
    let (programs, providers) =
        app::block_on(async { tokio::join!(project::programs(cx), providers::check(args, cx)) })?;
    checks.extend(programs);
    checks.extend(providers);
    checks.extend(project::runs(cx));
    checks.extend(project::snapshots(cx));
    let settings = app::settings(cx, &Flags::default()).ok();
    checks.push(machine::sandbox(settings.as_ref()));
    checks.push(machine::terminal(cx, ui));

    let summary = Summary::of(&checks);
    if args.output.json {
        ui.json(&to_json(&checks, &summary));
    } else {
        print(&checks, &summary, ui);
    }
    Ok(if summary.critical_failed.is_empty() { ExitCode::Done } else { ExitCode::Config })
}

struct Summary<'a> {
    status: &'static str,
    critical_failed: Vec<&'a str>,
    optional_failed: Vec<&'a str>,
}

impl<'a> Summary<'a> {
    fn of(checks: &'a [Check]) -> Self {
        let failed = |severity: Severity| -> Vec<&'a str> {
            let is_failed = |check: &&Check| !check.ok && check.severity == severity;
            checks.iter().filter(is_failed).map(|check| check.name.as_str()).collect()
        };
        let critical_failed = failed(Severity::Critical);
        let optional_failed = failed(Severity::Optional);
        let status = match (critical_failed.is_empty(), optional_failed.is_empty()) {
            (false, _) => "unhealthy",
            (true, false) => "degraded",
            (true, true) => "healthy",
        };
        Self { status, critical_failed, optional_failed }
    }
}

fn to_json(checks: &[Check], summary: &Summary<'_>) -> Value {
    let check = |check: &Check| {
        json!({
            "name": check.name,
            "ok": check.ok,
            "severity": check.severity.as_str(),
            "detail": check.detail,
            "next_step": check.next_step,
        })
    };
    json!({
        "checks": checks.iter().map(check).collect::<Vec<_>>(),
        "health_summary": {
            "status": summary.status,
            "critical_failed": summary.critical_failed,
            "optional_failed": summary.optional_failed,
        },
    })
}

fn print(checks: &[Check], summary: &Summary<'_>, ui: &Ui) {
    let row = |check: &Check| {
        let word = match (check.ok, check.severity) {
            (true, _) => style::good("ok"),
            (false, Severity::Critical) => style::error("wrong"),
            (false, Severity::Optional) => style::warning("missing"),
            (false, Severity::Info) => style::faint("note"),
        };
        vec![word, check.name.replace('_', " "), printable(&check.detail).into_owned()]
    };
    let lines = table::columns(&checks.iter().map(row).collect::<Vec<_>>());
    for (check, line) in checks.iter().zip(lines) {
        ui.line(line);
        if let Some(next_step) = &check.next_step {
            ui.line(format!("         {} {next_step}", style::hint("->")));
        }
    }
    ui.line("");
    ui.line(match summary.status {
        "healthy" => style::good("healthy"),
        "degraded" => {
            format!("{}: {}", style::warning("degraded"), summary.optional_failed.join(", "))
        }
        status => format!("{}: {}", style::error(status), summary.critical_failed.join(", ")),
    });
}
