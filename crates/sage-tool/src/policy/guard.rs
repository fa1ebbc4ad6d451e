//! The built-in rules: what no plan, no file and no flag can allow.

use std::path::Path;

use globset::Glob;

use super::expand::{Part, Parts};
use super::git;
use super::shell::Word;
use super::wrappers::{is_download, is_shell};
use crate::path;

/// Why each part is denied, if it is; in the order of the parts.
pub(super) fn objections(parts: &Parts, root: &Path) -> Vec<Option<String>> {
    let mut guard = Guard { root, has_left: false, has_downloaded: false };
    parts.parts.iter().map(|part| guard.part(part)).collect()
}

struct Guard<'a> {
    root: &'a Path,
    /// Whether a `cd` led outside, so that relative paths mean nothing known.
    has_left: bool,
    /// Whether something was downloaded in the line before.
    has_downloaded: bool,
}

impl Guard<'_> {
    fn part(&mut self, part: &Part) -> Option<String> {
        let target = part.writes.iter().find_map(|word| self.objection_to_write(word));
        if target.is_some() {
            return target;
        }
        let first = part.words.first()?;
        if self.has_downloaded && runs_what_it_is_given(part) {
            return Some("running what was downloaded is not allowed".to_owned());
        }
        self.has_downloaded |= is_download(first);
        self.program(part.program(), part)
    }

    fn program(&mut self, program: &str, part: &Part) -> Option<String> {
        let args = part.args();
        let has = |wanted: &[&str]| args.iter().any(|arg| wanted.contains(&arg.text.as_str()));
        match program {
            "sudo" | "su" | "doas" | "pkexec" | "run0" | "runuser" | "sudoedit" => {
                Some(format!("{program} is not allowed: nothing runs with other rights"))
            }
            "shutdown" | "reboot" | "halt" | "poweroff" | "mount" | "umount" | "insmod"
            | "modprobe" | "rmmod" | "kexec" => Some(format!("{program} is not allowed")),
            "crontab" | "at" | "batch" | "systemd-run" => {
                Some(format!("{program} is not allowed: what it starts outlives the run"))
            }
            "systemctl" if has(&["reboot", "poweroff", "halt", "kexec"]) => {
                Some("systemctl may not stop the machine".to_owned())
            }
            "init" | "telinit" if has(&["0", "6"]) => Some(format!("{program} is not allowed")),
            "wipefs" | "mkswap" | "fdisk" | "sfdisk" | "parted" | "mkfs" => {
                Some(format!("{program} is not allowed: it writes to disks"))
            }
            _ if program.starts_with("mkfs.") => {
                Some(format!("{program} is not allowed: it writes to disks"))
            }
            "sage" => sage(args),
            "git" => {
                let writes = args.iter().find_map(|arg| arg.text.strip_prefix("--output="));
                let writes = writes.and_then(|to| self.objection_to_write(&Word::plain(to)));
                git::denied(part).or(writes)
            }
            "rm" | "unlink" | "shred" => self.rm(part),
            "cd" | "pushd" => {
                let to = operands(args).next();
                // From inside, relative names say nothing of where they lead.
                if let Some(to) = to.filter(|to| names_protected(to)) {
                    return Some(protected(&to.text));
                }
                self.has_left |= to.is_none_or(|to| self.is_outside(to));
                None
            }
            "find" | "fd" | "fdfind" => self.find(args),
            _ => self.writer(program, args),
        }
    }

    /// Programs that write where their arguments say.
    fn writer(&self, program: &str, args: &[Word]) -> Option<String> {
        let mut targets: Vec<Word> = Vec::new();
        let plain = |text: &str, word: &Word| Word { text: text.to_owned(), ..word.clone() };
        match program {
            "dd" => targets.extend(
                args.iter().filter_map(|arg| Some(plain(arg.text.strip_prefix("of=")?, arg))),
            ),
            "tee" | "touch" | "truncate" | "mkdir" | "rmdir" | "chmod" | "chown" | "chgrp"
            | "mkfifo" | "mknod" | "mv" | "setfacl" | "chattr" => {
                targets.extend(operands(args).cloned());
            }
            "cp" | "ln" | "install" | "rsync" | "scp" => {
                let sources = operands(args).filter(|arg| names_protected(arg) && program == "ln");
                targets.extend(sources.cloned());
                targets.extend(operands(args).last().cloned());
                targets.extend(values(args, &["-t", "--target-directory"]));
            }
            "sed" if args.iter().any(|arg| is_in_place(&arg.text)) => {
                // The first argument is what to do, unless an option says it.
                let says = |arg: &Word| {
                    matches!(arg.text.as_str(), "-e" | "-f") || arg.text.starts_with("--expression")
                };
                let n_script = usize::from(!args.iter().any(says));
                targets.extend(operands(args).skip(n_script).cloned());
            }
            "perl" | "ruby" if args.iter().any(|arg| is_short_with(&arg.text, 'i')) => {
                targets.extend(operands(args).cloned());
            }
            "curl" => targets.extend(values(args, &["-o", "--output", "--output-dir"])),
            "wget" => targets.extend(values(args, &["-O", "--output-document", "-P"])),
            "tar" | "bsdtar" if args.first().is_some_and(|arg| arg.text.contains('x')) => {
                targets.extend(values(args, &["-C", "--directory"]))
            }
            "unzip" => targets.extend(values(args, &["-d"])),
            "sort" => targets.extend(values(args, &["-o", "--output"])),
            "patch" => targets.extend(values(args, &["-d", "-o", "--directory", "--output"])),
            _ => {}
        }
        targets.iter().find_map(|word| self.objection_to_write(word))
    }

    fn rm(&self, part: &Part) -> Option<String> {
        let args = part.args();
        let is_recursive = args.iter().take_while(|arg| arg.text != "--").any(|arg| {
            arg.text == "--recursive"
                || is_short_with(&arg.text, 'r')
                || is_short_with(&arg.text, 'R')
        });
        if !is_recursive {
            return operands(args).find_map(|arg| self.objection_to_write(arg));
        }
        if part.takes_more && self.has_left {
            return Some("rm -r outside the work tree is not allowed".to_owned());
        }
        operands(args).find_map(|target| {
            let text = target.text.as_str();
            if names_protected(target) {
                return Some(protected(text));
            }
            // An unset variable would make these the root of the file system.
            let is_bare_variable = text.starts_with('$')
                && text.split_once('/').is_some_and(|(_, rest)| matches!(rest, "" | "*"));
            let is_all = matches!(text.trim_end_matches('/'), "." | ".." | "");
            if is_bare_variable || is_all || self.is_outside(target) {
                return Some(format!(
                    "rm -r of {text} is not allowed: it reaches outside the work tree or all of it"
                ));
            }
            None
        })
    }

    fn find(&self, args: &[Word]) -> Option<String> {
        const ACTIONS: [&str; 8] =
            ["-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fls", "-fprintf"];
        if !args.iter().any(|arg| ACTIONS.contains(&arg.text.as_str())) {
            return None;
        }
        let files = values(args, &["-fprint", "-fls", "-fprintf"]);
        let mut roots = args.iter().take_while(|arg| !arg.text.starts_with('-'));
        let outside = roots.find(|root| self.is_outside(root));
        let outside = outside.map(|root| format!("find may not change what is in {}", root.text));
        outside.or_else(|| files.iter().find_map(|file| self.objection_to_write(file)))
    }

    fn objection_to_write(&self, target: &Word) -> Option<String> {
        const DEVICES: [&str; 6] =
            ["/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero", "/dev/fd"];
        let text = target.text.as_str();
        if DEVICES.contains(&text) || text.starts_with("/dev/fd/") {
            return None;
        }
        if names_protected(target) {
            return Some(protected(text));
        }
        self.is_outside(target)
            .then(|| format!("writing to {text} is not allowed: it is outside the work tree"))
    }

    /// Whether a path leads out of the tree, as far as its text tells.
    fn is_outside(&self, word: &Word) -> bool {
        let text = word.text.as_str();
        if word.is_home() || text == "-" {
            return true;
        }
        let is_relative = !text.starts_with(['/', '$']);
        (self.has_left && is_relative) || matches!(path::leaves(text, self.root), Some(true))
    }
}

/// Whether a part runs commands or code that came from another command.
fn runs_what_it_is_given(part: &Part) -> bool {
    let program = part.program();
    let is_interpreter = ["python", "perl", "ruby", "node", "php", "lua", "deno", "bun"]
        .iter()
        .any(|name| program.starts_with(name));
    let is_fed = part.is_piped && part.args().iter().all(|arg| arg.text.starts_with('-'));
    (is_shell(program) && (part.is_piped || part.unknown.is_some()))
        || (matches!(program, "eval" | "." | "source") && part.unknown.is_some())
        || (is_interpreter && is_fed)
}

/// A command must not drive the program that runs it: it could give itself permissions.
fn sage(args: &[Word]) -> Option<String> {
    const READING: [&str; 9] =
        ["version", "help", "log", "status", "plan", "doctor", "commands", "completions", "models"];
    let command = args.iter().map(|arg| arg.text.as_str()).find(|arg| !arg.starts_with('-'))?;
    (!READING.contains(&command))
        .then(|| format!("sage {command} is not allowed from a command of a run"))
}

/// The arguments that are not options.
pub(super) fn operands(args: &[Word]) -> impl Iterator<Item = &Word> {
    let mut only_operands = false;
    args.iter().filter(move |arg| {
        if arg.text == "--" && !only_operands {
            only_operands = true;
            return false;
        }
        only_operands || !arg.text.starts_with('-') || arg.text == "-"
    })
}

/// The values of options, however they are attached.
pub(super) fn values(args: &[Word], names: &[&str]) -> Vec<Word> {
    let mut found = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        for name in names {
            if arg.text == *name {
                found.extend(args.get(at + 1).cloned());
                continue;
            }
            let Some(rest) = arg.text.strip_prefix(name) else { continue };
            let value = if name.starts_with("--") { rest.strip_prefix('=') } else { Some(rest) };
            found.extend(value.map(|value| Word { text: value.to_owned(), ..arg.clone() }));
        }
    }
    found
}

pub(super) fn is_in_place(arg: &str) -> bool {
    is_short_with(arg, 'i') || arg == "--in-place" || arg.starts_with("--in-place=")
}

fn is_short_with(arg: &str, option: char) -> bool {
    let short = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    short.is_some_and(|rest| rest.contains(option))
}

fn names_protected(word: &Word) -> bool {
    let names = word.text.split('/').filter(|name| !name.is_empty() && *name != ".");
    let is_sage = |name: &str| name.trim_end_matches(['.', ' ']).eq_ignore_ascii_case(".sage");
    // A person's own `.sage` may be anywhere above a nested path; only names count here.
    names
        .into_iter()
        .any(|name| path::is_git(name) || is_sage(name) || (word.globbed && may_be_protected(name)))
}

/// Whether a pattern may become a protected name; a pattern finds hidden names only by their dot.
fn may_be_protected(name: &str) -> bool {
    let begins = name.starts_with('.') || name.starts_with("{.") || name.starts_with("[.");
    let Some(glob) = begins.then(|| Glob::new(name).ok()).flatten() else { return false };
    let matcher = glob.compile_matcher();
    matcher.is_match(".git") || matcher.is_match(".sage")
}

fn protected(text: &str) -> String {
    format!("{text} is protected: nothing in .git or .sage may be changed")
}
