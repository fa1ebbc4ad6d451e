//! What the project needs: valid files, a place to write, git, and the programs of its language.

use std::path::Path;
use std::time::Duration;

use super::{Check, Severity};
use crate::app;
use crate::commands::{config, init};
use crate::context::{Context, Found};
use crate::history;
use crate::settings::Flags;

/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// The configuration files, each with its problems.
pub fn configuration(cx: &Context) -> Vec<Check> {
    let files = config::check_files(cx);
    let mut checks: Vec<Check> = files
        .iter()
        .filter(|file| !file.problems.is_empty())
        .map(|file| {
            let detail = file.problems.join("; ");
            Check::failed(
                "configuration",
                Severity::Critical,
                detail,
                "correct the file, then `sage config validate`",
            )
        })
        .collect();
    if checks.is_empty() {
        let names: Vec<&str> = files.iter().map(|file| file.what.as_str()).collect();
        let detail = if names.is_empty() {
            "defaults, there are no files".to_owned()
        } else {
            names.join(", ")
        };
        checks.push(Check::ok("configuration", Severity::Critical, detail));
        if let Err(failure) = app::settings(cx, &Flags::default()) {
            let detail = format!("{:#}", failure.error).replace('\n', "; ");
            checks.push(Check::failed(
                "settings",
                Severity::Critical,
                detail,
                "correct the variable or setting that is named",
            ));
        }
        if let Err(failure) = app::policy(cx, &[]) {
            checks.push(Check::failed(
                "permissions",
                Severity::Critical,
                format!("{:#}", failure.error),
                "correct the file or variable that is named; `sage permissions test` checks again",
            ));
        }
    }
    checks
}

/// Variables that nothing reads.
pub fn environment(cx: &Context) -> Option<Check> {
    let unknown = cx.env.unknown();
    if unknown.is_empty() {
        return None;
    }
    let name = |(name, near): &(String, Option<&str>)| match near {
        Some(near) => format!("{name} (did you mean {near}?)"),
        None => name.clone(),
    };
    let names: Vec<String> = unknown.iter().map(name).collect();
    Some(Check::failed(
        "environment",
        Severity::Info,
        format!("nothing reads {}", names.join(", ")),
        "`sage config env` lists the variables that are read",
    ))
}

/// Whether the project can be written. Nothing is left behind.
pub fn writable(cx: &Context) -> Check {
    let sage = cx.sage("");
    let folder = if sage.is_dir() { &sage } else { &cx.root };
    let found = match cx.found {
        Found::Flag => "named by a flag",
        Found::Sage => "has .sage",
        Found::Git => "has .git",
        Found::WorkingDirectory => "the working directory",
    };
    match tempfile::NamedTempFile::new_in(folder) {
        Ok(_) => Check::ok(
            "project",
            Severity::Critical,
            format!("{} ({found}), writable", cx.root.display()),
        ),
        Err(error) => Check::failed(
            "project",
            Severity::Critical,
            format!("{}: {error}", folder.display()),
            "make the folder writable for you, or work in another with `--project DIR`",
        ),
    }
}

/// A program that may be needed: its check, what to run, whether the project needs it, and what for.
struct Program {
    name: &'static str,
    /// Tried in order; the first that answers counts.
    argvs: &'static [&'static [&'static str]],
    severity: Severity,
    next_step: &'static str,
}

/// git and the programs of the project's languages.
pub async fn programs(cx: &Context) -> Vec<Check> {
    let project = init::Project::of(&cx.root);
    let is_repository = cx.root.ancestors().any(|folder| folder.join(".git").exists());
    let mut wanted = vec![Program {
        name: "git",
        argvs: &[&["git", "--version"]],
        severity: if is_repository { Severity::Critical } else { Severity::Optional },
        next_step: "install git, such as with `apt install git`",
    }];
    if project.has("Rust") {
        wanted.push(optional(
            "cargo",
            &[&["cargo", "--version"]],
            "install Rust from your distribution or with rustup",
        ));
    }
    if project.has("Python") {
        wanted.push(optional(
            "python",
            &[&["python3", "--version"], &["python", "--version"]],
            "install Python 3",
        ));
        wanted.push(optional(
            "pytest",
            &[&["python3", "-m", "pytest", "--version"], &["pytest", "--version"]],
            "`python3 -m pip install pytest`; without it tests run with unittest",
        ));
    }
    if project.has("JavaScript") {
        wanted.push(optional("node", &[&["node", "--version"]], "install Node.js"));
        wanted.push(optional("npm", &[&["npm", "--version"]], "install npm"));
    }
    if project.has("Go") {
        wanted.push(optional("go", &[&["go", "version"]], "install Go"));
    }
    if project.has("Java") {
        wanted.push(optional("java", &[&["java", "-version"]], "install a Java development kit"));
    }
    let settings = app::settings(cx, &Flags::default());
    let extra = settings.map(|settings| settings.tool_environment().to_vec()).unwrap_or_default();
    let (env, refused) = app::child_environment(&cx.env, &extra);
    let checks = wanted.iter().map(|program| check_program(program, &cx.root, &env));
    let mut checks = futures_util::future::join_all(checks).await;
    if !refused.is_empty() {
        checks.push(Check::failed(
            "tools_environment",
            Severity::Optional,
            format!("{} look secret and are not passed to commands", refused.join(", ")),
            "take them out of `tools.environment`",
        ));
    }
    checks
}

fn optional(
    name: &'static str,
    argvs: &'static [&'static [&'static str]],
    next_step: &'static str,
) -> Program {
    Program { name, argvs, severity: Severity::Optional, next_step }
}

async fn check_program(program: &Program, root: &Path, env: &[(String, String)]) -> Check {
    let mut said = "not found".to_owned();
    for argv in program.argvs {
        match sage_tool::process::output(argv, root, env, VERSION_TIMEOUT).await {
            Ok(output) if output.exit_code == Some(0) => {
                let version = output.text.lines().next().unwrap_or_default().trim().to_owned();
                return Check::ok(program.name, program.severity, version);
            }
            Ok(output) => {
                let line = output.text.lines().last().unwrap_or_default().trim().to_owned();
                said = if line.is_empty() { format!("`{}` fails", argv.join(" ")) } else { line };
            }
            Err(_) => {}
        }
    }
    Check::failed(program.name, program.severity, said, program.next_step)
}

/// The recorded runs: how many, and whether some cannot be read.
pub fn runs(cx: &Context) -> Option<Check> {
    let runs = history::runs(cx).list().ok()?;
    if runs.is_empty() {
        return None;
    }
    let damaged: Vec<&str> =
        runs.iter().filter(|run| run.problem.is_some()).map(|run| run.run.as_str()).collect();
    let stopped = runs.iter().filter(|run| run.resumable).count();
    let detail = format!("{} recorded, {stopped} can be resumed", runs.len());
    Some(if damaged.is_empty() {
        Check::ok("runs", Severity::Info, detail)
    } else {
        Check::failed(
            "runs",
            Severity::Info,
            format!("{detail}, damaged: {}", damaged.join(", ")),
            "`sage status RUN` shows what can be read; `sage runs prune` removes runs",
        )
    })
}

/// What is kept for undo, and how much room it takes.
pub fn snapshots(cx: &Context) -> Option<Check> {
    let dir = cx.sage("snapshots");
    if !dir.is_dir() {
        return None;
    }
    let found = sage_tool::SnapshotStore::open(&dir).and_then(|store| store.size());
    Some(match found {
        Ok(found) => Check::ok(
            "snapshots",
            Severity::Info,
            format!(
                "{} states of the files in {} for undo; `sage runs prune` frees what no run needs",
                found.n_snapshots,
                crate::ui::size(found.bytes)
            ),
        ),
        Err(error) => Check::failed(
            "snapshots",
            Severity::Optional,
            format!("{:#}", anyhow::Error::from(error)),
            "make `.sage/snapshots` readable and writable for you",
        ),
    })
}
