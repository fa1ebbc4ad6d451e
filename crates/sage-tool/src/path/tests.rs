use super::*;

fn check(text: &str, expected: Result<&str, &str>) {
    let root = Path::new("/project/tree");
    let found = normalise(text, &[root]);
    match expected {
        Ok(path) => assert_eq!(found.as_ref().map(WorkPath::as_str), Ok(path), "{text:?}"),
        Err(part) => {
            let error = found.expect_err(text).to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}

#[test]
fn paths_inside_are_made_relative_and_plain() {
    check("src/a.rs", Ok("src/a.rs"));
    check("./src//b/../a.rs", Ok("src/a.rs"));
    check("/project/tree/src/a.rs", Ok("src/a.rs"));
    check("/project/tree", Ok(""));
    check(".", Ok(""));
    check(".gitignore", Ok(".gitignore"));
    check("docs/.sage/x", Ok("docs/.sage/x"));
    check("a b/é.txt", Ok("a b/é.txt"));
}

#[test]
fn paths_that_leave_are_refused() {
    for text in ["..", "../x", "a/../../x", "/etc/passwd", "/project/treehouse/x", "~", "~/x", "/"]
    {
        check(text, Err("outside the work tree"));
    }
}

#[test]
fn the_programs_and_gits_own_files_are_refused_in_every_spelling() {
    for text in [
        ".git",
        ".git/config",
        ".GIT/hooks/x",
        "sub/.git",
        "sub/.Git/x",
        ".git./x",
        ".git /x",
        ".sage",
        ".sage/policy.json",
        ".SAGE/x",
        "a/../.sage/x",
        "/project/tree/.git/x",
        "./.sage",
    ] {
        check(text, Err("protected"));
    }
}

#[test]
fn malformed_paths_are_told_apart_from_escapes() {
    check("", Err("empty"));
    check("  ", Err("empty"));
    check("a\0b", Err("control character"));
    check("a\nb", Err("control character"));
    check(r"src\a.rs", Err("write it with '/'"));
    check(&"a/".repeat(3000), Err("bytes long"));
    check(&"a".repeat(300), Err("bytes long"));
    assert!(!normalise("", &[]).unwrap_err().is_escape());
    assert!(normalise("../x", &[]).unwrap_err().is_escape());
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_survive() {
    use std::os::unix::ffi::OsStrExt;
    for bytes in [&b"caf\xe9"[..], b"\xff\xfe", "plain é".as_bytes(), "\u{F7FF}x".as_bytes()] {
        let name = OsStr::from_bytes(bytes);
        assert_eq!(decode(&encode(name)), name, "{bytes:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_normalises_to_something_outside(text in "([./~a\\\\]|\\.\\.|/project/tree|\\.git|\\.SAGE|\u{F7AF}|\u{202e}| ){0,12}") {
        if let Ok(path) = normalise(&text, &[Path::new("/project/tree")]) {
            let path = path.as_str();
            assert!(!path.starts_with('/'));
            assert!(path.is_empty() || path.split('/').all(|name| !matches!(name, "" | "." | "..")));
            assert!(!is_protected(path));
            // Normal paths are fixed points.
            if !path.is_empty() && path != "~" && !path.starts_with("~/") && !path.trim().is_empty() {
                assert_eq!(normalise(path, &[]).unwrap().as_str(), path);
            }
        }
    }
}
