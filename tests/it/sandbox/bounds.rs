//! Fork bombs, full disks, and other ways of using everything up.

use std::fs;

use super::{Jailed, check, says_so};

fn with(config: &str) -> Jailed {
    let jailed = Jailed::new();
    jailed.sandbox.user_config(&format!("sandbox:\n  {config}\n"));
    jailed
}

/// Forks sleeping children until it is refused.
const FORKS: &str = "import os, time
children = []
try:
    for n in range(400):
        pid = os.fork()
        if pid == 0:
            time.sleep(30); os._exit(0)
        children.append(pid)
    print('ESCAPED')
except OSError as error:
    print('refused after', len(children))
for pid in children: os.kill(pid, 9)";

#[test]
fn the_number_of_processes_is_bounded() {
    let jailed = with("max_processes: 310");
    let attempt = |mode: &str| jailed.python(mode, FORKS);
    // Alone, Landlock and seccomp count no processes of root.
    super::check_modes(&jailed, &["on"], attempt, says_so);
}

#[test]
fn a_fork_bomb_ends_with_its_command() {
    let jailed = with("max_processes: 310");
    let bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass";
    let mut args = vec!["sandbox", "--timeout-s", "2", "--"];
    args.extend(["python3", "-c", bomb]);
    let output = jailed.sandbox.run(&args);
    assert!(!output.timed_out, "{output}");
    assert_eq!(jailed.sandbox.processes(), [], "{output}");
}

#[test]
fn the_temporary_folder_is_bounded() {
    let jailed = with("temp_mib: 8");
    let script = "dd if=/dev/zero of=${TMPDIR:-/tmp}/fill bs=1M count=32 2>/dev/null && echo ESCAPED; rm -f ${TMPDIR:-/tmp}/fill";
    super::check_modes(&jailed, &["on"], |mode| jailed.sh(mode, script), says_so);
}

#[test]
fn the_size_of_a_file_is_bounded() {
    let jailed = with("max_file_mib: 1");
    let script = "dd if=/dev/zero of=fill bs=1M count=4 2>/dev/null && echo ESCAPED; rm -f fill";
    check(&jailed, |mode| jailed.sh(mode, script), says_so);
}

#[test]
fn what_is_written_to_the_disk_is_bounded() {
    let jailed = with("max_disk_mib: 24");
    let fill = jailed.sandbox.project().join("fill");
    let script = "mkdir -p fill; for n in 1 2 3 4 5 6 7 8 9 10 11 12; do \
        dd if=/dev/zero of=fill/$n bs=1M count=16 conv=fsync 2>/dev/null; sleep 0.2; done; echo ESCAPED";
    let attempt = |mode: &str| {
        let _ = fs::remove_dir_all(&fill);
        let output = jailed.sh(mode, script);
        if mode != "off" {
            output.expect_text("written to the disk");
        }
        output
    };
    check(&jailed, attempt, says_so);
}

#[test]
fn no_core_is_left() {
    let jailed = Jailed::new();
    for mode in ["on", "landlock"] {
        jailed.sh(mode, "ulimit -c").expect_text("0\n");
    }
}
