//! `sage init`: creates what a project needs, says what it did, and what it left alone.
//!
//! Invariant: nothing that exists is overwritten without `--force`; running it twice changes nothing
//! the second time; no git hooks, no caches, nothing outside the project.

mod gitignore;
mod python;
mod templates;

use std::path::Path;

use serde_json::json;

use crate::cli::InitArgs;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::ui::{Ui, style, table};

/// What was done about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    path: String,
    action: Action,
    /// Why, or how much.
    note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Created,
    Rewritten,
    Extended,
    LeftAlone,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Rewritten => "rewritten",
            Self::Extended => "extended",
            Self::LeftAlone => "left alone",
        }
    }
}

/// Prepares the project.
pub fn run(args: &InitArgs, cx: &Context, ui: &Ui) -> Outcome {
    let folder = cx.sage("");
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::environment(format!("{} is not a folder", folder.display()))
            .hint("move the file away, then run `sage init` again"));
    }
    let project = Project::of(&cx.root);
    let mut steps = vec![
        own_file(cx, ".sage/rules.md", &templates::rules(&project), args.force)?,
        own_file(cx, ".sage/config.yaml", &templates::config(), args.force)?,
        ignore_generated(cx)?,
    ];
    if project.has("Python") {
        steps.push(pytest_ini(cx)?);
    }
    for step in &steps {
        if args.output.json {
            ui.json(&json!({
                "path": step.path,
                "action": step.action.as_str().replace(' ', "_"),
                "note": step.note,
            }));
        }
    }
    if !args.output.json {
        let row = |step: &Step| {
            let word = step.action.as_str();
            let word = match step.action {
                Action::LeftAlone => style::faint(word),
                _ => style::good(word),
            };
            vec![word, style::hint(&step.path), step.note.clone()]
        };
        let rows: Vec<Vec<String>> = steps.iter().map(row).collect();
        table::columns(&rows).iter().for_each(|line| ui.line(line));
        ui.hint(
            "write down what models must know in `.sage/rules.md`; `sage doctor` checks the rest",
        );
    }
    Ok(ExitCode::Done)
}

fn own_file(cx: &Context, path: &str, text: &str, force: bool) -> Result<Step, Failure> {
    let file = cx.root.join(path);
    let exists = file.symlink_metadata().is_ok();
    let (action, note) = match (exists, force) {
        (false, _) => (Action::Created, String::new()),
        (true, true) => (Action::Rewritten, "--force".to_owned()),
        (true, false) => (Action::LeftAlone, "it exists; --force rewrites it".to_owned()),
    };
    if action != Action::LeftAlone {
        files::write_whole(&file, text.as_bytes())?;
    }
    Ok(Step { path: path.to_owned(), action, note })
}

fn ignore_generated(cx: &Context) -> Result<Step, Failure> {
    let path = ".gitignore".to_owned();
    let file = cx.root.join(&path);
    let before = read_bytes(&file)?;
    if before.is_none() && !cx.root.join(".git").exists() {
        let note = "not a git repository".to_owned();
        return Ok(Step { path, action: Action::LeftAlone, note });
    }
    let exists = before.is_some();
    let (after, n_added) = gitignore::with_generated(&before.unwrap_or_default());
    if n_added == 0 {
        let note = "it has the generated files of sage".to_owned();
        return Ok(Step { path, action: Action::LeftAlone, note });
    }
    files::write_whole(&file, &after)?;
    let action = if exists { Action::Extended } else { Action::Created };
    Ok(Step { path, action, note: format!("{n_added} generated files and folders") })
}

fn pytest_ini(cx: &Context) -> Result<Step, Failure> {
    let path = "pytest.ini".to_owned();
    if let Some(configured) = python::configured_in(&cx.root)? {
        let note = format!("pytest is configured in {configured}");
        return Ok(Step { path, action: Action::LeftAlone, note });
    }
    files::write_whole(&cx.root.join(&path), python::pytest_ini(&cx.root).as_bytes())?;
    Ok(Step {
        path,
        action: Action::Created,
        note: "the project is Python, pytest had no settings".to_owned(),
    })
}

fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::environment(format!("reading {}", path.display())).because(error))
        }
    }
}

/// What languages a project is written in, by the files at its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    languages: Vec<&'static str>,
}

/// Files that tell a language.
const MARKERS: &[(&str, &str)] = &[
    ("Cargo.toml", "Rust"),
    ("pyproject.toml", "Python"),
    ("setup.py", "Python"),
    ("setup.cfg", "Python"),
    ("requirements.txt", "Python"),
    ("Pipfile", "Python"),
    ("pytest.ini", "Python"),
    ("tox.ini", "Python"),
    ("package.json", "JavaScript"),
    ("go.mod", "Go"),
    ("pom.xml", "Java"),
    ("build.gradle", "Java"),
    ("build.gradle.kts", "Java"),
];

impl Project {
    /// Looks at the project.
    pub fn of(root: &Path) -> Self {
        let mut languages: Vec<&'static str> = Vec::new();
        for (file, language) in MARKERS {
            if root.join(file).is_file() && !languages.contains(language) {
                languages.push(language);
            }
        }
        if !languages.contains(&"Python") && python::has_sources(root) {
            languages.push("Python");
        }
        Self { languages }
    }

    /// Whether it is written in this language, among others.
    pub fn has(&self, language: &str) -> bool {
        self.languages.contains(&language)
    }

    /// Its languages.
    pub fn languages(&self) -> &[&'static str] {
        &self.languages
    }
}
