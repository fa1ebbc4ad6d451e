//! Runs of tests in a copy of the project, in which the change can be taken back or broken. The copy is
//! made when the first run is due that the record does not answer, and removed at the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sage_core::{CallId, CheckKind, Past, Recorder};
use sage_tool::{CheckResult, CheckSpec, Grant, ToolCx, Workspace};

use super::suites::{Command, Weighing};
use crate::error::{Error, Result};
use crate::evidence::mutant::Mutant;
use crate::overlay;
use crate::task::Attempt;

/// What the copy is to hold.
pub(super) enum State {
    /// The change as it is.
    After,
    /// The files without the change.
    Before,
    /// The change with a fault in one file.
    Mutant(String, Mutant),
}

impl State {
    /// In words, for the log.
    fn words(&self) -> String {
        match self {
            Self::After => "in a copy".to_owned(),
            Self::Before => "without the change".to_owned(),
            Self::Mutant(path, mutant) => format!("with {path}:{}: {}", mutant.line, mutant.what),
        }
    }
}

pub(super) struct Trials<'a> {
    pub attempt: &'a Attempt,
    /// How long the trials took so far, by the record.
    pub spent_ms: u64,
    /// Files of which fewer tests ran than they hold, with both numbers.
    pub fewer: Vec<(String, Option<u64>, u64)>,
    /// Why there is no usable copy, if there is none.
    pub trouble: Option<String>,
    weighing: &'a Weighing,
    copy: Option<Copy>,
}

impl<'a> Trials<'a> {
    pub(super) fn new(attempt: &'a Attempt, weighing: &'a Weighing) -> Self {
        Self { attempt, spent_ms: 0, fewer: Vec::new(), trouble: None, weighing, copy: None }
    }

    /// The copy, with the files in this state.
    fn copy_in(&mut self, state: &State) -> Result<&Copy> {
        let copy = match &mut self.copy {
            Some(copy) => copy,
            none => none.insert(Copy::make(self.attempt)?),
        };
        copy.bring_to(self.attempt, self.weighing, state)?;
        Ok(copy)
    }

    /// Runs a command in a state of the files.
    pub(super) async fn run(
        &mut self,
        command: &Command,
        state: &State,
        timeout_s: u64,
    ) -> Result<(CallId, CheckResult)> {
        let attempt = self.attempt;
        let cx = &attempt.cx;
        let call = attempt.calls.next();
        let is_recorded = matches!(cx.log.past(&call), Past::Tool(past) if past.result.is_some());
        let mut tool_cx = attempt.tool_cx(Grant::read_only());
        if !is_recorded {
            let (root, env) = (cx.workspace.root(), &tool_cx.env);
            let made = self
                .copy_in(state)
                .map(|copy| (copy.workspace.clone(), copy.environment(root, env)));
            let (workspace, env) = match made {
                Ok(made) => made,
                Err(error) => {
                    self.trouble = Some(error.to_string());
                    return Err(error);
                }
            };
            // What commands do to the copy needs no record.
            tool_cx = ToolCx { workspace, snapshots: None, env, ..tool_cx };
        }
        let spec = CheckSpec {
            kind: CheckKind::Counter,
            shown: format!("{} ({})", command.shown, state.words()),
            command: command.line.clone(),
            timeout: Duration::from_secs(timeout_s.min(cx.options.verify_timeout_s)),
        };
        let result = cx.tools.check(&tool_cx, call.clone(), spec).await?;
        self.spent_ms = self.spent_ms.saturating_add(result.duration_ms);
        Ok((call, result))
    }
}

/// A copy of the project that is removed at the end, whatever happens.
struct Copy {
    folder: PathBuf,
    workspace: Arc<Workspace>,
    /// What files held that are not as they were copied.
    pristine: BTreeMap<String, Option<Vec<u8>>>,
}

impl Copy {
    fn make(attempt: &Attempt) -> Result<Self> {
        let cx = &attempt.cx;
        // Of a name that a replay gives as well: it occurs in outputs.
        let at = attempt.plan.nodes.iter().position(|task| task.id == attempt.task.id).unwrap_or(0);
        let name = format!("sage-trial-{}-{at}-{}", cx.run(), attempt.number);
        let folder = cx.wiring.temp.join(name);
        // A killed process may have left one.
        let _ = fs::remove_dir_all(&folder);
        let made = overlay::copy_for_trials(cx.workspace.root(), &folder)
            .and_then(|()| Ok(Workspace::open(&folder)?));
        match made {
            Ok(workspace) => {
                Ok(Self { folder, workspace: Arc::new(workspace), pristine: BTreeMap::new() })
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    /// The environment of commands, with the copy in the place of the project. A package that is
    /// installed from the project's folder is taken from the copy all the same.
    fn environment(&self, root: &Path, env: &[(String, String)]) -> Vec<(String, String)> {
        const PYTHON_PATH: &str = "PYTHONPATH";
        let (old, new) = (root.to_string_lossy(), self.folder.to_string_lossy());
        // Where builds go is the project's, too.
        let mut env: Vec<(String, String)> = env
            .iter()
            .filter(|(name, _)| name != "CARGO_TARGET_DIR")
            .map(|(name, value)| (name.clone(), value.replace(old.as_ref(), &new)))
            .collect();
        let mut path = format!("{new}:{new}/src");
        if let Some((_, known)) = env.iter().find(|(name, _)| name == PYTHON_PATH) {
            path = format!("{path}:{known}");
        }
        env.retain(|(name, _)| name != PYTHON_PATH);
        env.push((PYTHON_PATH.to_owned(), path));
        env
    }

    fn bring_to(&mut self, attempt: &Attempt, weighing: &Weighing, state: &State) -> Result<()> {
        for (path, content) in std::mem::take(&mut self.pristine) {
            self.put(&path, content.as_deref())?;
        }
        match state {
            State::After => {}
            State::Before => {
                for path in weighing.before.keys() {
                    self.remember(path);
                }
                attempt.cx.snapshots.revert(&self.workspace, &weighing.before)?;
            }
            State::Mutant(path, mutant) => {
                self.remember(path);
                let text = fs::read(self.folder.join(path)).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let mut lines: Vec<&str> = text.split('\n').collect();
                if let Some(line) = lines.get_mut(mutant.line - 1) {
                    *line = &mutant.text;
                }
                self.put(path, Some(lines.join("\n").as_bytes()))?;
            }
        }
        Ok(())
    }

    fn remember(&mut self, path: &str) {
        let content = fs::read(self.folder.join(path)).ok();
        self.pristine.entry(path.to_owned()).or_insert(content);
    }

    fn put(&self, path: &str, content: Option<&[u8]>) -> Result<()> {
        // Never out of the copy, whatever links it holds.
        let path = self.folder.join(self.workspace.resolve(path)?.as_str());
        let fail = |source| Error::Io { doing: "writing", path: path.clone(), source };
        match content {
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fail(error)),
                _ => Ok(()),
            },
            Some(content) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(fail)?;
                }
                fs::write(&path, content).map_err(fail)
            }
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A copy that cannot be removed is litter in the temporary folder, not a failure of the run.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
