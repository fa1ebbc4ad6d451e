//! Looking at the project: its files, its languages and commands, its rules. Results become facts of
//! the run only through [`gather`].

use std::collections::BTreeSet;
use std::future::Future;

use sage_agent::rules::{Rules, Sources};
use sage_core::{CallId, Past, Recorder};
use sage_tool::Grant;
use serde_json::Value;

use crate::context::RunCx;
use crate::error::Result;
use crate::plan::check::globs;
use crate::project::{self, Probes, ProjectFacts};

/// Paths of the project that a run looks at, sorted; `--include` narrows them.
pub(crate) fn files(cx: &RunCx) -> Result<Vec<String>> {
    let mut files: Vec<String> = cx.workspace.walk()?;
    if !cx.options.include.is_empty()
        && let Some(include) = globs(&cx.options.include)
    {
        files.retain(|path| include.is_match(path));
    }
    files.sort();
    Ok(files)
}

/// All paths of the project as a set, regardless of `--include`.
pub(crate) fn all_files(cx: &RunCx) -> Result<BTreeSet<String>> {
    Ok(cx.workspace.walk()?.into_iter().collect())
}

/// Languages, layout and commands, with the programs that are there to run them.
pub(crate) async fn project(cx: &RunCx, files: &[String]) -> ProjectFacts {
    let read = |path: &str| {
        let path = cx.workspace.resolve(path).ok()?;
        let bytes = cx.workspace.read(&path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let mut probes = Probes::default();
    for probe in project::needed_probes(files) {
        let line = probe.command_line();
        let found = sage_tool::process::probe(&line, cx.root(), &cx.wiring.child_env).await;
        probes.set(probe, found);
    }
    project::detect(files, &read, &probes)
}

/// The rules in force, merged.
pub(crate) fn rules(cx: &RunCx) -> Result<Rules> {
    let sources = Sources {
        user: cx.wiring.user_rules.clone(),
        // Rules are the person's, also when the work happens in a copy.
        project: cx.wiring.project.clone(),
    };
    Ok(Rules::load(&sources)?)
}

/// Journals a value that the program computes from the world: computed once, then read from the log.
pub(crate) async fn gather(
    cx: &RunCx,
    call: CallId,
    name: &str,
    compute: impl Future<Output = Result<Value>> + Send,
) -> Result<Value> {
    let is_recorded = matches!(cx.log.past(&call), Past::Tool(past) if past.result.is_some());
    let value = if is_recorded { Value::Null } else { compute.await? };
    let tool_cx = cx.tool_cx(Grant::reading(), cx.wiring.cancel.clone());
    Ok(cx.tools.gather(&tool_cx, call, name, move || Ok(value)).await?)
}
