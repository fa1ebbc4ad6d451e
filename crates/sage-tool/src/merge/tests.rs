use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(base: &str, ours: &str, theirs: &str, expected: Expect) {
    let text = match merge_lines(base.as_bytes(), ours.as_bytes(), theirs.as_bytes(), "b") {
        Merge::Clean(bytes) => String::from_utf8(bytes).unwrap(),
        Merge::Conflict { marked, hunks } => {
            assert!(!hunks.is_empty() && has_markers(&marked));
            format!("{} conflict(s)\n{}", hunks.len(), String::from_utf8(marked).unwrap())
        }
    };
    expected.assert_eq(&text);
}

#[test]
fn changes_in_different_places_are_both_there() {
    check(
        "a\nb\nc\nd\n",
        "A\nb\nc\nd\n",
        "a\nb\nc\nD\n",
        expect![[r#"
        A
        b
        c
        D
    "#]],
    );
    // Insertions and removals.
    check(
        "a\nb\nc\n",
        "a\nx\nb\nc\n",
        "a\nb\n",
        expect![[r#"
        a
        x
        b
    "#]],
    );
    // The same change on both sides is one change.
    check(
        "a\nb\nc\n",
        "a\nB\nc\n",
        "a\nB\nc\nd\n",
        expect![[r#"
        a
        B
        c
        d
    "#]],
    );
}

#[test]
fn changes_of_the_same_lines_conflict_with_all_three_at_hand() {
    check(
        "a\nb\nc\n",
        "a\nours\nc\n",
        "a\ntheirs\nc\n",
        expect![[r#"
        1 conflict(s)
        a
        <<<<<<<<< CONFLICT 1: in the tree now
        ours
        ||||||||| before both
        b
        ========= by b
        theirs
        >>>>>>>>> END OF CONFLICT 1
        c
    "#]],
    );
    // Neighbouring lines too: nobody knows whether they belong together.
    check(
        "a\nb\n",
        "A\nb\n",
        "a\nB\n",
        expect![[r#"
        1 conflict(s)
        <<<<<<<<< CONFLICT 1: in the tree now
        A
        b
        ||||||||| before both
        a
        b
        ========= by b
        a
        B
        >>>>>>>>> END OF CONFLICT 1
    "#]],
    );
}

#[test]
fn line_endings_and_a_missing_last_one_survive() {
    let merged = merge_lines(b"a\r\nb\r\nc", b"A\r\nb\r\nc", b"a\r\nb\r\nC", "b");
    assert_eq!(merged, Merge::Clean(b"A\r\nb\r\nC".to_vec()));
    check(
        "a\nb\nc",
        "a\nb\nc\nd\n",
        "x\na\nb\nc",
        expect![[r#"
        x
        a
        b
        c
        d
    "#]],
    );
}

fn version(text: &str, mode: u32) -> Version {
    Version { bytes: text.as_bytes().to_vec(), mode }
}

fn check_file(base: Option<&str>, ours: Option<&str>, theirs: Option<&str>, expected: &str) {
    let side = |text: Option<&str>| text.map(|text| version(text, 0o644));
    let (base, ours, theirs) = (side(base), side(ours), side(theirs));
    let said = match merge_file(base.as_ref(), ours.as_ref(), theirs.as_ref(), "b") {
        FileMerge::AsOurs => "as ours".to_owned(),
        FileMerge::To(None) => "removed".to_owned(),
        FileMerge::To(Some(version)) => String::from_utf8(version.bytes).unwrap(),
        FileMerge::Conflict { clash, .. } => format!("{clash:?}"),
    };
    assert_eq!(said, expected);
}

#[test]
fn files_that_come_and_go_are_decided_one_by_one() {
    check_file(None, None, Some("new"), "new");
    check_file(None, Some("new"), Some("new"), "as ours");
    check_file(None, Some("one\n"), Some("two\n"), "BothCreated");
    check_file(Some("a"), Some("a"), None, "removed");
    check_file(Some("a"), None, None, "as ours");
    check_file(Some("a"), None, Some("b"), "GoneInTree");
    check_file(Some("a"), Some("b"), None, "GoneInLane");
    check_file(Some("a"), None, Some("a"), "as ours");
    check_file(Some("\0a"), Some("\0b"), Some("\0c"), "NoLines");
    check_file(Some("\0a"), Some("\0a"), Some("\0c"), "\0c");
}

#[test]
fn modes_are_merged_like_contents() {
    let merge = |base, ours, theirs| {
        let [base, ours, theirs] = [base, ours, theirs].map(|mode| version("x\n", mode));
        merge_file(Some(&base), Some(&ours), Some(&theirs), "b")
    };
    assert_eq!(merge(0o644, 0o644, 0o755), FileMerge::To(Some(version("x\n", 0o755))));
    assert_eq!(merge(0o644, 0o755, 0o644), FileMerge::AsOurs);
    assert!(matches!(merge(0o644, 0o600, 0o755), FileMerge::Conflict { clash: Clash::Mode, .. }));
    // One side the mode, the other the content.
    let (base, ours) = (version("x\n", 0o644), version("x\n", 0o755));
    let theirs = version("y\n", 0o644);
    let merged = merge_file(Some(&base), Some(&ours), Some(&theirs), "b");
    assert_eq!(merged, FileMerge::To(Some(version("y\n", 0o755))));
}

#[test]
fn a_link_that_both_moved_is_not_merged_by_lines() {
    let link = |target: &str| version(target, LINK_MODE);
    let merged = merge_file(Some(&link("a")), Some(&link("b")), Some(&link("c")), "b");
    assert!(matches!(merged, FileMerge::Conflict { clash: Clash::NoLines, marked: None, .. }));
}

fn lines() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d", ""]), 0..12)
        .prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect::<String>().into())
}

proptest! {
    #[test]
    fn one_sided_changes_come_through_whole(base in lines(), changed in lines()) {
        prop_assert_eq!(merge_lines(&base, &base, &changed, "b"), Merge::Clean(changed.clone()));
        prop_assert_eq!(merge_lines(&base, &changed, &base, "b"), Merge::Clean(changed.clone()));
        prop_assert_eq!(merge_lines(&base, &changed, &changed, "b"), Merge::Clean(changed));
    }

    #[test]
    fn both_sides_agree_on_whether_it_is_clean(base in lines(), a in lines(), b in lines()) {
        let (ab, ba) = (merge_lines(&base, &a, &b, "b"), merge_lines(&base, &b, &a, "b"));
        match (ab, ba) {
            (Merge::Clean(ab), Merge::Clean(ba)) => prop_assert_eq!(ab, ba),
            (Merge::Conflict { hunks: ab, .. }, Merge::Conflict { hunks: ba, .. }) => {
                prop_assert_eq!(ab.len(), ba.len());
            }
            _ => prop_assert!(false, "clean one way only"),
        }
    }

    #[test]
    fn no_line_of_either_side_is_lost(base in lines(), a in lines(), b in lines()) {
        // Lines that a side added and nobody had before are in the result, marked or not.
        let marked = |side: &[u8], name: &str| -> Vec<u8> {
            let text = String::from_utf8_lossy(side);
            let lines = text.lines().map(|line| format!("{line}{name}\n"));
            lines.chain([text.to_string()]).collect::<String>().into()
        };
        let (ours, theirs) = (marked(&a, "-ours"), marked(&b, "-theirs"));
        let merged = match merge_lines(&base, &ours, &theirs, "b") {
            Merge::Clean(bytes) => bytes,
            Merge::Conflict { marked, .. } => marked,
        };
        let merged = String::from_utf8_lossy(&merged);
        for side in [ours, theirs] {
            for line in String::from_utf8_lossy(&side).lines().filter(|line| line.contains('-')) {
                prop_assert!(merged.lines().any(|merged| merged == line), "{line} in {merged}");
            }
        }
    }
}
