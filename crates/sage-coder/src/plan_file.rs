//! Reading a plan outside of a run: to show it, check it or draw it.

use std::path::Path;

use sage_tool::{ToolRegistry, Workspace};

use crate::error::{Error, Result};
use crate::options::{Lanes, RunOptions};
use crate::plan::{self, CheckCx, Plan, Source};

/// Reads and checks a plan against a project; returns it completed, with notes.
///
/// # Errors
/// [`Error::PlanNotJson`] or [`Error::BadPlanFile`] with every problem.
pub fn read_checked(
    project: &Path,
    name: &str,
    text: &str,
    max_turns: u32,
    max_repairs: u32,
    lanes: Lanes,
) -> Result<(Plan, Vec<String>)> {
    let bad = |problems| Error::BadPlanFile { path: name.to_owned(), problems };
    let json = serde_json::from_str(text)
        .map_err(|source| Error::PlanNotJson { path: name.to_owned(), source })?;
    let mut plan = plan::read(&json, "", Source::File).map_err(bad)?;
    let workspace = Workspace::open(project)?;
    let files = crate::survey::paths(&workspace)?.into_iter().collect();
    let cx = CheckCx {
        include: &[],
        tools: &ToolRegistry::builtin().names(),
        files: &files,
        lanes,
        default_turns: max_turns,
        max_repairs,
        default_tokens: RunOptions::DEFAULT_TOKENS,
    };
    let notes = plan::check(&mut plan, &cx).map_err(bad)?;
    Ok((plan, notes))
}
