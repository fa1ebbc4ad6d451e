use super::*;

fn check(line: &str, expected: &[&str]) {
    let shown: Vec<String> = read(line)
        .unwrap_or_else(|problem| panic!("{line:?}: {problem}"))
        .parts
        .iter()
        .map(|simple| {
            let mut parts: Vec<String> = simple.words.iter().map(|w| w.text.clone()).collect();
            parts.extend(simple.writes.iter().map(|word| format!(">{}", word.text)));
            if simple.is_piped { format!("| {}", parts.join(" ")) } else { parts.join(" ") }
        })
        .collect();
    assert_eq!(shown, expected, "{line:?}");
}

#[test]
fn every_part_of_a_compound_line_is_found() {
    check("a b; c && d || e & f\ng", &["a b", "c", "d", "e", "f", "g"]);
    check("a | b |& c", &["a", "| b", "| c"]);
    check("(cd x; a) ; { b; }", &["cd x", "a", "{ b", "}"]);
    check("echo $(a b) `c \\`d\\``", &["a b", "d", "c $(…)", "echo $(…) $(…)"]);
    check("echo \"x $(a \"b c\") y\"", &["a b c", "echo x $(…) y"]);
    check("diff <(a) >(b)", &["a", "b", "diff <(…) >(…)"]);
    check("echo ${x:-$(a)}", &["a", "echo ${x:-$(…)}"]);
}

#[test]
fn quotes_escapes_and_comments_are_taken_off() {
    check(r#"echo 'a; b' "c && d" e\ f # g; h"#, &["echo a; b c && d e f"]);
    check("s\"ud\"o x", &["sudo x"]);
    check("a \\\n b", &["a b"]);
    check("echo a#b", &["echo a#b"]);
    check("", &[]);
    check("# only a comment", &[]);
}

#[test]
fn redirections_are_told_from_arguments() {
    check("a >x 2>>y <z", &["a >x >y"]);
    check("a > /dev/null 2>&1", &["a >/dev/null"]);
    check("a &> x; b >& y; c >| z", &["a >x", "b >y", "c >z"]);
    check("a 2>&-", &["a"]);
    check("> x", &[">x"]);
    check("a <<< text", &["a"]);
    check("echo 2 > x", &["echo 2 >x"]);
}

#[test]
fn here_documents_are_text_except_for_substitutions() {
    check("cat <<EOF > x\nrm -rf /; \"\nEOF\nb", &["cat >x", "b"]);
    check("cat <<EOF\n\"$(a)\nEOF\nb", &["cat", "a", " $(…)", "b"]);
    check("cat <<'EOF'\n$(a)\nEOF\nb", &["cat", "b"]);
    check("cat <<-EOF\n\ttext\n\tEOF\nb", &["cat", "b"]);
    check("cat <<EOF\nnever ends", &["cat"]);
}

#[test]
fn lines_that_no_shell_would_take_are_errors() {
    for line in ["echo 'a", "echo \"a", "echo $(a", "echo `a", "echo ${a", "(a"] {
        assert!(read(line).is_err(), "{line:?}");
    }
    assert!(read(&"$(".repeat(100)).is_err());
    assert!(read(&"a;".repeat(3000)).is_err());
    assert!(read(&"a".repeat(MAX_LINE_BYTES + 1)).is_err());
}

proptest::proptest! {
    #[test]
    fn no_line_makes_reading_panic(line in "[a$(){}`'\"\\\\<>&|;#\n 0-9!-]{0,80}") {
        let _ = read(&line);
    }
}
