//! Two small decisions about text that every layer must make alike.

/// Shortens `text` to about `max_chars`, keeping its head and its tail, cut at line ends where
/// possible, with a line between that says how much was left out.
///
/// The head gets 40 % of the room: the end of a failing test run says more than its beginning.
#[must_use]
pub fn head_and_tail(text: &str, max_chars: usize) -> String {
    let n_chars = text.chars().count();
    if n_chars <= max_chars {
        return text.to_owned();
    }
    let n_head = max_chars * 2 / 5;
    let n_tail = max_chars - n_head;
    let head_end = text.char_indices().nth(n_head).map_or(text.len(), |(at, _)| at);
    let tail_start = text.char_indices().nth(n_chars - n_tail).map_or(0, |(at, _)| at);
    let head = &text[..head_end];
    let tail = &text[tail_start..];
    // Prefer whole lines when that costs less than half of the part.
    let head = head.rfind('\n').filter(|at| *at > head.len() / 2).map_or(head, |at| &head[..at]);
    let tail = tail.find('\n').filter(|at| *at < tail.len() / 2).map_or(tail, |at| &tail[at + 1..]);
    let n_omitted = n_chars - head.chars().count() - tail.chars().count();
    format!("{head}\n[... {n_omitted} characters left out ...]\n{tail}")
}

/// The candidate closest to `text`, if one is near enough to be what was meant: at most a third of
/// its characters differ (Damerau-Levenshtein with adjacent swaps, case-insensitive).
#[must_use]
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text: Vec<char> = text.to_lowercase().chars().take(64).collect();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other: Vec<char> = candidate.to_lowercase().chars().take(64).collect();
            let distance = edit_distance(&text, &other);
            let allowed = text.len().max(other.len()).div_ceil(3);
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_kept_and_long_text_keeps_both_ends() {
        assert_eq!(head_and_tail("abc", 3), "abc");
        let long: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let cut = head_and_tail(&long, 100);
        assert!(cut.starts_with("line 0\n"), "{cut}");
        assert!(cut.ends_with("line 99\n"), "{cut}");
        assert!(cut.contains("characters left out"), "{cut}");
        assert!(cut.chars().count() < 160, "{cut}");
        // Cutting never splits a character.
        let wide = "é".repeat(1000);
        assert!(head_and_tail(&wide, 11).contains("é"));
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let names = ["planner", "coder", "reviewer"];
        assert_eq!(nearest("codre", names), Some("coder"));
        assert_eq!(nearest("Planer", names), Some("planner"));
        assert_eq!(nearest("zebra-crossing", names), None);
    }
}
