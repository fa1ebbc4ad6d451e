use serde_json::json;

use crate::testing::Bench;

#[tokio::test]
async fn reading_shows_ranges_with_numbers_and_what_is_left() {
    let lines: String = (1..=30).map(|n| format!("line {n}\n")).collect();
    let bench = Bench::new(&[("a.txt", &lines), ("empty", ""), ("long", &"x".repeat(5000))]);
    let read = async |n: u32, args| bench.call(n, "read", args).await;
    let part = read(1, json!({"path": "a.txt", "start_line": 9, "end_line": 11})).await;
    assert_eq!(part.text, " 9\tline 9\n10\tline 10\n11\tline 11\n[lines 9 to 11 of 30]\n");
    assert!(
        read(2, json!({"path": "a.txt", "start_line": 31})).await.text.contains("only 30 lines")
    );
    assert!(
        read(3, json!({"path": "a.txt", "start_line": 5, "end_line": 2}))
            .await
            .text
            .contains("before")
    );
    assert_eq!(
        read(4, json!({"path": "a.txt", "start_line": -4, "end_line": 1})).await.text,
        "1\tline 1\n[lines 1 to 1 of 30]\n"
    );
    assert_eq!(read(5, json!({"path": "empty"})).await.text, "empty is empty");
    assert!(read(6, json!({"path": "long"})).await.text.ends_with("[... 4000 more characters]\n"));
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let bench = Bench::new(&[("src/main.rs", "x\n")]);
    std::fs::write(bench.at("bin"), b"\x7fELF\0\0").unwrap();
    std::fs::write(bench.at("latin1"), b"caf\xe9\n").unwrap();
    let read = async |n: u32, path: &str| bench.call(n, "read", json!({"path": path})).await;
    assert!(read(1, "bin").await.text.contains("not text"));
    assert!(read(2, "src").await.text.contains("is a folder; use list"));
    assert!(read(3, "main.rs").await.text.contains("did you mean src/main.rs?"));
    let latin1 = read(4, "latin1").await;
    assert!(latin1.ok && latin1.text.contains("caf\u{FFFD}"));
    std::fs::File::create(bench.at("huge")).unwrap().set_len(1 << 30).unwrap();
    assert!(read(5, "huge").await.text.contains("can be read"));
}

#[tokio::test]
async fn listing_goes_as_deep_as_fits() {
    let mut bench =
        Bench::new(&[("a.py", "x"), ("src/b.py", "x"), ("src/c.rs", "x"), (".git/x", "x")]);
    let all = bench.call(1, "list", json!({})).await;
    assert_eq!(all.text, "3 files in .:\na.py\nsrc/b.py\nsrc/c.rs\n");
    let some = bench.call(2, "list", json!({"path": "src", "glob": "*.py"})).await;
    assert_eq!(some.text, "1 files in src:\nb.py\n");
    assert!(bench.call(3, "list", json!({"path": "srcs"})).await.text.contains("does not exist"));
    assert!(bench.call(4, "list", json!({"path": "a.py"})).await.text.contains("use read"));
    assert!(bench.call(5, "list", json!({"glob": "["})).await.text.contains("not a glob"));
    assert!(bench.call(6, "list", json!({"path": ".."})).await.refused);
    for n in 0..450 {
        bench.write(&format!("many/sub{}/f{n}", n % 3), "x");
    }
    let deep = bench.call(7, "list", json!({})).await;
    assert!(deep.text.contains("many/sub0/ (150 files)\n"), "{}", deep.text);
    for n in 0..450 {
        bench.write(&format!("flat/f{n}"), "x");
    }
    bench.cx.grant = crate::Grant::read_only();
    let flat = bench.call(8, "list", json!({"path": "flat"})).await;
    assert!(flat.text.contains("[... 50 more; name a folder or a glob]"), "{}", flat.text);
}

#[tokio::test]
async fn searching_finds_lines_and_says_where() {
    let bench = Bench::new(&[
        ("src/a.py", "def greet():\n    return 'hi'\n"),
        ("src/b.rs", "fn greet() {}\n"),
        ("ignored.log", "greet\n"),
        (".gitignore", "*.log\n"),
    ]);
    let search = async |n: u32, args| bench.call(n, "search", args).await.text;
    assert_eq!(
        search(1, json!({"pattern": r"greet\("})).await,
        "2 matching lines in 2 files:\nsrc/a.py:1: def greet():\nsrc/b.rs:1: fn greet() {}\n"
    );
    assert!(search(2, json!({"pattern": "greet", "glob": "*.rs"})).await.starts_with("1 matching"));
    assert!(
        search(3, json!({"pattern": "GREET", "ignore_case": true, "path": "src/a.py"}))
            .await
            .starts_with("1 matching")
    );
    assert_eq!(search(4, json!({"pattern": "nothing"})).await, "no match in 3 files");
    assert!(search(5, json!({"pattern": "greet("})).await.contains("searched as plain text"));
    assert!(search(6, json!({"pattern": ""})).await.contains("empty"));
    assert!(search(7, json!({"pattern": "x", "path": "none"})).await.contains("does not exist"));
    bench.write("many.txt", &"needle\n".repeat(500));
    let many = search(8, json!({"pattern": "needle"})).await;
    assert!(
        many.starts_with("500 matching lines in 1 files") && many.contains("[... 480 more"),
        "{many}"
    );
}

#[tokio::test]
async fn a_search_does_not_follow_links_out() {
    let bench = Bench::new(&[("a", "x\n")]);
    std::os::unix::fs::symlink("/etc", bench.at("etc")).unwrap();
    assert_eq!(
        bench.call(1, "search", json!({"pattern": "root"})).await.text,
        "no match in 2 files"
    );
    assert!(bench.call(2, "search", json!({"pattern": "root", "path": "etc"})).await.refused);
}

#[tokio::test]
async fn an_empty_command_is_told() {
    let bench = Bench::new(&[]);
    assert!(bench.call(1, "run", json!({"command": "  "})).await.text.contains("empty"));
    let nul = bench.raw(2, "run", r#"{"command": "echo \u0000"}"#).await.unwrap();
    assert!(!nul.ok && nul.text.contains("cannot be started"), "{}", nul.text);
}
