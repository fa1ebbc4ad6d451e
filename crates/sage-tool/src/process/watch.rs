//! A shell that waits for our death and then kills the groups we left.
//!
//! It reads `a ID` and `d ID` lines from a pipe; when the pipe ends, because we closed it or because we
//! were killed, it kills every group that was added and not removed. It sits in a group of its own, so
//! that a Ctrl-C or a kill aimed at our group does not reach it.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = "groups=' '
while read -r what id; do
  case $what in
    a) groups=\"$groups$id \" ;;
    d) case $groups in *\" $id \"*) groups=\"${groups%%\" $id \"*} ${groups#*\" $id \"}\" ;; esac ;;
  esac
done
for id in $groups; do kill -s KILL -- \"-$id\" 2>/dev/null; done
exit 0";

/// How often, in steps of 2 ms, its end is awaited.
const MAX_END_POLLS: u32 = 100;

/// The watching shell, started with the first group.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    running: Option<(Child, ChildStdin)>,
}

impl Watch {
    /// Has a group watched. Without a usable shell there is only the kernel's rule for direct children.
    pub(crate) fn add(&mut self, group: i32, live: &BTreeSet<i32>) {
        if self.running.is_some() && self.tell('a', group) {
            return;
        }
        // The first group, or somebody killed the shell.
        self.end();
        self.running = start();
        for group in live {
            self.tell('a', *group);
        }
    }

    pub(crate) fn remove(&mut self, group: i32) {
        self.tell('d', group);
    }

    fn tell(&mut self, what: char, group: i32) -> bool {
        let Some((_, pipe)) = &mut self.running else { return false };
        pipe.write_all(format!("{what} {group}\n").as_bytes()).is_ok()
    }

    /// Ends the shell and waits for it.
    pub(crate) fn end(&mut self) {
        let Some((mut shell, pipe)) = self.running.take() else { return };
        drop(pipe);
        for _ in 0..MAX_END_POLLS {
            match shell.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        let _ = shell.kill();
        let _ = shell.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the owner of starting processes")]
fn start() -> Option<(Child, ChildStdin)> {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", SCRIPT, "sage-watch"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let pipe = shell.stdin.take()?;
    Some((shell, pipe))
}
