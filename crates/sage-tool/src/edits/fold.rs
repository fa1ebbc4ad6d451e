//! Typographic characters and what a keyboard types for them.
//!
//! Folding maps one character to one character, so that a folded text can be traced back to the bytes
//! it came from.

/// The plain form of quotes, dashes and spaces; every other character is its own.
pub(super) fn plain(character: char) -> char {
    match character {
        '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{02BC}' => '\'',
        '\u{201C}'..='\u{201F}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => ' ',
        other => other,
    }
}

/// Folds a whole text.
pub(super) fn fold(text: &str) -> String {
    text.chars().map(plain).collect()
}

/// Folds only characters that have one of the plain forms `which`.
pub(super) fn fold_to(text: &str, which: &[char]) -> String {
    let folded = |found: char| Some(plain(found)).filter(|plain| which.contains(plain));
    text.chars().map(|found| folded(found).unwrap_or(found)).collect()
}

/// A line's characters with the bytes each was written as; a run of bytes that is not UTF-8 counts as
/// one U+FFFD, as in `String::from_utf8_lossy`.
pub(super) fn units(line: &[u8]) -> Vec<(char, &[u8])> {
    let mut units = Vec::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        let valid = chunk.valid();
        units.extend(
            valid
                .char_indices()
                .map(|(at, found)| (found, &valid.as_bytes()[at..at + found.len_utf8()])),
        );
        if !chunk.invalid().is_empty() {
            units.push((char::REPLACEMENT_CHARACTER, chunk.invalid()));
        }
    }
    units
}

/// The units without blanks at either end, whatever kind of blank.
pub(super) fn trimmed<'a, 'b>(units: &'b [(char, &'a [u8])]) -> &'b [(char, &'a [u8])] {
    let is_text = |unit: &(char, &[u8])| !unit.0.is_whitespace();
    match (units.iter().position(is_text), units.iter().rposition(is_text)) {
        (Some(first), Some(last)) => &units[first..=last],
        _ => &[],
    }
}
