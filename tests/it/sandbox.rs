//! The sandbox, by trying to get out of it. Every escape is tried three times: with the sandbox off, where
//! it must succeed (or it would prove nothing), in namespaces, and in Landlock and seccomp alone. All of
//! it happens in the test's own folder: "outside" is a folder beside the project.

mod bounds;
mod files;
mod killed;
mod missing;
mod network;
mod processes;
mod works;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sage_testkit::{CliSandbox, Output};

/// What an attempt prints when it got out.
const MARK: &str = "ESCAPED";
/// What is to be stolen.
const SECRET: &str = "the-secret-of-somebody-else";
const PATIENCE: Duration = Duration::from_secs(30);

/// A repository with a neighbour.
struct Jailed {
    sandbox: CliSandbox,
}

impl Jailed {
    fn new() -> Self {
        let sandbox = crate::support::sandbox();
        sandbox.write("src/a.txt", "a\n").write(".sage/policy.json", "{}\n").git_init();
        let jailed = Self { sandbox };
        jailed.reset();
        jailed
    }

    /// The neighbour as it was.
    fn reset(&self) {
        let _ = fs::remove_dir_all(self.outside());
        fs::create_dir_all(self.outside()).unwrap();
        fs::write(self.outside().join("secret"), SECRET).unwrap();
    }

    fn outside(&self) -> PathBuf {
        self.sandbox.path("outside")
    }

    /// The script with `OUT` as the neighbour's folder and `HOME` as the home's.
    fn filled(&self, script: &str) -> String {
        let home = self.sandbox.home();
        script
            .replace("OUT", &self.outside().to_string_lossy())
            .replace("$HOME", &home.to_string_lossy())
    }

    fn args(mode: &str, argv: &[&str]) -> Vec<String> {
        let mut args = vec!["sandbox", "--sandbox", mode, "--timeout-s", "60", "--"];
        args.extend_from_slice(argv);
        args.into_iter().map(str::to_owned).collect()
    }

    /// `sage sandbox` with a shell script.
    fn sh(&self, mode: &str, script: &str) -> Output {
        self.sandbox.run(&Self::args(mode, &["sh", "-c", &self.filled(script)]))
    }

    /// `sage sandbox` with a Python script.
    fn python(&self, mode: &str, script: &str) -> Output {
        self.sandbox.run(&Self::args(mode, &["python3", "-c", &self.filled(script)]))
    }
}

/// Kept out in both kinds of jail, and possible without one. `got_out` looks at what the attempt printed
/// and at the neighbour.
#[track_caller]
fn check(jailed: &Jailed, attempt: impl Fn(&str) -> Output, got_out: impl Fn(&Output) -> bool) {
    check_modes(jailed, &["on", "landlock"], attempt, got_out);
}

#[track_caller]
fn check_modes(
    jailed: &Jailed,
    modes: &[&str],
    attempt: impl Fn(&str) -> Output,
    got_out: impl Fn(&Output) -> bool,
) {
    for mode in modes {
        let output = attempt(mode);
        assert!(!got_out(&output), "{mode}: it got out: {output}");
        jailed.reset();
    }
    let output = attempt("off");
    assert!(got_out(&output), "without a sandbox it must succeed: {output}");
    jailed.reset();
}

fn says_so(output: &Output) -> bool {
    output.stdout.contains(MARK)
}

/// A shell script that prints [`MARK`] when it got out.
#[track_caller]
fn check_sh(script: &str) {
    let jailed = Jailed::new();
    check(&jailed, |mode| jailed.sh(mode, script), says_so);
}

/// A Python script that does.
#[track_caller]
fn check_python(script: &str) {
    let jailed = Jailed::new();
    check(&jailed, |mode| jailed.python(mode, script), says_so);
}

/// A process of somebody else; killed at the end.
struct Neighbour(Child);

impl Neighbour {
    #[expect(clippy::disallowed_methods, reason = "stands for another program of the user")]
    fn start(jailed: &Jailed) -> Self {
        let secret = fs::File::open(jailed.outside().join("secret")).unwrap();
        let child = Command::new("sleep")
            .arg("300")
            .current_dir(jailed.outside())
            .env("NEIGHBOUR_TOKEN", SECRET)
            .stdin(Stdio::from(secret))
            .spawn()
            .unwrap();
        Self(child)
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something that must become true soon.
#[track_caller]
fn soon(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}
