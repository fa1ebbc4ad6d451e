//! `sage memory`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::recorded::{START_MS, ended, record};
use crate::support::sandbox;

#[expect(clippy::disallowed_methods, reason = "the digest is about the days before now")]
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn files_are_listed_with_their_sizes() {
    let sandbox = sandbox();
    sandbox.run(&["memory"]).expect_code(0).expect_text("nothing is remembered");
    sandbox.write(".sage/memory/notes/a.md", "12345").write(".sage/memory/b.md", "");
    let lines = sandbox.run(&["memory", "list", "--json"]).json_lines();
    let listed: Vec<(&str, u64)> = lines
        .iter()
        .map(|line| (line["path"].as_str().unwrap(), line["size_bytes"].as_u64().unwrap()))
        .collect();
    assert_eq!(listed, [("b.md", 0), ("notes/a.md", 5)]);
}

#[test]
fn a_digest_tells_what_the_recent_runs_did() {
    let sandbox = sandbox();
    record(&sandbox, "recent", now_ms() - 3_600_000, &ended("Add a greeting", "failed", 1));
    record(&sandbox, "old", START_MS - 400 * 86_400_000, &ended("Long ago", "succeeded", 0));
    sandbox.run(&["memory", "digest"]).expect_code(0);
    let text = sandbox.read(".sage/memory/weekly_digest.md");
    for says in [
        "Add a greeting",
        "1 failed",
        "task_002: tests fail",
        "1 of 1 checks passed",
        "| gpt-4o | 1 | 1200 | $0.0045 |",
    ] {
        assert!(text.contains(says), "{says:?} is not in {text}");
    }
    assert!(!text.contains("Long ago"), "{text}");
    sandbox.run(&["memory", "digest", "--days", "3650", "--out", "all.md"]).expect_code(0);
    assert!(sandbox.read("all.md").contains("Long ago"));
}

#[test]
fn a_digest_without_runs_says_so() {
    let sandbox = sandbox();
    let line = sandbox.run(&["memory", "digest", "--json"]).json_lines().remove(0);
    assert_eq!(line["n_runs"], 0);
    assert!(sandbox.read(".sage/memory/weekly_digest.md").contains("There were no runs"));
}
