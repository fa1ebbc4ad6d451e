//! Programs that run the program they are given, and how each is told which.

use super::expand::{Part, program_of};
use super::shell::Word;

/// What a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inner {
    /// A text that is read as a command line.
    Line(String),
    /// A program with its arguments.
    Words {
        words: Vec<Word>,
        /// Whether more arguments follow at run time.
        more: bool,
    },
}

/// All that a program runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub runs: Vec<Inner>,
    /// Why what it runs is not known, or not all of it.
    pub unknown: Option<&'static str>,
}

const UNKNOWN_SCRIPT: &str = "the commands it runs are known only when it runs";
const PIPED_SCRIPT: &str = "it runs what another command prints";

/// What a part runs. `inputs` are the texts it is known to read.
pub(super) fn inner(part: &Part, inputs: &[&str]) -> Runs {
    let args = part.args();
    match part.program() {
        "env" => env(args),
        "command" if args.iter().any(|arg| matches!(arg.text.as_str(), "-v" | "-V")) => {
            Runs::default()
        }
        "nohup" | "setsid" | "exec" | "command" | "builtin" | "stdbuf" | "time" | "busybox"
        | "toybox" | "caffeinate" | "unbuffer" => {
            words(skip(args, &["-o", "-i", "-e", "-f", "-a"], 0))
        }
        "nice" | "ionice" | "chrt" | "schedtool" => words(skip(args, &["-n", "-c", "-p"], 0)),
        "unshare" | "nsenter" => words(skip(args, &["-t", "-S", "-G", "-R", "-w", "--target"], 0)),
        "chroot" => words(skip(args, &["--userspec", "--groups"], 1)),
        "ssh-agent" | "dbus-run-session" | "firejail" => words(skip(args, &["-a", "-t"], 0)),
        "timeout" => words(skip(args, &["-s", "-k", "--signal", "--kill-after"], 1)),
        "taskset" => words(skip(args, &["-p"], 1)),
        "strace" | "ltrace" => words(skip(args, &["-o", "-e", "-p", "-s", "-u", "-E", "-a"], 0)),
        "flock" => flock(args),
        "watch" => line_of(skip(args, &["-n", "-d", "--interval"], 0)),
        "xargs" | "parallel" => xargs(args),
        "eval" => line_of(args),
        "trap" => match args {
            [command, _, ..] if !command.text.starts_with('-') => line(command),
            _ => Runs::default(),
        },
        "find" | "fd" | "fdfind" => find(args),
        "script" => match value_of(args, &["-c", "--command"]) {
            Some(command) => line(command),
            None => Runs::default(),
        },
        "." | "source" if args.first().is_some_and(|file| !file.is_certain()) => unknown(),
        program if is_shell(program) => shell(part, inputs),
        _ => Runs::default(),
    }
}

/// Whether a program reads commands.
pub(super) fn is_shell(program: &str) -> bool {
    matches!(
        program,
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "mksh" | "ash" | "fish" | "rbash" | "csh" | "tcsh"
    )
}

/// Passes over options (those named take a value) and then `n_operands` arguments.
pub(super) fn skip<'a>(words: &'a [Word], with_value: &[&str], n_operands: usize) -> &'a [Word] {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        if first.text == "--" {
            rest = after;
            break;
        }
        if !first.text.starts_with('-') || first.text == "-" {
            break;
        }
        let n = usize::from(with_value.contains(&first.text.as_str()));
        rest = after.get(n..).unwrap_or_default();
    }
    rest.get(n_operands..).unwrap_or_default()
}

fn words(words: &[Word]) -> Runs {
    let runs = match words {
        [] => Vec::new(),
        words => vec![Inner::Words { words: words.to_vec(), more: false }],
    };
    Runs { runs, unknown: None }
}

fn line(word: &Word) -> Runs {
    line_of(std::slice::from_ref(word))
}

/// The words as one line; what of it is not plain text stays unknown.
fn line_of(words: &[Word]) -> Runs {
    if words.is_empty() {
        return Runs::default();
    }
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let unknown = words.iter().any(|word| word.dynamic).then_some(UNKNOWN_SCRIPT);
    Runs { runs: vec![Inner::Line(plain_again(&texts.join(" ")))], unknown }
}

/// What stood for the output of commands, which were found before, as a variable.
fn plain_again(text: &str) -> String {
    ["$((…))", "$(…)", "<(…)", ">(…)"]
        .iter()
        .fold(text.to_owned(), |text, mark| text.replace(mark, "$OUTPUT"))
}

fn unknown() -> Runs {
    Runs { runs: Vec::new(), unknown: Some(UNKNOWN_SCRIPT) }
}

fn value_of<'a>(args: &'a [Word], names: &[&str]) -> Option<&'a Word> {
    let at = args.iter().position(|arg| names.contains(&arg.text.as_str()))?;
    args.get(at + 1)
}

fn env(args: &[Word]) -> Runs {
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        let text = first.text.as_str();
        let split = text.strip_prefix("--split-string=").or_else(|| {
            let short = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
            short.split_once('S').map(|(_, line)| line)
        });
        if let Some(split) = split {
            let mut words = vec![Word { text: split.to_owned(), ..first.clone() }];
            words.extend_from_slice(after);
            words.retain(|word| !word.text.is_empty());
            return line_of(&words);
        }
        match text {
            "-u" | "-C" | "--unset" | "--chdir" => rest = after.get(1..).unwrap_or_default(),
            "--" => return words(after),
            "-" => rest = after,
            text if text.starts_with('-') => rest = after,
            _ => break,
        }
    }
    words(rest)
}

fn flock(args: &[Word]) -> Runs {
    let rest = skip(args, &["-w", "-E", "--timeout", "--wait"], 1);
    match rest {
        [option, command, ..] if matches!(option.text.as_str(), "-c" | "--command") => {
            line(command)
        }
        rest => words(rest),
    }
}

fn xargs(args: &[Word]) -> Runs {
    let with_value = ["-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E", "-i", "-J", "-R", "-j"];
    let rest = skip(args, &with_value, 0);
    let runs = match rest {
        [] => Vec::new(),
        rest => vec![Inner::Words { words: rest.to_vec(), more: true }],
    };
    Runs { runs, unknown: None }
}

fn find(args: &[Word]) -> Runs {
    const EXECS: [&str; 8] =
        ["-exec", "-execdir", "-ok", "-okdir", "-x", "-X", "--exec", "--exec-batch"];
    let mut runs = Vec::new();
    let mut rest = args;
    while let Some(at) = rest.iter().position(|arg| EXECS.contains(&arg.text.as_str())) {
        let inner = &rest[at + 1..];
        let end = inner.iter().position(|arg| matches!(arg.text.as_str(), ";" | "+"));
        let (command, after) = inner.split_at(end.unwrap_or(inner.len()));
        if !command.is_empty() {
            runs.push(Inner::Words { words: command.to_vec(), more: true });
        }
        rest = after;
    }
    Runs { runs, unknown: None }
}

fn shell(part: &Part, inputs: &[&str]) -> Runs {
    let args = part.args();
    let option = args.iter().position(|arg| {
        let text = arg.text.as_str();
        text.starts_with('-') && !text.starts_with("--") && text.ends_with('c')
    });
    if let Some(at) = option {
        return match args.get(at + 1) {
            Some(command) => line(command),
            None => Runs::default(),
        };
    }
    let reads_input = args.iter().all(|arg| arg.text.starts_with('-') || arg.text == "-")
        || args.iter().any(|arg| arg.text == "-s");
    if !reads_input {
        // A file of commands is a program like any other, unless it is made on the spot.
        let made = args.iter().any(|arg| !arg.text.starts_with('-') && !arg.is_certain());
        return if made { unknown() } else { Runs::default() };
    }
    if !inputs.is_empty() {
        let runs = inputs.iter().map(|text| Inner::Line((*text).to_owned())).collect();
        return Runs { runs, unknown: None };
    }
    let unknown = part.is_piped.then_some(PIPED_SCRIPT);
    let unknown = unknown.or((!part.reads.is_empty()).then_some(UNKNOWN_SCRIPT));
    Runs { runs: Vec::new(), unknown }
}

/// Whether a program downloads.
pub(super) fn is_download(word: &Word) -> bool {
    matches!(program_of(&word.text), "curl" | "wget" | "fetch" | "aria2c")
}
