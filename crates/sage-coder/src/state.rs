//! The files in `.sage/` that a run leaves for people and for the next run. All of them are views:
//! deleting them loses nothing that the log does not have.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};

/// Ignores, for git, what `sage` generates in `.sage/`, this file included. It lives in the folder
/// itself, so that the person's own `.gitignore` stays as it is.
const GITIGNORE: &str = "\
# Written by sage: generated state. Rules, config, policy, models and skills are yours to commit.
/.gitignore
/runs/
/snapshots/
/cache/
/worktrees/
/set-aside/
/memory/
/chat_sessions/
/lock
/last_plan.json
/last_run_metrics.json
/system_state.json
";

/// Makes `.sage/` if it is missing, and sees to it that git does not see what is generated there.
pub fn prepare(state_dir: &Path) -> Result<()> {
    let io = |source| Error::Io { doing: "preparing", path: state_dir.to_owned(), source };
    fs::create_dir_all(state_dir).map_err(io)?;
    let ignore = state_dir.join(".gitignore");
    if !ignore.exists() {
        write_atomic(&ignore, GITIGNORE.as_bytes())?;
    }
    Ok(())
}

/// Holds the project for one run at a time: two runs in one work tree would take each other's changes
/// for their own commands' doing. The operating system releases it when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct ProjectLock {
    _file: fs::File,
}

impl ProjectLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::Busy`] while another run has it.
    pub fn take(state_dir: &Path) -> Result<Self> {
        let path = state_dir.join("lock");
        let io = |source| Error::Io { doing: "locking", path: path.clone(), source };
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Busy),
            Err(fs::TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

/// Writes a JSON view for people.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

/// Replaces a file as a whole: a reader sees the old one or the new one.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |source| Error::Io { doing: "writing", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    // A temporary file is private; what replaces a file of the project should be as readable as it.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_or(0o644, |old| old.permissions().mode() & 0o777);
        file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(io)?;
    }
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}
