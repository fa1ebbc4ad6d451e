//! What the machine offers: this binary, temporary files, disk space, sandboxing, the terminal.

use sage_tool::Layers;

use super::{Check, Severity};
use crate::app::{self, Without};
use crate::commands::version::VERSION;
use crate::context::Context;
use crate::settings::Settings;
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

/// What the kernel offers to confine commands with: tried, not guessed.
pub fn sandbox(settings: Option<&Settings>) -> Check {
    let name = "sandbox_support";
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = match kernel.trim() {
        "" => std::env::consts::OS.to_owned(),
        release => format!("{} {release}", std::env::consts::OS),
    };
    let layers = app::offered();
    let missing = missing(&layers);
    let mode = settings.map_or("on", Settings::sandbox_mode);
    if mode == "off" {
        let detail = format!("{kernel} offers {}, but `sandbox.mode` is `off`", layers.in_words());
        return Check::failed(
            name,
            Severity::Optional,
            detail,
            "commands run as you, with all that you may do; set `sandbox.mode` to `on`",
        );
    }
    if layers.can_confine() && layers.namespaces {
        return Check::ok(name, Severity::Info, format!("{kernel}: {}", layers.in_words()));
    }
    if layers.can_confine() {
        let detail = format!(
            "{kernel}: only {}, without {}; `.git` and `.sage` are put back after a command instead of \
             being protected, and commands get no sockets at all",
            layers.in_words(),
            missing.join(", ")
        );
        return Check::failed(name, Severity::Info, detail, NEXT_STEP);
    }
    let what_happens = match settings.map(Without::of) {
        Some(Without::Run) => "commands run without one, because `sandbox.missing` is `run`",
        Some(Without::Refuse) => "nothing is run, because `sandbox.missing` is `refuse`",
        _ => "you are asked before anything is run; without a terminal nothing is",
    };
    let detail = format!("{kernel}: no sandbox (without {}); {what_happens}", missing.join(", "));
    Check::failed(name, Severity::Optional, detail, NEXT_STEP)
}

const NEXT_STEP: &str = "allow unprivileged user namespaces (`sysctl kernel.unprivileged_userns_clone`, \
    `kernel.apparmor_restrict_unprivileged_userns`, the container's seccomp profile), or use Linux 5.13 or newer \
    with Landlock; `docs/sandbox.md` says more";

fn missing(layers: &Layers) -> Vec<&'static str> {
    let all = [
        (layers.namespaces, "user namespaces"),
        (layers.landlock > 0, "Landlock"),
        (layers.seccomp, "seccomp"),
    ];
    all.into_iter().filter(|(works, _)| !works).map(|(_, name)| name).collect()
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
