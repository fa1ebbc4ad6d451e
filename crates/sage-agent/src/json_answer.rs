//! Finds JSON in what a model wrote: behind thoughts, inside fences, between sentences.
//!
//! Invariant: nothing of the answer is evaluated or repaired, a value is found as it stands or not at
//! all; and the work is linear in the answer's length, whatever is in it.

use serde_json::Value;

use crate::thoughts::without_thoughts;

/// Values that are taken from one answer at most.
const MAX_CANDIDATES: usize = 8;

/// Bytes that may be decoded in vain, as a multiple of the answer's length.
const MAX_WASTE: usize = 4;

/// Why an answer holds no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoJson {
    /// There is nothing but blanks and thoughts.
    #[error("the answer is empty")]
    Empty,
    /// A value begins and the answer ends before it does.
    #[error("the JSON in the answer is cut off before its end")]
    CutOff,
    /// No part of the answer is a JSON value.
    #[error("the answer contains no valid JSON value")]
    NotJson,
}

/// The first JSON value of an answer.
pub fn find_json(answer: &str) -> Result<Value, NoJson> {
    let mut found = candidates(answer)?;
    Ok(found.swap_remove(0).value)
}

/// A value and the bytes that it took in the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub value: Value,
    pub n_bytes: usize,
}

/// The JSON values of an answer that are not part of each other, likeliest first; never empty.
///
/// An answer that is one value as a whole has only that. Otherwise values that begin a fenced block
/// come first, then those that begin a line, and only without those any object or array in the text.
pub(crate) fn candidates(answer: &str) -> Result<Vec<Found>, NoJson> {
    let text = without_thoughts(answer);
    if text.trim().is_empty() {
        return Err(NoJson::Empty);
    }
    if let Ok(value) = serde_json::from_str(text.trim()) {
        return Ok(vec![Found { value, n_bytes: text.len() }]);
    }
    let mut search = Search::new(text);
    search.try_all(fenced(text));
    search.try_all(at_line_starts(text));
    // Inside a value that is cut off, every smaller value is only a fragment of it.
    if search.found.is_empty() && !search.cut_off {
        for (at, _) in text.match_indices(['{', '[']) {
            search.try_all(std::iter::once(at));
            if search.cut_off {
                break;
            }
        }
    }
    match (search.found.is_empty(), search.cut_off) {
        (false, _) => Ok(search.found),
        (true, true) => Err(NoJson::CutOff),
        (true, false) => Err(NoJson::NotJson),
    }
}

/// Where the content of each fenced block begins.
fn fenced(text: &str) -> impl Iterator<Item = usize> {
    let mut at = 0;
    let mut is_open = false;
    text.split_inclusive('\n').filter_map(move |line| {
        at += line.len();
        let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        is_open ^= is_fence;
        (is_fence && is_open).then_some(at)
    })
}

/// Where a line begins with an object or an array.
fn at_line_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        line.starts_with(['{', '[']).then_some(start)
    })
}

struct Search<'a> {
    text: &'a str,
    found: Vec<Found>,
    /// Parts of the text that are taken.
    taken: Vec<std::ops::Range<usize>>,
    waste_left: usize,
    cut_off: bool,
}

impl<'a> Search<'a> {
    fn new(text: &'a str) -> Self {
        let waste_left = text.len().saturating_mul(MAX_WASTE);
        Self { text, found: Vec::new(), taken: Vec::new(), waste_left, cut_off: false }
    }

    fn try_all(&mut self, starts: impl Iterator<Item = usize>) {
        for start in starts {
            if self.found.len() >= MAX_CANDIDATES || self.waste_left == 0 {
                return;
            }
            if !self.taken.iter().any(|part| part.contains(&start)) {
                self.try_at(start);
            }
        }
    }

    fn try_at(&mut self, start: usize) {
        let rest = &self.text[start..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if value.is_object() || value.is_array() => {
                let n_bytes = values.byte_offset();
                self.taken.push(start..start + n_bytes);
                self.found.push(Found { value, n_bytes });
            }
            Some(Ok(_)) | None => self.waste(values.byte_offset()),
            Some(Err(error)) if error.is_eof() => {
                self.cut_off = true;
                self.waste(rest.len());
            }
            Some(Err(error)) => {
                let lines = rest.split_inclusive('\n').take(error.line().saturating_sub(1));
                self.waste(lines.map(str::len).sum::<usize>() + error.column());
            }
        }
    }

    fn waste(&mut self, n_bytes: usize) {
        // At least 1, so that even a search over nothing but brackets ends.
        self.waste_left = self.waste_left.saturating_sub(n_bytes.max(1));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(answer: &str, expected: Result<Value, NoJson>) {
        assert_eq!(find_json(answer), expected, "{}", answer.chars().take(80).collect::<String>());
    }

    #[test]
    fn json_is_found_wherever_models_put_it() {
        let value = || Ok(json!({"a": [1]}));
        check(r#"{"a": [1]}"#, value());
        check("Here you are:\n\n```json\n{\n  \"a\": [1]\n}\n```\nDone {x}.", value());
        check("~~~\n{\"a\":[1]}\n~~~", value());
        check("```json\n{\"a\":[1]}", value());
        check("<think>maybe {\"b\": 2}?</think>\n{\"a\": [1]}", value());
        check("thoughts {\"b\": 2}</think>{\"a\": [1]}", value());
        check("<think>\n{\"a\": [1]}", value());
        check("The set {} and {b} are not it.\n{\"a\": [1]}\n", value());
        check("Sure! The answer is {\"a\": [1]}, I think.", value());
        check("5", Ok(json!(5)));
        check("[1, 2] and more", Ok(json!([1, 2])));
    }

    #[test]
    fn every_value_on_its_own_is_a_candidate_and_parts_are_not() {
        let found =
            candidates("[1] see below\n{\"a\": {\"b\": []}}\n```\n{\"c\": 1}\n```\n").unwrap();
        let values: Vec<Value> = found.into_iter().map(|found| found.value).collect();
        assert_eq!(values, [json!({"c": 1}), json!([1]), json!({"a": {"b": []}})]);
    }

    #[test]
    fn what_is_no_json_says_why() {
        check("", Err(NoJson::Empty));
        check("<think>hm</think>  \n", Err(NoJson::Empty));
        check("I cannot do that.", Err(NoJson::NotJson));
        check("{'a': 1}", Err(NoJson::NotJson));
        // A fragment of a value that is cut off must not pass for the value.
        check("```json\n{\"nodes\": [{\"id\": 1}, {\"id\"", Err(NoJson::CutOff));
        check("{\n  \"nodes\": [\n    {\"id\": 1},\n", Err(NoJson::CutOff));
        check("It is {\"nodes\": [{\"id\": 1}, {\"id\"", Err(NoJson::CutOff));
    }

    #[test]
    fn a_megabyte_of_anything_is_searched_in_linear_time() {
        let mega = 1 << 20;
        let floods = [
            "{".repeat(mega),
            "[".repeat(mega),
            "{\"a\":".repeat(mega / 5),
            "[\n".repeat(mega / 2),
            "```\n{\n".repeat(mega / 6),
            format!("{}{}", "[".repeat(100), "1,".repeat(mega / 2)),
            format!("{}{}x", "[\n".repeat(100), "1,".repeat(mega / 2)),
            "prose ".repeat(mega / 6),
            format!("\"{}", "\\\"".repeat(mega / 2)),
        ];
        for flood in floods {
            assert!(find_json(&flood).is_err());
        }
        let long = format!("{{\"text\": {:?}}}", "x".repeat(mega));
        assert!(find_json(&format!("Answer:\n{long}")).unwrap()["text"].is_string());
    }
}
