//! What the machine offers: this binary, temporary files, disk space, sandboxing, the terminal.

use std::path::Path;

use super::{Check, Severity};
use crate::commands::version::VERSION;
use crate::context::Context;
use crate::ui::Ui;

const MIB: u64 = 1 << 20;
/// Below this nothing can be done safely.
const MIN_FREE: u64 = 64 * MIB;
/// Below this a build may fail.
const LOW_FREE: u64 = 1024 * MIB;

/// The program itself.
pub fn binary() -> Check {
    let place =
        std::env::current_exe().map(|path| format!(" at {}", path.display())).unwrap_or_default();
    Check::ok("binary", Severity::Critical, format!("sage {VERSION}{place}"))
}

/// Whether files can be made where temporary files go.
pub fn temporary_folder(cx: &Context) -> Check {
    let folder = crate::app::temp_folder(cx);
    match tempfile::NamedTempFile::new_in(&folder) {
        Ok(_) => Check::ok("temporary_folder", Severity::Critical, folder.display().to_string()),
        Err(error) => Check::failed(
            "temporary_folder",
            Severity::Critical,
            format!("{}: {error}", folder.display()),
            "make the folder writable, or name another in `TMPDIR`",
        ),
    }
}

/// Free space where the project is.
pub fn disk(cx: &Context) -> Option<Check> {
    let stat = nix::sys::statvfs::statvfs(&cx.root).ok()?;
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    let detail = format!("{} MiB free", free / MIB);
    let next_step = "free some space; `sage runs prune --keep 20` removes old runs";
    Some(match free {
        _ if free < MIN_FREE => Check::failed("disk", Severity::Critical, detail, next_step),
        _ if free < LOW_FREE => Check::failed("disk", Severity::Optional, detail, next_step),
        _ => Check::ok("disk", Severity::Critical, detail),
    })
}

/// What the kernel offers to confine commands with; a report, nothing depends on it.
pub fn sandbox() -> Check {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let modules = read("/sys/kernel/security/lsm");
    let landlock = match modules.trim() {
        "" => "landlock unknown",
        modules if modules.split(',').any(|module| module == "landlock") => "landlock",
        _ => "no landlock",
    };
    let number = |path: &str| read(path).trim().parse::<u64>().ok();
    let namespaces = number("/proc/sys/user/max_user_namespaces").is_some_and(|max| max > 0)
        && number("/proc/sys/kernel/unprivileged_userns_clone") != Some(0)
        && number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != Some(1);
    let namespaces = if namespaces { "user namespaces" } else { "no user namespaces" };
    let seccomp = match Path::new("/proc/sys/kernel/seccomp").exists() {
        true => "seccomp",
        false => "no seccomp",
    };
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = match kernel.trim() {
        "" => std::env::consts::OS.to_owned(),
        release => format!("{} {release}", std::env::consts::OS),
    };
    Check::ok(
        "sandbox_support",
        Severity::Info,
        format!("{kernel}: {landlock}, {namespaces}, {seccomp}"),
    )
}

/// Who is at the other end.
pub fn terminal(cx: &Context, ui: &Ui) -> Check {
    let detail = if cx.is_interactive() {
        format!("interactive, {} columns", ui.width)
    } else {
        "not interactive: plans run only with `--auto`, `--silent` or `--plan-only`".to_owned()
    };
    Check::ok("terminal", Severity::Info, detail)
}
