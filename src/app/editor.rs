//! Opens `$VISUAL` or `$EDITOR` on a file and waits for its end.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::terminal::PlanEditor;
use crate::context::Context;

/// The person's editor, on the terminal.
pub struct EditorProcess {
    /// `$VISUAL` or `$EDITOR`: a program with arguments.
    command: Option<String>,
    cwd: PathBuf,
    /// The person's own environment, because the editor is theirs.
    env: Vec<(String, String)>,
}

impl EditorProcess {
    /// The editor that the environment names.
    pub fn new(cx: &Context) -> Self {
        let env = cx.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            command: cx.env.editor().map(str::to_owned),
            cwd: cx.cwd.clone(),
            env: env.collect(),
        }
    }
}

#[async_trait]
impl PlanEditor for EditorProcess {
    async fn edit(&self, file: &Path) -> Result<(), String> {
        let command = self.command.as_deref().ok_or("neither `VISUAL` nor `EDITOR` is set")?;
        // Only blanks separate: an editor whose path holds blanks can be given through a script.
        let mut argv: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        argv.push(file.display().to_string());
        match sage_tool::process::run_interactive(&argv, &self.cwd, &self.env).await {
            Ok(Some(0)) => Ok(()),
            Ok(Some(code)) => Err(format!("`{command}` ended with exit code {code}")),
            Ok(None) => Err(format!("`{command}` was killed")),
            Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
        }
    }
}
