//! Landlock: which files a command may write (and, without namespaces, read), whatever is mounted.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use crate::sandbox::spec::{Access, JailSpec};

/// The newest interface whose rights are asked for; older kernels give what they have.
const NEWEST: ABI = ABI::V6;

/// Restricts this process and all it starts. New privileges must be off.
pub(super) fn apply(spec: &JailSpec, in_namespaces: bool) -> io::Result<()> {
    restrict(spec, in_namespaces).map_err(io::Error::other)
}

fn restrict(spec: &JailSpec, in_namespaces: bool) -> Result<(), landlock::RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    // Terminals and devices: those that are there may be used; the calls that harm are refused elsewhere.
    let handled = all & !BitFlags::from(AccessFs::IoctlDev);
    let read = AccessFs::from_read(NEWEST);
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(handled)?;
    if !spec.shares_network && !in_namespaces {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    let mut rules = ruleset
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .set_compatibility(CompatLevel::BestEffort);
    if in_namespaces {
        // What is not to be read is not mounted.
        rules = allow(rules, Path::new("/"), read)?;
        for path in ["/dev", "/proc"] {
            rules = allow(rules, Path::new(path), read | AccessFs::WriteFile | AccessFs::Truncate)?;
        }
        rules = allow(rules, Path::new("/dev/shm"), handled)?;
    } else {
        for path in ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"] {
            rules = allow(rules, Path::new(path), read | AccessFs::WriteFile)?;
        }
        rules = allow(rules, Path::new("/proc"), read)?;
    }
    rules = allow(rules, &spec.temp, handled)?;
    for place in &spec.places {
        let rights = match place.access {
            Access::Write | Access::Overlay if in_namespaces => handled,
            Access::Write => handled,
            Access::Fresh if in_namespaces => handled,
            Access::Read | Access::Overlay if !in_namespaces => read,
            _ => continue,
        };
        rules = allow(rules, &place.path, rights)?;
    }
    rules.restrict_self()?;
    Ok(())
}

/// A path that is not there needs no rule.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    let Ok(fd) = PathFd::new(path) else { return Ok(rules) };
    let rights = if path.is_dir() { rights } else { rights & AccessFs::from_file(NEWEST) };
    rules.add_rule(PathBeneath::new(fd, rights))
}

/// The version of the interface that the kernel offers; 0 without.
pub(super) fn version() -> u32 {
    super::sys::landlock_version()
}
