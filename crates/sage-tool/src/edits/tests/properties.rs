//! What holds for any file, any place in it and any distortion that the ladder forgives.

use proptest::prelude::*;

use crate::edits::{
    ApplyError, Overwrite, Rung, apply_replace, apply_write, parse_answer, resolve, unified_diff,
};

/// Files of lines that differ from each other, so that every place is unique.
fn file_lines() -> impl Strategy<Value = Vec<String>> {
    let body = prop::string::string_regex("[ a-zé(){}'\"=.]{0,12}").unwrap();
    let indent = 0_usize..4;
    prop::collection::vec((indent, body), 1..30).prop_map(|lines| {
        lines
            .into_iter()
            .enumerate()
            .map(|(n, (indent, body))| {
                format!("{}line{n} {}", "    ".repeat(indent), body.trim_end())
                    .trim_end()
                    .to_owned()
            })
            .collect()
    })
}

/// A file, a range of it, and the lines that shall stand there.
fn change() -> impl Strategy<Value = (Vec<String>, usize, usize, Vec<String>)> {
    (file_lines(), prop::collection::vec("[ a-z]{0,8}[a-z]", 0..5)).prop_flat_map(|(lines, new)| {
        let n = lines.len();
        (Just(lines), 0..n, 1..=n, Just(new)).prop_map(|(lines, a, b, new)| {
            let start = a.min(b - 1);
            let end = b.max(a + 1).min(lines.len());
            (lines, start, end, new)
        })
    })
}

fn text(lines: &[String], newline: &str) -> String {
    lines.iter().map(|line| format!("{line}{newline}")).collect()
}

fn spliced(lines: &[String], start: usize, end: usize, new: &[String]) -> Vec<String> {
    [&lines[..start], new, &lines[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_exact_search_gives_the_spliced_file((lines, start, end, new) in change(), newline in "(\n|\r\n)", open in any::<bool>()) {
        let mut file = text(&lines, &newline);
        let mut after = text(&spliced(&lines, start, end, &new), &newline);
        if open && end < lines.len() {
            file.truncate(file.len() - newline.len());
            after.truncate(after.len() - newline.len());
        }
        let search = text(&lines[start..end], &newline);
        match apply_replace(file.as_bytes(), &search, &text(&new, &newline)) {
            Ok(applied) => {
                prop_assert_eq!(String::from_utf8(applied.content).unwrap(), after);
                prop_assert_eq!(applied.rung, Rung::Exact);
            }
            Err(error) => {
                prop_assert_eq!(error, ApplyError::NoChange);
                prop_assert_eq!(file, after);
            }
        }
    }

    #[test]
    fn a_distorted_answer_gives_the_same_file((lines, start, end, new) in change(), crlf in any::<bool>(), blanks in prop::collection::vec("[ \t]{0,2}", 30), shift in 0_usize..3) {
        let file = text(&lines, if crlf { "\r\n" } else { "\n" });
        let after = text(&spliced(&lines, start, end, &new), if crlf { "\r\n" } else { "\n" });
        let distort = |lines: &[String]| -> String {
            lines.iter().zip(&blanks).map(|(line, blanks)| format!("{line}{blanks}{}", if crlf { "\n" } else { "\r\n" })).collect()
        };
        let uniform = |lines: &[String]| -> String {
            lines.iter().map(|line| format!("{}{line}\n", "  ".repeat(shift))).collect()
        };
        for (search, replace) in [
            (distort(&lines[start..end]), text(&new, "\n")),
            (uniform(&lines[start..end]), uniform(&new)),
        ] {
            match apply_replace(file.as_bytes(), &search, &replace) {
                Ok(applied) => prop_assert_eq!(String::from_utf8(applied.content).unwrap(), after.clone()),
                // A replacement without any line at the search text's indentation is refused.
                Err(ApplyError::NotFound { hint, .. }) => prop_assert!(hint.contains("indent"), "{}", hint),
                Err(error) => {
                    prop_assert_eq!(error, ApplyError::NoChange);
                    prop_assert_eq!(&file, &after);
                }
            }
        }
    }

    #[test]
    fn lines_outside_the_edit_keep_their_bytes(before in prop::collection::vec(any::<u8>(), 0..60), after in prop::collection::vec(any::<u8>(), 0..60)) {
        let file = [&before[..], b"\nthe unique line\n", &after[..]].concat();
        let applied = apply_replace(&file, "the unique line\n", "another line\n").unwrap();
        prop_assert_eq!(applied.content, [&before[..], b"\nanother line\n", &after[..]].concat());
    }

    #[test]
    fn arbitrary_input_never_panics(file in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b'\r'), Just(b'a'), any::<u8>()], 0..200), search in "[ ab\t\r\n\u{FFFD}’.#]{0,30}", replace in "[ ab\t\r\n\u{FFFD}’.#]{0,30}") {
        let _ = apply_replace(&file, &search, &replace).map_err(|error| error.to_string());
        let _ = apply_write("a.py", Some(&file), &replace, Overwrite::Guarded);
        let _ = unified_diff("a", Some(&file), Some(replace.as_bytes()), 3);
        // Any part of a text, given back as it is shown, is found or refused for a stated reason.
        let shown = String::from_utf8_lossy(&file);
        let middle: String = shown.chars().skip(shown.chars().count() / 3).take(20).collect();
        let _ = apply_replace(&file, &middle, &replace).map_err(|error| error.to_string());
    }
}

/// Answers made of the pieces that matter to the reader, in any order.
fn scraps() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "src/a.py\n",
        "`b.md`:\n",
        "```python\n",
        "```\n",
        "````md c.md\n",
        "````\n",
        "~~~\n",
        "<<<<<<< SEARCH\n",
        "=======\n",
        ">>>>>>> REPLACE\n",
        "<think>\n",
        "</think>\n",
        "x = 1\n",
        "\n",
        "{\"file\": \"a\", \"patch\": \"b\"}\n",
        "{\"file\":\n",
        "# d.py\n",
        "talk\n",
        "é`` `\r\n",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_is_read_or_refused(text in scraps(), noise in "\\PC{0,40}", cut in 0_usize..200) {
        for answer in [text.clone(), format!("{noise}{text}"), text.chars().take(cut).collect()] {
            for path in [None, Some("e.py")] {
                if let Ok(edits) = parse_answer(&answer, path) {
                    let _ = resolve(&edits, Overwrite::Guarded, |_| None);
                    let _ = resolve(&edits, Overwrite::Allowed, |_| Some(b"x = 1\n".to_vec()));
                }
            }
        }
    }

    #[test]
    fn a_cut_answer_gives_nothing_that_was_not_said(order in Just(vec![0, 1, 2, 3, 4]).prop_shuffle(), cut in 0.0..1.0) {
        let parts = [
            "src/a.py\n```python\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n```\n",
            "Now the file:\n\n### src/b.py\n```python\ndef f():\n    return '```'\n```\n",
            "````markdown README.md\n# Title\n```bash\nmake\n```\nend\n````\n",
            "src/c.py\n<<<<<<< SEARCH\n\na\n=======\nb\nc\n>>>>>>> REPLACE\n",
            "**d.json**:\n~~~json\n{\"a\": [1,\n2]}\n~~~\nThat was all.\n",
        ];
        let answer: String = order.iter().map(|at| parts[*at]).collect();
        let whole = parse_answer(&answer, None).unwrap();
        prop_assert_eq!(whole.len(), 5);
        let cut: String = answer.chars().take((answer.len() as f64 * cut) as usize).collect();
        if let Ok(edits) = parse_answer(&cut, None) {
            prop_assert_eq!(&edits[..], &whole[..edits.len()]);
        }
    }
}
