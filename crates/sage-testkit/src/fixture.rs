//! Small projects of several kinds, to be laid into a [`CliSandbox`] or any folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::sandbox::CliSandbox;

/// The files of a project.
#[derive(Debug, Clone, Default)]
pub struct Fixture {
    files: Vec<(String, Vec<u8>, u32)>,
}

impl Fixture {
    /// A folder with a note in it: no tests, no language, no repository.
    #[must_use]
    pub fn plain_folder() -> Self {
        Self::default().file("notes.txt", "Remember the milk.\n")
    }

    /// A Python package with one tested function, run by `python3 -m unittest`.
    #[must_use]
    pub fn python() -> Self {
        let test = "import os\nimport sys\nimport unittest\n\n\
                    sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
                    from calc import add\n\n\n\
                    class AddTest(unittest.TestCase):\n    \
                    def test_adds(self):\n        self.assertEqual(add(2, 3), 5)\n";
        Self::default()
            .file("pyproject.toml", "[project]\nname = \"calc\"\nversion = \"0.1.0\"\n")
            .file("src/calc.py", "def add(a, b):\n    return a + b\n")
            .file("tests/test_calc.py", test)
            .file(".gitignore", "__pycache__/\n")
    }

    /// A Rust library with one tested function, run by `cargo test --offline`.
    #[must_use]
    pub fn rust() -> Self {
        let code = "//! Sums.\n\n/// Adds.\npub fn add(a: i64, b: i64) -> i64 {\n    a + b\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    #[test]\n    fn adds() {\n        \
                    assert_eq!(super::add(2, 3), 5);\n    }\n}\n";
        let manifest = "[package]\nname = \"calc\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                        [workspace]\n";
        Self::default()
            .file("Cargo.toml", manifest)
            .file(
                "Cargo.lock",
                "version = 4\n\n[[package]]\nname = \"calc\"\nversion = \"0.1.0\"\n",
            )
            .file("src/lib.rs", code)
            .file(".gitignore", "/target\n")
    }

    /// A JavaScript package with one tested function, run by `node --test`.
    #[must_use]
    pub fn javascript() -> Self {
        let manifest = "{\n  \"name\": \"calc\",\n  \"version\": \"0.1.0\",\n  \
                        \"type\": \"commonjs\",\n  \"scripts\": {\"test\": \"node --test\"}\n}\n";
        let test = "const test = require('node:test');\nconst assert = require('node:assert');\n\
                    const { add } = require('../src/calc.js');\n\n\
                    test('adds', () => {\n  assert.strictEqual(add(2, 3), 5);\n});\n";
        Self::default()
            .file("package.json", manifest)
            .file(
                "src/calc.js",
                "function add(a, b) {\n  return a + b;\n}\n\nmodule.exports = { add };\n",
            )
            .file("test/calc.test.js", test)
            .file(".gitignore", "node_modules/\n")
    }

    /// A Go module with one tested function, run by `go test ./...`.
    #[must_use]
    pub fn go() -> Self {
        let test = "package calc\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\t\
                    if Add(2, 3) != 5 {\n\t\tt.Fatal(\"2 + 3\")\n\t}\n}\n";
        Self::default()
            .file("go.mod", "module example.com/calc\n\ngo 1.21\n")
            .file(
                "calc.go",
                "package calc\n\n// Add adds.\nfunc Add(a, b int) int {\n\treturn a + b\n}\n",
            )
            .file("calc_test.go", test)
    }

    /// Files that are easily damaged: long, with Windows line ends, without a last newline, not UTF-8,
    /// executable, read-only to others, empty, and a name with a space.
    #[must_use]
    pub fn delicate_files() -> Self {
        Self::default()
            .file("long.py", &Self::long_file())
            .bytes("windows.txt", b"first\r\nsecond\r\nthird\r\n", 0o644)
            .bytes("open_end.txt", b"first\nsecond\nthird", 0o644)
            .bytes("latin1.txt", b"caf\xe9\nna\xefve\nplain\n", 0o644)
            .bytes("mixed.txt", b"unix\nwindows\r\nunix\n", 0o644)
            .bytes("marked.txt", b"\xef\xbb\xbffirst\nsecond\n", 0o644)
            .bytes("run.sh", b"#!/bin/sh\necho one\necho two\n", 0o755)
            .bytes("private.txt", b"first\nsecond\n", 0o600)
            .bytes("empty.txt", b"", 0o644)
            .bytes("two words.txt", b"first\nsecond\n", 0o644)
    }

    /// 599 lines of Python, each a function of its own number: `line_300` returns 300.
    #[must_use]
    pub fn long_file() -> String {
        let line = |n: usize| match n {
            1 => "\"\"\"Five hundred and ninety-eight small functions.\"\"\"\n".to_owned(),
            n => format!("def line_{n}(): return {n}\n"),
        };
        (1..=599).map(line).collect()
    }

    /// The files below a folder, such as a project that comes with the product, without what builds
    /// and tests may have left there.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Self {
        let mut fixture = Self::default();
        let mut pending = vec![folder.to_owned()];
        while let Some(at) = pending.pop() {
            for entry in fs::read_dir(&at).unwrap_or_else(|e| panic!("{at:?}: {e}")) {
                let path = entry.expect("a readable folder").path();
                let meta = path.symlink_metadata().unwrap_or_else(|e| panic!("{path:?}: {e}"));
                let name = path.strip_prefix(folder).expect("it is below").to_string_lossy();
                if meta.is_dir() {
                    let is_left = path.ends_with("target") || path.ends_with("__pycache__");
                    pending.extend((!is_left).then_some(path));
                } else {
                    let content = fs::read(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
                    fixture = fixture.bytes(&name, &content, meta.permissions().mode() & 0o777);
                }
            }
        }
        fixture
    }

    /// Adds another project in a folder of its own.
    #[must_use]
    pub fn inside(mut self, folder: &str, other: &Self) -> Self {
        let moved = other
            .files
            .iter()
            .map(|(path, content, mode)| (format!("{folder}/{path}"), content.clone(), *mode));
        self.files.extend(moved);
        self
    }

    /// Adds a text file.
    #[must_use]
    pub fn file(self, path: &str, content: &str) -> Self {
        self.bytes(path, content.as_bytes(), 0o644)
    }

    /// Adds a file of any bytes with these permission bits.
    #[must_use]
    pub fn bytes(mut self, path: &str, content: &[u8], mode: u32) -> Self {
        self.files.push((path.to_owned(), content.to_vec(), mode));
        self
    }

    /// Writes the files into a folder.
    pub fn write_to(&self, folder: &Path) {
        for (path, content, mode) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
            fs::write(&path, content).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("own file");
        }
    }

    /// Writes the files into a sandbox's project.
    pub fn lay_into(&self, sandbox: &CliSandbox) {
        self.write_to(&sandbox.project());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_file_has_599_lines() {
        let text = Fixture::long_file();
        assert_eq!(text.lines().count(), 599);
        assert_eq!(text.lines().nth(299), Some("def line_300(): return 300"));
    }

    #[test]
    fn the_projects_own_tests_pass_where_their_tools_are_installed() {
        for (fixture, command) in [
            (Fixture::python(), "python3 -m unittest discover -s tests"),
            (Fixture::javascript(), "node --test"),
        ] {
            let tool = command.split(' ').next().unwrap_or_default();
            let sandbox = CliSandbox::new("/bin/sh");
            fixture.lay_into(&sandbox);
            if sandbox.run(&["-c", &format!("command -v {tool}")]).code == Some(0) {
                sandbox.run(&["-c", command]).expect_code(0);
            }
        }
    }
}
