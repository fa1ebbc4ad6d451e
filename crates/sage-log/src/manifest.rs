//! `manifest.json`: what is known about a run before its first event, enough to list runs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sage_core::{EVENT_FORMAT_VERSION, RunId};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The file's name within a run's folder.
pub(crate) const FILE_NAME: &str = "manifest.json";

/// Identifies a run. Written once, when the run is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the log's format, [`EVENT_FORMAT_VERSION`] when written by this program.
    pub format_version: u32,
    /// The run.
    pub run: RunId,
    /// The goal as typed, secrets redacted.
    pub goal: String,
    /// The project's root folder.
    pub project: PathBuf,
    /// When the run was created, milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// Version of the program.
    pub sage_version: String,
}

impl Manifest {
    /// Reads the manifest of the run in `dir`; refuses one of a newer format.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let bytes = fs::read(&path).map_err(Error::io("reading", &path))?;
        let damaged = |line: usize, reason: String| Error::Damaged {
            path: path.clone(),
            line: line.max(1) as u64,
            reason,
        };
        // The version first: a newer format may have other fields.
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let Version { format_version } = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(error.line(), error.to_string()))?;
        if format_version > EVENT_FORMAT_VERSION {
            return Err(Error::Newer {
                path,
                found: format_version,
                supported: EVENT_FORMAT_VERSION,
            });
        }
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.line(), error.to_string()))
    }

    /// Writes the manifest into `dir`, whole or not at all.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE_NAME);
        let mut json = serde_json::to_vec_pretty(self).map_err(|error| Error::Unloggable {
            name: FILE_NAME.to_owned(),
            reason: error.to_string(),
        })?;
        json.push(b'\n');
        write_whole(&path, &json).map_err(Error::io("writing", &path))
    }
}

/// Writes a file through a temporary neighbour, durable before it gets its name.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(dir)?.sync_all()
}
