//! Cases of edit application, kept as text: a tree, an answer, and what must become of the tree.
//!
//! The format is described beside the cases, in `crates/sage-tool/tests/corpus/README.md`. A case is
//! checked byte by byte, the files that it does not name and those beside the tree included.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::tree::Tree;

/// Names of the rungs, from strict to tolerant.
const RUNGS: [&str; 8] = [
    "exact",
    "line_endings",
    "trailing_blanks",
    "indentation",
    "unicode_punctuation",
    "blank_lines",
    "elisions",
    "similarity",
];

/// Text with how it is stored.
#[derive(Debug, Clone, Default)]
struct Text {
    path: String,
    options: Vec<String>,
    lines: String,
}

/// One case.
#[derive(Debug, Clone, Default)]
pub struct EditCase {
    /// File and name of the case.
    pub name: String,
    /// Arguments of `sage apply`.
    pub args: Vec<String>,
    files: Vec<Text>,
    links: Vec<(String, String)>,
    answer: Text,
    outs: Vec<Text>,
    gone: Vec<String>,
    want: Vec<String>,
}

/// A tree that was laid out for a case.
pub struct EditTree {
    folder: TempDir,
    before: Tree,
}

impl EditCase {
    /// All cases of a folder of `.txt` files. Panics when one cannot be read.
    #[must_use]
    pub fn all_of(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder).expect("a folder of cases").flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
        paths.sort();
        let cases = paths.iter().flat_map(|path| {
            let text = fs::read_to_string(path).expect("a readable file of cases");
            let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Self::read(&text, &file)
        });
        cases.collect()
    }

    fn read(text: &str, file: &str) -> Vec<Self> {
        let mut cases: Vec<Self> = Vec::new();
        let mut section: Option<char> = None;
        for line in text.split('\n') {
            let Some(directive) = line.strip_prefix("%% ") else {
                let Some(case) = cases.last_mut() else { continue };
                let text = match section {
                    Some('f') => case.files.last_mut(),
                    Some('o') => case.outs.last_mut(),
                    Some('a') => Some(&mut case.answer),
                    _ => None,
                };
                if let Some(text) = text {
                    text.lines.push_str(line);
                    text.lines.push('\n');
                }
                continue;
            };
            let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
            let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
            if word == "case" {
                cases.push(Self { name: format!("{file}: {rest}"), ..Self::default() });
            }
            let case = cases.last_mut().expect("a case comes first");
            let text = |words: &[String]| Text {
                path: unescaped(words.first().expect("a path")),
                options: words[1..].to_vec(),
                lines: String::new(),
            };
            section = None;
            match word {
                "case" => {}
                "args" => case.args = words,
                "file" => (section, _) = (Some('f'), case.files.push(text(&words))),
                "out" => (section, _) = (Some('o'), case.outs.push(text(&words))),
                "answer" => (section, case.answer.options) = (Some('a'), words),
                "link" => case.links.push((words[0].clone(), words[1].clone())),
                "gone" => case.gone.push(words[0].clone()),
                "want" => case.want = words,
                other => panic!("{}: {other:?} is no directive", case.name),
            }
        }
        // The file's own last newline is no line of the last case.
        if let Some(case) = cases.last_mut() {
            let last = match section {
                Some('f') => case.files.last_mut(),
                Some('o') => case.outs.last_mut(),
                Some('a') => Some(&mut case.answer),
                _ => None,
            };
            if let Some(text) = last {
                text.lines.pop();
            }
        }
        for case in &cases {
            let outcome = case.want.first().map(String::as_str);
            assert!(matches!(outcome, Some("applied" | "rejected")), "{}: no outcome", case.name);
        }
        cases
    }

    /// The files of the tree before the answer, by path.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.files.iter().map(|file| (file.path.clone(), file.bytes())).collect()
    }

    /// What the model said.
    #[must_use]
    pub fn answer(&self) -> Vec<u8> {
        self.answer.bytes()
    }

    /// The tree, in a folder `project` of a fresh folder that holds one more file.
    #[must_use]
    pub fn lay_out(&self) -> EditTree {
        let folder = tempfile::Builder::new().prefix("sage-edit-").tempdir().expect("a folder");
        let root = folder.path().join("project");
        fs::create_dir(&root).expect("a new folder");
        fs::write(folder.path().join("outside.txt"), "outside\n").expect("a new file");
        for file in &self.files {
            file.write_below(&root);
        }
        for (at, target) in &self.links {
            symlink(target, root.join(at)).expect("a new link");
        }
        let before = Tree::of(folder.path(), &[]);
        EditTree { folder, before }
    }

    /// Compares the tree, the exit code and the report with what is wanted; the difference if there is
    /// one.
    #[must_use]
    pub fn judge(&self, tree: &EditTree, code: i32, report: &Value) -> Option<String> {
        let after = Tree::of(tree.folder.path(), &[]);
        let is_applied = self.want[0] == "applied";
        if (code, report["status"].as_str())
            != (i32::from(!is_applied), Some(self.want[0].as_str()))
        {
            return Some(format!("{}: code {code}, {report}", self.name));
        }
        let expected = self.expected(tree, is_applied);
        if after != expected {
            return Some(format!("{}: WRONG TREE\n{}", self.name, expected.diff(&after)));
        }
        let problem = if is_applied { self.misjudged(report) } else { self.misnamed(report) };
        problem.map(|problem| format!("{}: {problem}", self.name))
    }

    /// The tree as it was, with the wanted changes made by plain file operations.
    fn expected(&self, tree: &EditTree, is_applied: bool) -> Tree {
        if !is_applied {
            return tree.before.clone();
        }
        let wanted = self.lay_out();
        let root = wanted.root();
        for path in &self.gone {
            fs::remove_file(root.join(path)).expect("a file that goes");
        }
        // Folders stay when their last file goes; new ones come with their files.
        self.outs.iter().for_each(|out| out.write_below(&root));
        Tree::of(wanted.folder.path(), &[])
    }

    fn misjudged(&self, report: &Value) -> Option<String> {
        for want in &self.want[1..] {
            let (name, value) = want.split_once('=').unwrap_or((want, ""));
            let rungs = report["files"].as_array().into_iter().flatten();
            let worst = rungs
                .filter_map(|file| file["rung"].as_str())
                .max_by_key(|rung| RUNGS.iter().position(|name| name == rung));
            let found = match name {
                "format" => report["format"].as_str(),
                "rung" => worst,
                _ => Some("nothing of that name"),
            };
            if found != Some(value) {
                return Some(format!("{name} is {found:?}, not {value}"));
            }
        }
        let errors = report["errors"].as_array();
        (!errors.is_some_and(Vec::is_empty)).then(|| "there are errors".to_owned())
    }

    fn misnamed(&self, report: &Value) -> Option<String> {
        let errors = report["errors"].as_array();
        let kinds = errors.into_iter().flatten().filter_map(|error| error["kind"].as_str());
        let kinds: Vec<&str> = kinds.collect();
        let is_right = match self.want.get(1) {
            Some(kind) => kinds.contains(&kind.as_str()),
            None => !kinds.is_empty(),
        };
        (!is_right).then(|| format!("the reason is {report}, not {:?}", self.want))
    }
}

impl EditTree {
    /// The folder that edits are for.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }
}

impl Text {
    fn bytes(&self) -> Vec<u8> {
        let has = |option: &str| self.options.iter().any(|found| found == option);
        let mut text = self.lines.clone();
        if has("esc") {
            text = unescaped(&text);
        }
        if has("crlf") {
            text = text.replace('\n', "\r\n");
        }
        if has("open") {
            let newline = if text.ends_with("\r\n") { 2 } else { 1 };
            text.truncate(text.len().saturating_sub(newline));
        }
        let bytes = if has("latin1") {
            text.chars().map(|c| u8::try_from(u32::from(c)).expect("a Latin-1 text")).collect()
        } else {
            text.into_bytes()
        };
        if has("bom") { [b"\xEF\xBB\xBF", bytes.as_slice()].concat() } else { bytes }
    }

    fn mode(&self) -> Option<u32> {
        let mode = self.options.iter().find_map(|option| option.strip_prefix("mode="))?;
        Some(u32::from_str_radix(mode, 8).expect("an octal mode"))
    }

    /// Writes the file; one that is there keeps its mode unless another is given.
    fn write_below(&self, root: &Path) {
        let at = root.join(&self.path);
        fs::create_dir_all(at.parent().expect("a folder")).expect("new folders");
        let is_new = !at.exists();
        fs::write(&at, self.bytes()).expect("a new file");
        if let Some(mode) = self.mode().or(is_new.then_some(0o644)) {
            fs::set_permissions(&at, fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }
}

/// `\t`, `\s`, `\r`, `\\` and `\u{...}`, for what cannot be seen in an editor.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = &rest[at + 1..];
        let (found, length) = match code.chars().next() {
            Some('t') => (Some('\t'), 1),
            Some('s') => (Some(' '), 1),
            Some('r') => (Some('\r'), 1),
            Some('\\') => (Some('\\'), 1),
            Some('u') => {
                let end = code.find('}').expect("an escape ends");
                let number = u32::from_str_radix(&code[2..end], 16).expect("a hexadecimal number");
                (char::from_u32(number), end + 1)
            }
            _ => (Some('\\'), 0),
        };
        out.push(found.expect("a character"));
        rest = &code[length..];
    }
    out.push_str(rest);
    out
}
