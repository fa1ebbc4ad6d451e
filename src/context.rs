//! Where we are: home, working directory, project, and what kind of terminal we talk to.
//!
//! Invariant: made once per process and never changed; all paths are absolute. Only this file asks
//! for the working directory and the home folder.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::cli::GlobalArgs;
use crate::env_vars::EnvVars;
use crate::failure::Failure;

/// How the project's root was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// `--project` or `--repo`.
    Flag,
    /// The nearest folder upwards with `.sage`.
    Sage,
    /// The nearest folder upwards with `.git`.
    Git,
    /// Neither exists: the working directory.
    WorkingDirectory,
}

/// Which of the three streams is a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// A person can type.
    pub stdin: bool,
    /// A person reads the answer.
    pub stdout: bool,
    /// A person reads the conversation.
    pub stderr: bool,
}

impl Terminal {
    /// Asks the operating system.
    pub fn detect() -> Self {
        Self {
            stdin: std::io::stdin().is_terminal(),
            stdout: std::io::stdout().is_terminal(),
            stderr: std::io::stderr().is_terminal(),
        }
    }
}

/// Where we are.
#[derive(Debug, Clone)]
pub struct Context {
    /// The environment.
    pub env: EnvVars,
    /// The working directory.
    pub cwd: PathBuf,
    /// The home folder, if there is one.
    pub home: Option<PathBuf>,
    /// The project's root.
    pub root: PathBuf,
    /// How it was found.
    pub found: Found,
    /// The terminal.
    pub terminal: Terminal,
}

impl Context {
    /// Finds out. `repo` is `--repo` of `sage run`, which means the same as `--project`.
    pub fn discover(
        global: &GlobalArgs,
        repo: Option<&Path>,
        env: EnvVars,
    ) -> Result<Self, Failure> {
        let cwd = working_directory().map_err(|error| {
            Failure::environment("finding the working directory").because(error)
        })?;
        let home = home_folder(&env);
        let (root, found) = match global.project.as_deref().or(repo) {
            Some(folder) => (existing_folder(&cwd.join(folder))?, Found::Flag),
            None => nearest_project(&cwd, home.as_deref()),
        };
        if root.parent().is_none() {
            let failure =
                Failure::usage(format!("{} is no project: it holds everything", root.display()));
            return Err(
                failure.hint("go into the project's folder, or name it with `--project DIR`")
            );
        }
        Ok(Self { env, cwd, home, root, found, terminal: Terminal::detect() })
    }

    /// Whether a person may be asked something: both ends are a terminal and nobody said otherwise.
    pub fn is_interactive(&self) -> bool {
        self.terminal.stdin && self.terminal.stderr && !self.env.is_on("SAGE_NON_INTERACTIVE")
    }

    /// `.sage` of the project, or a path below it.
    pub fn sage(&self, below: &str) -> PathBuf {
        let folder = self.root.join(".sage");
        if below.is_empty() { folder } else { folder.join(below) }
    }

    /// Where the runs of this project are.
    pub fn runs(&self) -> PathBuf {
        self.sage("runs")
    }

    /// `$XDG_CONFIG_HOME/sage` or `~/.config/sage`.
    pub fn user_config(&self) -> Option<PathBuf> {
        let xdg =
            self.env.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = xdg.or_else(|| Some(self.home.as_ref()?.join(".config")))?;
        Some(folder.join("sage"))
    }

    /// The user's `config.yaml`.
    pub fn user_settings_file(&self) -> Option<PathBuf> {
        Some(self.user_config()?.join("config.yaml"))
    }

    /// The user's `models.yaml`.
    pub fn user_models_file(&self) -> Option<PathBuf> {
        Some(self.user_config()?.join("models.yaml"))
    }

    /// The user's `~/.sage/rules.md`.
    pub fn user_rules_file(&self) -> Option<PathBuf> {
        Some(self.home.as_ref()?.join(".sage").join("rules.md"))
    }

    /// The project's `config.yaml`.
    pub fn settings_file(&self) -> PathBuf {
        self.sage("config.yaml")
    }

    /// A path as a person would write it: relative to the working directory where it is below it.
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.cwd) {
            Ok(relative) if !relative.as_os_str().is_empty() => relative.display().to_string(),
            _ => path.display().to_string(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks for the working directory")]
fn working_directory() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks for the home folder")]
fn home_folder(env: &EnvVars) -> Option<PathBuf> {
    let named = env.get("HOME").map(PathBuf::from);
    named.or_else(std::env::home_dir).filter(|path| path.is_absolute())
}

fn existing_folder(path: &Path) -> Result<PathBuf, Failure> {
    let what = || format!("opening the project {}", path.display());
    let folder = path.canonicalize().map_err(|error| Failure::usage(what()).because(error))?;
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(Failure::usage(format!("the project {} is not a folder", path.display())))
    }
}

/// The nearest folder upwards with `.sage` or `.git`. The home folder's own `.sage` holds the user's
/// rules and does not make home a project.
fn nearest_project(cwd: &Path, home: Option<&Path>) -> (PathBuf, Found) {
    // The root of the file system holds everything and is nobody's project, whatever lies in it.
    for folder in cwd.ancestors().filter(|folder| folder.parent().is_some()) {
        if folder.join(".sage").is_dir() && Some(folder) != home {
            return (folder.to_owned(), Found::Sage);
        }
        if folder.join(".git").exists() {
            return (folder.to_owned(), Found::Git);
        }
    }
    (cwd.to_owned(), Found::WorkingDirectory)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_marked_folder_is_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/.git")).unwrap();
        fs::create_dir_all(root.join("a/b/.sage")).unwrap();
        fs::create_dir_all(root.join("a/b/c/d")).unwrap();
        fs::create_dir_all(root.join("a/x")).unwrap();
        fs::create_dir_all(root.join(".sage")).unwrap();
        let find = |below: &str| nearest_project(&root.join(below), Some(root));
        assert_eq!(find("a/b/c/d"), (root.join("a/b"), Found::Sage));
        assert_eq!(find("a/x"), (root.join("a"), Found::Git));
        // The home folder's .sage holds the user's rules, it is no project.
        assert_eq!(find("").1, Found::WorkingDirectory);
    }
}
