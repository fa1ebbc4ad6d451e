//! What strict mode lets through without asking: what is known to only read or test.

use super::expand::{Part, assignment};
use super::wrappers;

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

/// Variables that change what a program runs or loads.
const RISKY: [&str; 28] = [
    "PATH",
    "IFS",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "RUBYLIB",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "RUSTC",
    "CC",
    "CXX",
    "MAKEFLAGS",
    "SHELL",
];
const RISKY_PREFIXES: [&str; 7] =
    ["LD_", "DYLD_", "GIT_", "CARGO_", "RUSTC_", "npm_config_", "NPM_CONFIG_"];

/// The name of a variable before a command that changes what it runs, if there is one.
pub(super) fn risky_assignment(part: &Part) -> Option<&str> {
    part.assigns.iter().filter_map(assignment).map(|(name, _)| name).find(|name| {
        RISKY.contains(name) || RISKY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// Why a program is not on the list of strict mode, if it is not. Files that the shell opens for it are
/// judged elsewhere.
pub(super) fn objection(part: &Part) -> Option<String> {
    if let Some(name) = risky_assignment(part) {
        return Some(format!("{name} changes what it runs"));
    }
    let first = part.words.first()?;
    let program = part.program();
    let args: Vec<&str> = part.args().iter().map(|word| word.text.as_str()).collect();
    let has = |options: &[&str]| {
        args.iter().any(|arg| {
            options.iter().any(|option| {
                *arg == *option
                    || (option.starts_with("--") && arg.starts_with(&format!("{option}=")))
            })
        })
    };
    let acts = match program {
        "sort" => {
            has(&["--output", "--compress-program"]) || args.iter().any(|arg| is_short(arg, 'o'))
        }
        "tree" => args.iter().any(|arg| is_short(arg, 'o')),
        "rg" => has(&["--pre", "--hostname-bin"]),
        "uniq" => args.iter().filter(|arg| !arg.starts_with('-')).count() > 1,
        "date" => has(&["--set"]) || args.iter().any(|arg| is_short(arg, 's')),
        "file" => has(&["-C", "--compile"]),
        _ => false,
    };
    // A path may lead to anything; the names are those of the system's programs.
    let is_by_name = !first.text.contains('/') || super::rule::is_system_path(&first.text);
    let is_gradle = first.text == "./gradlew"
        && args.first().is_some_and(|arg| matches!(*arg, "test" | "check"));
    let is_known = is_gradle
        || (is_by_name
            && !acts
            && (part.is_wrapper && part.unknown.is_none() && !wrappers::is_shell(program)
                || READING.contains(&program)
                || TESTING.iter().any(|(name, firsts)| {
                    *name == program
                        && (firsts.is_empty()
                            || args.first().is_some_and(|arg| firsts.contains(arg)))
                })
                || is_python_test(program, &args)
                || (program == "node" && args.first() == Some(&"--test"))
                || (program == "find" && !args.iter().any(|arg| FIND_ACTIONS.contains(arg)))));
    (!is_known).then(|| format!("{program} is not known to only read or test"))
}

fn is_short(arg: &str, option: char) -> bool {
    arg.starts_with('-') && !arg.starts_with("--") && arg.contains(option)
}

const FIND_ACTIONS: [&str; 8] =
    ["-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fls", "-fprintf"];

fn is_python_test(program: &str, args: &[&str]) -> bool {
    matches!(program, "python" | "python3")
        && matches!(args, ["-m", "pytest" | "unittest" | "mypy" | "compileall", ..])
}
