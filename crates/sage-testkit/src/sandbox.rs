//! A private place to run the built binary in: its own home, its own project, an environment that
//! holds nothing but what the test puts there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::live::{Live, Output, Process, processes_in};
use crate::models_yaml::ModelsYaml;
use crate::pty::Pty;
use crate::run_folder::RunFolder;
use crate::tree::Tree;

/// How long a command may take when the test does not say.
const USUAL_TIMEOUT: Duration = Duration::from_secs(120);

/// A temporary folder with a home, a project and the binary under test.
pub struct CliSandbox {
    root: TempDir,
    binary: PathBuf,
    env: Vec<(String, String)>,
}

impl CliSandbox {
    /// An empty project. `binary` is the built program: `env!("CARGO_BIN_EXE_sage")`.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        let root = tempfile::Builder::new().prefix("sage-test-").tempdir().expect("a folder");
        let sandbox = Self { root, binary: binary.as_ref().to_owned(), env: Vec::new() };
        for folder in ["home", "project", "tmp"] {
            fs::create_dir(sandbox.path(folder)).expect("a new folder");
        }
        let config = "[user]\n\tname = Test\n\temail = test@example.invalid\n\
                      [init]\n\tdefaultBranch = main\n[commit]\n\tgpgsign = false\n\
                      [core]\n\tautocrlf = false\n";
        fs::write(sandbox.home().join(".gitconfig"), config).expect("a new file");
        sandbox
    }

    /// The project's folder.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// A path below the sandbox's root, beside the home and the project.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        // Resolved, because the program under test may resolve its paths as well.
        self.root.path().canonicalize().expect("the folder exists").join(name)
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
        fs::write(&path, content).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        self
    }

    /// Writes the user's own `config.yaml`.
    pub fn user_config(&self, text: &str) -> &Self {
        let folder = self.home().join(".config/sage");
        fs::create_dir_all(&folder).expect("folders");
        fs::write(folder.join("config.yaml"), text).expect("a new file");
        self
    }

    /// Sets a file's permission bits.
    pub fn chmod(&self, path: &str, mode: u32) -> &Self {
        let path = self.project().join(path);
        let result = fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        result.unwrap_or_else(|e| panic!("{path:?}: {e}"));
        self
    }

    /// A file of the project as bytes. Panics when there is none.
    #[must_use]
    #[track_caller]
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let path = self.project().join(path);
        fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"))
    }

    /// A file of the project as text. Panics when there is none, or it is not text.
    #[must_use]
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Whether the project has a file or folder of that name.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.project().join(path).symlink_metadata().is_ok()
    }

    /// Makes the project a git repository with everything in it committed.
    pub fn git_init(&self) -> &Self {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "Start"]);
        self
    }

    /// Runs git in the project and returns its standard output. Panics when it fails.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        self.prepare(&mut command);
        command.args(args).current_dir(self.project());
        let output = command.output().expect("git is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {}\n{text}{error}", output.status);
        text
    }

    /// `git status --porcelain` with every new file by its own name, sorted.
    #[must_use]
    pub fn git_status(&self) -> Vec<String> {
        let text = self.git(&["status", "--porcelain", "--untracked-files=all"]);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Sets a variable for every later command.
    pub fn env(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Uses these models: writes them outside the project and names the file in `SAGE_MODELS_YAML`.
    pub fn models(&mut self, models: &ModelsYaml) -> &mut Self {
        let path = self.path("models.yaml");
        fs::write(&path, models.text()).expect("a new file");
        self.env("SAGE_MODELS_YAML", path.to_string_lossy())
    }

    /// The program with these arguments, not started yet.
    pub fn sage<S: AsRef<str>>(&self, args: &[S]) -> Invocation<'_> {
        Invocation {
            sandbox: self,
            args: args.iter().map(|arg| arg.as_ref().to_owned()).collect(),
            folder: self.project(),
            env: Vec::new(),
            stdin: None,
            timeout: USUAL_TIMEOUT,
        }
    }

    /// Runs the program in the project with these arguments and nothing on its standard input.
    #[must_use]
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> Output {
        self.sage(args).run()
    }

    /// A shell in the project with the environment of the program, for starting it in odd ways.
    #[must_use]
    pub fn shell(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        self.prepare(&mut command);
        command.current_dir(self.project()).stdin(Stdio::null());
        command
    }

    /// Runs another program in the project as the one under test would be.
    #[must_use]
    pub fn program(&self, argv: &[&str], env: &[(&str, &str)]) -> Output {
        let mut command = Command::new(argv.first().expect("a program"));
        self.prepare(&mut command);
        command.args(&argv[1..]).envs(env.iter().copied()).current_dir(self.project());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|e| panic!("starting {argv:?}: {e}"));
        Live::new(child, started).wait(USUAL_TIMEOUT)
    }

    /// The project without git's and sage's own folders.
    #[must_use]
    pub fn tree(&self) -> Tree {
        Tree::of(&self.project(), &[".git", ".sage"])
    }

    /// Everything in the project.
    #[must_use]
    pub fn full_tree(&self) -> Tree {
        Tree::of(&self.project(), &[])
    }

    /// The records of all runs of the project, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunFolder> {
        let folder = self.project().join(".sage/runs");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_run = |path: &PathBuf| path.join("events.jsonl").exists();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_run).collect();
        paths.sort();
        paths.into_iter().map(|path| RunFolder { path }).collect()
    }

    /// The record of the newest run. Panics when there is none.
    #[must_use]
    #[track_caller]
    pub fn last_run(&self) -> RunFolder {
        self.runs().pop().expect("the project has a run")
    }

    /// Living processes that work in the sandbox or mention it.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        processes_in(&self.path(""))
    }

    fn prepare(&self, command: &mut Command) {
        let home = self.home();
        command.env_clear().env("PATH", search_path()).env("HOME", &home);
        for (name, folder) in
            [("CONFIG", ".config"), ("DATA", ".data"), ("STATE", ".state"), ("CACHE", ".cache")]
        {
            command.env(format!("XDG_{name}_HOME"), home.join(folder));
        }
        command.env("TMPDIR", self.path("tmp")).env("LANG", "C.UTF-8").env("NO_COLOR", "1");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }
}

/// A command that is about to be started.
pub struct Invocation<'a> {
    sandbox: &'a CliSandbox,
    args: Vec<String>,
    folder: PathBuf,
    env: Vec<(String, String)>,
    stdin: Option<Vec<u8>>,
    timeout: Duration,
}

impl Invocation<'_> {
    /// Starts in this folder instead of the project.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// Sets a variable for this command.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Gives it something to read; otherwise its standard input is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Kills it after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts it and waits for its end.
    #[must_use]
    pub fn run(self) -> Output {
        let timeout = self.timeout;
        self.spawn().wait(timeout)
    }

    /// Starts it.
    #[must_use]
    pub fn spawn(self) -> Live {
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        match &self.stdin {
            None => command.stdin(Stdio::null()),
            Some(bytes) => {
                // From a file, so that nobody has to write while the program runs.
                let path = self.sandbox.path("stdin");
                fs::write(&path, bytes).expect("a new file");
                command.stdin(fs::File::open(path).expect("the file is there"))
            }
        };
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
        Live::new(child, started)
    }

    /// Starts it on a pseudo terminal.
    #[must_use]
    pub fn on_terminal(self) -> Pty {
        let mut command = self.command();
        command.env("TERM", "xterm-256color");
        Pty::start(command)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.sandbox.binary);
        self.sandbox.prepare(&mut command);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.args(&self.args).current_dir(&self.folder).process_group(0);
        command
    }
}

/// The search path for programs: this process's own, with the folders of the real Python and the real
/// cargo first, because version managers put a stand-in in front of them that needs the real home.
fn search_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
        let ask = "import os, sys; print(os.path.dirname(os.path.realpath(sys.executable)))";
        let answer = Command::new("python3").args(["-c", ask]).output();
        let python = answer.ok().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        // Cargo tells what it runs where it lies itself.
        let cargo = std::env::var("CARGO").ok().or(option_env!("CARGO").map(str::to_owned));
        let cargo = cargo.as_deref().and_then(|file| Path::new(file).parent()?.to_str());
        let folders = [python.as_deref().map(str::trim), cargo].into_iter().flatten();
        let folders: Vec<&str> = folders.filter(|folder| !folder.is_empty()).collect();
        [folders.as_slice(), &[path.as_str()]].concat().join(":")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The harness needs no program under test: a shell shows what a program would see.
    fn shell() -> CliSandbox {
        CliSandbox::new("/bin/sh")
    }

    #[test]
    fn a_command_sees_its_own_home_and_nothing_of_this_process() {
        let mut sandbox = shell();
        sandbox.env("ONE", "1");
        let output = sandbox.sage(&["-c", "env | cut -d= -f1 | sort; pwd"]).env("TWO", "2").run();
        output.expect_code(0);
        let mut names: Vec<&str> = output.stdout.lines().collect();
        let folder = names.pop();
        assert_eq!(folder, sandbox.project().to_str());
        names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
        let expected = [
            "HOME",
            "LANG",
            "NO_COLOR",
            "ONE",
            "PATH",
            "TMPDIR",
            "TWO",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn exit_codes_signals_input_and_time_are_reported() {
        let sandbox = shell();
        let output = sandbox.sage(&["-c", "cat; echo err >&2; exit 3"]).stdin("in").run();
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (Some(3), "in", "err\n")
        );
        let output = sandbox.run(&["-c", "kill -9 $$"]);
        assert_eq!((output.code, output.signal), (None, Some(9)));
        let output = sandbox.run(&["-c", "sleep 0.1"]);
        assert!((100_000..100_000_000).contains(&output.peak_memory_bytes), "{output:?}");
        let slow = sandbox.sage(&["-c", "sleep 60 & sleep 60"]).timeout(Duration::from_millis(100));
        let output = slow.run();
        assert!(output.timed_out && output.duration < Duration::from_secs(5), "{output}");
        assert_eq!(sandbox.processes(), [], "the whole group is killed");
    }

    #[test]
    fn processes_left_behind_are_found() {
        let sandbox = shell();
        let mut live = sandbox.sage(&["-c", "sleep 60 & echo $!; wait"]).spawn();
        assert!(live.wait_until(Duration::from_secs(5), |live| live.stdout().ends_with('\n')));
        let left: i32 = live.stdout().trim().parse().unwrap();
        live.kill();
        assert_eq!(live.wait(Duration::from_secs(5)).signal, Some(9));
        let found = sandbox.processes();
        assert_eq!(found.iter().map(|process| process.pid).collect::<Vec<_>>(), [left]);
        assert_eq!(found[0].command, "sleep 60");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(left), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
    }

    #[test]
    fn a_repository_starts_clean_and_shows_every_new_file() {
        let sandbox = shell();
        sandbox.write("a.txt", "a\r\n").write("bin/run", "#!/bin/sh\n").chmod("bin/run", 0o755);
        sandbox.git_init();
        assert_eq!(sandbox.git_status(), [""; 0]);
        sandbox.write("new/x", "1").write("new/y", "2").write("a.txt", "b");
        assert_eq!(sandbox.git_status(), [" M a.txt", "?? new/x", "?? new/y"]);
        assert_eq!(sandbox.tree().files(), ["a.txt", "bin/run", "new/x", "new/y"]);
    }
}
