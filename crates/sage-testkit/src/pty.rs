//! A process on a pseudo terminal, for everything that behaves differently when a person is there.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::live::Growing;

/// A process that sees a terminal on its three standard streams; killed when dropped.
pub struct Pty {
    child: Child,
    terminal: File,
    screen: Growing,
    /// How much of the screen's plain text was already expected, in bytes.
    seen: usize,
}

impl Pty {
    /// Starts a command on a new terminal of 100 columns and 40 lines.
    pub(crate) fn start(mut command: Command) -> Self {
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a pseudo terminal");
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("a handle"));
        command.stdin(end(&pair.slave)).stdout(end(&pair.slave)).stderr(end(&pair.slave));
        let child = command.spawn().unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
        // The command holds handles of the terminal; the screen ends when the last one is closed.
        drop(command);
        drop(pair.slave);
        let terminal = File::from(pair.master);
        let screen = Growing::default();
        drop(screen.read_from(terminal.try_clone().expect("a handle")));
        Self { child, terminal, screen, seen: 0 }
    }

    /// Types something.
    pub fn send(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).expect("the terminal is open");
    }

    /// Waits for a text behind everything that was expected before. Panics with the screen when it
    /// does not come.
    #[track_caller]
    pub fn expect(&mut self, text: &str, timeout: Duration) {
        let found = self.screen.wait_for(timeout, |bytes| {
            let plain = plain(bytes);
            let at = plain.get(self.seen..)?.find(text)?;
            Some(self.seen + at + text.len())
        });
        match found {
            Some(seen) => self.seen = seen,
            None => {
                panic!("expected {text:?} on the screen within {timeout:?}:\n{}", self.screen())
            }
        }
    }

    /// Everything that was written so far, without colours and cursor moves.
    #[must_use]
    pub fn screen(&self) -> String {
        plain(&self.screen.so_far())
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        let _ = kill(Pid::from_raw(self.pid()), Signal::SIGINT);
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Waits for the end and returns the exit code; nothing when a signal ended it or it took longer.
    #[must_use]
    pub fn wait(&mut self, timeout: Duration) -> Option<i32> {
        let until = Instant::now() + timeout;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                // Let the reader take what is still on its way.
                thread::sleep(Duration::from_millis(20));
                return status.code();
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Text without escape sequences and carriage returns.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {}
            '\u{1b}' => match chars.next() {
                // A control sequence ends with a letter or one of a few signs.
                Some('[') => {
                    let _ = chars.find(|c| ('@'..='~').contains(c));
                }
                // A command to the terminal ends with a bell or a string terminator.
                Some(']') => {
                    let _ = chars.find(|c| matches!(c, '\u{7}' | '\\'));
                }
                _ => {}
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_sees_a_terminal_and_talks_to_a_person() {
        let mut command = Command::new("sh");
        let script =
            "test -t 0 && test -t 2 && printf 'name? \\033[1m' && read n && echo \"hi $n\"";
        command.args(["-c", script]);
        let mut pty = Pty::start(command);
        pty.expect("name? ", Duration::from_secs(5));
        pty.send("Ada\n");
        pty.expect("hi Ada", Duration::from_secs(5));
        assert_eq!(pty.wait(Duration::from_secs(5)), Some(0));
        assert!(!pty.screen().contains('\u{1b}'), "{:?}", pty.screen());
    }
}
