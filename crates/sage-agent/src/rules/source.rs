//! Which files hold rules, in which order, and how one is read safely.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sage_core::{AgentRole, UnknownRole};

use super::MAX_RULES_FILE_BYTES;

/// Where a rule comes from, in the order of merging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// `~/.sage/rules.md`: the person's own.
    Home,
    /// `.sage/rules.md`: the project's.
    Project,
    /// `.sage/rules.<role>.md`: for one role only.
    Role(AgentRole),
    /// `.sage/rules.<something>.md` where the something is no role. Never merged, only reported.
    UnknownRole(UnknownRole),
    /// `.sage-rules.md`, the form of earlier versions.
    Legacy,
    /// `AGENTS.md` of a folder (relative to the project, empty for its root).
    Agents {
        /// The folder whose files it is about.
        folder: String,
    },
}

/// One file that may hold rules. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its layer.
    pub layer: Layer,
    /// Where to read it.
    pub path: PathBuf,
    /// How people see it: `~/.sage/rules.md`, or the path within the project.
    pub shown: String,
    /// The folder that it must not lead out of, through links or otherwise.
    pub within: Option<PathBuf>,
}

/// Lists the rule files of a project in merging order: home, project, roles, legacy, then
/// `AGENTS.md` from the root down to each of `folders`.
///
/// `home` is the person's home folder, `root` the project's, `folders` the folders of the files at
/// hand, relative to `root` and `/`-separated; what leaves `root` is ignored.
pub fn sources(home: Option<&Path>, root: &Path, folders: &[String]) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    if let Some(home) = home {
        found.push(Source {
            layer: Layer::Home,
            path: home.join(".sage").join("rules.md"),
            shown: "~/.sage/rules.md".to_owned(),
            within: None,
        });
    }
    let in_project = |layer: Layer, shown: String| Source {
        layer,
        path: root.join(&shown),
        shown,
        within: Some(root.to_owned()),
    };
    found.push(in_project(Layer::Project, ".sage/rules.md".to_owned()));
    for (name, layer) in role_files(&root.join(".sage"))? {
        found.push(in_project(layer, format!(".sage/{name}")));
    }
    found.push(in_project(Layer::Legacy, ".sage-rules.md".to_owned()));
    for folder in with_parents(folders) {
        let shown =
            if folder.is_empty() { "AGENTS.md".to_owned() } else { format!("{folder}/AGENTS.md") };
        found.push(in_project(Layer::Agents { folder }, shown));
    }
    Ok(found)
}

/// The `rules.<role>.md` files of a `.sage` folder, by name.
fn role_files(sage_folder: &Path) -> io::Result<Vec<(String, Layer)>> {
    let entries = match fs::read_dir(sage_folder) {
        Ok(entries) => entries,
        Err(error) if is_absence(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let role = name.strip_prefix("rules.").and_then(|rest| rest.strip_suffix(".md"));
        if let Some(role) = role {
            let layer = AgentRole::from_str(role).map_or_else(Layer::UnknownRole, Layer::Role);
            found.push((name, layer));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// The root and every folder on the way to each of `folders`, parents before children.
fn with_parents(folders: &[String]) -> Vec<String> {
    let mut all = vec![String::new()];
    for folder in folders {
        let parts: Vec<&str> =
            folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if folder.starts_with('/') || parts.contains(&"..") {
            continue;
        }
        all.extend((1..=parts.len()).map(|n| parts[..n].join("/")));
    }
    all.sort();
    all.dedup();
    all
}

/// What reading a source gave.
pub(super) enum Content {
    Missing,
    Unusable(String),
    Text { text: String, n_bytes: u64 },
}

impl Source {
    /// Reads the file, at most [`MAX_RULES_FILE_BYTES`] of it.
    pub(super) fn read(&self) -> io::Result<Content> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if is_absence(&error) => return Ok(Content::Missing),
            Err(error) => return Err(error),
        };
        // Checked before opening: opening a pipe would wait for a writer.
        if !metadata.is_file() {
            return Ok(Content::Unusable("not a regular file; ignored".to_owned()));
        }
        if let Some(folder) = &self.within {
            let leads_out = !fs::canonicalize(&self.path)?.starts_with(fs::canonicalize(folder)?);
            if leads_out {
                return Ok(Content::Unusable("leads out of the project; ignored".to_owned()));
            }
        }
        let mut bytes = Vec::new();
        fs::File::open(&self.path)?.take(MAX_RULES_FILE_BYTES as u64).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
        Ok(Content::Text { text, n_bytes: metadata.len() })
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
