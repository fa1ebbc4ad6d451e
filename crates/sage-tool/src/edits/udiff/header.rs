//! The lines of a diff that are not its text: names of files, ranges of hunks.

/// Whether a diff begins at `lines[at]`.
pub(in super::super) fn begins(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at) else { return false };
    line.starts_with("diff --git ") || is_header(lines, at)
}

/// `--- old` followed by `+++ new`, or one of them followed by a hunk.
pub(super) fn is_header(lines: &[&str], at: usize) -> bool {
    let starts = |at: usize, sign: &str| lines.get(at).is_some_and(|line| line.starts_with(sign));
    let hunk_follows = || lines.get(at + 1).is_some_and(|line| is_hunk(line));
    (starts(at, "--- ") && (starts(at + 1, "+++ ") || hunk_follows()))
        || (starts(at, "+++ ") && hunk_follows())
}

pub(super) fn is_hunk(line: &str) -> bool {
    line.starts_with("@@") && !line.starts_with("@@@")
}

/// Whether a line is the head of a hunk that hardly anything else looks like: with line numbers, or
/// with nothing in their place.
pub(in super::super) fn is_clear_hunk(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at).filter(|line| is_hunk(line)) else { return false };
    let is_bare = line.trim_matches(['@', '.', ' ', '\u{2026}', '\r']).is_empty();
    let is_signed = |line: &&str| line.starts_with([' ', '+', '-']);
    Ranges::of(line).is_some() || (is_bare && lines.get(at + 1).is_some_and(is_signed))
}

/// Whether all lines that are not blank have the sign of a diff's, and one of them is a change.
pub(in super::super) fn is_signed(lines: &[&str]) -> bool {
    let text = || lines.iter().filter(|line| !line.trim().is_empty());
    text().all(|line| line.starts_with([' ', '+', '-']))
        && text().any(|line| line.starts_with(['+', '-']))
}

/// A line that other programs write above a header.
pub(super) fn is_preamble(line: &str) -> bool {
    line.starts_with("Index: ")
        || (line.starts_with("diff -") && !line.starts_with("diff --"))
        || line.starts_with("# ")
        || (line.starts_with("=====") && line.trim_end().bytes().all(|byte| byte == b'='))
}

/// What `git format-patch` writes below a diff: two dashes and git's version.
pub(super) fn is_signature(lines: &[&str], at: usize) -> bool {
    let is_version = |line: &&str| {
        let line = line.trim_end();
        line.contains('.') && line.starts_with(|c: char| c.is_ascii_digit())
    };
    lines.get(at).is_some_and(|line| line.trim_end() == "--")
        && lines.get(at + 1).is_some_and(is_version)
}

/// The file's name in `a/x.py<tab>2024-01-01 10:00:00`.
pub(super) fn name(text: &str) -> String {
    let text = text.split('\t').next().unwrap_or_default().trim();
    if text.starts_with('"') {
        return unquoted(text);
    }
    // A date after a blank.
    let is_date = |rest: &str| {
        rest.len() >= 10
            && rest.bytes().take(4).all(|byte| byte.is_ascii_digit())
            && rest.as_bytes().get(4) == Some(&b'-')
            && rest.as_bytes().get(7) == Some(&b'-')
    };
    let date = text.match_indices(' ').find(|(at, _)| is_date(&text[at + 1..]));
    let name = date.map_or(text, |(at, _)| text[..at].trim_end()).trim_matches('`');
    if name.contains('/') { name.to_owned() } else { name.replace('\\', "/") }
}

/// A name in quotes, with git's escapes; other names are as they are.
pub(super) fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(first @ b'0'..=b'3') => {
                let digit = |byte: Option<u8>| byte.map_or(0, |byte| byte.wrapping_sub(b'0') & 7);
                let (second, third) = (digit(rest.next()), digit(rest.next()));
                bytes.push(((first - b'0') << 6) | (second << 3) | third);
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The path of `a/x b/x`, where both are the same; else the second of two plain names.
pub(super) fn git_paths(paths: &str) -> Option<String> {
    let paths = paths.trim_end();
    if paths.starts_with('"') {
        let (first, second) = paths.split_once("\" ")?;
        let (first, second) = (unquoted(&format!("{first}\"")), unquoted(second));
        let plain = second.strip_prefix("b/").map(str::to_owned);
        return plain.or_else(|| (first == second).then_some(second));
    }
    let Some(rest) = paths.strip_prefix("a/") else {
        // Without marks: the same name twice.
        let (old, new) = (paths.get(..paths.len() / 2)?, paths.get(paths.len() / 2 + 1..)?);
        return (old == new && !old.is_empty()).then(|| old.to_owned());
    };
    // The two names are equally long: `x b/x`.
    let n = rest.len().checked_sub(3)? / 2;
    if let (Some(old), Some(new)) = (rest.get(..n), rest.get(n..))
        && new.strip_prefix(" b/") == Some(old)
    {
        return Some(old.to_owned());
    }
    match rest.split(" b/").collect::<Vec<_>>().as_slice() {
        [_, new] => Some((*new).to_owned()),
        _ => None,
    }
}

/// The file that both names of a header mean.
pub(super) fn same_file(old: &str, new: &str) -> Option<String> {
    let plain = |name: &str, mark: &str| name.strip_prefix(mark).unwrap_or(name).to_owned();
    let (short_old, short_new) = (plain(old, "a/"), plain(new, "b/"));
    if short_old == short_new
        || old == format!("{new}.orig")
        || short_old == format!("{short_new}.orig")
    {
        return Some(short_new);
    }
    if old == new {
        return Some(new.to_owned());
    }
    // `old/x` and `new/x`.
    const MARKS: [(&str, &str); 6] = [
        ("old/", "new/"),
        ("orig/", "new/"),
        ("original/", "modified/"),
        ("original/", "updated/"),
        ("i/", "w/"),
        ("c/", "w/"),
    ];
    MARKS.iter().find_map(|(left, right)| {
        let (left, right) = (old.strip_prefix(left)?, new.strip_prefix(right)?);
        (left == right).then(|| right.to_owned())
    })
}

/// The numbers of a hunk: `@@ -1,2 +3,4 @@`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranges {
    old: usize,
    pub(super) n_old: usize,
    new: usize,
    pub(super) n_new: usize,
}

impl Ranges {
    pub(super) fn of(header: &str) -> Option<Self> {
        let mut words = header.split_whitespace().skip(1);
        let mut range = |sign: char| {
            let range = words.next()?.strip_prefix(sign)?;
            match range.split_once(',') {
                Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
                None => Some((range.parse().ok()?, 1)),
            }
        };
        let ((old, n_old), (new, n_new)) = (range('-')?, range('+')?);
        const MAX_LINE: usize = 1 << 40;
        let is_sane = [old, n_old, new, n_new].iter().all(|number| *number < MAX_LINE);
        is_sane.then_some(Self { old, n_old, new, n_new })
    }

    /// An empty range names the line before it.
    fn first_old(&self) -> usize {
        self.old + usize::from(self.n_old == 0)
    }

    pub(super) fn first_new(&self) -> usize {
        self.new + usize::from(self.n_new == 0)
    }
}

/// Whether the ranges of a file's hunks are in order and add up.
pub(super) fn agree(hunks: &[Ranges]) -> bool {
    let (mut n_added, mut n_removed, mut end) = (0, 0, 0);
    hunks.iter().all(|hunk| {
        let fits = hunk.first_old() > end;
        let adds_up = hunk.first_new() + n_removed == hunk.first_old() + n_added;
        end = (hunk.first_old() + hunk.n_old).saturating_sub(1);
        n_added += hunk.n_new;
        n_removed += hunk.n_old;
        fits && adds_up
    })
}

/// What follows the second `@@`, or the text of `@@ def f():`, where it says something.
pub(super) fn heading(header: &str) -> Option<String> {
    let rest = header.trim_start_matches('@');
    let text = match rest.split_once("@@") {
        Some((_, text)) => text,
        None if Ranges::of(header).is_some() => return None,
        None => rest,
    };
    let text = text.trim();
    let says_something = text.chars().filter(|c| c.is_alphanumeric()).count() >= 3;
    let is_number = text.starts_with(['-', '+']) && text.contains(',');
    (says_something && !is_number).then(|| text.to_owned())
}
