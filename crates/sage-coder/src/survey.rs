//! Looking at the project: its files, its languages and commands, its rules. Results become facts of
//! the run only through [`gather`].

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::future::join_all;

use sage_agent::Rules;
use sage_core::{CallId, Event, EventKind, Past, Recorder, ToolEvent};
use sage_tool::{Grant, Network, PathSet, Workspace, process};
use serde_json::Value;

use crate::context::RunCx;
use crate::error::{Error, Result};
use crate::project::{self, Probe, Probes, ProjectFacts};

/// Name under which the facts are gathered by which the project is verified at the end.
pub(crate) const VERIFICATION: &str = "verification";

/// How long one look for a program may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);

/// Paths of the project that a run looks at, sorted; `--include` narrows them.
pub(crate) fn files(cx: &RunCx) -> Result<Vec<String>> {
    let mut files = paths(&cx.workspace)?;
    if !cx.options.include.is_empty() {
        let include = PathSet::new(&cx.options.include)?;
        files.retain(|path| include.contains(path));
    }
    // What models may not read they are not told of either.
    files.retain(|path| cx.wiring.policy.may_read(path));
    Ok(files)
}

/// All paths of the project as a set, regardless of `--include`.
pub(crate) fn all_files(cx: &RunCx) -> Result<BTreeSet<String>> {
    Ok(paths(&cx.workspace)?.into_iter().collect())
}

/// Paths of all files that are neither ignored nor protected, sorted.
pub(crate) fn paths(workspace: &Workspace) -> Result<Vec<String>> {
    let files = workspace.walk()?.files;
    Ok(files.into_iter().map(|file| file.path.as_str().to_owned()).collect())
}

/// Languages, layout and commands, with the programs that are there to run them.
pub(crate) async fn project(cx: &RunCx, files: &[String]) -> ProjectFacts {
    let read = |path: &str| {
        let path = cx.workspace.resolve(path).ok()?;
        let bytes = cx.workspace.read(&path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let needed = project::needed_probes(files);
    let answers = join_all(needed.into_iter().map(|probe| ask(cx, probe))).await;
    let mut probes = Probes::default();
    for (probe, found) in answers {
        probes.set(probe, found);
    }
    project::detect(files, &read, &probes)
}

/// Asks the machine, once per process: programs do not come and go during a run.
async fn ask(cx: &RunCx, probe: Probe) -> (Probe, bool) {
    let known = || cx.probed.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known().get(&probe).copied() {
        return (probe, found);
    }
    let line = probe.command_line();
    let argv = ["/bin/sh", "-c", line.as_str()];
    let (root, env) = (cx.workspace.root(), &cx.wiring.child_env);
    // Asked where commands run: a program that they cannot see is not there.
    let answer = match cx.wiring.sandbox.jail(root, env, &Network::Off) {
        Ok(jail) => process::output_in(jail, &argv, root, env, PROBE_TIMEOUT).await,
        Err(error) => Err(error),
    };
    let found = answer.is_ok_and(|answer| answer.exit_code == Some(0));
    known().insert(probe, found);
    (probe, found)
}

/// The rules in force for work on the given files. They are the person's own, also when the work
/// happens in a copy.
pub(crate) fn rules(cx: &RunCx, files: &[String]) -> Result<Rules> {
    let mut folders: Vec<String> = files
        .iter()
        .filter_map(|path| path.rsplit_once('/').map(|(folder, _)| folder.to_owned()))
        .collect();
    folders.sort();
    folders.dedup();
    let root = &cx.wiring.project;
    let sources = sage_agent::sources(cx.wiring.home.as_deref(), root, &folders)
        .map_err(|source| Error::Io { doing: "reading rules below", path: root.clone(), source })?;
    Ok(Rules::load(&sources)?)
}

/// The values that were gathered under `name`, with the calls that gathered them, in the log's order.
pub(crate) fn gathered(cx: &RunCx, name: &str) -> Vec<(CallId, Value)> {
    let tool_name = format!("gather:{name}");
    let value_of = |event: Event| match event.kind {
        EventKind::Tool(ToolEvent::Finished { call, tool, ok: true, result, .. })
            if tool == tool_name =>
        {
            let bytes = cx.log.get(&result).ok()?;
            let mut recorded: Value = serde_json::from_slice(&bytes).ok()?;
            Some((call, recorded.get_mut("value")?.take()))
        }
        _ => None,
    };
    cx.log.events().into_iter().filter_map(value_of).collect()
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
    let tool_cx = cx.tool_cx(Grant::read_only(), cx.wiring.cancel.clone());
    Ok(cx.tools.gather(&tool_cx, call, name, move || Ok(value))?)
}
