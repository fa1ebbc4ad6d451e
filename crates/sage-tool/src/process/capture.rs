//! What is kept of a command's output, in bounded memory.

use std::collections::VecDeque;

/// The head and the tail of a stream of bytes.
#[derive(Debug)]
pub(crate) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    max_head: usize,
    max_tail: usize,
    total: u64,
}

impl Capture {
    /// Keeps `max_bytes`: 40 % from the head, because the end of a failing run says more.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let max_head = max_bytes / 5 * 2;
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            max_head,
            max_tail: max_bytes - max_head,
            total: 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let n_head = bytes.len().min(self.max_head - self.head.len());
        let (head, rest) = bytes.split_at(n_head);
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(self.max_tail)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.max_tail);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// Bytes that came altogether.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn is_truncated(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }

    /// The text, with a line where something was left out; characters and, where cheap, lines are
    /// kept whole.
    pub(crate) fn into_text(self) -> String {
        let truncated = self.is_truncated();
        let mut bytes = self.head;
        if !truncated {
            bytes.extend(self.tail);
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        let n_kept = bytes.len() + self.tail.len();
        let tail: Vec<u8> = self.tail.into();
        let head = whole_lines_of_head(&bytes);
        let tail = whole_lines_of_tail(&tail);
        let n_omitted = self.total - n_kept as u64 + (n_kept - head.len() - tail.len()) as u64;
        format!(
            "{}\n[... {n_omitted} bytes left out ...]\n{}",
            String::from_utf8_lossy(head),
            String::from_utf8_lossy(tail)
        )
    }
}

fn whole_lines_of_head(head: &[u8]) -> &[u8] {
    match head.iter().rposition(|byte| *byte == b'\n') {
        Some(at) if at > head.len() / 2 => &head[..at],
        _ => {
            // Drop the beginning of a character that was cut.
            let is_start = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
            match head.iter().rposition(is_start) {
                Some(at) if head.len() - at < 4 && head[at] >= 0x80 => &head[..at],
                _ => head,
            }
        }
    }
}

fn whole_lines_of_tail(tail: &[u8]) -> &[u8] {
    match tail.iter().position(|byte| *byte == b'\n') {
        Some(at) if at < tail.len() / 2 => &tail[at + 1..],
        _ => {
            let n_cut = tail.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
            &tail[n_cut..]
        }
    }
}

/// Decodes UTF-8 that arrives in pieces, without tearing characters at the seams.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    open: Vec<u8>,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.open.extend_from_slice(bytes);
        // At most three bytes of a valid character can be waiting for the rest of it.
        let n_complete = match std::str::from_utf8(&self.open) {
            Ok(_) => self.open.len(),
            Err(_) => {
                let from = self.open.len().saturating_sub(3);
                let unfinished = self.open[from..].iter().rposition(|byte| *byte >= 0xC0);
                match unfinished.map(|at| from + at) {
                    Some(at) if n_bytes_of_char(self.open[at]) > self.open.len() - at => at,
                    _ => self.open.len(),
                }
            }
        };
        let rest = self.open.split_off(n_complete);
        let text = String::from_utf8_lossy(&self.open).into_owned();
        self.open = rest;
        text
    }

    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.open)).into_owned()
    }
}

fn n_bytes_of_char(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_within_the_bound_is_kept_as_it_is() {
        let mut capture = Capture::new(100);
        for n in 0..10 {
            capture.push(format!("line {n}\n").as_bytes());
        }
        assert!(!capture.is_truncated());
        let expected: String = (0..10).map(|n| format!("line {n}\n")).collect();
        assert_eq!(capture.into_text(), expected);
    }

    #[test]
    fn a_flood_keeps_head_and_tail_in_bounded_memory() {
        let mut capture = Capture::new(1000);
        for n in 0..100_000 {
            capture.push(format!("line {n}\n").as_bytes());
        }
        assert!(capture.head.len() + capture.tail.len() <= 1000);
        let total = capture.total();
        let text = capture.into_text();
        assert!(text.starts_with("line 0\n"), "{text}");
        assert!(text.ends_with("line 99999\n"), "{text}");
        let note = text.lines().find(|line| line.starts_with("[...")).unwrap();
        let omitted: u64 = note.split(' ').nth(1).unwrap().parse().unwrap();
        // The note's own line with its two breaks stands for what was left out.
        assert_eq!(text.len() as u64 - note.len() as u64 - 2 + omitted, total);
    }

    #[test]
    fn characters_are_never_torn() {
        let text = "häß€😀\n".repeat(200);
        for size in 1..8 {
            let mut decoder = Decoder::default();
            let mut streamed: String =
                text.as_bytes().chunks(size).map(|chunk| decoder.push(chunk)).collect();
            streamed.push_str(&decoder.finish());
            assert_eq!(streamed, text, "chunks of {size}");
        }
        for max in 20..60 {
            let mut capture = Capture::new(max);
            capture.push("😀€ß".repeat(100).as_bytes());
            assert!(!capture.into_text().contains('\u{FFFD}'), "kept {max} bytes");
        }
    }

    #[test]
    fn bytes_that_are_not_text_do_not_stall_the_stream() {
        let mut decoder = Decoder::default();
        let mut out = String::new();
        for _ in 0..100 {
            out.push_str(&decoder.push(&[0xFF, 0xC3, 0x28, 0x80]));
        }
        assert!(decoder.open.len() < 4);
        assert!(out.contains('('));
    }
}
