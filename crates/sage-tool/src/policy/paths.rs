//! Which paths a call touches, as far as its words tell.

use std::path::Path;

use super::expand::Part;
use super::guard;
use super::rule::Access;
use super::shell::Word;
use crate::path;

/// A path that something touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathUse {
    pub path: Place,
    pub access: Access,
    /// Whether it is touched for certain; a word of a program that is not known may be anything.
    pub is_certain: bool,
    /// Whether all below it is touched as well.
    pub is_deep: bool,
    /// Whether it is a word of a command.
    pub is_word: bool,
    /// As it was written.
    pub shown: String,
}

/// Where it is, relative to the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Any of these, as the folder that a command works in may have been changed before.
    Known(Vec<String>),
    /// What these patterns become.
    Pattern(Vec<String>),
}

impl PathUse {
    /// A path that a tool is given; normalised.
    pub fn of_tool(path: &str, access: Access) -> Self {
        Self {
            path: Place::Known(vec![path.to_owned()]),
            access,
            is_certain: true,
            is_deep: false,
            is_word: false,
            shown: path.to_owned(),
        }
    }
}

/// Folders in which a part of a line may work: the root, and wherever the line went before.
#[derive(Debug, Clone)]
pub(super) struct Folders(Vec<String>);

/// Most folders that are kept in mind.
const MAX_FOLDERS: usize = 8;

impl Default for Folders {
    fn default() -> Self {
        Self(vec![String::new()])
    }
}

impl Folders {
    /// Takes note of a `cd`.
    pub fn pass(&mut self, part: &Part, root: &Path) {
        if !matches!(part.program(), "cd" | "pushd") || self.0.len() >= MAX_FOLDERS {
            return;
        }
        let Some(to) = guard::operands(part.args()).next().filter(|to| to.is_certain()) else {
            return;
        };
        let new: Vec<String> =
            self.0.iter().filter_map(|from| within(from, &to.text, root)).collect();
        for folder in new {
            if !self.0.contains(&folder) {
                self.0.push(folder);
            }
        }
    }

    fn of(&self, text: &str, root: &Path) -> Vec<String> {
        self.0.iter().filter_map(|from| within(from, text, root)).collect()
    }
}

/// A path relative to the root, from one that is relative to a folder below it or absolute; nothing
/// when it is outside.
fn within(from: &str, text: &str, root: &Path) -> Option<String> {
    let joined = if text.starts_with('/') { text.to_owned() } else { format!("{from}/{text}") };
    let roots = [root];
    let relative = joined.trim_start_matches('/');
    let text = if text.starts_with('/') { text } else { relative };
    if text.is_empty()
        || text.split('/').all(|name| matches!(name, "" | ".")) && !text.starts_with('/')
    {
        return Some(String::new());
    }
    path::normalise(text, &roots).ok().map(|path| path.as_str().to_owned())
}

/// Every path that a part names. Without rules about paths there is no need to ask.
pub(super) fn uses(part: &Part, folders: &Folders, root: &Path) -> Vec<PathUse> {
    let mut found = Vec::new();
    let mut add = |word: &Word, access: Access, is_certain: bool, is_deep: bool| {
        if word.text.is_empty() || (word.is_home() && word.text.starts_with('~')) {
            return;
        }
        let path = if word.is_certain() {
            Place::Known(folders.of(&word.text, root))
        } else {
            let text = pattern_of(word);
            Place::Pattern(
                folders
                    .0
                    .iter()
                    .map(|from| match from.as_str() {
                        "" => text.clone(),
                        from => format!("{from}/{text}"),
                    })
                    .collect(),
            )
        };
        let shown = word.text.clone();
        found.push(PathUse { path, access, is_certain, is_deep, is_word: true, shown });
    };
    part.reads.iter().for_each(|word| add(word, Access::Read, true, false));
    let args = part.args();
    let kind = kind_of(part);
    let is_deep = kind.is_deep
        || args.iter().any(|arg| {
            arg.text == "--recursive"
                || (arg.text.starts_with('-')
                    && !arg.text.starts_with("--")
                    && arg.text.contains(['r', 'R']))
        });
    let last = guard::operands(args).last().cloned();
    for arg in args {
        let word = match arg.text.split_once('=') {
            Some((name, value)) if name.starts_with('-') || matches!(name, "if" | "of") => {
                Word { text: value.to_owned(), ..arg.clone() }
            }
            _ if arg.text.starts_with('-') => continue,
            // `git show REVISION:PATH`
            _ if part.program() == "git" && arg.text.contains(':') => {
                let path = arg.text.split_once(':').map_or("", |(_, path)| path);
                Word { text: path.to_owned(), ..arg.clone() }
            }
            _ => Word { text: arg.text.trim_start_matches('@').to_owned(), ..arg.clone() },
        };
        // What a variable holds matters where files are what a program is about.
        if !word.is_certain() && !kind.is_about_files {
            continue;
        }
        let is_target = kind.writes_last && last.as_ref() == Some(arg);
        if kind.writes_all || is_target || arg.text.starts_with("of=") {
            let access = if kind.removes { Access::Remove } else { Access::Write };
            add(&word, access, true, is_deep);
        }
        if !kind.writes_all && !is_target {
            add(&word, Access::Read, true, is_deep);
            if !kind.is_about_files {
                add(&word, Access::Write, false, is_deep);
            }
        }
    }
    if kind.reads_here && guard::operands(args).count() <= kind.n_patterns {
        add(&Word::plain("."), Access::Read, true, true);
    }
    if part.takes_more && kind.is_about_files {
        let access = if kind.writes_all { Access::Write } else { Access::Read };
        add(&Word { globbed: true, ..Word::unknown("**") }, access, true, true);
    }
    found
}

/// A file that the shell opens for writing.
pub(super) fn written(word: &Word, folders: &Folders, root: &Path) -> PathUse {
    let path = if word.is_certain() {
        Place::Known(folders.of(&word.text, root))
    } else {
        Place::Pattern(vec![pattern_of(word)])
    };
    let shown = word.text.clone();
    PathUse { path, access: Access::Write, is_certain: true, is_deep: false, is_word: false, shown }
}

/// What a program does with the files it is given.
#[derive(Default)]
struct Kind {
    is_about_files: bool,
    writes_all: bool,
    writes_last: bool,
    /// Whether what it writes is gone afterwards.
    removes: bool,
    is_deep: bool,
    /// Whether it reads the folder it is in when it is given none.
    reads_here: bool,
    /// How many of its arguments come before the files.
    n_patterns: usize,
}

fn kind_of(part: &Part) -> Kind {
    let is_recursive = part.args().iter().any(|arg| {
        let short = arg.text.starts_with('-') && !arg.text.starts_with("--");
        arg.text == "--recursive" || (short && arg.text.contains(['r', 'R']))
    });
    let files = Kind { is_about_files: true, ..Kind::default() };
    match part.program() {
        "rm" | "unlink" | "shred" | "rmdir" | "truncate" | "mv" => {
            Kind { writes_all: true, removes: true, ..files }
        }
        "find" if part.args().iter().any(|arg| arg.text == "-delete") => {
            Kind { writes_all: true, removes: true, is_deep: true, ..files }
        }
        "tee" | "touch" | "mkdir" | "chmod" | "chown" | "chgrp" | "mkfifo" => {
            Kind { writes_all: true, ..files }
        }
        "cp" | "ln" | "install" | "rsync" => Kind { writes_last: true, ..files },
        "sed" if part.args().iter().any(|arg| guard::is_in_place(&arg.text)) => {
            Kind { writes_all: true, ..files }
        }
        "rg" | "ag" | "ack" => Kind { reads_here: true, is_deep: true, n_patterns: 1, ..files },
        "grep" | "egrep" | "fgrep" if is_recursive => {
            Kind { reads_here: true, is_deep: true, n_patterns: 1, ..files }
        }
        "tar" | "zip" | "bsdtar" => Kind { is_deep: true, ..files },
        "cat" | "head" | "tail" | "less" | "more" | "grep" | "egrep" | "fgrep" | "wc" | "sort"
        | "uniq" | "diff" | "cmp" | "cut" | "nl" | "comm" | "od" | "xxd" | "hexdump"
        | "strings" | "base64" | "tac" | "rev" | "awk" | "gawk" | "sed" | "file" | "stat"
        | "ls" | "tree" | "find" | "du" | "md5sum" | "sha256sum" | "sha1sum" | "readlink"
        | "realpath" | "bat" | "jq" | "yq" | "cksum" | "split" | "dd" | "paste" | "join"
        | "fold" | "column" => files,
        _ => Kind::default(),
    }
}

/// A word as a pattern of paths: what is not known may be anything.
fn pattern_of(word: &Word) -> String {
    if !word.dynamic {
        return word.text.clone();
    }
    match word.text.find(['$', '<', '`']) {
        Some(at) => format!("{}**", &word.text[..at]),
        None => word.text.clone(),
    }
}

/// Whether two patterns of paths may be about the same path. Never says no wrongly.
pub(super) fn may_meet(one: &str, other: &str) -> bool {
    let names = |text: &str| -> Vec<String> {
        text.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect()
    };
    let (one, other) = (names(one), names(other));
    for at in 0.. {
        match (one.get(at), other.get(at)) {
            // A pattern that names a folder is about what is below it as well.
            (None, _) | (_, None) => return true,
            (Some(a), Some(b)) => {
                if a.contains("**") || b.contains("**") || a == ".." || b == ".." {
                    return true;
                }
                if !name_may_meet(a, b) {
                    return false;
                }
            }
        }
    }
    true
}

fn name_may_meet(a: &str, b: &str) -> bool {
    let is_pattern = |name: &str| name.contains(['*', '?', '[', '{', '\\', '$']);
    let fits = |pattern: &str, name: &str| {
        globset::Glob::new(pattern).map_or(true, |glob| glob.compile_matcher().is_match(name))
    };
    match (is_pattern(a), is_pattern(b)) {
        (false, false) => a == b,
        (true, false) => fits(a, b),
        (false, true) => fits(b, a),
        (true, true) => true,
    }
}

/// The hosts that a command names in addresses.
pub(super) fn hosts(part: &Part) -> Vec<String> {
    let of_word = |word: &Word| {
        let (_, rest) = word.text.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        (!host.is_empty()).then(|| super::rule::plain_host(host))
    };
    part.words.iter().filter_map(of_word).collect()
}
