//! Text in columns: cleaning, cutting and wrapping by display width rather than by bytes.

use unicode_width::UnicodeWidthChar;

/// The most characters of one line of a label that are looked at.
const MAX_CHARS: usize = 2000;

/// What stands for the part that was cut off; one column wide.
const ELLIPSIS: char = '…';

/// One line without control characters and invisible format characters; white space becomes single
/// spaces. Such characters could move the cursor, reverse the reading order or hide text, and a label
/// may have been written by a model.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(MAX_CHARS) {
        if c.is_whitespace() || c.is_control() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !is_invisible_format(c) {
            out.push(c);
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Joiners, direction marks, variation selectors, tags and the like.
fn is_invisible_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Columns that a character takes.
pub(super) fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Columns that a clean text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// The text in at most `max` columns, with an ellipsis if something had to go.
pub(super) fn truncate(text: &str, max: usize) -> String {
    if width(text) <= max {
        return text.to_owned();
    }
    let Some(room) = max.checked_sub(1) else { return String::new() };
    let mut out = head(text, room).trim_end().to_owned();
    out.push(ELLIPSIS);
    out
}

/// The longest beginning that fits into `max` columns.
fn head(text: &str, max: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += char_width(c);
        if used > max {
            return &text[..at];
        }
    }
    text
}

/// The text in lines of at most `max` columns, broken at spaces where that is possible; at most
/// `max_lines` of them, the last one cut.
pub(super) fn wrap(text: &str, max: usize, max_lines: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while width(rest) > max && lines.len() + 1 < max_lines {
        let fitting = head(rest, max);
        // A character wider than the line: nothing can be done but to cut.
        if fitting.is_empty() {
            break;
        }
        let breaks_here = rest[fitting.len()..].starts_with(' ');
        let line = match fitting.rfind(' ') {
            Some(at) if !breaks_here => &fitting[..at],
            _ => fitting,
        };
        lines.push(line.trim_end().to_owned());
        rest = rest[line.len()..].trim_start();
    }
    if !rest.is_empty() && max_lines > 0 {
        lines.push(truncate(rest, max));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(truncate("naïve café", 6), "naïve…");
        assert_eq!(truncate("漢字漢字", 8), "漢字漢字");
        assert_eq!(truncate("漢字漢字", 6), "漢字…");
        assert_eq!(truncate("abc", 0), "");
    }

    #[test]
    fn text_is_wrapped_at_spaces_and_the_last_line_is_cut() {
        assert_eq!(wrap("add a parser for dates", 10, 3), ["add a", "parser for", "dates"]);
        assert_eq!(wrap("add a parser for dates", 10, 2), ["add a", "parser fo…"]);
        assert_eq!(wrap("src/a/very/long/path.rs", 10, 3), ["src/a/very", "/long/path", ".rs"]);
        assert_eq!(wrap("漢字", 1, 9), ["…"]);
        assert!(wrap("", 10, 3).is_empty());
    }

    #[test]
    fn nothing_that_moves_the_cursor_or_hides_text_gets_through() {
        assert_eq!(clean("a\x1b[2Jb\r\n\tc\u{202e}d\u{200b}e\u{9b}f"), "a [2Jb cde f");
        assert_eq!(clean("  e\u{301}  "), "e\u{301}");
    }
}
