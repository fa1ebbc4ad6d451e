//! Unified diffs, as `git diff` prints them and as models imitate them.
//!
//! A hunk becomes a replacement of its old lines by its new ones. Line numbers and counts, which
//! models get wrong, place nothing by themselves: only where every number of a file's diff agrees
//! with every other are they passed on, to decide between places that fit equally well. Where a diff
//! is not fenced, counts also tell a whole one from one that was cut off. Copies, links and binary
//! patches are refused, since dropping them would apply half of the diff.

mod header;

use super::error::ParseErrorKind;
use super::{Edit, Hunk};
use header::{
    Ranges, git_paths, is_header, is_hunk, is_preamble, is_signature, name, same_file, unquoted,
};

pub(super) use header::{begins, is_clear_hunk, is_signed};

/// What a diff does with its file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Update,
    Create,
    Delete,
}

/// Whether the text of a fence is a diff: it has headers, or at least hunks.
pub(super) fn is_diff(lines: &[&str]) -> bool {
    let first = lines.iter().position(|line| !line.trim().is_empty() && !is_preamble(line));
    first.is_some_and(|at| begins(lines, at) || is_hunk(lines[at]))
}

/// Reads a diff that fills all of `lines`; hunks before any header belong to `path`.
pub(super) fn parse(lines: &[&str], path: Option<&str>) -> Result<Vec<Edit>, ParseErrorKind> {
    let mut reader = Reader::new(lines, path, true);
    reader.read()?;
    Ok(reader.edits)
}

/// Reads the diff that begins at the start of `lines` and ends where something else begins; also
/// returns how many lines it has.
pub(super) fn parse_loose(
    lines: &[&str],
    path: Option<&str>,
) -> Result<(Vec<Edit>, usize), ParseErrorKind> {
    let mut reader = Reader::new(lines, path, false);
    reader.read()?;
    Ok((reader.edits, reader.at))
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    /// Everything is part of the diff.
    is_fenced: bool,
    /// Bodies have carriage returns that headers do not: they are meant.
    literal_endings: bool,
    path: Option<String>,
    kind: Kind,
    /// The current file was named by the diff itself.
    has_header: bool,
    /// The current file has had a hunk.
    has_hunk: bool,
    /// Something else was said about the current file: a rename, a mode.
    has_news: bool,
    /// Git's own lines say that the current file's text changes.
    expects_hunk: bool,
    /// Git's own lines say that the current file shall be empty.
    is_empty: bool,
    executable: bool,
    rename_from: Option<String>,
    /// The hunks of the current file: where in `edits`, and their ranges.
    hunks: Vec<(usize, Option<Ranges>)>,
    edits: Vec<Edit>,
}

/// A hunk's lines.
#[derive(Default)]
struct Body<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    is_changed: bool,
    old_open: bool,
    new_open: bool,
}

impl<'a> Reader<'a> {
    fn new(lines: &'a [&'a str], path: Option<&str>, is_fenced: bool) -> Self {
        let heads = lines.iter().filter(|line| line.starts_with("@@"));
        let literal_endings = lines.iter().any(|line| line.ends_with('\r'))
            && heads.clone().all(|line| !line.ends_with('\r'));
        Self {
            lines,
            at: 0,
            is_fenced,
            literal_endings,
            path: path.map(str::to_owned),
            kind: Kind::Update,
            has_header: false,
            has_hunk: false,
            has_news: false,
            expects_hunk: false,
            is_empty: false,
            executable: false,
            rename_from: None,
            hunks: Vec::new(),
            edits: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<(), ParseErrorKind> {
        while let Some(line) = self.lines.get(self.at) {
            if let Some(paths) = line.strip_prefix("diff --git ") {
                self.end_file()?;
                self.begin_file(git_paths(paths), Kind::Update);
                self.at += 1;
            } else if is_header(self.lines, self.at) {
                self.header()?;
            } else if is_hunk(line) {
                self.at += 1;
                self.hunk(Some(line))?;
            } else if self.extended(line)? || line.trim().is_empty() {
                self.at += 1;
            } else if is_signature(self.lines, self.at) {
                self.at += 2;
            } else if self.is_fenced && !self.has_hunk && line.starts_with([' ', '+', '-']) {
                // Changed lines without any header.
                self.hunk(None)?;
            } else if self.is_fenced && !self.has_hunk && is_preamble(line) {
                self.at += 1;
            } else if self.is_fenced {
                return Err(unsupported(line));
            } else {
                break;
            }
        }
        self.end_file()
    }

    /// A line between git's header and the hunks.
    fn extended(&mut self, line: &str) -> Result<bool, ParseErrorKind> {
        let line = line.trim_end();
        let mode = |mode: &str| match mode.trim() {
            "100644" | "100600" | "100664" => Ok(false),
            "100755" => Ok(true),
            _ => Err(unsupported(line)),
        };
        if let Some(found) = line.strip_prefix("new file mode ") {
            self.executable = mode(found)?;
            self.kind = Kind::Create;
        } else if let Some(found) = line.strip_prefix("deleted file mode ") {
            mode(found)?;
            self.kind = Kind::Delete;
        } else if let Some(found) = line.strip_prefix("old mode ") {
            mode(found)?;
        } else if let Some(found) = line.strip_prefix("new mode ") {
            let executable = mode(found)?;
            let path = self.path.clone().ok_or_else(|| unsupported(line))?;
            self.has_news = true;
            self.edits.push(Edit::SetMode { path, executable });
        } else if let Some(from) = line.strip_prefix("rename from ") {
            self.rename_from = Some(unquoted(from.trim()));
        } else if let Some(to) = line.strip_prefix("rename to ") {
            let path = self.rename_from.take().ok_or_else(|| unsupported(line))?;
            let to = unquoted(to.trim());
            if self.path.as_ref().is_some_and(|named| *named != to) {
                return Err(ParseErrorKind::Unfinished {
                    expected: "the whole new name".to_owned(),
                });
            }
            // Said of the file before its new name is known.
            for edit in &mut self.edits {
                if let Edit::SetMode { path: at, .. } = edit
                    && *at == to
                {
                    at.clone_from(&path);
                }
            }
            self.edits.push(Edit::Move { path, to: to.clone() });
            self.path = Some(to);
            self.has_news = true;
        } else if let Some(hashes) = line.strip_prefix("index ") {
            // A new empty file has a known hash; the old text of a deleted one may be left out.
            self.is_empty = hashes.contains("..e69de29");
            self.expects_hunk |= self.kind != Kind::Delete && !self.is_empty;
        } else if let Some(rest) = line.strip_prefix("similarity index ") {
            self.expects_hunk |= !rest.trim_end().starts_with("100%");
        } else if is_unsupported(line) {
            return Err(unsupported(line));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn begin_file(&mut self, path: Option<String>, kind: Kind) {
        self.path = path;
        self.kind = kind;
        self.has_header = true;
        self.has_hunk = false;
        self.has_news = false;
        self.expects_hunk = false;
        self.is_empty = false;
        self.executable = false;
        self.hunks.clear();
    }

    /// A file that is created empty, or deleted, has no hunk. The line numbers of the hunks count only
    /// together.
    fn end_file(&mut self) -> Result<(), ParseErrorKind> {
        self.number_hunks();
        let Some(path) = self.path.clone() else {
            // A file whose name could not be read, and about which something was said.
            let is_lost = self.has_header && !self.has_hunk;
            return if is_lost { Err(unsupported("diff --git")) } else { Ok(()) };
        };
        let is_mute = !self.has_news && self.kind == Kind::Update;
        let is_cut = self.kind == Kind::Create && !self.is_empty && self.ends_abruptly();
        if self.has_header && !self.has_hunk && (is_mute || is_cut || self.expects_hunk) {
            return Err(ParseErrorKind::Unfinished { expected: format!("the hunks for {path}") });
        }
        self.has_header = false;
        if self.kind == Kind::Delete {
            self.edits.push(Edit::Delete { path });
        } else if self.kind == Kind::Create && !self.has_hunk {
            self.edits.push(Edit::Create { path: path.clone(), content: String::new() });
            self.set_executable(path);
        }
        self.kind = Kind::Update;
        self.hunks.clear();
        Ok(())
    }

    /// A diff without a fence ends in the middle of git's own lines.
    fn ends_abruptly(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.lines.get(at));
        let follows = self.lines.get(self.at).is_some_and(|line| line.starts_with("diff --git "));
        let is_closed = before.is_none_or(|line| line.trim().is_empty());
        !self.is_fenced && !follows && (!is_closed || self.at == self.lines.len())
    }

    fn set_executable(&mut self, path: String) {
        if std::mem::take(&mut self.executable) {
            self.edits.push(Edit::SetMode { path, executable: true });
        }
    }

    fn number_hunks(&mut self) {
        let ranges: Option<Vec<Ranges>> = self.hunks.iter().map(|(_, ranges)| *ranges).collect();
        let Some(ranges) = ranges.filter(|ranges| header::agree(ranges)) else { return };
        for ((at, _), ranges) in self.hunks.iter().zip(&ranges) {
            if let Some(Edit::Hunk { hunk, .. }) = self.edits.get_mut(*at) {
                hunk.line = Some(ranges.first_new());
            }
        }
    }

    fn header(&mut self) -> Result<(), ParseErrorKind> {
        let named = |at: usize, sign: &str| {
            self.lines.get(at).and_then(|line| line.strip_prefix(sign)).map(name)
        };
        let old = named(self.at, "--- ");
        let new = named(if old.is_some() { self.at + 1 } else { self.at }, "+++ ");
        self.at += usize::from(old.is_some()) + usize::from(new.is_some());
        // The same file as in the git header above, unless that one is over.
        let in_git_header = self.has_header && !self.has_hunk && self.path.is_some();
        if !in_git_header {
            self.end_file()?;
        }
        let is_null = |name: &Option<String>| name.as_deref() == Some("/dev/null");
        let plain = |name: &str, mark: &str| name.strip_prefix(mark).unwrap_or(name).to_owned();
        let (path, kind) = match (old.clone(), new.clone()) {
            (Some(_), Some(_)) if is_null(&old) && is_null(&new) => {
                return Err(unsupported("--- /dev/null"));
            }
            (_, Some(new)) if is_null(&old) => (plain(&new, "b/"), Kind::Create),
            (Some(old), _) if is_null(&new) => (plain(&old, "a/"), Kind::Delete),
            (Some(old), Some(new)) => {
                let moved = self.has_news
                    && in_git_header
                    && self.path.as_deref() == Some(plain(&new, "b/").as_str());
                match same_file(&old, &new) {
                    Some(path) => (path, Kind::Update),
                    None if moved => (plain(&new, "b/"), Kind::Update),
                    None => {
                        let what = "a renamed file".to_owned();
                        return Err(ParseErrorKind::Unsupported { what });
                    }
                }
            }
            (Some(old), None) => (plain(&old, "a/"), Kind::Update),
            (None, Some(new)) => (plain(&new, "b/"), Kind::Update),
            (None, None) => return Ok(()),
        };
        if in_git_header && (self.has_news || self.kind != Kind::Update) {
            // What git's own lines say about the file stays true.
            self.path = Some(path);
            return Ok(());
        }
        self.begin_file(Some(path), kind);
        Ok(())
    }

    fn hunk(&mut self, head: Option<&str>) -> Result<(), ParseErrorKind> {
        let ranges = head.and_then(Ranges::of);
        let mut body = Body::default();
        // Blank lines without a sign are context if more of the hunk follows.
        let mut n_blank = 0;
        while let Some(line) = self.lines.get(self.at) {
            let is_due = |n_lines: usize| {
                ranges.is_some_and(|ranges| {
                    body.old.len() + n_blank + n_lines <= ranges.n_old
                        && body.new.len() + n_blank + n_lines <= ranges.n_new
                })
            };
            // A removed line followed by an added one may look like the header of the next file.
            let is_text = is_header(self.lines, self.at)
                && is_due(1)
                && !self.lines.get(self.at + 2).is_some_and(|line| is_hunk(line) && !is_due(2));
            if is_hunk(line)
                || (begins(self.lines, self.at) && !is_text)
                || is_extended(line)
                || is_signature(self.lines, self.at)
            {
                break;
            }
            // The first half of a signature.
            let is_last = self.at + 1 == self.lines.len();
            if is_last
                && line.trim_end() == "--"
                && ranges.is_some_and(|it| body.old.len() >= it.n_old)
            {
                break;
            }
            // A list after a diff that is complete.
            if !self.is_fenced && ranges.is_some() && n_blank > 0 && !is_due(1) && !is_due(0) {
                break;
            }
            let sign = match line.chars().next() {
                None | Some('\r') => {
                    n_blank += 1;
                    self.at += 1;
                    continue;
                }
                Some(sign) => sign,
            };
            if !matches!(sign, ' ' | '+' | '-' | '\\') {
                if self.is_fenced {
                    return Err(unsupported(line));
                }
                break;
            }
            let blank = if self.literal_endings { "\r" } else { "" };
            for _ in 0..std::mem::take(&mut n_blank) {
                body.old.push(blank);
                body.new.push(blank);
            }
            body.take(sign, &line[1..], self.at.checked_sub(1).and_then(|at| self.lines.get(at)));
            self.at += 1;
        }
        let is_at_end = self.at == self.lines.len();
        if let Some(ranges) = ranges
            && !self.is_fenced
            && is_at_end
            && (body.old.len() + n_blank < ranges.n_old || body.new.len() + n_blank < ranges.n_new)
        {
            let expected = "the rest of the hunk".to_owned();
            return Err(ParseErrorKind::Unfinished { expected });
        }
        let is_empty = body.old.is_empty() && body.new.is_empty() && is_at_end;
        let says_place = head.is_some_and(|head| head.chars().any(char::is_alphanumeric));
        if is_empty && (says_place || !self.is_fenced) {
            let expected = "the lines of the hunk".to_owned();
            return Err(ParseErrorKind::Unfinished { expected });
        }
        if body.is_changed {
            self.push(&body, head, ranges)?;
        } else {
            self.has_hunk = true;
        }
        Ok(())
    }

    fn push(
        &mut self,
        body: &Body<'_>,
        head: Option<&str>,
        ranges: Option<Ranges>,
    ) -> Result<(), ParseErrorKind> {
        let text =
            |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let had_hunk = std::mem::replace(&mut self.has_hunk, true);
        let hunk = Hunk {
            search: text(&body.old),
            replace: text(&body.new),
            anchors: head.and_then(header::heading).into_iter().collect(),
            is_heading: true,
            is_marked: true,
            old_open: body.old_open,
            new_open: body.new_open,
            literal_endings: self.literal_endings,
            ..Hunk::default()
        };
        match (self.kind, self.path.clone()) {
            (Kind::Create, Some(path)) => {
                if had_hunk || !body.old.is_empty() {
                    return Err(unsupported("a hunk with old lines for a new file"));
                }
                let mut content = hunk.replace;
                if body.new_open {
                    content.pop();
                }
                if !self.literal_endings {
                    content = content.replace("\r\n", "\n");
                }
                self.edits.push(Edit::Create { path: path.clone(), content });
                self.set_executable(path);
            }
            (Kind::Delete, path) => {
                if had_hunk || !body.new.is_empty() {
                    return Err(unsupported("a hunk with new lines for a deleted file"));
                }
                let hunk = Hunk { is_whole: true, old_open: false, ..hunk };
                self.edits.push(Edit::Hunk { path, hunk });
            }
            (_, path) => {
                let agrees = |ranges: &Ranges| {
                    ranges.n_old == body.old.len() && ranges.n_new == body.new.len()
                };
                self.hunks.push((self.edits.len(), ranges.filter(agrees)));
                self.edits.push(Edit::Hunk { path, hunk });
            }
        }
        Ok(())
    }
}

impl<'a> Body<'a> {
    fn take(&mut self, sign: char, text: &'a str, before: Option<&&str>) {
        match sign {
            '+' => self.new.push(text),
            '-' => self.old.push(text),
            '\\' => {
                let before = before.and_then(|line| line.chars().next());
                self.old_open |= before != Some('+');
                self.new_open |= before != Some('-');
            }
            _ => {
                self.old.push(text);
                self.new.push(text);
            }
        }
        self.is_changed |= matches!(sign, '+' | '-');
    }
}

fn is_extended(line: &str) -> bool {
    const STARTS: [&str; 9] = [
        "index ",
        "new file mode ",
        "deleted file mode ",
        "old mode ",
        "new mode ",
        "rename from ",
        "rename to ",
        "similarity index ",
        "diff --",
    ];
    STARTS.iter().any(|start| line.starts_with(start)) || is_unsupported(line)
}

fn is_unsupported(line: &str) -> bool {
    const STARTS: [&str; 7] = [
        "copy from ",
        "copy to ",
        "GIT binary patch",
        "Binary files ",
        "diff --cc ",
        "diff --combined ",
        "@@@ ",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
}

fn unsupported(line: &str) -> ParseErrorKind {
    let line: String = line.chars().take(80).collect();
    ParseErrorKind::Unsupported { what: format!("the line {line:?} in a diff") }
}
