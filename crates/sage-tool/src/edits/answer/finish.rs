//! What can be said only when the whole answer is read: JSON without a fence, lone code, ends that are
//! cut off, contradictions.

use super::{Answer, Edit, Format, ParseError, ParseErrorKind, Reader};
use crate::edits::json_patch;
use crate::edits::labels::label;

impl Reader<'_> {
    /// What can be said only when the whole answer is read.
    pub(super) fn finish(mut self) -> Result<Answer, ParseError> {
        self.refuse_cut_end()?;
        if self.reads(Format::Json)
            && self.edits.is_empty()
            && self.unnamed.is_empty()
            && self.unfinished.is_none()
        {
            self.loose_json()?;
        }
        if let Some(start) = self.unfinished.filter(|_| !self.edits.is_empty()) {
            let kind = ParseErrorKind::Unfinished { expected: "```".to_owned() };
            return Err(self.error(kind, start, None));
        }
        if self.edits.is_empty()
            && let Some(path) = self.default_path
        {
            if let Some(start) = self.unfinished {
                let kind = ParseErrorKind::Unfinished { expected: "```".to_owned() };
                return Err(self.error(kind, start, Some(path.to_owned())));
            }
            // Changed lines are the edit where nothing else can be.
            if self.unnamed.is_empty() {
                for (start, end) in std::mem::take(&mut self.signed) {
                    self.diff_fence(start, end, Some(path.to_owned()))?;
                }
            }
            if let [(start, content)] = self.unnamed.as_slice() {
                let (start, content) = (*start, content.clone());
                self.push(start, Format::Whole, Edit::Write { path: path.to_owned(), content });
            }
        }
        self.refuse_contradictions()?;
        Ok(Answer { edits: self.edits, formats: self.formats, is_crlf: false })
    }

    /// An answer that ends in the middle of a marker, a fence or the announcement of a file was cut
    /// off, and more edits were to follow.
    fn refuse_cut_end(&self) -> Result<(), ParseError> {
        let Some(at) = self.lines.iter().rposition(|line| !line.trim().is_empty()) else {
            return Ok(());
        };
        let line = self.lines[at].trim();
        let is_part = |whole: &str| line.len() < whole.len() && whole.starts_with(line);
        let expected = if line.starts_with("<<<")
            && (is_part("<<<<<<< SEARCH") || is_part("<<<<<<< ORIGINAL"))
        {
            "<<<<<<< SEARCH".to_owned()
        } else if matches!(line, "`" | "``") {
            "```".to_owned()
        } else if let Some(path) = label(line)
            && !line.starts_with(['-', '+', '\u{2022}'])
            && !line.starts_with("* ")
            && !self.edits.is_empty()
            && self.starts.last().is_some_and(|start| *start < at)
            && !self.is_in_edit(at)
            && !self.edits.iter().any(|edit| edit.path() == Some(path.as_str()))
        {
            format!("the edit for {path}")
        } else {
            return Ok(());
        };
        Err(self.error(ParseErrorKind::Unfinished { expected }, at, None))
    }

    /// Whether a line was read as a part of an edit.
    fn is_in_edit(&self, at: usize) -> bool {
        at < self.read_to
    }

    /// JSON without a fence: all of the answer, or from some line on.
    fn loose_json(&mut self) -> Result<(), ParseError> {
        let opens = |line: &&str| line.starts_with(['{', '[']);
        let Some(start) = self.lines.iter().position(opens) else { return Ok(()) };
        let text = self.lines[start..].join("\n");
        let edits = json_patch::parse(&text, self.default_path)
            .map_err(|(kind, path)| self.error(kind, start, path))?;
        edits.into_iter().for_each(|edit| self.push(start, Format::Json, edit));
        Ok(())
    }

    /// The same file twice with the same content is one edit; with different contents it is an error.
    fn refuse_contradictions(&mut self) -> Result<(), ParseError> {
        let mut kept: Vec<Edit> = Vec::with_capacity(self.edits.len());
        let mut formats = Vec::with_capacity(self.edits.len());
        for (index, edit) in self.edits.iter().enumerate() {
            let Edit::Write { path, content } = edit else {
                kept.push(edit.clone());
                formats.push(self.formats[index]);
                continue;
            };
            let earlier = kept.iter().find_map(|other| match other {
                Edit::Write { path: other, content } if other == path => Some(content),
                _ => None,
            });
            match earlier {
                None => {
                    kept.push(edit.clone());
                    formats.push(self.formats[index]);
                }
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
        self.formats = formats;
        Ok(())
    }
}
