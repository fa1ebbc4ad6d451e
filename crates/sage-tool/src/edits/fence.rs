//! Code fences of Markdown, as models write them.
//!
//! A fence closes with a line of the same sign, at least as long, without a language. A fence with a
//! language inside another one of the same length opens a nested one. Where it stays unclear
//! which fence closes which, the answer says so.

use super::labels::{Info, info};
use super::language::is_prose;

/// The line that opens a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    pub(super) sign: char,
    pub(super) len: usize,
    pub(super) indent: usize,
    pub(super) info: Info,
    is_bare: bool,
}

/// How far a closing fence may be indented more than the opening one.
const MAX_CLOSING_INDENT: usize = 3;

/// Where a fence ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FenceEnd {
    /// The line that closes it.
    At(usize),
    /// Nowhere: the answer is cut off.
    Missing,
    /// Later fences make it unclear.
    Unclear,
}

impl Fence {
    /// Reads a line as a fence.
    pub(super) fn of(line: &str) -> Option<Self> {
        let text = line.trim_start();
        let sign = text.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let len = text.chars().take_while(|found| *found == sign).count();
        let rest = text[len..].trim();
        if len < 3 || (sign == '`' && rest.contains('`')) {
            return None;
        }
        let indent = line.len() - text.len();
        Some(Self { sign, len, indent, info: info(rest), is_bare: rest.is_empty() })
    }

    /// Whether `self` is a line that closes `opening`.
    pub(super) fn closes(&self, opening: &Self) -> bool {
        self.is_bare && self.is_within(opening)
    }

    fn is_within(&self, opening: &Self) -> bool {
        self.sign == opening.sign
            && self.len >= opening.len
            && self.indent <= opening.indent + MAX_CLOSING_INDENT
    }

    /// The end of this fence, which opens on `lines[start]`. `path` is the file that it holds, if it
    /// holds one.
    pub(super) fn end(&self, lines: &[&str], start: usize, path: Option<&str>) -> FenceEnd {
        let mut nested: Vec<usize> = Vec::new();
        let mut close = None;
        for (at, line) in lines.iter().enumerate().skip(start + 1) {
            let Some(fence) = Self::of(line).filter(|fence| fence.is_within(self)) else {
                continue;
            };
            if !fence.is_bare {
                nested.push(fence.len);
            } else if nested.last().is_some_and(|len| fence.len >= *len) {
                nested.pop();
            } else if nested.is_empty() {
                close = Some(at);
                break;
            }
        }
        let Some(close) = close else { return FenceEnd::Missing };
        match path {
            Some(path) if self.is_unclear(lines, start, close, path) => FenceEnd::Unclear,
            _ => FenceEnd::At(close),
        }
    }

    /// Prose may contain fences without a language, and so may a Python docstring; whether one of
    /// them or the next one closes this fence cannot be told if more of them follow.
    fn is_unclear(&self, lines: &[&str], start: usize, close: usize, path: &str) -> bool {
        let text = &lines[start + 1..close];
        let is_open_string = path.ends_with(".py")
            && text.iter().map(|line| line.matches("\"\"\"").count()).sum::<usize>() % 2 == 1;
        (is_prose(path) || is_open_string) && self.another_opens_bare(&lines[close + 1..])
    }

    /// Whether a fence without a language opens in `lines`, before one that names a file.
    fn another_opens_bare(&self, lines: &[&str]) -> bool {
        let mut inside: Option<Self> = None;
        for line in lines {
            let Some(fence) = Self::of(line).filter(|fence| fence.sign == self.sign) else {
                continue;
            };
            match &inside {
                Some(opening) if fence.closes(opening) => inside = None,
                Some(_) => {}
                None if fence.info.path.is_some() => return false,
                None if fence.is_bare && fence.is_within(self) => return true,
                None => inside = Some(fence),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str, path: &str) -> FenceEnd {
        let lines: Vec<&str> = text.lines().collect();
        Fence::of(lines[0]).unwrap().end(&lines, 0, Some(path))
    }

    #[test]
    fn fences_nest_and_longer_ones_win() {
        assert_eq!(end("```\na\n```\n", "a.py"), FenceEnd::At(2));
        assert_eq!(end("````md\n```\na\n```\n````\n", "a.md"), FenceEnd::At(4));
        assert_eq!(end("```md\n```bash\na\n```\nb\n```\n", "a.md"), FenceEnd::At(5));
        assert_eq!(end("```py\nx = '''\n    ```\n'''\n```\n", "a.py"), FenceEnd::At(4));
        assert_eq!(end("~~~\n```\n~~~\n", "a.md"), FenceEnd::At(2));
        assert_eq!(end("```py\na\n", "a.py"), FenceEnd::Missing);
        assert_eq!(end("```md\n```bash\na\n```\nb\n", "a.md"), FenceEnd::Missing);
    }

    #[test]
    fn what_cannot_be_told_is_unclear() {
        assert_eq!(end("```md\na\n```\nb\n```\nc\n```\n", "a.md"), FenceEnd::Unclear);
        assert_eq!(end("```py\n\"\"\"\n```\nb\n```\n\"\"\"\n```\n", "a.py"), FenceEnd::Unclear);
        assert_eq!(end("```py\na\n```\nThen:\n```\nmake\n```\n", "a.py"), FenceEnd::At(2));
        assert_eq!(end("```md\na\n```\nThen:\n```bash\nmake\n```\n", "a.md"), FenceEnd::At(2));
    }
}
