//! A file as lines that remember their endings, so that whatever is not touched can be written back
//! byte for byte.
//!
//! Invariant: joining the lines of [`split`] gives the input again. A lone carriage return is part of
//! a line's text, not an ending.

use std::borrow::Cow;

/// The UTF-8 byte order mark.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Ending {
    /// At the end of the text, without a newline.
    None,
    Lf,
    CrLf,
}

impl Ending {
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }
}

/// One line; only the last one may lack an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    pub(super) ending: Ending,
}

impl<'a> Line<'a> {
    /// The text as a reader sees it: bytes that are not UTF-8 become U+FFFD.
    pub(super) fn shown(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.text)
    }
}

/// Splits bytes into lines. An empty input has no lines.
pub(super) fn split(bytes: &[u8]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(at);
        lines.push(match line.strip_suffix(b"\r") {
            Some(text) => Line { text, ending: Ending::CrLf },
            None => Line { text: line, ending: Ending::Lf },
        });
        rest = &after[1..];
    }
    if !rest.is_empty() {
        lines.push(Line { text: rest, ending: Ending::None });
    }
    lines
}

/// The ending that most lines have; a tie or a file without newlines counts as line feed.
pub(super) fn dominant_ending(lines: &[Line<'_>]) -> Ending {
    let n_crlf = lines.iter().filter(|line| line.ending == Ending::CrLf).count();
    let n_lf = lines.iter().filter(|line| line.ending == Ending::Lf).count();
    if n_crlf > n_lf { Ending::CrLf } else { Ending::Lf }
}

/// Takes the byte order mark off.
pub(super) fn without_bom(bytes: &[u8]) -> (bool, &[u8]) {
    match bytes.strip_prefix(BOM) {
        Some(rest) => (true, rest),
        None => (false, bytes),
    }
}

/// The blanks at the start of a line.
pub(super) fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Positions at which `pattern` occurs in `text`, overlapping ones included, at most `limit` of them
/// (Knuth, Morris, Pratt 1977: linear for any input). An empty pattern occurs nowhere.
pub(super) fn occurrences<T: PartialEq>(text: &[T], pattern: &[T], limit: usize) -> Vec<usize> {
    let mut found = Vec::new();
    if pattern.is_empty() || pattern.len() > text.len() {
        return found;
    }
    // borders[i]: length of the longest proper prefix of the pattern that ends at i.
    let mut borders = vec![0; pattern.len()];
    let mut n = 0;
    for i in 1..pattern.len() {
        while n > 0 && pattern[i] != pattern[n] {
            n = borders[n - 1];
        }
        n += usize::from(pattern[i] == pattern[n]);
        borders[i] = n;
    }
    n = 0;
    for (i, item) in text.iter().enumerate() {
        while n > 0 && *item != pattern[n] {
            n = borders[n - 1];
        }
        n += usize::from(*item == pattern[n]);
        if n == pattern.len() {
            found.push(i + 1 - n);
            if found.len() == limit {
                break;
            }
            n = borders[n - 1];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join_to_the_same_bytes_whatever_the_endings() {
        for text in ["", "a", "a\n", "a\r\nb\n\nc", "\r\n\r\n", "a\rb\r\r\n", "\n"] {
            let joined: Vec<u8> = split(text.as_bytes())
                .iter()
                .flat_map(|line| [line.text, line.ending.bytes()].concat())
                .collect();
            assert_eq!(joined, text.as_bytes());
        }
    }

    #[test]
    fn occurrences_overlap_and_are_limited() {
        assert_eq!(occurrences(b"aaaa", b"aa", 9), [0, 1, 2]);
        assert_eq!(occurrences(b"aaaa", b"aa", 2), [0, 1]);
        assert_eq!(occurrences(b"abcabd", b"abd", 9), [3]);
        assert_eq!(occurrences(b"abc", b"", 9), Vec::<usize>::new());
    }
}
