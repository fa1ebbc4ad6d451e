//! Answers distorted, damaged and cut off: what the ladder forgives gives the same tree, and what is
//! damaged is refused or explainable.
//!
//! The tests with `long` in their name do the same for as long as one likes:
//! `cargo test -p sage-tool --test fuzz -- --ignored`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use sage_testkit::{EditCase, Tree};
use sage_tool::Workspace;
use sage_tool::apply::{ApplyOptions, Status, apply_answer};
use sage_tool::edits::{Edit, Overwrite, ReadOptions, Rung, read_answer, resolve, unified_diff};

const PATH: &str = "src/code.py";

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() }
}

/// A file whose lines all differ, and lines that take the place of some of them.
#[derive(Debug, Clone)]
struct Change {
    lines: Vec<String>,
    start: usize,
    end: usize,
    new: Vec<String>,
}

impl Change {
    fn old(&self) -> &[String] {
        &self.lines[self.start..self.end]
    }

    fn after(&self) -> Vec<String> {
        [&self.lines[..self.start], &self.new, &self.lines[self.end..]].concat()
    }
}

fn change() -> impl Strategy<Value = Change> {
    let words = select(vec!["alpha", "beta(x)", "\"it's\"", "a - b", "= {", "}", "é ü", ""]);
    let line = (0_usize..4, words);
    let file = prop::collection::vec(line, 4..40).prop_map(|lines| {
        let text = |(n, (depth, words)): (usize, (usize, &str))| {
            format!("{}line{n} {words}", "    ".repeat(depth)).trim_end().to_owned()
        };
        lines.into_iter().enumerate().map(text).collect::<Vec<String>>()
    });
    let added =
        prop::collection::vec(select(vec!["new one", "other = \"x\"", "call(1) - 2"]), 0..4);
    (file, any::<Index>(), 1_usize..5, added).prop_map(|(lines, at, n_lines, added)| {
        let start = at.index(lines.len());
        let end = (start + n_lines).min(lines.len());
        // The first line stays, so that the replacement shows how it is indented.
        let indent: String = lines[start].chars().take_while(|c| *c == ' ').collect();
        let mut new = vec![lines[start].clone()];
        new.extend(added.iter().enumerate().map(|(n, text)| format!("{indent}{text} {n}")));
        Change { lines, start, end, new }
    })
}

/// What a model does to the lines that it copies.
#[derive(Debug, Clone, Copy)]
struct Distortion {
    crlf_file: bool,
    crlf_answer: bool,
    trailing: bool,
    shift: usize,
    tabs: bool,
    curly: bool,
    blank_lines: bool,
    open: bool,
}

fn distortion() -> impl Strategy<Value = Distortion> {
    (any::<[bool; 7]>(), 0_usize..3).prop_map(|(flags, shift)| Distortion {
        crlf_file: flags[0],
        crlf_answer: flags[1],
        trailing: flags[2],
        shift: if flags[3] { 0 } else { shift },
        tabs: flags[3],
        curly: flags[4],
        blank_lines: flags[5],
        open: flags[6],
    })
}

impl Distortion {
    fn copy(self, lines: &[String], between: bool) -> Vec<String> {
        let mut copied = Vec::new();
        for (n, line) in lines.iter().enumerate() {
            let text = line.trim_start();
            let depth = line.len() - text.len();
            let indent =
                if self.tabs { "\t".repeat(depth / 4) } else { " ".repeat(depth + 2 * self.shift) };
            let text = if self.curly { text.replace('\'', "\u{2019}") } else { text.to_owned() };
            let tail = if self.trailing { ["  ", "", "\t"][n % 3] } else { "" };
            copied.push(format!("{indent}{text}{tail}"));
            if between && self.blank_lines && n == 0 && lines.len() > 1 {
                copied.push(String::new());
            }
        }
        copied
    }
}

fn text(lines: &[String], newline: &str) -> String {
    lines.iter().map(|line| format!("{line}{newline}")).collect()
}

/// A search/replace block in one of the layouts that models use.
fn block(layout: usize, search: &str, replace: &str) -> String {
    let bare = format!("<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n");
    match layout % 5 {
        0 => format!("{PATH}\n```python\n{bare}```\n"),
        1 => format!("Sure.\n\n### `{PATH}`\n\n{bare}\nDone.\n"),
        2 => format!("```python\n{PATH}\n{bare}```\n"),
        3 => format!("```python {PATH}\n{bare}```\n"),
        _ => bare.replace("SEARCH", &format!("SEARCH {PATH}")),
    }
}

fn apply_in_memory(answer: &str, file: &str) -> Result<(String, Rung), String> {
    let read = ReadOptions { default_path: Some(PATH), format: None };
    let found = read_answer(answer, read).map_err(|error| error.to_string())?;
    let bytes = |path: &str| (path == PATH).then(|| file.as_bytes().to_vec());
    let changes = resolve(&found.edits, Overwrite::Guarded, bytes)
        .map_err(|rejected| rejected.iter().map(|one| format!("{one}\n")).collect::<String>())?;
    let change = changes.first().ok_or("nothing changes")?;
    Ok((String::from_utf8(change.after.clone().unwrap_or_default()).unwrap(), change.rung))
}

fn distorted_blocks_give_the_same_file(cases: u32) {
    let strategy = (change(), distortion(), 0_usize..5);
    let outcome = TestRunner::new(config(cases)).run(&strategy, |(change, how, layout)| {
        let newline = if how.crlf_file { "\r\n" } else { "\n" };
        let (mut file, mut after) = (text(&change.lines, newline), text(&change.after(), newline));
        if how.open && change.end < change.lines.len() {
            file.truncate(file.len() - newline.len());
            after.truncate(after.len() - newline.len());
        }
        let search = text(&how.copy(change.old(), true), "\n");
        let replace = text(&how.copy(&change.new, false), "\n");
        let mut answer = block(layout, &search, &replace);
        if how.crlf_answer {
            answer = answer.replace('\n', "\r\n");
        }
        match apply_in_memory(&answer, &file) {
            Ok((found, _)) => prop_assert_eq!(found, after),
            Err(error) => prop_assert!(
                file == after || error.contains("changes nothing") || error.contains("indent"),
                "{}\n{}",
                error,
                answer
            ),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_block_with_any_tolerated_distortions_gives_the_same_file() {
    distorted_blocks_give_the_same_file(400);
}

#[test]
#[ignore = "runs for minutes"]
fn a_block_with_any_tolerated_distortions_gives_the_same_file_long() {
    distorted_blocks_give_the_same_file(200_000);
}

/// What models get wrong about a diff.
fn distorted_diff(diff: &str, wrong: [bool; 5], by: usize) -> String {
    let mut lines = Vec::new();
    for line in diff.lines() {
        let is_header = line.starts_with("--- ") || line.starts_with("+++ ");
        if is_header && wrong[0] {
            continue;
        }
        let line = match line.strip_prefix("@@ -") {
            Some(_) if wrong[1] => "@@ ... @@".to_owned(),
            Some(rest) if wrong[2] => format!("@@ -{by}{rest}"),
            _ if line == " " && wrong[3] => String::new(),
            _ => line.to_owned(),
        };
        lines.push(line);
    }
    let text = lines.join("\n");
    if wrong[4] { format!("Here:\n\n```diff\n{text}\n```\n") } else { format!("{text}\n") }
}

fn distorted_diffs_give_the_same_file(cases: u32) {
    let strategy = (change(), any::<[bool; 5]>(), 1_usize..99, any::<bool>(), 0_usize..4);
    let outcome = TestRunner::new(config(cases)).run(&strategy, |(change, wrong, by, crlf, n)| {
        let newline = if crlf { "\r\n" } else { "\n" };
        let (file, after) = (text(&change.lines, newline), text(&change.after(), newline));
        let diff = unified_diff(PATH, Some(file.as_bytes()), Some(after.as_bytes()), n);
        // Only a fence tells a diff without header and numbers from words.
        let wrong = [wrong[0], wrong[1], wrong[2], wrong[3], wrong[4] || wrong[0] || wrong[1]];
        let answer = distorted_diff(&diff, wrong, by);
        match apply_in_memory(&answer, &file) {
            Ok((found, _)) => prop_assert_eq!(found, after),
            // Without context an insertion has no place, and a wrong count looks like a cut.
            Err(error) => prop_assert!(
                file == after || n == 0 || (wrong[2] && error.contains("cut off")),
                "{}\n{}",
                error,
                answer
            ),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_diff_with_any_tolerated_distortions_gives_the_same_file() {
    distorted_diffs_give_the_same_file(400);
}

#[test]
#[ignore = "runs for minutes"]
fn a_diff_with_any_tolerated_distortions_gives_the_same_file_long() {
    distorted_diffs_give_the_same_file(200_000);
}

fn corpus() -> Vec<EditCase> {
    EditCase::all_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"))
}

/// One kind of damage to an answer.
#[derive(Debug, Clone)]
enum Damage {
    Cut(Index),
    DropLine(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
    DropChar(Index),
    Insert(Index, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let scrap = select(vec![
        "<<<<<<< SEARCH\n",
        "=======\n",
        ">>>>>>> REPLACE\n",
        "```\n",
        "````\n",
        "<think>\n",
        "</think>\n",
        "--- a/x\n",
        "+++ b/../x\n",
        "@@ -1 +1 @@\n",
        "*** Begin Patch\n",
        "*** End Patch\n",
        "*** Update File: ../outside.txt\n",
        "../outside.txt\n",
        "src/a.py\n",
        "# ... existing code ...\n",
        "\\ No newline at end of file\n",
        "\u{FEFF}",
        "\r",
        "\t",
        " ",
        "+",
        "-",
        "{\"file\": \"../outside.txt\", \"content\": \"x\"}\n",
        "/etc/passwd\n",
        ".git/config\n",
        "rename to ../y\n",
        "new file mode 120000\n",
    ]);
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        any::<Index>().prop_map(Damage::DropLine),
        any::<Index>().prop_map(Damage::RepeatLine),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Damage::SwapLines(a, b)),
        any::<Index>().prop_map(Damage::DropChar),
        (any::<Index>(), scrap).prop_map(|(at, scrap)| Damage::Insert(at, scrap)),
    ]
}

fn damaged(answer: &str, damages: &[Damage]) -> String {
    let mut text = answer.to_owned();
    for damage in damages {
        let chars: Vec<char> = text.chars().collect();
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        if lines.is_empty() {
            break;
        }
        let n_lines = lines.len();
        text = match damage {
            Damage::Cut(at) => chars[..at.index(chars.len())].iter().collect(),
            Damage::DropChar(at) => {
                let at = at.index(chars.len());
                chars[..at].iter().chain(&chars[at + 1..]).collect()
            }
            Damage::DropLine(at) => {
                lines.remove(at.index(n_lines));
                lines.concat()
            }
            Damage::RepeatLine(at) => {
                let at = at.index(n_lines);
                lines.insert(at, lines[at].clone());
                lines.concat()
            }
            Damage::SwapLines(a, b) => {
                lines.swap(a.index(n_lines), b.index(n_lines));
                lines.concat()
            }
            Damage::Insert(at, scrap) => {
                lines.insert(at.index(n_lines), (*scrap).to_owned());
                lines.concat()
            }
        };
    }
    text
}

/// Letters and digits, by which lines are compared whatever their layout and punctuation.
fn core(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Every line that a result has more must have been said, and every line that it has less as well,
/// unless whole files were given.
fn unexplained(edits: &[Edit], answer: &str, before: &[u8], after: &[u8]) -> Option<String> {
    // A text inside a line joins what is before and behind it, which nobody says.
    let is_inside =
        |edit: &Edit| matches!(edit, Edit::Replace { search, .. } if !search.ends_with('\n'));
    if edits.iter().any(is_inside) {
        return None;
    }
    let said = core(answer);
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(after));
    let lines = |text: &str| -> BTreeMap<String, isize> {
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            *counts.entry(core(line)).or_default() += 1;
        }
        counts
    };
    let (old, new) = (lines(&before), lines(&after));
    let added = new.keys().find(|line| !old.contains_key(*line) && !said.contains(*line));
    if let Some(line) = added {
        return Some(format!("nobody said {line:?}"));
    }
    let is_whole = |edit: &Edit| matches!(edit, Edit::Write { .. } | Edit::Delete { .. });
    if edits.iter().any(is_whole) {
        return None;
    }
    let lost = old.keys().find(|line| !new.contains_key(*line) && !said.contains(*line));
    lost.map(|line| format!("nobody asked to remove {line:?}"))
}

fn damaged_answers_do_no_harm(cases: u32) {
    let corpus = corpus();
    let strategy = (any::<Index>(), prop::collection::vec(damage(), 1..4));
    let outcome = TestRunner::new(config(cases)).run(&strategy, |(which, damages)| {
        let case = &corpus[which.index(corpus.len())];
        let answer = damaged(&String::from_utf8(case.answer()).unwrap(), &damages);
        let Ok(found) = read_answer(&answer, ReadOptions::default()) else { return Ok(()) };
        let files = case.files();
        let read = |path: &str| files.get(path).cloned();
        let Ok(changes) = resolve(&found.edits, Overwrite::Guarded, read) else { return Ok(()) };
        for change in changes {
            let is_moved =
                |edit: &Edit| matches!(edit, Edit::Move { path, .. } if *path == change.path);
            if change.after.is_none() && found.edits.iter().any(is_moved) {
                continue;
            }
            let moved = change.moved_from.as_deref().and_then(|path| files.get(path).cloned());
            let before = change.before.or(moved).unwrap_or_default();
            let after = change.after.unwrap_or_default();
            let problem = unexplained(&found.edits, &answer, &before, &after);
            prop_assert!(problem.is_none(), "{:?}\n{}\n{}", problem, case.name, answer);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_damaged_answer_is_refused_or_explainable() {
    damaged_answers_do_no_harm(3_000);
}

#[test]
#[ignore = "runs for minutes"]
fn a_damaged_answer_is_refused_or_explainable_long() {
    damaged_answers_do_no_harm(1_000_000);
}

fn damaged_answers_stay_inside(cases: u32) {
    let corpus = corpus();
    let strategy = (any::<Index>(), prop::collection::vec(damage(), 0..4));
    let outcome = TestRunner::new(config(cases)).run(&strategy, |(which, damages)| {
        let case = &corpus[which.index(corpus.len())];
        let tree = case.lay_out();
        let root = tree.root();
        let top = root.parent().unwrap();
        let outside = Tree::of(top, &["project"]);
        let before = Tree::of(&root, &[]);
        let answer = damaged(&String::from_utf8(case.answer()).unwrap(), &damages);
        let workspace = Workspace::open(&root).unwrap();
        let report = apply_answer(&workspace, &answer, ApplyOptions::default());
        prop_assert_eq!(&Tree::of(top, &["project"]), &outside);
        let after = Tree::of(&root, &[]);
        match report.status {
            Status::Rejected => prop_assert_eq!(after, before),
            Status::Applied => {
                prop_assert!(after != before);
                let named: Vec<&str> = report.files.iter().map(|file| file.path.as_str()).collect();
                for path in after.files().into_iter().chain(before.files()) {
                    let same = after.entries.get(path) == before.entries.get(path);
                    prop_assert!(same || named.contains(&path), "{} changed unsaid", path);
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_damaged_answer_touches_only_what_the_report_names() {
    damaged_answers_stay_inside(150);
}

#[test]
#[ignore = "runs for minutes"]
fn a_damaged_answer_touches_only_what_the_report_names_long() {
    damaged_answers_stay_inside(50_000);
}

/// The edits without what a cut may take away and nobody misses: the text of a file that goes, what is
/// said of a final newline, and numbers that agree only with later ones.
fn essence(edits: &[Edit]) -> Vec<Edit> {
    let mut edits = edits.to_vec();
    edits.retain(|edit| !matches!(edit, Edit::Hunk { hunk, .. } if hunk.is_whole));
    for edit in &mut edits {
        if let Edit::Hunk { hunk, .. } = edit {
            (hunk.old_open, hunk.new_open, hunk.line) = (false, false, None);
        }
    }
    edits
}

/// An answer that is cut off gives the first of its edits or none, never a part of one.
#[test]
fn a_cut_answer_gives_whole_edits_or_nothing() {
    let mut wrong = Vec::new();
    for case in corpus() {
        let answer = String::from_utf8(case.answer()).unwrap();
        let Ok(whole) = read_answer(&answer, ReadOptions::default()) else { continue };
        let cuts = answer.char_indices().map(|(at, _)| at).filter(|at| {
            let step = answer.len() / 60 + 1;
            // A line of a diff without a fence cannot be told from a part of it.
            let is_loose = answer.contains("@@ ") && !answer.contains("```");
            let text = &answer[..*at];
            // Nor can the beginning of a fence from the end of one, and of a header from a removed line
            // (which is nowhere).
            let last = text.lines().next_back().unwrap_or_default();
            let is_unclear = text.ends_with("```") || last.starts_with("--- ");
            !is_unclear && ((at % step == 0 && !is_loose) || text.ends_with('\n'))
        });
        for cut in cuts {
            let Ok(found) = read_answer(&answer[..cut], ReadOptions::default()) else { continue };
            let n_found = found.edits.len();
            let (wanted, given) = (essence(&whole.edits), essence(&found.edits));
            if n_found > whole.edits.len() || given != wanted[..given.len().min(wanted.len())] {
                let text = &answer[..cut];
                wrong.push(format!("{}\n{text}\n---\n{:#?}", case.name, found.edits));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n=====\n")
    );
}
