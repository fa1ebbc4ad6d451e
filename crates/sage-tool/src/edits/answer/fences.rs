//! Code fences of an answer: around blocks, whole files, diffs, JSON, or illustrations.

use super::{Edit, Fence, FenceEnd, Format, MAX_BLANK_LINES, ParseError, ParseErrorKind, Reader};
use crate::edits::labels::{is_language_too, label, label_in_comment, label_in_tag};
use crate::edits::language::{Fit, fit, is_prose};
use crate::edits::{begin_patch, json_patch, search_replace, udiff};

/// What ends a file in a tag.
const TAG_END: &str = "</file>";

impl Reader<'_> {
    pub(super) fn fence(&mut self, fence: Fence) -> Result<(), ParseError> {
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
            (Some(info), Some(before))
                if before.ends_with(info.as_str()) || is_also(before, info) =>
            {
                Some(before.clone())
            }
            (Some(info), None) if is_language_too(info) && self.is_default(info) => {
                self.default_path.map(str::to_owned)
            }
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

    /// Whether a name is the file that was asked for, without its folder.
    fn is_default(&self, name: &str) -> bool {
        self.default_path.is_some_and(|path| path.rsplit('/').next() == Some(name))
    }

    /// The label on the last line before `start` that is not blank.
    fn label_before(&self, start: usize) -> Option<String> {
        let above = (0..start).rev().take(MAX_BLANK_LINES + 1);
        let line = above.map(|at| self.lines[at]).find(|line| !line.trim().is_empty())?;
        label(line).or_else(|| label_in_tag(line))
    }

    /// Whether a fence is around search/replace blocks. With a path the blocks come first, perhaps
    /// after the path; without one they may come anywhere in it.
    fn holds_blocks(&self, fence: &Fence, start: usize, is_named: bool) -> bool {
        for (at, line) in self.lines.iter().enumerate().skip(start + 1) {
            if (self.reads(Format::SearchReplace) && search_replace::is_head(line))
                || (self.reads(Format::Patch) && begin_patch::begins(line))
            {
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
        if self.reads(Format::Udiff)
            && is_diff_fence(fence, &dedented(body, fence.indent))
            && !path.ends_with(".diff")
            && !path.ends_with(".patch")
        {
            return self.diff_fence(start, end, Some(path));
        }
        if !self.reads(Format::Whole) {
            return Ok(());
        }
        if self.options.format.is_none() && search_replace::has_block(body) && !is_prose(&path) {
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
        self.push(start, Format::Whole, Edit::Write { path, content });
        Ok(())
    }

    /// The path of a tag around a file's text, which is not a fence, a block, a diff or a patch.
    pub(super) fn tag_begins(&self) -> Option<String> {
        let path = label_in_tag(self.lines[self.at])
            .filter(|_| self.lines[self.at].starts_with("<file ") && self.reads(Format::Whole))?;
        let below = (self.at + 1..self.lines.len()).take_while(|at| self.lines[*at] != TAG_END);
        let holds_edits = |at: usize| {
            let line = self.lines[at];
            Fence::of(line).is_some()
                || search_replace::is_head(line)
                || begin_patch::begins(line)
                || udiff::begins(self.lines, at)
                || label_in_tag(line).is_some()
        };
        let mut below = below.peekable();
        let is_path_alone = below.peek().is_none() && self.lines.get(self.at + 1).is_none();
        (!is_path_alone && !below.any(holds_edits)).then_some(path)
    }

    /// A whole file between `<file path="...">` and `</file>`.
    pub(super) fn tagged_file(&mut self, path: String) -> Result<(), ParseError> {
        let start = self.at;
        let Some(n_lines) = self.lines[start + 1..].iter().position(|line| *line == TAG_END) else {
            let kind = ParseErrorKind::Unfinished { expected: TAG_END.to_owned() };
            return Err(self.error(kind, start, Some(path)));
        };
        let content = joined(&self.lines[start + 1..start + 1 + n_lines], 0);
        self.current = None;
        self.push(start, Format::Whole, Edit::Write { path, content });
        self.at = start + n_lines + 2;
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
            if body.iter().all(|line| line.trim().is_empty()) {
                return Ok(());
            }
            self.unfinished.get_or_insert(start);
            return Ok(());
        }
        let language = &fence.info.language;
        // Lines with signs alone, for no file, are an illustration.
        let flush = dedented(body, fence.indent);
        let is_diff = is_diff_fence(fence, &flush) && udiff::is_diff(&flush);
        if let Some(path) = body.first().and_then(|line| label_in_code(line))
            && !is_diff
            && fit(language, &path) == Fit::Fits
        {
            return self.named_fence(fence, start, path);
        }
        if self.reads(Format::Udiff) && is_diff {
            return self.diff_fence(start, last, self.default_path.map(str::to_owned));
        }
        if self.reads(Format::Udiff) && is_diff_language(fence) && udiff::is_signed(&flush) {
            self.signed.push((start, last));
            return Ok(());
        }
        let content = joined(body, fence.indent);
        if self.reads(Format::Json) && matches!(language.as_str(), "" | "json") {
            let edits = json_patch::parse(&content, self.default_path)
                .map_err(|(kind, path)| self.error(kind, start, path))?;
            if !edits.is_empty() {
                edits.into_iter().for_each(|edit| self.push(start, Format::Json, edit));
                return Ok(());
            }
        }
        if !self.reads(Format::Whole) {
            return Ok(());
        }
        if let Some(path) = body.first().and_then(|line| label_in_comment(line))
            && self.default_path != Some(path.as_str())
            && fit(language, &path) == Fit::Fits
        {
            self.push(start, Format::Whole, Edit::Create { path, content });
        } else if !is_diff_language(fence)
            && body.iter().any(|line| !line.trim().is_empty())
            && self.default_path.is_none_or(|path| fit(language, path) == Fit::Fits)
        {
            self.unnamed.push((start, content));
        }
        Ok(())
    }

    pub(super) fn diff_fence(
        &mut self,
        start: usize,
        end: usize,
        path: Option<String>,
    ) -> Result<(), ParseError> {
        let lines = &self.diff_lines(start, end)[start + 1..end];
        // The fence may be indented, as in a list.
        let indent = Fence::of(self.lines[start]).map_or(0, |fence| fence.indent);
        let body = dedented(lines, indent);
        let body = body.as_slice();
        let edits = udiff::parse(body, path.as_deref())
            .map_err(|kind| self.error(kind, start, path.clone()))?;
        self.current = None;
        edits.into_iter().for_each(|edit| self.push(start, Format::Udiff, edit));
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
}

/// Whether a fence that says `Dockerfile` says the language of a file such as `dev.Dockerfile`.
fn is_also(path: &str, language: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_lowercase();
    is_language_too(language) && name.contains(&language.to_lowercase())
}

fn is_diff_fence(fence: &Fence, body: &[&str]) -> bool {
    is_diff_language(fence)
        || (matches!(fence.info.language.as_str(), "" | "text") && udiff::is_diff(body))
}

fn is_diff_language(fence: &Fence) -> bool {
    matches!(fence.info.language.as_str(), "diff" | "patch" | "udiff")
}

/// The lines without the indentation of their fence, if all of them have it.
fn dedented<'a>(lines: &[&'a str], indent: usize) -> Vec<&'a str> {
    let is_indented = |line: &&str| {
        line.trim().is_empty() || line.bytes().take(indent).filter(|b| *b == b' ').count() == indent
    };
    let n_stripped = if lines.iter().all(is_indented) { indent } else { 0 };
    lines.iter().map(|line| line.get(n_stripped..).unwrap_or_default()).collect()
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
