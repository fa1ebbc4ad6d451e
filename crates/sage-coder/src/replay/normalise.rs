//! Makes alike what differs between two runs by nature, and nothing else.

use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

/// Durations and clock times as test runners and build tools print them.
static TIMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b\d+(\.\d+)?\s?(ms|µs|us|ns|s|sec|secs|seconds|minutes)\b|\b\d{1,2}:\d{2}:\d{2}(\.\d+)?\b|\(\d+\.\d+\)|duration_ms\W+[\d.]+").ok()
});

/// Addresses of objects.
static ADDRESSES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b0x[0-9a-fA-F]{6,16}\b").ok());

/// What a build tool tells about its cache, which may be warm or cold, and names its files by where they
/// lie. Go gives a cached result where a time would be.
static CACHE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*(Compiling|Checking|Fresh|Finished|Blocking|Locking|Updating|Downloading|Downloaded) .*\n|-[0-9a-f]{16}\b").ok()
});
static CACHED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^(ok  \t\S+\t)\(cached\)").ok());

/// Ids of threads as Rust's panics tell them.
static THREADS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(thread '[^']*' )\(\d+\)").ok());

/// Process ids and thread ids in messages.
static PROCESS_IDS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(pid|PID|thread|process)([ =:#]+)\d+\b").ok());

/// The text with volatile parts replaced; `roots` are the folders in which the run worked.
pub(super) fn text(text: &str, roots: &[PathBuf]) -> String {
    let mut out = text.to_owned();
    for root in roots {
        let root = root.to_string_lossy();
        if root.len() > 1 {
            out = out.replace(root.as_ref(), "<root>");
        }
    }
    for (regex, replacement) in [
        (&CACHE, ""),
        (&CACHED, "$1<time>"),
        (&TIMES, "<time>"),
        (&ADDRESSES, "<address>"),
        (&THREADS, "$1(<id>)"),
        (&PROCESS_IDS, "$1$2<id>"),
    ] {
        if let Some(regex) = regex.as_ref() {
            out = regex.replace_all(&out, replacement).into_owned();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_varies_by_nature_is_made_alike() {
        let roots = [PathBuf::from("/tmp/x")];
        let a = text("Ran 2 tests in 0.003s at /tmp/x/a.py:12 <obj 0x7fd2a1b2c3>", &roots);
        assert_eq!(a, "Ran 2 tests in <time> at <root>/a.py:12 <obj <address>>");
        let warm = "    Finished `test` profile in 0.01s\n     Running tests/a.rs (target/debug/deps/a-0123456789abcdef)\nthread 't' (71) panicked at tests/a.rs:6:5:\nok  \tx/y\t(cached)\n";
        let cold = "   Compiling a v0.1.0 (/tmp/x)\n    Finished `test` profile in 1.20s\n     Running tests/a.rs (target/debug/deps/a-fedcba9876543210)\nthread 't' (98) panicked at tests/a.rs:6:5:\nok  \tx/y\t0.002s\n";
        assert_eq!(text(warm, &roots), text(cold, &roots));
        assert_ne!(text("expected 3, got 4", &roots), text("expected 3, got 5", &roots));
    }
}
