//! Other processes, system calls, and what is left behind.

use super::{Jailed, MARK, Neighbour, SECRET, check, check_python, check_sh, says_so, soon};

/// Calls a system call by number and says so unless it was refused.
const CALL: &str = "import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == 'aarch64'
def call(x86, aarch64, *args):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(aarch64 if arm else x86), *[ctypes.c_long(a) for a in args])
    return ctypes.get_errno()
";

#[track_caller]
fn check_call(script: &str) {
    check_python(&format!("{CALL}{script}"));
}

#[test]
fn no_process_is_traced() {
    check_call(
        "pid = os.fork()
if pid == 0:
    import time; time.sleep(20); os._exit(0)
PTRACE_SEIZE = 0x4206
if call(101, 117, PTRACE_SEIZE, pid, 0, 0) != errno.EPERM: print('ESCAPED')
os.kill(pid, 9)",
    );
    check_call("if call(310, 270, os.getpid(), 0, 0, 0, 0, 0) != errno.EPERM: print('ESCAPED')");
}

#[test]
fn no_namespace_is_made_inside() {
    const NEWUSER: &str = "0x10000000";
    check_call(&format!("if call(272, 97, {NEWUSER}) != errno.EPERM: print('ESCAPED')"));
    // By the other two calls that can.
    check_call(&format!(
        "pid = libc.syscall(ctypes.c_long(220 if arm else 56), ctypes.c_long({NEWUSER} | 17), 0, 0, 0, 0)
if pid == 0: os._exit(0)
if pid > 0: print('ESCAPED')"
    ));
    check_call(
        "e = call(435, 435, 0, 0)
if e != errno.ENOSYS: print('ESCAPED')",
    );
    check_sh("unshare --user --map-root-user --mount sh -c 'umount .git; true' && echo ESCAPED");
}

#[test]
fn keys_and_rings_are_closed() {
    // KEYCTL_GET_KEYRING_ID of the session, and a ring of no entries.
    check_call("if call(250, 219, 0, -3, 0) != errno.EPERM: print('ESCAPED')");
    check_call("if call(425, 425, 0, 0) != errno.EPERM: print('ESCAPED')");
}

#[test]
fn the_other_numbers_of_system_calls_are_closed() {
    if cfg!(target_arch = "x86_64") {
        let script = format!("{CALL}e = call(0x40000000 + 272, 0, 0)\nprint('errno', e)");
        let jailed = Jailed::new();
        let enosys = nix_errno("ENOSYS");
        for mode in ["on", "landlock"] {
            jailed.python(mode, &script).expect_text(&format!("errno {enosys}"));
        }
    }
}

fn nix_errno(name: &str) -> i32 {
    assert_eq!(name, "ENOSYS");
    38
}

#[test]
fn no_signal_reaches_a_process_outside() {
    let jailed = Jailed::new();
    for mode in ["on", "landlock"] {
        let mut neighbour = Neighbour::start(&jailed);
        jailed.sh(mode, &format!("kill -9 {}; kill -9 -1; true", neighbour.id()));
        assert!(neighbour.is_alive(), "{mode}");
    }
    let mut neighbour = Neighbour::start(&jailed);
    jailed.sh("off", &format!("kill -9 {}", neighbour.id()));
    soon("without a sandbox it must succeed", || !neighbour.is_alive());
}

/// The environment of the program that started the command has keys in it.
#[test]
fn secrets_in_the_environment_of_the_program_are_not_read() {
    let jailed = Jailed::new();
    let script = format!("cat /proc/[0-9]*/environ | grep -a {SECRET} >/dev/null && echo {MARK}");
    let attempt = |mode: &str| {
        let args = Jailed::args(mode, &["sh", "-c", &script]);
        jailed.sandbox.sage(&args).env("SOME_API_KEY", SECRET).run()
    };
    check(&jailed, attempt, says_so);
}

#[test]
fn nothing_is_typed_into_a_terminal() {
    // Newer kernels refuse it to all but administrators, with another error.
    check_call(
        "import fcntl, pty, termios
outer, inner = pty.openpty()
try:
    fcntl.ioctl(inner, termios.TIOCSTI, b'x')
    print('ESCAPED')
except OSError as error:
    if error.errno == errno.EIO: print('ESCAPED')",
    );
}

/// Daemons: a session of their own, orphaned twice.
const DAEMONS: &str = "setsid sleep 300 >/dev/null 2>&1 & \
    (setsid sh -c 'sleep 301 & exit 0' >/dev/null 2>&1 &) ; \
    setsid --fork sleep 302 >/dev/null 2>&1; sleep 0.2; true";

#[test]
fn nothing_is_left_running() {
    let jailed = Jailed::new();
    for mode in ["on", "landlock"] {
        let output = jailed.sh(mode, DAEMONS);
        output.expect_code(0);
        assert_eq!(jailed.sandbox.processes(), [], "{mode}: {output}");
    }
    jailed.sh("off", DAEMONS).expect_code(0);
    let left = jailed.sandbox.processes();
    assert!(!left.is_empty(), "without a sandbox they must survive");
    for process in left {
        let pid = nix::unistd::Pid::from_raw(process.pid);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
}
