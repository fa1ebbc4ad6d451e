use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::testing::Bench;

fn check_refused(bench: &Bench, path: &str, part: &str) {
    let error = bench.cx.workspace.resolve(path).expect_err(path);
    assert!(error.to_string().contains(part), "{path}: {error}");
}

#[test]
fn links_that_lead_out_are_refused_and_links_inside_are_followed() {
    let bench = Bench::new(&[("src/a.rs", "a"), (".git/config", "secret")]);
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("x"), "x").unwrap();
    symlink(&outside, bench.at("out")).unwrap();
    symlink(outside.join("x"), bench.at("out_file")).unwrap();
    symlink(outside.join("not_there"), bench.at("out_new")).unwrap();
    symlink("../outside", bench.at("src/up")).unwrap();
    symlink("src", bench.at("inside")).unwrap();
    symlink("src/a.rs", bench.at("file")).unwrap();
    symlink(".git", bench.at("innocent")).unwrap();
    symlink("loop", bench.at("loop")).unwrap();
    symlink("gone", bench.at("broken")).unwrap();

    for path in ["out", "out/x", "out_file", "src/../out/x"] {
        check_refused(&bench, path, "through a symbolic link");
    }
    for path in ["out_new", "loop", "broken", "loop/x", "src/up/x"] {
        check_refused(&bench, path, "symbolic link");
    }
    for path in ["innocent/config", ".git/config", "src/.git/x", ".sage/policy.json"] {
        check_refused(&bench, path, "protected");
    }
    check_refused(&bench, "src/a.rs/b", "is a file, not a folder");
    let resolved = |path: &str| bench.cx.workspace.resolve(path).unwrap().as_str().to_owned();
    assert_eq!(resolved("inside/a.rs"), "src/a.rs");
    assert_eq!(resolved("inside/new/deep.rs"), "src/new/deep.rs");
    assert_eq!(resolved("file"), "src/a.rs");
    assert_eq!(resolved(bench.at("src/a.rs").to_str().unwrap()), "src/a.rs");
    let entry = bench.cx.workspace.resolve_entry("file").unwrap();
    assert_eq!(entry.as_str(), "file", "a link itself is named when it is to be deleted");
}

#[test]
fn a_root_named_through_a_link_is_recognised() {
    let bench = Bench::new(&[("a", "a")]);
    let link = bench.dir.path().join("link");
    symlink(bench.root(), &link).unwrap();
    let workspace = Workspace::open(&link).unwrap();
    assert_eq!(workspace.resolve(link.join("a").to_str().unwrap()).unwrap().as_str(), "a");
    assert_eq!(workspace.resolve(bench.at("a").to_str().unwrap()).unwrap().as_str(), "a");
    assert!(Workspace::open(&bench.at("a")).is_err());
    assert!(Workspace::open(&bench.at("nowhere")).is_err());
}

#[test]
fn writing_keeps_the_mode_and_goes_through_links_inside() {
    let bench = Bench::new(&[("run.sh", "old"), ("real", "old")]);
    let workspace = &bench.cx.workspace;
    fs::set_permissions(bench.at("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    workspace.write_atomic(&workspace.resolve("run.sh").unwrap(), b"new").unwrap();
    assert_eq!(bench.tree()["run.sh"], "755 new");
    symlink("real", bench.at("link")).unwrap();
    workspace.write_atomic(&workspace.resolve("link").unwrap(), b"through").unwrap();
    assert_eq!(bench.text("real"), "through");
    assert!(fs::symlink_metadata(bench.at("link")).unwrap().is_symlink());
    workspace.write_atomic(&workspace.resolve("a/b/c.txt").unwrap(), b"deep").unwrap();
    assert_eq!(bench.text("a/b/c.txt"), "deep");
    let left: Vec<_> = bench.tree().into_keys().filter(|name| name.contains("sage-tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_folder_that_became_a_link_after_resolving_is_not_written_through() {
    let bench = Bench::new(&[("src/a.rs", "a")]);
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("a.rs"), "outside").unwrap();
    let path = bench.cx.workspace.resolve("src/a.rs").unwrap();
    let new = bench.cx.workspace.resolve("src/new/b.rs").unwrap();
    fs::rename(bench.at("src"), bench.at("moved")).unwrap();
    symlink(&outside, bench.at("src")).unwrap();
    assert!(bench.cx.workspace.write_atomic(&path, b"evil").is_err());
    assert!(bench.cx.workspace.write_atomic(&new, b"evil").is_err());
    assert!(bench.cx.workspace.delete(&path).is_err());
    assert_eq!(fs::read_to_string(outside.join("a.rs")).unwrap(), "outside");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn walking_leaves_out_what_is_ignored_or_protected() {
    let bench = Bench::new(&[
        (".gitignore", "*.log\n/build/\n!keep.log\n"),
        (".sageignore", "secret.txt\n"),
        (".git/config", "x"),
        (".github/ci.yml", "x"),
        ("a.rs", "x"),
        ("b.log", "x"),
        ("keep.log", "x"),
        ("build/out", "x"),
        ("src/build/in", "x"),
        ("src/.gitignore", "gen\n"),
        ("src/gen/x", "x"),
        ("sub/.git", "gitdir: elsewhere"),
        ("sub/b.rs", "x"),
        ("secret.txt", "x"),
        (".sage-tmp-1", "x"),
    ]);
    let listing = bench.cx.workspace.walk().unwrap();
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            ".github/ci.yml",
            ".gitignore",
            ".sageignore",
            "a.rs",
            "keep.log",
            "src/.gitignore",
            "src/build/in",
            "sub/b.rs"
        ]
    );
}

#[test]
fn rules_of_the_enclosing_repository_hold() {
    let bench = Bench::new(&[("a.tmp", "x"), ("b.rs", "x")]);
    fs::create_dir(bench.dir.path().join(".git")).unwrap();
    fs::write(bench.dir.path().join(".gitignore"), "*.tmp\n").unwrap();
    let listing = bench.cx.workspace.walk().unwrap();
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["b.rs"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(10))]
    #[test]
    fn no_text_resolves_to_something_outside(
        texts in proptest::collection::vec(
            "(/|\\.\\./|\\./|in|out|deep|a|\\.git|\\.SAGE|new|~|\\\\|up| |\u{F7AE}){0,9}", 20)
    ) {
        let bench = Bench::new(&[("a/deep/file", "x"), (".git/x", "x")]);
        let outside = bench.dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        symlink(&outside, bench.at("out")).unwrap();
        symlink("a", bench.at("in")).unwrap();
        symlink("../..", bench.at("a/up")).unwrap();
        symlink("../../tree/.git", bench.at("a/deep/in")).unwrap();
        let workspace = &bench.cx.workspace;
        for text in texts {
            for path in [workspace.resolve(&text), workspace.resolve_entry(&text)].into_iter().flatten() {
                let at = path.under(workspace.root());
                let existing = at.ancestors().find(|at| at.exists()).unwrap();
                let real = existing.canonicalize().unwrap();
                assert!(real.starts_with(workspace.root()) || fs::symlink_metadata(&at).unwrap().is_symlink(),
                    "{text:?} gave {path}");
                assert!(!path.as_str().split('/').any(|name| name.eq_ignore_ascii_case(".git")), "{text:?}");
                if workspace.write_atomic(&path, b"x").is_ok() {
                    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{text:?} wrote outside");
                    assert_eq!(fs::read_dir(bench.dir.path()).unwrap().count(), 2, "{text:?} wrote outside");
                }
            }
        }
    }
}
