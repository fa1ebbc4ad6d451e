//! What a first request in this project would be made of, role by role, without asking any model.
//!
//! The conversations are made by the code that a run makes them with, in a run whose log is thrown away,
//! so the figures are those of a run.

use std::path::Path;
use std::sync::Arc;

use sage_agent::CallCounter;
use sage_core::{AgentRole, ContextUse, NoProgress, NodeId, RunId};
use sage_log::{Manifest, RunLog};
use serde::Serialize;

use crate::context::Wiring;
use crate::error::Result;
use crate::options::RunOptions;
use crate::{planner, run, task};

/// One role's first request.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The role.
    pub role: AgentRole,
    /// The model that would answer.
    pub model: String,
    /// What the request is made of.
    pub context: ContextUse,
}

/// Weighs the first request of each of these roles for work on `files`; `options.goal` is the goal.
///
/// # Errors
/// As a run that cannot begin; nothing is left behind in any case.
pub async fn preview(
    wiring: &Wiring,
    id: &RunId,
    options: RunOptions,
    roles: &[AgentRole],
    files: &[String],
) -> Result<Vec<Preview>> {
    let dir = wiring.temp.join(format!("sage-context-{id}"));
    let previews = weigh(wiring, id, options, roles, files, &dir).await;
    // A log that cannot be removed is litter in the temporary folder.
    let _ = std::fs::remove_dir_all(&dir);
    previews
}

async fn weigh(
    wiring: &Wiring,
    id: &RunId,
    options: RunOptions,
    roles: &[AgentRole],
    files: &[String],
    dir: &Path,
) -> Result<Vec<Preview>> {
    let manifest = Manifest {
        format_version: sage_core::EVENT_FORMAT_VERSION,
        run: id.clone(),
        goal: options.goal.clone(),
        project: wiring.project.clone(),
        started_at_ms: wiring.clock.now_ms(),
        sage_version: wiring.sage_version.clone(),
    };
    // Nothing of it is shown, and nothing is written into the project.
    let state_dir = dir.to_owned();
    let sandbox = Arc::new(wiring.sandbox.caching_in(dir.join("cache")));
    let wiring = Wiring { state_dir, sandbox, progress: Arc::new(NoProgress), ..wiring.clone() };
    let log = RunLog::create(&dir.join("run"), manifest, run::log_options(&wiring))?;
    let cx = Arc::new(run::assemble(wiring, options, log, &[])?);
    let mut previews = Vec::new();
    for (role, number) in roles.iter().zip(1..) {
        let (model, context) = if *role == AgentRole::Planner {
            let calls = CallCounter::new(NodeId::plan(), 1);
            let mut opening = planner::open(&cx, &calls).await?;
            let schema = planner::response_schema(&cx);
            opening.agent.weigh_question(&mut opening.conversation, Some(&schema))?
        } else {
            task::weigh_first_request(&cx, *role, number, files).await?
        };
        previews.push(Preview { role: *role, model, context });
    }
    Ok(previews)
}
