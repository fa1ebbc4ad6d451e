//! Limits of the kernel for each process of a command.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::sandbox::spec::JailLimits;

/// Sets them; a limit that is lower already stays.
pub(super) fn apply(limits: &JailLimits) -> io::Result<()> {
    let all = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, limits.file_bytes),
        // Counted per user namespace, where there is one; root is not held by it.
        (Resource::RLIMIT_NPROC, limits.processes),
        (Resource::RLIMIT_DATA, limits.memory_bytes),
        (Resource::RLIMIT_MEMLOCK, 64 * 1024 * 1024),
    ];
    for (resource, limit) in all {
        let (_, hard) = getrlimit(resource)?;
        let limit = limit.min(hard);
        setrlimit(resource, limit, limit)?;
    }
    Ok(())
}
