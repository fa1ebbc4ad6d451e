//! Reads the edits out of a model's answer.
//!
//! Invariant: either every edit of the answer is read, or none. What is not certain to be an edit is
//! talk; what is certain to be one and cannot be read is an error.

use super::error::{ParseError, ParseErrorKind};
use super::fence::{Fence, FenceEnd};
use super::labels::{label, label_in_comment, label_with_blanks, path_in_prose};
use super::language::{Fit, fit, is_prose};
use super::{Edit, begin_patch, json_patch, search_replace, udiff};

/// Reads the edits of an answer, in order; none at all is not an error.
///
/// Understood: search/replace blocks, with or without a code fence, the path on the line before, on
/// the fence, or on the opening marker; whole files in a code fence with the path on the line before,
/// on the fence, or as the first line inside; unified diffs; `*** Begin Patch`; JSON objects with a
/// file and its content or a replacement. A block without a path belongs to the file of the block right before it, else to
/// `default_path`. A code fence without a path is an edit only if `default_path` is given and it is
/// the answer's only code. Thoughts (`<think>`) and prose are skipped.
pub fn parse_answer(text: &str, default_path: Option<&str>) -> Result<Vec<Edit>, ParseError> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text).replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().collect();
    let mut reader = Reader::new(&lines, default_path);
    reader.read()?;
    reader.finish()
}

/// Names of the tags around thoughts.
const THOUGHTS: [&str; 4] = ["think", "thinking", "thought", "reasoning"];

/// Lines between a label and the fence that it is for.
const MAX_BLANK_LINES: usize = 2;

struct Reader<'a> {
    lines: &'a [&'a str],
    default_path: Option<&'a str>,
    /// The next line.
    at: usize,
    edits: Vec<Edit>,
    /// Lines (from 0) on which the edits begin.
    starts: Vec<usize>,
    /// The fence around search/replace blocks that is open now, and its path.
    open: Option<(Fence, Option<String>)>,
    /// The file of the last block, while nothing but blank lines and fences followed it.
    current: Option<String>,
    /// Code without a path: its first line and its text.
    unnamed: Vec<(usize, String)>,
    /// The first unnamed code that never ends.
    unfinished: Option<usize>,
}

impl<'a> Reader<'a> {
    fn new(lines: &'a [&'a str], default_path: Option<&'a str>) -> Self {
        Self {
            lines,
            default_path,
            at: 0,
            edits: Vec::new(),
            starts: Vec::new(),
            open: None,
            current: None,
            unnamed: Vec::new(),
            unfinished: None,
        }
    }

    fn read(&mut self) -> Result<(), ParseError> {
        while let Some(line) = self.lines.get(self.at) {
            if self.skip_thought(line) {
                continue;
            }
            if search_replace::is_head(line) {
                self.block()?;
            } else if begin_patch::begins(line) {
                self.patch()?;
            } else if udiff::begins(self.lines, self.at) {
                self.diff()?;
            } else if let Some(fence) = Fence::of(line) {
                self.fence(fence)?;
            } else {
                if !line.trim().is_empty() && label(line).is_none() {
                    self.current = None;
                }
                self.at += 1;
            }
        }
        Ok(())
    }

    fn error(&self, kind: ParseErrorKind, start: usize, path: Option<String>) -> ParseError {
        ParseError { kind, block: self.edits.len() + 1, line: start + 1, path }
    }

    fn push(&mut self, start: usize, edit: Edit) {
        self.starts.push(start);
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
            let rest = Self::new(self.lines, self.default_path);
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
        self.push(start, Edit::Replace { path, search: block.search, replace: block.replace });
        self.at = block.end;
        Ok(())
    }

    fn patch(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let (edits, end) =
            begin_patch::parse(self.lines, start).map_err(|kind| self.error(kind, start, None))?;
        edits.into_iter().for_each(|edit| self.push(start, edit));
        self.current = None;
        self.at = end;
        Ok(())
    }

    /// A diff without a fence.
    fn diff(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let (edits, n_lines) = udiff::parse_loose(&self.lines[start..])
            .map_err(|kind| self.error(kind, start, None))?;
        edits.into_iter().for_each(|edit| self.push(start, edit));
        self.current = None;
        self.at = start + n_lines.max(1);
        Ok(())
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
                let named = label(line).or_else(|| label_in_comment(line));
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

    fn fence(&mut self, fence: Fence) -> Result<(), ParseError> {
        let start = self.at;
        let before = self.label_before(start);
        // A fence right below a file's name opens, even if the one before it was never closed.
        if let Some((opening, _)) = &self.open
            && fence.closes(opening)
            && before.is_none()
        {
            self.open = None;
            self.at += 1;
            return Ok(());
        }
        let path = match (&fence.info.path, &before) {
            (Some(info), Some(before)) if before.ends_with(info.as_str()) => Some(before.clone()),
            (Some(info), _) => Some(info.clone()),
            (None, before) => before.clone(),
        };
        if self.holds_blocks(&fence, start, path.is_some()) {
            self.open = Some((fence, path));
            self.at += 1;
            return Ok(());
        }
        match path {
            Some(path) => self.named_fence(&fence, start, path),
            None => self.unnamed_fence(&fence, start),
        }
    }

    /// The label on the last line before `start` that is not blank.
    fn label_before(&self, start: usize) -> Option<String> {
        let above = (0..start).rev().take(MAX_BLANK_LINES + 1);
        let line = above.map(|at| self.lines[at]).find(|line| !line.trim().is_empty())?;
        label(line)
    }

    /// Whether a fence is around search/replace blocks. With a path the blocks come first, perhaps
    /// after the path; without one they may come anywhere in it.
    fn holds_blocks(&self, fence: &Fence, start: usize, is_named: bool) -> bool {
        for (at, line) in self.lines.iter().enumerate().skip(start + 1) {
            if search_replace::is_head(line) || begin_patch::begins(line) {
                return true;
            }
            if Fence::of(line).is_some_and(|found| found.closes(fence)) {
                return false;
            }
            let may_precede = line.trim().is_empty()
                || at == start + 1 && (label(line).is_some() || label_in_comment(line).is_some());
            if is_named && !may_precede {
                return false;
            }
        }
        false
    }

    /// A whole file.
    fn named_fence(&mut self, fence: &Fence, start: usize, path: String) -> Result<(), ParseError> {
        let end = match fence.end(self.lines, start, Some(&path)) {
            FenceEnd::At(end) => end,
            FenceEnd::Unclear => {
                return Err(self.error(ParseErrorKind::UnclearFence, start, Some(path)));
            }
            FenceEnd::Missing => {
                let expected = fence.sign.to_string().repeat(fence.len);
                let kind = ParseErrorKind::Unfinished { expected };
                return Err(self.error(kind, start, Some(path)));
            }
        };
        self.at = end + 1;
        let mut body = &self.lines[start + 1..end];
        let language = &fence.info.language;
        match fit(language, &path) {
            Fit::Fits => {}
            Fit::Shell => return Ok(()),
            Fit::Differs => {
                let kind = ParseErrorKind::WrongLanguage { language: language.clone() };
                return Err(self.error(kind, start, Some(path)));
            }
        }
        if is_diff_fence(fence, body) && !path.ends_with(".diff") && !path.ends_with(".patch") {
            return self.diff_fence(body, start, Some(path));
        }
        if search_replace::has_block(body) && !is_prose(&path) {
            return Err(self.error(ParseErrorKind::UnclearMarkers, start, Some(path)));
        }
        // The name may be repeated on the first line, where it is no part of the file.
        if let Some((first, rest)) = body.split_first()
            && label_in_code(first).is_some_and(|found| path.ends_with(&found))
        {
            body = rest;
        }
        let content = joined(body, fence.indent);
        self.current = None;
        self.push(start, Edit::Write { path, content });
        Ok(())
    }

    /// Code that nothing names, except perhaps its own first line.
    fn unnamed_fence(&mut self, fence: &Fence, start: usize) -> Result<(), ParseError> {
        let end = fence.end(self.lines, start, self.default_path);
        let last = if let FenceEnd::At(last) = end { last } else { self.lines.len() };
        let body = &self.lines[start + 1..last];
        if self.names_files(start + 1, last) {
            // It may have swallowed the fences of files.
            return Err(self.error(ParseErrorKind::UnclearFence, start, None));
        }
        self.current = None;
        self.at = last + 1;
        if end != FenceEnd::At(last) {
            self.unfinished.get_or_insert(start);
            return Ok(());
        }
        let language = &fence.info.language;
        if let Some(path) = body.first().and_then(|line| label_in_code(line))
            && fit(language, &path) == Fit::Fits
        {
            return self.named_fence(fence, start, path);
        }
        // Lines with signs alone, for no file, are an illustration.
        if is_diff_fence(fence, body) && udiff::is_diff(body) {
            return self.diff_fence(body, start, self.default_path.map(str::to_owned));
        }
        let content = joined(body, fence.indent);
        if matches!(language.as_str(), "" | "json") {
            let edits = json_patch::parse(&content, self.default_path)
                .map_err(|(kind, path)| self.error(kind, start, path))?;
            if !edits.is_empty() {
                edits.into_iter().for_each(|edit| self.push(start, edit));
                return Ok(());
            }
        }
        if let Some(path) = body.first().and_then(|line| label_in_comment(line))
            && self.default_path != Some(path.as_str())
            && fit(language, &path) == Fit::Fits
        {
            self.push(start, Edit::Create { path, content });
        } else if self.default_path.is_none_or(|path| fit(language, path) == Fit::Fits) {
            self.unnamed.push((start, content));
        }
        Ok(())
    }

    fn diff_fence(
        &mut self,
        body: &[&str],
        start: usize,
        path: Option<String>,
    ) -> Result<(), ParseError> {
        let edits = udiff::parse(body, path.as_deref())
            .map_err(|kind| self.error(kind, start, path.clone()))?;
        self.current = None;
        edits.into_iter().for_each(|edit| self.push(start, edit));
        Ok(())
    }

    /// Whether a fence between two lines has the name of a file.
    fn names_files(&self, start: usize, end: usize) -> bool {
        (start..end).any(|at| {
            Fence::of(self.lines[at]).is_some_and(|fence| {
                let named = fence.info.path.or_else(|| self.label_before(at));
                named.is_some_and(|path| fit(&fence.info.language, &path) == Fit::Fits)
            })
        })
    }

    /// What can be said only when the whole answer is read.
    fn finish(mut self) -> Result<Vec<Edit>, ParseError> {
        if self.edits.is_empty() && self.unnamed.is_empty() && self.unfinished.is_none() {
            self.loose_json()?;
        }
        if self.edits.is_empty()
            && let Some(path) = self.default_path
        {
            if let Some(start) = self.unfinished {
                let kind = ParseErrorKind::Unfinished { expected: "```".to_owned() };
                return Err(self.error(kind, start, Some(path.to_owned())));
            }
            if let [(start, content)] = self.unnamed.as_slice() {
                let (start, content) = (*start, content.clone());
                self.push(start, Edit::Write { path: path.to_owned(), content });
            }
        }
        self.refuse_contradictions()?;
        Ok(self.edits)
    }

    /// JSON without a fence: all of the answer, or from some line on.
    fn loose_json(&mut self) -> Result<(), ParseError> {
        let opens = |line: &&str| line.starts_with(['{', '[']);
        let Some(start) = self.lines.iter().position(opens) else { return Ok(()) };
        let text = self.lines[start..].join("\n");
        let edits = json_patch::parse(&text, self.default_path)
            .map_err(|(kind, path)| self.error(kind, start, path))?;
        edits.into_iter().for_each(|edit| self.push(start, edit));
        Ok(())
    }

    /// The same file twice with the same content is one edit; with different contents it is an error.
    fn refuse_contradictions(&mut self) -> Result<(), ParseError> {
        let mut kept: Vec<Edit> = Vec::with_capacity(self.edits.len());
        for (index, edit) in self.edits.iter().enumerate() {
            let Edit::Write { path, content } = edit else {
                kept.push(edit.clone());
                continue;
            };
            let earlier = kept.iter().find_map(|other| match other {
                Edit::Write { path: other, content } if other == path => Some(content),
                _ => None,
            });
            match earlier {
                None => kept.push(edit.clone()),
                Some(earlier) if earlier == content => {}
                Some(_) => {
                    return Err(ParseError {
                        kind: ParseErrorKind::Contradiction,
                        block: index + 1,
                        line: self.starts[index] + 1,
                        path: Some(path.clone()),
                    });
                }
            }
        }
        self.edits = kept;
        Ok(())
    }
}

fn is_diff_fence(fence: &Fence, body: &[&str]) -> bool {
    match fence.info.language.as_str() {
        "diff" | "patch" | "udiff" => true,
        "" | "text" => udiff::is_diff(body),
        _ => false,
    }
}

/// A path on a line of code that cannot be part of the code; a comment can.
fn label_in_code(line: &str) -> Option<String> {
    label(line).filter(|_| label_in_comment(line).is_none())
}

/// The lines of a fence as text, without the indentation of the fence.
fn joined(lines: &[&str], indent: usize) -> String {
    let unindented = |line: &&str| {
        let n_blank = line.bytes().take(indent).take_while(|byte| *byte == b' ').count();
        format!("{}\n", &line[n_blank..])
    };
    lines.iter().map(unindented).collect()
}
