//! The file system of a jail: an empty root into which only what is listed is mounted.
//!
//! Invariant: a place that is not listed is not there. Mounts are made from the host's tree at [`HOST`]
//! into the new root at [`NEW`]; then the new root replaces both, and the host's tree is gone.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use super::sys;
use super::{Doing, Failed};
use crate::sandbox::spec::{Access, JailSpec, Place};

const HOST: &str = "/host";
const NEW: &str = "/new";
/// Layers that take what is written over what may only be read.
const UPPER: &str = "/upper";
/// Bound into the place of files that are hidden.
const EMPTY: &str = "/empty";

/// Any folder that every system has; it is covered only for us, and only for a moment.
const BASES: &[&str] = &["/tmp", "/run", "/mnt", "/var"];
/// The skeleton holds folders and links only.
const SKELETON_OPTIONS: &str = "mode=0755,size=16m";
/// Devices that programs expect.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
/// Links in `/dev`.
const DEVICE_LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

fn plain() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV
}

/// Builds the jail's root and moves into it. Needs new user, mount and process namespaces.
pub(super) fn enter(spec: &JailSpec) -> Result<(), Failed> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .doing("parting from the host's mounts")?;
    let base = BASES.iter().map(Path::new).find(|path| path.is_dir()).unwrap_or(Path::new("/tmp"));
    let options = format!("mode=0755,size={}", spec.limits.temp_bytes);
    mount(Some("tmpfs"), base, Some("tmpfs"), plain(), Some(options.as_str()))
        .doing("making a base")?;
    for folder in [HOST, NEW, UPPER] {
        folder_at(&base.join(&folder[1..]), 0o755).doing("making a base")?;
    }
    pivot_root(base, &base.join(&HOST[1..])).doing("moving to the base")?;
    chdir("/").doing("moving to the base")?;
    mount(Some("tmpfs"), NEW, Some("tmpfs"), plain(), Some(SKELETON_OPTIONS))
        .doing("making a root")?;
    fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o000)
        .open(EMPTY)
        .doing("making a root")?;

    devices(spec)?;
    processes()?;
    temp(spec)?;
    for (n, place) in spec.places.iter().enumerate() {
        put(spec, place, n)?;
    }
    let fixed = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | plain();
    for path in [NEW.to_owned(), format!("{NEW}/dev")] {
        mount(none, path.as_str(), none, fixed, none).doing("closing the root")?;
    }

    chdir(NEW).doing("moving into the root")?;
    pivot_root(".", ".").doing("moving into the root")?;
    umount2(".", MntFlags::MNT_DETACH).doing("leaving the host's files")?;
    chdir("/").doing("moving into the root")?;
    Ok(())
}

fn inside(path: &Path) -> PathBuf {
    below(NEW, path)
}

fn outside(path: &Path) -> PathBuf {
    below(HOST, path)
}

fn below(root: &str, path: &Path) -> PathBuf {
    Path::new(root).join(path.strip_prefix("/").unwrap_or(path))
}

fn folder_at(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn put(spec: &JailSpec, place: &Place, n: usize) -> Result<(), Failed> {
    let target = inside(&place.path);
    let source = outside(&place.path);
    let what = place.path.display();
    match place.access {
        Access::Fresh => {
            folder_at(&target, 0o755).doing(format!("making {what}"))?;
            small(&target, spec.limits.temp_bytes, 0o755).doing(format!("making {what}"))
        }
        Access::Read => show(&source, &target, true).doing(format!("showing {what}")),
        Access::Write => show(&source, &target, false).doing(format!("showing {what}")),
        Access::Overlay => overlay(&source, &target, n)
            .or_else(|_| show(&source, &target, true))
            .doing(format!("showing {what}")),
        // Resolved inside, so that nothing of the host can be shown by a link put in its way.
        Access::Protected if target.is_symlink() => Ok(()),
        Access::Protected => show(&target, &target, true).doing(format!("protecting {what}")),
        Access::Hidden => hide(&target).doing(format!("hiding {what}")),
    }
}

/// Mounts something of the host. What has gone since the jail was planned is left out; a link at the
/// top is a link inside too.
fn show(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    let meta = match fs::symlink_metadata(source) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if meta.is_symlink() {
        if let Some(parent) = target.parent() {
            folder_at(parent, 0o755)?;
        }
        return symlink(fs::read_link(source)?, target);
    }
    if source != target {
        make_place(target, meta.is_dir())?;
    }
    let none = None::<&str>;
    mount(Some(source), target, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    sys::restrict_mounts(target, read_only)
}

fn make_place(target: &Path, is_folder: bool) -> io::Result<()> {
    if target.symlink_metadata().is_ok() {
        return Ok(());
    }
    if is_folder {
        return folder_at(target, 0o755);
    }
    if let Some(parent) = target.parent() {
        folder_at(parent, 0o755)?;
    }
    fs::OpenOptions::new().create_new(true).write(true).mode(0o644).open(target).map(drop)
}

/// Shows a folder whose changes land elsewhere and are lost.
fn overlay(source: &Path, target: &Path, n: usize) -> io::Result<()> {
    let is_plain = |path: &Path| path.to_str().is_some_and(|path| !path.contains([',', ':', '\\']));
    if !is_plain(source) || !source.is_dir() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let upper = Path::new(UPPER).join(format!("{n}/u"));
    let work = Path::new(UPPER).join(format!("{n}/w"));
    folder_at(&upper, 0o755)?;
    folder_at(&work, 0o755)?;
    make_place(target, true)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        source.display(),
        upper.display(),
        work.display()
    );
    Ok(mount(Some("overlay"), target, Some("overlay"), plain(), Some(options.as_str()))?)
}

/// Covers what is there with nothing.
fn hide(target: &Path) -> io::Result<()> {
    let none = None::<&str>;
    match fs::symlink_metadata(target) {
        // A link leads to a place that is judged for itself.
        Ok(meta) if meta.is_symlink() => Ok(()),
        Ok(meta) if meta.is_dir() => {
            let options = Some("mode=0000,size=4k");
            let flags = plain() | MsFlags::MS_RDONLY | MsFlags::MS_NOEXEC;
            Ok(mount(Some("tmpfs"), target, Some("tmpfs"), flags, options)?)
        }
        Ok(_) => {
            mount(Some(EMPTY), target, none, MsFlags::MS_BIND, none)?;
            sys::restrict_mounts(target, true)
        }
        Err(_) => Ok(()),
    }
}

fn small(target: &Path, bytes: u64, mode: u32) -> io::Result<()> {
    let options = format!("mode={mode:04o},size={bytes}");
    Ok(mount(Some("tmpfs"), target, Some("tmpfs"), plain(), Some(options.as_str()))?)
}

fn temp(spec: &JailSpec) -> Result<(), Failed> {
    let doing = "making a temporary folder";
    let at = inside(&spec.temp);
    folder_at(&at, 0o755).doing(doing)?;
    small(&at, spec.limits.temp_bytes, 0o1777).doing(doing)?;
    folder_at(&inside(Path::new("/var")), 0o755).doing(doing)?;
    symlink(&spec.temp, inside(Path::new("/var/tmp"))).doing(doing)?;
    folder_at(&inside(Path::new("/run")), 0o755).doing(doing)?;
    symlink("/run", inside(Path::new("/var/run"))).doing(doing)
}

fn devices(spec: &JailSpec) -> Result<(), Failed> {
    let doing = "making devices";
    let dev = inside(Path::new("/dev"));
    folder_at(&dev, 0o755).doing(doing)?;
    small(&dev, 64 * 1024, 0o755).doing(doing)?;
    let none = None::<&str>;
    for name in DEVICES {
        let target = dev.join(name);
        make_place(&target, false).doing(doing)?;
        let source = Path::new(HOST).join("dev").join(name);
        mount(Some(&source), &target, none, MsFlags::MS_BIND, none).doing(doing)?;
    }
    for (to, name) in DEVICE_LINKS {
        symlink(to, dev.join(name)).doing(doing)?;
    }
    let shm = dev.join("shm");
    folder_at(&shm, 0o755).doing(doing)?;
    small(&shm, spec.limits.temp_bytes, 0o1777).doing(doing)?;
    let pts = dev.join("pts");
    folder_at(&pts, 0o755).doing(doing)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    // Without terminals of its own a command still works.
    let _ = mount(
        Some("devpts"),
        &pts,
        Some("devpts"),
        flags,
        Some("newinstance,ptmxmode=0666,mode=0620"),
    );
    Ok(())
}

/// Shows the jail's own processes. Where the system itself hides parts of `/proc`, the kernel does not
/// let us have a new one; then the host's is shown, whose other processes are closed to another user
/// namespace.
fn processes() -> Result<(), Failed> {
    let doing = "showing processes";
    let proc = inside(Path::new("/proc"));
    folder_at(&proc, 0o555).doing(doing)?;
    let flags = plain() | MsFlags::MS_NOEXEC;
    let none = None::<&str>;
    if mount(Some("proc"), &proc, Some("proc"), flags, none).is_err() {
        let source = Path::new(HOST).join("proc");
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        return mount(Some(&source), &proc, none, bind, none).doing(doing);
    }
    Ok(())
}

/// Bounds the number of processes by that of the numbers for them (Linux 6.14 and newer), which holds
/// for root too, and closes the kernel's settings.
pub(super) fn close_proc(spec: &JailSpec) {
    /// The kernel takes no less.
    const LEAST: u64 = 301;
    // Older kernels have one number for the machine, and refuse.
    let _ = fs::write("/proc/sys/kernel/pid_max", spec.limits.processes.max(LEAST).to_string());
    let none = None::<&str>;
    for path in ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"] {
        if mount(Some(path), path, none, MsFlags::MS_BIND | MsFlags::MS_REC, none).is_ok() {
            let _ = sys::restrict_mounts(Path::new(path), true);
        }
    }
}
