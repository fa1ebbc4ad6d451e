//! System calls that no safe wrapper offers. Each function is one call with its arguments made here.

use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::ForkResult;

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Forks. The launcher has one thread, so the child may do anything.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn fork() -> io::Result<ForkResult> {
    // SAFETY: the launcher is dispatched before anything else starts and starts no thread, so no lock
    // can be held by a thread that the child lacks.
    unsafe { nix::unistd::fork() }.map_err(io::Error::from)
}

/// Closes all descriptors from 3 on, except those of the list.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn close_others(keep: &[RawFd]) -> io::Result<()> {
    let close = |from: u32, to: u32| {
        // SAFETY: closes descriptors by number; nothing of this process holds one of them.
        check(unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) })
    };
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    keep.sort_unstable();
    let mut from = 3;
    for fd in keep.into_iter().filter(|fd| *fd >= 3) {
        if fd > from {
            close(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close(from, u32::MAX)
}

/// Takes over a descriptor by its number, and keeps it from the command.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn take_fd(fd: RawFd) -> io::Result<std::fs::File> {
    use std::os::fd::FromRawFd;
    // SAFETY: changes a flag of a descriptor; a number that is not open is an error.
    check(unsafe { libc::c_long::from(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC)) })?;
    // SAFETY: it is open, was passed to this process for this purpose, and is taken once.
    Ok(unsafe { std::fs::File::from_raw_fd(fd) })
}

/// Makes a mount and all mounts below it read-only (or not), and free of devices and set-id programs.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn restrict_mounts(at: &Path, read_only: bool) -> io::Result<()> {
    let path = CString::new(at.as_os_str().as_bytes())?;
    let mut attr: libc::mount_attr = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    if read_only {
        attr.attr_set |= libc::MOUNT_ATTR_RDONLY;
    }
    // SAFETY: the path is a C string and the structure is of the size that is passed; both live
    // through the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw mut attr,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// Turns the loopback interface of a new network namespace on.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: a call by value.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(socket.into())?;
    // SAFETY: a structure of numbers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the structure lives through the call and is what this request takes.
    let result = check(unsafe {
        libc::c_long::from(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request))
    });
    // SAFETY: the socket was opened above and is closed once.
    unsafe { libc::close(socket) };
    result
}

const LAST_CAPABILITY: u32 = 63;
const SECBIT_NOROOT_LOCKED: libc::c_ulong = 0b11;
const SECBIT_NO_SETUID_FIXUP_LOCKED: libc::c_ulong = 0b1100;
/// What root is left with: its usual say over the modes and owners of files that it can reach at all.
const FILE_CAPABILITIES: &[u32] =
    &[0 /* CHOWN */, 1 /* DAC_OVERRIDE */, 3 /* FOWNER */, 4 /* FSETID */];

/// Gives up every capability for good: no program that is started later, set-id or owned by root, gets
/// one back. Root keeps [`FILE_CAPABILITIES`], or it could do less with its own files than a user.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn drop_capabilities() -> io::Result<()> {
    let kept = if nix::unistd::geteuid().is_root() { FILE_CAPABILITIES } else { &[] };
    for capability in (0..=LAST_CAPABILITY).filter(|capability| !kept.contains(capability)) {
        // SAFETY: a call by value. One that does not exist, or that nobody may drop, is an error that
        // changes nothing.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    }
    if kept.is_empty() {
        let bits = SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED;
        // SAFETY: a call by value. Without the right to do so there is nothing to give up either.
        unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) };
    }
    // SAFETY: a call by value.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    let kept = kept.iter().fold(0, |set, capability| set | (1_u32 << capability));
    // Effective, permitted and inheritable of the first 32, then of the others.
    let sets = [kept, kept, 0, 0, 0, 0];
    // SAFETY: version 3 takes two sets of three words; both structures live through the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) })
}

/// Lets the command lead a session of its own, with no signal held back.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn in_own_session(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    // SAFETY: between fork and exec only plain system calls are made; nothing allocates or locks.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setsid()?;
            nix::sys::signal::SigSet::empty().thread_set_mask()?;
            Ok(())
        });
    }
}

/// Ends a forked child without running what the parent would run at its end.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn exit_child(code: i32) -> ! {
    // SAFETY: ends the process; nothing of it is used any more.
    unsafe { libc::_exit(code) }
}

/// The version of the Landlock interface; 0 without.
#[expect(unsafe_code, reason = "the kernel's interface has no safe wrapper")]
pub(super) fn landlock_version() -> u32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no structure and returns a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, VERSION)
    };
    u32::try_from(version).unwrap_or(0)
}
