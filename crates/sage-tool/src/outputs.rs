//! Whole outputs of which a conversation shows the head and the tail: kept among the run's payloads under
//! short names, so that a model can read on where it needs to.
//!
//! Invariants: what is kept is what the log keeps, without secrets; only what was cut in this very
//! conversation can be read; names follow from the outputs alone, so a run that is taken up gives the
//! same ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sage_core::{BlobRef, RecordError, Recorder};

/// What the path of an output begins with, where a file's path is expected.
pub const OUTPUT_PREFIX: &str = "output:";

/// Longest line of an output; a longer one is read as several.
const MAX_LINE_CHARS: usize = 1000;

/// Outputs that can be read at a time; the ones that were cut longest ago are forgotten first.
const MAX_KEPT: usize = 1000;

/// Hex digits of a name, more where two outputs begin alike.
const MIN_NAME_DIGITS: usize = 6;

/// Characters that a result may have until somebody who knows the window says otherwise.
const DEFAULT_PAGE_CHARS: usize = 30_000;

/// The part of a page that is kept free for the words around it.
const PAGE_MARGIN: usize = 10;

/// The outputs of one conversation. Clones share them.
#[derive(Debug, Clone)]
pub struct Outputs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    page_chars: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_name: BTreeMap<String, (u64, BlobRef)>,
    n_added: u64,
}

impl Default for Outputs {
    fn default() -> Self {
        let page_chars = AtomicUsize::new(DEFAULT_PAGE_CHARS);
        Self(Arc::new(Shared { page_chars, kept: Mutex::default() }))
    }
}

impl Outputs {
    /// Sets how many characters of one result the conversation has room for.
    pub fn set_page_chars(&self, n_chars: usize) {
        self.0.page_chars.store(n_chars, Ordering::Relaxed);
    }

    /// How many characters a tool that can be asked for more shows at once.
    pub(crate) fn page_chars(&self) -> usize {
        let n_chars = self.0.page_chars.load(Ordering::Relaxed);
        n_chars - n_chars / PAGE_MARGIN
    }

    /// The text for the conversation: all of it where it has room, else its head and its tail with the
    /// name under which `recorder` keeps the whole.
    ///
    /// # Errors
    /// When the whole cannot be stored.
    pub fn cut(&self, recorder: &dyn Recorder, text: &str) -> Result<String, RecordError> {
        let max_chars = self.0.page_chars.load(Ordering::Relaxed);
        if text.chars().count() <= max_chars {
            return Ok(text.to_owned());
        }
        let name = self.keep(recorder.put(text.as_bytes())?);
        Ok(head_and_tail(text, max_chars, &name))
    }

    fn keep(&self, blob: BlobRef) -> String {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.n_added += 1;
        let n_added = kept.n_added;
        let digits = blob.to_string();
        let is_free = |name: &str, kept: &Kept| {
            kept.by_name.get(name).is_none_or(|(_, other)| *other == blob)
        };
        let name = (MIN_NAME_DIGITS..digits.len())
            .map(|n| digits.chars().take(n).collect::<String>())
            .find(|name| is_free(name, &kept))
            .unwrap_or(digits);
        kept.by_name.insert(name.clone(), (n_added, blob));
        if kept.by_name.len() > MAX_KEPT {
            let oldest = kept.by_name.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                kept.by_name.remove(&name);
            }
        }
        name
    }

    /// The output of this name.
    pub(crate) fn find(&self, name: &str) -> Option<BlobRef> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, blob) = kept.by_name.get(name.trim().to_lowercase().as_str())?;
        Some(blob.clone())
    }
}

/// The lines of an output as they are counted: long ones are several.
pub(crate) fn lines_of(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    for mut line in text.lines() {
        while let Some((at, _)) = line.char_indices().nth(MAX_LINE_CHARS) {
            let (piece, rest) = line.split_at(at);
            lines.push(piece);
            line = rest;
        }
        lines.push(line);
    }
    lines
}

/// The first and the last lines; the head gets 40 % of the room, for the end of a failing test run says
/// more than its beginning.
fn head_and_tail(text: &str, max_chars: usize, name: &str) -> String {
    const MARK_CHARS: usize = 160;
    let lines = lines_of(text);
    let room = max_chars.saturating_sub(MARK_CHARS);
    let weigh = |line: &&str| line.chars().count() + 1;
    let fitting = |lines: &mut dyn Iterator<Item = &str>, room: usize| {
        let mut left = room;
        let fits = lines.take_while(|line| {
            let weight = weigh(line);
            let fits = weight <= left;
            left = left.saturating_sub(weight);
            fits
        });
        fits.count()
    };
    let n_head = fitting(&mut lines.iter().copied(), room * 2 / 5);
    let n_tail = fitting(&mut lines[n_head..].iter().rev().copied(), room - room * 2 / 5);
    let (head, rest) = lines.split_at(n_head);
    let (left_out, tail) = rest.split_at(rest.len() - n_tail);
    let n_chars: usize = left_out.iter().map(weigh).sum();
    let (from, to) = (n_head + 1, n_head + left_out.len());
    let mut out = String::new();
    for line in head {
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(&format!(
        "[... lines {from} to {to} of {} left out, {n_chars} characters; \
         to see more: read {OUTPUT_PREFIX}{name} with start_line and end_line ...]",
        lines.len()
    ));
    for line in tail {
        out.push('\n');
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use sage_testkit::MemoryRecorder;

    use super::*;

    #[test]
    fn what_fits_is_left_as_it_is() {
        let (outputs, recorder) = (Outputs::default(), MemoryRecorder::new());
        outputs.set_page_chars(100);
        let text = "é".repeat(100);
        assert_eq!(outputs.cut(&recorder, &text).unwrap(), text);
    }

    #[test]
    fn head_and_tail_name_the_whole_and_fit() {
        let (outputs, recorder) = (Outputs::default(), MemoryRecorder::new());
        for (n_lines, page) in [(1000, 500), (1000, 2000), (100, 300)] {
            outputs.set_page_chars(page);
            let text: String = (1..=n_lines).map(|n| format!("line {n}\n")).collect();
            let cut = outputs.cut(&recorder, &text).unwrap();
            assert!(cut.chars().count() <= page, "{cut}");
            assert!(cut.starts_with("line 1\n") && cut.ends_with(&format!("line {n_lines}")));
            let name = cut.split_once("read output:").unwrap().1.split(' ').next().unwrap();
            let whole = recorder.get(&outputs.find(name).unwrap()).unwrap();
            assert_eq!(whole, text.as_bytes());
            // The numbers say exactly what is missing.
            let numbers: Vec<usize> = cut
                .lines()
                .find(|line| line.starts_with("[..."))
                .unwrap()
                .split(' ')
                .filter_map(|word| word.parse().ok())
                .collect();
            assert!(cut.contains(&format!("line {}\n[...", numbers[0] - 1)), "{cut}");
            assert!(cut.contains(&format!("...]\nline {}\n", numbers[1] + 1)), "{cut}");
        }
        // One endless line is read as several.
        outputs.set_page_chars(4000);
        let cut = outputs.cut(&recorder, &"x".repeat(50_000)).unwrap();
        assert!(cut.contains("of 50 left out") && cut.chars().count() <= 4000, "{cut}");
    }

    #[test]
    fn the_number_of_outputs_is_bounded() {
        let (outputs, recorder) = (Outputs::default(), MemoryRecorder::new());
        outputs.set_page_chars(200);
        for n in 0..MAX_KEPT + 50 {
            outputs.cut(&recorder, &format!("{n}\n{}", "x\n".repeat(300))).unwrap();
        }
        let kept = outputs.0.kept.lock().unwrap();
        assert_eq!(kept.by_name.len(), MAX_KEPT);
    }
}
