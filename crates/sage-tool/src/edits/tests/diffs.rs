//! Differences as they are shown and counted.

use expect_test::expect;

use crate::edits::{MAX_DIFF_BYTES, line_diff_counts, unified_diff};

#[test]
fn a_diff_reads_like_that_of_git() {
    let old = b"a\nb\nc\nd\ne\nf\ng\nh\n";
    let new = b"a\nb\nX\nd\ne\nf\ng\nh\ni";
    expect![[r#"
        --- a/src/x.py
        +++ b/src/x.py
        @@ -2,3 +2,3 @@
         b
        -c
        +X
         d
        @@ -8 +8,2 @@
         h
        +i
        \ No newline at end of file
    "#]]
    .assert_eq(&unified_diff("src/x.py", Some(old), Some(new), 1));
    expect![[r#"
        --- /dev/null
        +++ b/x
        @@ -0,0 +1 @@
        +a
    "#]]
    .assert_eq(&unified_diff("x", None, Some(b"a\n"), 3));
    expect![[r#"
        --- a/x
        +++ /dev/null
        @@ -1 +0,0 @@
        -a
    "#]]
    .assert_eq(&unified_diff("x", Some(b"a\n"), None, 3));
    assert_eq!(unified_diff("x", Some(b"a\n"), Some(b"a\n"), 3), "");
}

#[test]
fn a_change_of_endings_is_a_change() {
    assert_eq!(line_diff_counts(b"a\r\nb\n", b"a\nb\n"), (1, 1));
    assert_eq!(line_diff_counts(b"a\nb", b"a\nb\n"), (1, 1));
    assert_eq!(line_diff_counts(b"", b"a\nb"), (2, 0));
    assert_eq!(line_diff_counts(b"a\n", b"a\n"), (0, 0));
}

#[test]
fn what_is_not_text_or_too_long_is_summed_up() {
    expect![[r#"
        Binary files a/x and b/x differ (3 and 1 bytes)
    "#]]
    .assert_eq(&unified_diff("x", Some(b"a\0b"), Some(b"a"), 3));
    let old: String = (0..60_000).map(|n| format!("line {n}\nsame\n\n\n")).collect();
    let new = old.replace("line", "row");
    let diff = unified_diff("x", Some(old.as_bytes()), Some(new.as_bytes()), 0);
    assert!(diff.len() < MAX_DIFF_BYTES + 100);
    assert!(diff.ends_with("more places not shown ...]\n"), "{}", &diff[diff.len() - 60..]);
}
