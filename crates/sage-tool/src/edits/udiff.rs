//! Unified diffs, as `git diff` prints them and as models imitate them.
//!
//! A hunk becomes a replacement of its old lines by its new ones. Line numbers and counts, which
//! models get wrong, place nothing; where a diff is not fenced they only tell a whole one from one
//! that was cut off. Renames, modes and binary patches are refused, since dropping them would apply
//! half of the diff.

use super::Edit;
use super::error::ParseErrorKind;

/// What a diff does with its file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Create,
    Delete,
}

/// Whether a diff begins at `lines[at]`.
pub(super) fn begins(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at) else { return false };
    line.starts_with("diff --git ") || is_header(lines, at)
}

/// `--- old` followed by `+++ new`.
fn is_header(lines: &[&str], at: usize) -> bool {
    let starts = |at: usize, sign: &str| lines.get(at).is_some_and(|line| line.starts_with(sign));
    starts(at, "--- ") && starts(at + 1, "+++ ")
}

/// Whether the text of a fence is a diff: it has headers, or at least hunks.
pub(super) fn is_diff(lines: &[&str]) -> bool {
    let first = lines.iter().position(|line| !line.trim().is_empty());
    first.is_some_and(|at| begins(lines, at) || is_hunk(lines[at]))
}

fn is_hunk(line: &str) -> bool {
    line.starts_with("@@")
}

/// Reads a diff that fills all of `lines`; hunks before any header belong to `path`.
pub(super) fn parse(lines: &[&str], path: Option<&str>) -> Result<Vec<Edit>, ParseErrorKind> {
    let mut reader = Reader::new(lines, path, true);
    reader.read()?;
    Ok(reader.edits)
}

/// Reads the diff that begins at the start of `lines` and ends where something else begins; also
/// returns how many lines it has.
pub(super) fn parse_loose(lines: &[&str]) -> Result<(Vec<Edit>, usize), ParseErrorKind> {
    let mut reader = Reader::new(lines, None, false);
    reader.read()?;
    Ok((reader.edits, reader.at))
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    /// Everything is part of the diff.
    is_fenced: bool,
    path: Option<String>,
    kind: Kind,
    /// The current file has had a hunk.
    has_hunk: bool,
    edits: Vec<Edit>,
}

impl<'a> Reader<'a> {
    fn new(lines: &'a [&'a str], path: Option<&str>, is_fenced: bool) -> Self {
        let path = path.map(str::to_owned);
        let kind = Kind::Update;
        Self { lines, at: 0, is_fenced, path, kind, has_hunk: false, edits: Vec::new() }
    }

    fn read(&mut self) -> Result<(), ParseErrorKind> {
        while let Some(line) = self.lines.get(self.at) {
            if let Some(paths) = line.strip_prefix("diff --git ") {
                self.end_file();
                self.begin_file(git_path(paths), Kind::Update);
                self.at += 1;
            } else if is_header(self.lines, self.at) {
                self.header()?;
            } else if is_hunk(line) {
                self.at += 1;
                self.hunk(counts(line))?;
            } else if line.starts_with("new file mode") {
                self.kind = Kind::Create;
                self.at += 1;
            } else if line.starts_with("deleted file mode") {
                self.kind = Kind::Delete;
                self.at += 1;
            } else if line.starts_with("index ") || line.trim().is_empty() {
                self.at += 1;
            } else if is_unsupported(line) {
                return Err(unsupported(line));
            } else if self.is_fenced && !self.has_hunk && line.starts_with([' ', '+', '-']) {
                // Changed lines without any header.
                self.hunk(None)?;
            } else if self.is_fenced {
                return Err(unsupported(line));
            } else {
                break;
            }
        }
        self.end_file();
        Ok(())
    }

    fn begin_file(&mut self, path: Option<String>, kind: Kind) {
        self.path = path;
        self.kind = kind;
        self.has_hunk = false;
    }

    /// A file that is created empty, or deleted, has no hunk.
    fn end_file(&mut self) {
        let Some(path) = self.path.clone().filter(|_| !self.has_hunk) else { return };
        match self.kind {
            Kind::Update => {}
            Kind::Create => self.edits.push(Edit::Create { path, content: String::new() }),
            Kind::Delete => self.edits.push(Edit::Delete { path }),
        }
        self.has_hunk = true;
    }

    fn header(&mut self) -> Result<(), ParseErrorKind> {
        let name = |line: &str| {
            let name = line[4..].split('\t').next().unwrap_or_default().trim();
            name.trim_matches('"').to_owned()
        };
        let (old, new) = (name(self.lines[self.at]), name(self.lines[self.at + 1]));
        self.at += 2;
        // The same file as in the git header above, unless that one is over.
        if self.has_hunk {
            self.end_file();
        }
        let is_null = |name: &str| name == "/dev/null";
        let plain = |name: &str, mark: &str| name.strip_prefix(mark).unwrap_or(name).to_owned();
        let (path, kind) = match (is_null(&old), is_null(&new)) {
            (true, true) => return Err(unsupported("--- /dev/null")),
            (true, false) => (plain(&new, "b/"), Kind::Create),
            (false, true) => (plain(&old, "a/"), Kind::Delete),
            (false, false) => match (old.strip_prefix("a/"), new.strip_prefix("b/")) {
                (Some(old), Some(new)) if old == new => (new.to_owned(), Kind::Update),
                _ if old == new => (new, Kind::Update),
                // One side with a mark only, or a backup name.
                _ if plain(&old, "a/") == plain(&new, "b/") => (plain(&new, "b/"), Kind::Update),
                _ if old == format!("{new}.orig") => (new, Kind::Update),
                _ => return Err(ParseErrorKind::Unsupported { what: "a renamed file".to_owned() }),
            },
        };
        self.begin_file(Some(path), kind);
        Ok(())
    }

    fn hunk(&mut self, counts: Option<(usize, usize)>) -> Result<(), ParseErrorKind> {
        let (mut old, mut new): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        let (mut is_changed, mut is_open) = (false, false);
        // Blank lines without a sign are context if more of the hunk follows.
        let mut n_blank = 0;
        while let Some(line) = self.lines.get(self.at) {
            if is_hunk(line) || begins(self.lines, self.at) || is_unsupported(line) {
                break;
            }
            let Some(sign) = line.chars().next() else {
                n_blank += 1;
                self.at += 1;
                continue;
            };
            if !matches!(sign, ' ' | '+' | '-' | '\\') {
                if self.is_fenced {
                    return Err(unsupported(line));
                }
                break;
            }
            old.extend(std::iter::repeat_n("", n_blank));
            new.extend(std::iter::repeat_n("", n_blank));
            n_blank = 0;
            let text = &line[1..];
            match sign {
                '+' => new.push(text),
                '-' => old.push(text),
                '\\' => is_open = true,
                _ => {
                    old.push(text);
                    new.push(text);
                }
            }
            is_changed |= matches!(sign, '+' | '-');
            self.at += 1;
        }
        let is_at_end = self.at == self.lines.len();
        if let Some((n_old, n_new)) = counts
            && !self.is_fenced
            && is_at_end
            && (old.len() + n_blank < n_old || new.len() + n_blank < n_new)
        {
            let expected = "the rest of the hunk".to_owned();
            return Err(ParseErrorKind::Unfinished { expected });
        }
        if is_changed {
            self.push(&old, &new, is_open);
        }
        Ok(())
    }

    fn push(&mut self, old: &[&str], new: &[&str], is_open: bool) {
        let text =
            |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let had_hunk = std::mem::replace(&mut self.has_hunk, true);
        let edit = match (self.kind, self.path.clone()) {
            (Kind::Create, Some(path)) => {
                let mut content = text(new);
                if is_open {
                    content.pop();
                }
                Edit::Create { path, content }
            }
            (Kind::Delete, Some(_)) if had_hunk => return,
            (Kind::Delete, Some(path)) => Edit::Delete { path },
            (_, path) => Edit::Replace { path, search: text(old), replace: text(new) },
        };
        self.edits.push(edit);
    }
}

/// The path of `a/x b/x`, where both are the same.
fn git_path(paths: &str) -> Option<String> {
    let rest = paths.strip_prefix("a/")?;
    // The two names are equally long: `x b/x`.
    let n = rest.len().checked_sub(3)? / 2;
    let (old, new) = (rest.get(..n)?, rest.get(n..)?.strip_prefix(" b/")?);
    (old == new).then(|| new.to_owned())
}

/// Lines of the old and the new text: `@@ -1,2 +3,4 @@`.
fn counts(header: &str) -> Option<(usize, usize)> {
    let mut words = header.split_whitespace().skip(1);
    let mut count = |sign: char| {
        let range = words.next()?.strip_prefix(sign)?;
        range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok())
    };
    Some((count('-')?, count('+')?))
}

fn is_unsupported(line: &str) -> bool {
    const STARTS: [&str; 9] = [
        "rename from ",
        "rename to ",
        "copy from ",
        "copy to ",
        "similarity index ",
        "old mode ",
        "new mode ",
        "GIT binary patch",
        "Binary files ",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
}

fn unsupported(line: &str) -> ParseErrorKind {
    let line: String = line.chars().take(80).collect();
    ParseErrorKind::Unsupported { what: format!("the line {line:?} in a diff") }
}
