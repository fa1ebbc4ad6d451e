//! The built-in rules: what no plan can allow, and what strict mode lets through without asking.

use std::path::Path;

use super::shell::{self, Simple, Word};
use crate::path;

/// How deep `sh -c "sh -c ..."` is followed.
const MAX_SHELLS: usize = 6;

/// Why a line is denied, if it is.
pub(super) fn denied(line: &[Simple], root: &Path) -> Option<String> {
    let mut guard = Guard { root, has_left: false, depth: 0 };
    guard.line(line)
}

struct Guard<'a> {
    root: &'a Path,
    /// Whether a `cd` led outside, so that relative paths mean nothing known.
    has_left: bool,
    depth: usize,
}

impl Guard<'_> {
    fn line(&mut self, line: &[Simple]) -> Option<String> {
        let mut before: Option<String> = None;
        for simple in line {
            let target = simple.writes.iter().find_map(|word| self.objection_to_write(word));
            if target.is_some() {
                return target;
            }
            let argv = unwrapped(&simple.words);
            let program = argv.first().map(program_of);
            if let Some(program) = &program {
                if is_shell(program)
                    && simple.is_piped
                    && matches!(before.as_deref(), Some("curl" | "wget"))
                {
                    return Some("running what was downloaded is not allowed".to_owned());
                }
                if let Some(reason) = self.program(program, argv) {
                    return Some(reason);
                }
            }
            before = program;
        }
        None
    }

    fn program(&mut self, program: &str, argv: &[Word]) -> Option<String> {
        let args = &argv[1..];
        let has = |wanted: &[&str]| args.iter().any(|arg| wanted.contains(&arg.text.as_str()));
        match program {
            "sudo" | "su" | "doas" | "pkexec" | "run0" => {
                Some(format!("{program} is not allowed: nothing runs with other rights"))
            }
            "shutdown" | "reboot" | "halt" | "poweroff" => {
                Some(format!("{program} is not allowed"))
            }
            "systemctl" if has(&["reboot", "poweroff", "halt", "kexec"]) => {
                Some("systemctl may not stop the machine".to_owned())
            }
            "init" | "telinit" if has(&["0", "6"]) => Some(format!("{program} is not allowed")),
            "wipefs" | "mkswap" | "fdisk" | "sfdisk" | "parted" => {
                Some(format!("{program} is not allowed: it writes to disks"))
            }
            _ if program == "mkfs" || program.starts_with("mkfs.") => {
                Some(format!("{program} is not allowed: it writes to disks"))
            }
            "dd" => args.iter().find_map(|arg| {
                let text = arg.text.strip_prefix("of=")?;
                self.objection_to_write(&Word { text: text.to_owned(), quoted: true })
            }),
            "rm" => self.rm(args),
            "git" => git(args),
            "tee" | "touch" | "truncate" => {
                operands(args).find_map(|arg| self.objection_to_write(arg))
            }
            "cd" | "pushd" => {
                let to = operands(args).next();
                self.has_left |= to.is_none_or(|to| self.is_outside(to));
                None
            }
            "sed"
                if !args
                    .iter()
                    .any(|arg| arg.text.starts_with("-i") || arg.text == "--in-place") =>
            {
                None
            }
            "cp" | "mv" | "ln" | "install" | "rmdir" | "mkdir" | "chmod" | "chown" | "sed" => {
                operands(args)
                    .find(|arg| names_protected(&arg.text))
                    .map(|arg| protected(&arg.text))
            }
            "eval" => {
                let line: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).collect();
                self.nested(&line.join(" "))
            }
            "find" => self.find(args),
            _ if is_shell(program) => self.nested(script_of(args)?),
            _ => None,
        }
    }

    fn nested(&mut self, line: &str) -> Option<String> {
        self.depth += 1;
        if self.depth > MAX_SHELLS {
            return Some(format!("more than {MAX_SHELLS} shells in each other are not allowed"));
        }
        let reason = match shell::read(line) {
            Ok(line) => self.line(&line),
            Err(problem) => Some(format!("a nested command {problem}")),
        };
        self.depth -= 1;
        reason
    }

    fn rm(&self, args: &[Word]) -> Option<String> {
        let is_recursive = args.iter().take_while(|arg| arg.text != "--").any(|arg| {
            let short = arg.text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
            arg.text == "--recursive" || short.is_some_and(|rest| rest.contains(['r', 'R']))
        });
        let mut targets = operands(args);
        if !is_recursive {
            return targets.find(|arg| names_protected(&arg.text)).map(|arg| protected(&arg.text));
        }
        targets.find_map(|target| {
            let text = target.text.as_str();
            if names_protected(text) {
                return Some(protected(text));
            }
            // An unset variable would make these the root of the file system.
            let is_bare_variable = text.starts_with('$')
                && text.split_once('/').is_some_and(|(_, rest)| matches!(rest, "" | "*"));
            let is_all = matches!(text.trim_end_matches('/'), "." | ".." | "");
            if is_bare_variable || is_all || self.has_left || self.is_outside(target) {
                return Some(format!(
                    "rm -r of {text} is not allowed: it reaches outside the work tree or all of it"
                ));
            }
            None
        })
    }

    fn find(&mut self, args: &[Word]) -> Option<String> {
        let roots: Vec<&Word> = args.iter().take_while(|arg| !arg.text.starts_with('-')).collect();
        let mut rest = args;
        while let Some(at) = rest.iter().position(|arg| {
            matches!(arg.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir" | "-delete")
        }) {
            if let Some(outside) = roots.iter().find(|root| self.is_outside(root)) {
                return Some(format!("find may not change what is in {}", outside.text));
            }
            let inner = &rest[at + 1..];
            let end = inner.iter().position(|arg| matches!(arg.text.as_str(), ";" | "+"));
            let (command, after) = inner.split_at(end.unwrap_or(inner.len()));
            if rest[at].text != "-delete"
                && let Some(first) = unwrapped(command).first()
                && let Some(reason) = self.program(&program_of(first), unwrapped(command))
            {
                return Some(reason);
            }
            rest = after;
        }
        None
    }

    fn objection_to_write(&self, target: &Word) -> Option<String> {
        const DEVICES: [&str; 6] =
            ["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero", "/dev/fd"];
        let text = target.text.as_str();
        if DEVICES.contains(&text) || text.starts_with("/dev/fd/") {
            return None;
        }
        if names_protected(text) {
            return Some(protected(text));
        }
        self.is_outside(target)
            .then(|| format!("writing to {text} is not allowed: it is outside the work tree"))
    }

    /// Whether a path leads out of the tree, as far as its text tells.
    fn is_outside(&self, word: &Word) -> bool {
        let text = word.text.as_str();
        if (text.starts_with('~') && !word.quoted)
            || text.starts_with("$HOME")
            || text.starts_with("${HOME")
            || text == "-"
        {
            return true;
        }
        matches!(path::leaves(text, self.root), Some(true))
    }
}

/// The arguments that are not options.
fn operands(args: &[Word]) -> impl Iterator<Item = &Word> {
    let mut only_operands = false;
    args.iter().filter(move |arg| {
        if arg.text == "--" && !only_operands {
            only_operands = true;
            return false;
        }
        only_operands || !arg.text.starts_with('-') || arg.text == "-"
    })
}

fn names_protected(text: &str) -> bool {
    let text = text.trim_start_matches("./");
    let mut names = text.split('/').filter(|name| !name.is_empty() && *name != ".");
    let is_sage = |name: &str| name == ".sage";
    // The person's own `.sage` files may be anywhere above a nested path; only names count here.
    names.any(|name| path::is_git(name) || is_sage(name))
}

fn protected(text: &str) -> String {
    format!("{text} is protected: nothing in .git or .sage may be changed")
}

/// Git commands that change nothing: not the work tree, the index, the references or the settings.
/// Anything else could lose work that no snapshot of the files brings back.
const GIT_READS: [&str; 28] = [
    "annotate",
    "blame",
    "cat-file",
    "check-attr",
    "check-ignore",
    "count-objects",
    "describe",
    "diff",
    "diff-files",
    "diff-index",
    "diff-tree",
    "for-each-ref",
    "fsck",
    "grep",
    "help",
    "log",
    "ls-files",
    "ls-tree",
    "merge-base",
    "name-rev",
    "rev-list",
    "rev-parse",
    "shortlog",
    "show",
    "show-ref",
    "status",
    "var",
    "version",
];
/// Git commands that only read when all their arguments are among these.
const GIT_LISTS: [(&str, &[&str]); 5] = [
    ("branch", &["--show-current", "--list", "-a", "--all", "-r", "--remotes", "-v", "-vv"]),
    ("remote", &["-v", "--verbose"]),
    ("stash", &["list"]),
    ("tag", &["-l", "--list"]),
    ("worktree", &["list"]),
];

fn git(args: &[Word]) -> Option<String> {
    const WITH_VALUE: [&str; 5] = ["-C", "-c", "--git-dir", "--work-tree", "--namespace"];
    let mut rest = args.iter();
    let command = loop {
        let arg = rest.next()?.text.as_str();
        if WITH_VALUE.contains(&arg) {
            rest.next();
        } else if !arg.starts_with('-') {
            break arg;
        }
    };
    let mut rest = rest.map(|arg| arg.text.as_str());
    let only_reads = GIT_READS.contains(&command)
        || GIT_LISTS.iter().any(|(name, args)| {
            // Alone, `git stash` stashes.
            let is_alone = rest.clone().next().is_none();
            let may_be_alone = !matches!(command, "stash" | "worktree");
            *name == command
                && (!is_alone || may_be_alone)
                && rest.clone().all(|arg| args.contains(&arg))
        })
        || (command == "config"
            && rest.any(|arg| matches!(arg, "--get" | "--get-all" | "--list" | "-l")));
    (!only_reads).then(|| {
        format!("git {command} is not allowed: commands may only read the repository; the files are edited as they are")
    })
}

fn is_shell(program: &str) -> bool {
    matches!(program, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish")
}

/// The text after `-c`, also in `-lc`.
fn script_of(args: &[Word]) -> Option<&str> {
    let at = args.iter().position(|arg| {
        arg.text.starts_with('-') && !arg.text.starts_with("--") && arg.text.ends_with('c')
    })?;
    args.get(at + 1).map(|arg| arg.text.as_str())
}

fn program_of(word: &Word) -> String {
    word.text.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Words that a shell reads before a command, and programs that run the command they are given.
fn unwrapped(words: &[Word]) -> &[Word] {
    const KEYWORDS: [&str; 12] =
        ["if", "then", "elif", "else", "while", "until", "do", "{", "!", "time", "fi", "done"];
    let mut rest = words;
    loop {
        let Some((first, after)) = rest.split_first() else { return rest };
        let text = first.text.as_str();
        let is_keyword = !first.quoted && KEYWORDS.contains(&text);
        if is_keyword || is_assignment(text) {
            rest = after;
            continue;
        }
        rest = match program_of(first).as_str() {
            "env" => skip(after, &["-u", "-C", "-S"], 0),
            "nohup" | "setsid" | "exec" | "command" | "builtin" | "stdbuf" | "time" | "busybox" => {
                skip(after, &["-o", "-i", "-e", "-f", "-a"], 0)
            }
            "nice" | "ionice" => skip(after, &["-n", "-c", "-p"], 0),
            "timeout" => skip(after, &["-s", "-k", "--signal", "--kill-after"], 1),
            "xargs" => skip(after, &["-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E"], 0),
            _ => return rest,
        };
    }
}

/// Passes over options (those named take a value) and then `n_operands` arguments.
fn skip<'a>(words: &'a [Word], with_value: &[&str], n_operands: usize) -> &'a [Word] {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        if !first.text.starts_with('-') {
            break;
        }
        let n = if with_value.contains(&first.text.as_str()) { 1 } else { 0 };
        rest = after.get(n..).unwrap_or_default();
    }
    rest.get(n_operands..).unwrap_or_default()
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !name.as_bytes()[0].is_ascii_digit()
    })
}

/// Programs that only read.
const READING: [&str; 38] = [
    "ls", "cat", "head", "tail", "grep", "egrep", "fgrep", "rg", "wc", "sort", "uniq", "diff",
    "cmp", "cut", "tr", "pwd", "echo", "printf", "true", "false", "test", "[", "stat", "file",
    "du", "df", "which", "type", "date", "basename", "dirname", "realpath", "readlink", "tree",
    "nl", "comm", "cd", "sleep",
];
/// Programs with the first arguments with which they only read or test.
const TESTING: [(&str, &[&str]); 24] = [
    (
        "git",
        &["status", "diff", "log", "show", "ls-files", "rev-parse", "blame", "describe", "grep"],
    ),
    ("cargo", &["test", "check", "clippy", "build", "nextest", "tree", "metadata"]),
    ("go", &["test", "vet", "build", "list"]),
    ("npm", &["test", "t"]),
    ("yarn", &["test"]),
    ("pnpm", &["test"]),
    ("bun", &["test"]),
    ("deno", &["test", "check", "lint"]),
    ("make", &["test", "check"]),
    ("mvn", &["test", "verify"]),
    ("gradle", &["test", "check"]),
    ("gradlew", &["test", "check"]),
    ("ruff", &["check"]),
    ("dotnet", &["test", "build"]),
    ("mix", &["test"]),
    ("pytest", &[]),
    ("mypy", &[]),
    ("pyright", &[]),
    ("jest", &[]),
    ("vitest", &[]),
    ("ctest", &[]),
    ("phpunit", &[]),
    ("rspec", &[]),
    ("tox", &[]),
];

/// Which part of a line is not on the list of strict mode, if one is not.
pub(super) fn not_known_harmless(line: &[Simple]) -> Option<String> {
    line.iter().find_map(|simple| {
        let writes = simple.writes.iter().find(|word| word.text != "/dev/null");
        if let Some(file) = writes {
            return Some(format!("strict policy: it writes to {}", file.text));
        }
        let mut words = simple.words.as_slice();
        while let Some((first, after)) = words.split_first()
            && is_assignment(&first.text)
        {
            words = after;
        }
        let program = program_of(words.first()?);
        let args: Vec<&str> = words[1..].iter().map(|word| word.text.as_str()).collect();
        let is_known = READING.contains(&program.as_str())
            || TESTING.iter().any(|(name, firsts)| {
                *name == program
                    && (firsts.is_empty() || args.first().is_some_and(|arg| firsts.contains(arg)))
            })
            || is_python_test(&program, &args)
            || (program == "node" && args.first() == Some(&"--test"))
            || (program == "find" && !args.iter().any(|arg| FIND_ACTIONS.contains(arg)));
        (!is_known).then(|| format!("strict policy: {program} is not known to only read or test"))
    })
}

const FIND_ACTIONS: [&str; 8] =
    ["-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fls", "-fprintf"];

fn is_python_test(program: &str, args: &[&str]) -> bool {
    matches!(program, "python" | "python3")
        && matches!(args, ["-m", "pytest" | "unittest" | "mypy" | "compileall", ..])
}
