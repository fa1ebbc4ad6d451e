//! What commands may do with git: read.

use super::expand::{Part, assignment};

/// Settings that `git -c` may change for one command: none of them names a program.
const HARMLESS_SETTINGS: [&str; 12] = [
    "color.",
    "core.quotepath",
    "core.autocrlf",
    "core.abbrev",
    "core.safecrlf",
    "log.",
    "diff.renames",
    "diff.context",
    "diff.noprefix",
    "status.",
    "column.",
    "advice.",
];
/// Variables of git's that do not name a program or another repository.
const HARMLESS_VARIABLES: [&str; 6] = [
    "GIT_TERMINAL_PROMPT",
    "GIT_OPTIONAL_LOCKS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_PAGER=cat",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_PAGER=",
];

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

/// Why a git command is denied, if it is.
pub(super) fn denied(part: &Part) -> Option<String> {
    const WITH_VALUE: [&str; 5] = ["-C", "-c", "--git-dir", "--work-tree", "--namespace"];
    let mut rest = part.args().iter().map(|arg| arg.text.as_str());
    let mut setting = None;
    let command = loop {
        let arg = rest.next()?;
        if WITH_VALUE.contains(&arg) {
            let value = rest.next().unwrap_or_default();
            let lower = value.to_lowercase();
            let is_harmless = HARMLESS_SETTINGS.iter().any(|known| lower.starts_with(known));
            if arg == "-c" && !is_harmless {
                setting = Some(value);
            }
        } else if !arg.starts_with('-') {
            break arg;
        }
    };
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
            && rest.clone().any(|arg| matches!(arg, "--get" | "--get-all" | "--list" | "-l")));
    if !only_reads {
        return Some(format!(
            "git {command} is not allowed: commands may only read the repository; the files are edited as they are"
        ));
    }
    if let Some(setting) = setting {
        return Some(format!(
            "git -c {setting} is not allowed: a setting may name a program to run"
        ));
    }
    let runs = |arg: &str| {
        matches!(arg, "--ext-diff" | "--open-files-in-pager" | "--textconv")
            || arg.starts_with("--open-files-in-pager=")
            || (command == "grep" && arg.starts_with("-O"))
    };
    if let Some(option) = rest.clone().find(|arg| runs(arg)) {
        return Some(format!("git {command} {option} is not allowed: it runs other programs"));
    }
    let variable = part.assigns.iter().find(|assign| {
        let is_harmless = HARMLESS_VARIABLES.iter().any(|known| assign.text.starts_with(known));
        assignment(assign).is_some_and(|(name, _)| name.starts_with("GIT_")) && !is_harmless
    });
    variable.map(|assign| {
        let name = assign.text.split('=').next().unwrap_or_default();
        format!("{name} is not allowed in front of git: it may name a program to run")
    })
}
