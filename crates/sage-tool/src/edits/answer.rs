//! Reads the edits out of a model's answer.
//!
//! Invariant: either every edit of the answer is read, or none. What is not certain to be an edit is
//! talk; what is certain to be one and cannot be read is an error.

mod fences;
mod finish;

use super::error::{ParseError, ParseErrorKind};
use super::fence::{Fence, FenceEnd};
use super::labels::{label, label_in_comment, label_in_tag, label_with_blanks, path_in_prose};
use super::{Edit, Hunk, begin_patch, search_replace, udiff};

/// How an edit was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Search/replace blocks.
    SearchReplace,
    /// Unified diffs.
    Udiff,
    /// `*** Begin Patch`.
    Patch,
    /// Whole files.
    Whole,
    /// JSON objects.
    Json,
}

impl Format {
    /// Its name for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SearchReplace => "search-replace",
            Self::Udiff => "udiff",
            Self::Patch => "patch",
            Self::Whole => "whole",
            Self::Json => "json",
        }
    }
}

/// What is known about an answer beforehand.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions<'a> {
    /// The file of edits that name none.
    pub default_path: Option<&'a str>,
    /// The one format to read; everything else is talk, or text of a file.
    pub format: Option<Format>,
}

/// The edits of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The edits, in order.
    pub edits: Vec<Edit>,
    /// How each was written.
    pub formats: Vec<Format>,
    /// Every line of the answer ends with a carriage return, of which the edits keep nothing.
    pub is_crlf: bool,
}

impl Answer {
    /// The name of the format of all edits: `mixed` for several, `None` without edits.
    #[must_use]
    pub fn format(&self) -> Option<&'static str> {
        let first = *self.formats.first()?;
        let same = self.formats.iter().all(|format| *format == first);
        Some(if same { first.name() } else { "mixed" })
    }
}

/// Longest answer that is read.
pub const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Most edits in one answer.
pub const MAX_EDITS: usize = 5_000;

/// Reads the edits of an answer, in order; none at all is not an error.
///
/// Understood: search/replace blocks, with or without a code fence, the path on the line before, on
/// the fence, or on the opening marker; whole files in a code fence with the path on the line before,
/// on the fence, or as the first line inside; unified diffs; `*** Begin Patch`; JSON objects with a
/// file and its content or a replacement. A block without a path belongs to the file of the block right before it, else to
/// `default_path`. A code fence without a path is an edit only if `default_path` is given and it is
/// the answer's only code. Thoughts (`<think>`) and prose are skipped.
pub fn parse_answer(text: &str, default_path: Option<&str>) -> Result<Vec<Edit>, ParseError> {
    read_answer(text, ReadOptions { default_path, format: None }).map(|answer| answer.edits)
}

/// Like [`parse_answer`], with more known and more told.
pub fn read_answer(text: &str, options: ReadOptions<'_>) -> Result<Answer, ParseError> {
    let too_large = |what: String| ParseError {
        kind: ParseErrorKind::TooLarge { what },
        block: 0,
        line: 1,
        path: None,
    };
    if text.len() > MAX_ANSWER_BYTES {
        let what = format!("the answer has {} bytes, more than {MAX_ANSWER_BYTES}", text.len());
        return Err(too_large(what));
    }
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let raw: Vec<&str> = text.split('\n').collect();
    let raw = if text.ends_with('\n') || text.is_empty() { &raw[..raw.len() - 1] } else { &raw };
    let lines: Vec<&str> = raw.iter().map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let mut reader = Reader::new(&lines, raw, options);
    reader.read()?;
    let mut answer = reader.finish()?;
    let n_ended = raw.len() - usize::from(!text.ends_with('\n') && !raw.is_empty());
    answer.is_crlf = n_ended > 0 && raw[..n_ended].iter().all(|line| line.ends_with('\r'));
    if answer.edits.len() > MAX_EDITS {
        let what = format!("the answer has {} edits, more than {MAX_EDITS}", answer.edits.len());
        return Err(too_large(what));
    }
    Ok(answer)
}

/// Names of the tags around thoughts.
const THOUGHTS: [&str; 4] = ["think", "thinking", "thought", "reasoning"];

/// Lines between a label and the fence that it is for.
const MAX_BLANK_LINES: usize = 2;

struct Reader<'a> {
    lines: &'a [&'a str],
    /// The same lines with their carriage returns.
    raw: &'a [&'a str],
    options: ReadOptions<'a>,
    default_path: Option<&'a str>,
    /// The next line.
    at: usize,
    /// The line after the last one that was read as an edit.
    read_to: usize,
    edits: Vec<Edit>,
    formats: Vec<Format>,
    /// Lines (from 0) on which the edits begin.
    starts: Vec<usize>,
    /// The fence around search/replace blocks that is open now, and its path.
    open: Option<(Fence, Option<String>)>,
    /// The file of the last block, while nothing but blank lines and fences followed it.
    current: Option<String>,
    /// Code without a path: its first line and its text.
    unnamed: Vec<(usize, String)>,
    /// Fences (first and last line) of changed lines alone, without hunks or headers.
    signed: Vec<(usize, usize)>,
    /// The first unnamed code that never ends.
    unfinished: Option<usize>,
}

impl<'a> Reader<'a> {
    fn new(lines: &'a [&'a str], raw: &'a [&'a str], options: ReadOptions<'a>) -> Self {
        Self {
            lines,
            raw,
            options,
            default_path: options.default_path,
            at: 0,
            read_to: 0,
            edits: Vec::new(),
            formats: Vec::new(),
            starts: Vec::new(),
            open: None,
            current: None,
            unnamed: Vec::new(),
            signed: Vec::new(),
            unfinished: None,
        }
    }

    fn read(&mut self) -> Result<(), ParseError> {
        while let Some(line) = self.lines.get(self.at) {
            if self.skip_thought(line) {
                continue;
            }
            if self.reads(Format::SearchReplace) && search_replace::is_head(line) {
                self.block()?;
            } else if self.reads(Format::Patch) && begin_patch::begins(line) {
                self.patch()?;
            } else if self.reads(Format::Patch) && begin_patch::is_stray(line) {
                let what = format!("{:?} outside of *** Begin Patch", line.trim());
                return Err(self.error(ParseErrorKind::Unsupported { what }, self.at, None));
            } else if self.reads(Format::Udiff) && self.diff_begins() {
                self.diff()?;
            } else if let Some(fence) = Fence::of(line) {
                self.fence(fence)?;
            } else if let Some(path) = self.tag_begins() {
                self.tagged_file(path)?;
            } else {
                if !line.trim().is_empty() && label(line).is_none() {
                    self.current = None;
                }
                self.at += 1;
                continue;
            }
            self.read_to = self.at;
        }
        Ok(())
    }

    fn reads(&self, format: Format) -> bool {
        self.options.format.is_none_or(|only| only == format)
    }

    /// A diff with a header, or with hunks for the file that was asked for.
    fn diff_begins(&self) -> bool {
        udiff::begins(self.lines, self.at)
            || (self.default_path.is_some() && udiff::is_clear_hunk(self.lines, self.at))
    }

    fn error(&self, kind: ParseErrorKind, start: usize, path: Option<String>) -> ParseError {
        ParseError { kind, block: self.edits.len() + 1, line: start + 1, path }
    }

    fn push(&mut self, start: usize, format: Format, edit: Edit) {
        self.starts.push(start);
        self.formats.push(format);
        self.edits.push(edit);
    }

    /// Skips a thought that begins on this line. A closing tag alone ends a thought whose opening tag
    /// was part of the prompt: whatever was read so far was thought, not said.
    fn skip_thought(&mut self, line: &str) -> bool {
        let line = line.trim();
        let opened = THOUGHTS.iter().find(|name| {
            line.strip_prefix('<')
                .and_then(|rest| rest.strip_prefix(**name))
                .is_some_and(|rest| rest.starts_with('>'))
        });
        if let Some(name) = opened {
            let close = format!("</{name}>");
            let end = (self.at..self.lines.len()).find(|at| self.lines[*at].contains(&close));
            self.at = end.unwrap_or(self.lines.len()) + 1;
            return true;
        }
        let closes = THOUGHTS.iter().any(|name| {
            line.strip_suffix('>')
                .and_then(|rest| rest.strip_suffix(name))
                .is_some_and(|rest| rest.ends_with("</"))
        });
        if closes {
            let rest = Self::new(self.lines, self.raw, self.options);
            *self = Self { at: self.at + 1, ..rest };
        }
        closes
    }

    /// A search/replace block that opens on the next line.
    fn block(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let named = self.path_before(start);
        let block = search_replace::parse(self.lines, start)
            .map_err(|kind| self.error(kind, start, named.clone().or(self.current.clone())))?;
        let path = block
            .path
            .or(named)
            .or_else(|| self.current.clone())
            .or_else(|| self.default_path.map(str::to_owned));
        self.current.clone_from(&path);
        let edit = match block.line {
            None => Edit::Replace { path, search: block.search, replace: block.replace },
            line => {
                let hunk = Hunk { line, ..Hunk::plain(block.search, block.replace) };
                Edit::Hunk { path, hunk }
            }
        };
        self.push(start, Format::SearchReplace, edit);
        self.at = block.end;
        Ok(())
    }

    fn patch(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let (edits, end) =
            begin_patch::parse(self.lines, start).map_err(|kind| self.error(kind, start, None))?;
        edits.into_iter().for_each(|edit| self.push(start, Format::Patch, edit));
        self.current = None;
        self.at = end;
        Ok(())
    }

    /// A diff without a fence.
    fn diff(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let lines = self.diff_lines(start, self.lines.len());
        let (edits, n_lines) = udiff::parse_loose(&lines[start..], self.default_path)
            .map_err(|kind| self.error(kind, start, None))?;
        edits.into_iter().for_each(|edit| self.push(start, Format::Udiff, edit));
        self.current = None;
        self.at = start + n_lines.max(1);
        Ok(())
    }

    /// The lines of a diff: with carriage returns where these are part of its text, since its headers
    /// have none.
    fn diff_lines(&self, start: usize, end: usize) -> &'a [&'a str] {
        let is_head = |at: usize| self.lines[at].starts_with("@@");
        let heads_are_plain = (start..end).all(|at| !is_head(at) || !self.raw[at].ends_with('\r'));
        if heads_are_plain { self.raw } else { self.lines }
    }

    /// The path that is written before a block: inside the fence, on the fence, before the fence.
    fn path_before(&self, start: usize) -> Option<String> {
        let mut is_fenced = false;
        let mut n_blank = 0;
        for at in (0..start).rev() {
            let line = self.lines[at];
            if line.trim().is_empty() && n_blank < MAX_BLANK_LINES {
                n_blank += 1;
            } else if self.block_ends_at(at) {
                break;
            } else if Fence::of(line).is_some() && self.open.is_some() && !is_fenced {
                // The path on the fence goes before a path in prose above it.
                if let Some((_, Some(path))) = &self.open {
                    return Some(path.clone());
                }
                is_fenced = true;
            } else {
                let named =
                    label(line).or_else(|| label_in_comment(line)).or_else(|| label_in_tag(line));
                return named
                    .or_else(|| path_in_prose(line))
                    .or_else(|| label_with_blanks(line))
                    .or_else(|| self.open_path());
            }
        }
        self.open_path()
    }

    fn open_path(&self) -> Option<String> {
        self.open.as_ref().and_then(|(_, path)| path.clone())
    }

    fn block_ends_at(&self, at: usize) -> bool {
        self.lines[at].trim_start().starts_with(">>>>>") && !self.starts.is_empty()
    }
}
