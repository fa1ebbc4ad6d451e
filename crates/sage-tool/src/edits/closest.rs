//! What to tell a model whose search text is not in the file: the most similar place, and the likely
//! reason. Similarity serves these words only; nothing is ever placed by it.

use super::error::Closest;
use super::guards::placeholder;
use super::ladder::NearMiss;
use super::lines::{Line, occurrences};

/// Lines of the search text that are compared.
const MAX_SEARCH_LINES: usize = 40;
/// Pairs of lines that are compared at most.
const MAX_COMPARISONS: usize = 400_000;
/// Characters of a line that are compared, and shown.
const MAX_LINE_CHARS: usize = 160;
/// Lines that are shown.
const MAX_SHOWN_LINES: usize = 16;
/// A place less similar than this is not worth showing.
const MIN_SIMILARITY: f64 = 0.5;

/// The place of the file most similar to the search text, line by line.
pub(super) fn closest(file: &[Line<'_>], search: &[&str]) -> Option<Closest> {
    let first = search.iter().position(|line| !line.trim().is_empty())?;
    let wanted: Vec<Pairs> =
        search[first..].iter().take(MAX_SEARCH_LINES).map(|line| Pairs::of(line)).collect();
    let n_lines = file.len().min(MAX_COMPARISONS / wanted.len().max(1));
    let found: Vec<Pairs> = file[..n_lines].iter().map(|line| Pairs::of(&line.shown())).collect();
    let weight: usize = wanted.iter().map(Pairs::weight).sum();
    let score = |start: usize| {
        let shared: f64 = wanted
            .iter()
            .zip(&found[start..])
            .map(|(a, b)| a.similarity(b) * a.weight() as f64)
            .sum();
        shared / weight.max(1) as f64
    };
    let mut best = (0, 0.0);
    for start in 0..found.len() {
        let similarity = score(start);
        if similarity > best.1 {
            best = (start, similarity);
        }
    }
    let (start, similarity) = best;
    if similarity < MIN_SIMILARITY {
        return None;
    }
    let end = (start + wanted.len()).min(file.len());
    let shown = start..end.min(start + MAX_SHOWN_LINES);
    let mut excerpt: Vec<String> = shown
        .map(|at| {
            let line: String = file[at].shown().chars().take(MAX_LINE_CHARS).collect();
            format!("{:>5} | {line}", at + 1)
        })
        .collect();
    if end > start + MAX_SHOWN_LINES {
        excerpt.push("      | ...".to_owned());
    }
    Some(Closest { first_line: start + 1, last_line: end, similarity, excerpt: excerpt.join("\n") })
}

/// The likely reason why nothing fits, or an empty text.
pub(super) fn explain(file: &[Line<'_>], search: &[&str], near_miss: NearMiss) -> String {
    if file.iter().all(|line| line.text.trim_ascii().is_empty()) {
        return "the file is empty; use an empty search text to fill it".to_owned();
    }
    match near_miss {
        NearMiss::InsideWord(at) => {
            return format!("it occurs only inside a longer word, on line {}", at + 1);
        }
        NearMiss::Indentation(at) => {
            return format!(
                "its lines are there from line {} on, but some are indented differently; \
                 copy them with their exact indentation",
                at + 1
            );
        }
        NearMiss::TooShort => {
            return "it is too short to be found by anything but its exact text; \
                    add the lines around it"
                .to_owned();
        }
        NearMiss::Nothing => {}
    }
    if let Some((line, text)) = placeholder(&search.join("\n"), |_| false) {
        return format!(
            "line {line} of the search text is a placeholder ({text:?}); write the lines out, \
             or use two smaller edits"
        );
    }
    if search.len() > 1 && search.iter().all(|line| has_line_number(line)) {
        return "its lines begin with line numbers, which are not part of the file".to_owned();
    }
    if search.iter().any(|line| is_escaped(line)) && !search.iter().any(|line| occurs(file, line)) {
        return "it contains HTML entities such as &lt;; write the characters themselves"
            .to_owned();
    }
    match search.iter().filter(|line| !line.trim().is_empty()).find(|line| !occurs(file, line)) {
        Some(line) if search.len() > 1 => {
            let line: String = line.trim().chars().take(MAX_LINE_CHARS).collect();
            format!("this line of it is nowhere in the file: {line:?}")
        }
        Some(_) => String::new(),
        None if search.len() > 1 => {
            "every line of it is in the file, but not one after the other".to_owned()
        }
        None => String::new(),
    }
}

fn occurs(file: &[Line<'_>], line: &str) -> bool {
    file.iter().any(|found| found.shown().trim() == line.trim())
}

fn is_escaped(line: &str) -> bool {
    ["&lt;", "&gt;", "&amp;", "&quot;", "&#39;"].iter().any(|entity| line.contains(entity))
}

/// Line (from 1) at which all of the replacement stands already.
pub(super) fn present(file: &[Line<'_>], replacement: &[&str]) -> Option<usize> {
    let wanted: Vec<&str> =
        replacement.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    let lines: Vec<usize> =
        (0..file.len()).filter(|at| !file[*at].text.trim_ascii().is_empty()).collect();
    let found: Vec<String> = lines.iter().map(|at| file[*at].shown().trim().to_owned()).collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let says_something = wanted.iter().map(|line| line.len()).sum::<usize>() > 10;
    let at = *occurrences(&found, &wanted, 1).first()?;
    says_something.then(|| lines[at] + 1)
}

/// Whether a line begins like a line of a numbered listing: `12 | text`, `12: text`, `12<tab>text`.
fn has_line_number(line: &str) -> bool {
    let rest = line.trim_start();
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    after.len() < rest.len()
        && (after.trim_start_matches(' ').starts_with(['|', ':', '\u{2192}'])
            || after.starts_with('\t'))
}

/// The pairs of neighbouring characters of a line, sorted.
struct Pairs(Vec<(char, char)>);

impl Pairs {
    fn of(line: &str) -> Self {
        let chars: Vec<char> = line.trim().chars().take(MAX_LINE_CHARS).collect();
        let mut pairs: Vec<(char, char)> = chars.windows(2).map(|two| (two[0], two[1])).collect();
        if let [only] = chars.as_slice() {
            pairs.push((*only, ' '));
        }
        pairs.sort_unstable();
        Self(pairs)
    }

    fn weight(&self) -> usize {
        self.0.len()
    }

    /// Dice's coefficient of the two multisets, in [0, 1]; two blank lines are alike.
    fn similarity(&self, other: &Self) -> f64 {
        let (a, b) = (&self.0, &other.0);
        if a.is_empty() && b.is_empty() {
            return 1.0;
        }
        let (mut i, mut j, mut n_shared) = (0, 0, 0_usize);
        while i < a.len() && j < b.len() {
            match a[i].cmp(&b[j]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    n_shared += 1;
                    i += 1;
                    j += 1;
                }
            }
        }
        2.0 * n_shared as f64 / (a.len() + b.len()) as f64
    }
}
