//! One writer per run: an advisory lock on a file in the run's folder.
//!
//! The system releases it when the process dies, however it dies, so a lock that is held means a
//! process that lives. Readers take no lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::{Error, Result};

/// The lock's file name within a run's folder.
const FILE_NAME: &str = "lock";

/// A listing holds a run's lock, shared, for an instant (see [`is_held`]); a writer tries again rather
/// than mistake that for another writer.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// The lock, held until dropped or until the process dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Lock {
    /// Takes the lock of the run in `dir`, or says that another process has it.
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::io("opening", &path))?;
        for attempt in 1..=TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if attempt < TRIES => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(source)) => {
                    return Err(Error::Io { doing: "locking", path, source });
                }
            }
        }
        let run = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned();
        Err(Error::Locked { run })
    }
}

/// Whether a process is writing to the run in `dir`. Changes nothing, not even a missing lock file.
pub(crate) fn is_held(dir: &Path) -> Result<bool> {
    let path = dir.join(FILE_NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::Io { doing: "opening", path, source }),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(Error::Io { doing: "locking", path, source }),
    }
}
