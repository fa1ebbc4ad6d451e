//! File names as models write them: on a line of their own, on a code fence, in a comment.
//!
//! A label is taken for a path only where a line says nothing else; a path that occurs in a sentence
//! is talk. Nothing here checks whether a path may be touched.

/// Longest path that is taken for one.
const MAX_PATH_CHARS: usize = 300;

/// Words that may stand beside a path on a line that names a file.
const LABEL_WORDS: [&str; 30] = [
    "file",
    "files",
    "filename",
    "filepath",
    "path",
    "name",
    "new",
    "create",
    "created",
    "creating",
    "update",
    "updated",
    "updating",
    "modify",
    "modified",
    "modifying",
    "edit",
    "edited",
    "editing",
    "add",
    "write",
    "full",
    "complete",
    "final",
    "step",
    "in",
    "the",
    "contents",
    "content",
    "of",
];

/// Words of a sentence that gives a whole file, besides those of a label.
const SENTENCE_WORDS: [&str; 8] =
    ["here", "is", "s", "version", "entire", "whole", "revised", "corrected"];
/// One of these says that the whole file follows.
const WHOLE_WORDS: [&str; 8] =
    ["updated", "complete", "full", "modified", "final", "entire", "whole", "revised"];

/// Extensions by which a name without a folder is told from other words with a dot.
const EXTENSIONS: [&str; 128] = [
    "py",
    "pyi",
    "rs",
    "go",
    "js",
    "jsx",
    "ts",
    "tsx",
    "mjs",
    "cjs",
    "mts",
    "cts",
    "vue",
    "svelte",
    "java",
    "kt",
    "kts",
    "scala",
    "groovy",
    "gradle",
    "c",
    "h",
    "cc",
    "cpp",
    "cxx",
    "hpp",
    "hh",
    "cs",
    "fs",
    "vb",
    "rb",
    "erb",
    "php",
    "pl",
    "pm",
    "lua",
    "swift",
    "m",
    "mm",
    "dart",
    "ex",
    "exs",
    "erl",
    "hs",
    "ml",
    "clj",
    "r",
    "jl",
    "sh",
    "bash",
    "zsh",
    "fish",
    "ps1",
    "bat",
    "cmd",
    "sql",
    "html",
    "htm",
    "css",
    "scss",
    "sass",
    "less",
    "xml",
    "svg",
    "json",
    "jsonc",
    "json5",
    "jsonl",
    "yaml",
    "yml",
    "toml",
    "ini",
    "cfg",
    "conf",
    "env",
    "properties",
    "md",
    "mdx",
    "markdown",
    "rst",
    "txt",
    "csv",
    "tsv",
    "proto",
    "lock",
    "mod",
    "sum",
    "tf",
    "patch",
    "diff",
    "zig",
    "nim",
    "nix",
    "graphql",
    "gql",
    "prisma",
    "tex",
    "bib",
    "ipynb",
    "cmake",
    "hcl",
    "tfvars",
    "astro",
    "elm",
    "pyx",
    "sol",
    "vhd",
    "adoc",
    "tmpl",
    "tpl",
    "j2",
    "jinja",
    "ejs",
    "hbs",
    "pug",
    "styl",
    "xsd",
    "plist",
    "csproj",
    "sln",
    "cabal",
    "vim",
    "el",
    "rkt",
    "scm",
    "cu",
    "ino",
    "fsx",
];

/// Names of files that have no extension.
const NAMES: [&str; 22] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "Dockerfile",
    "Containerfile",
    "LICENSE",
    "LICENCE",
    "NOTICE",
    "README",
    "CHANGELOG",
    "AUTHORS",
    "CONTRIBUTING",
    "CODEOWNERS",
    "VERSION",
    "Procfile",
    "Gemfile",
    "Rakefile",
    "Jenkinsfile",
    "Vagrantfile",
    "Justfile",
    "justfile",
    "Brewfile",
];

/// Products that look like files.
const PRODUCTS: [&str; 14] = [
    "node.js",
    "vue.js",
    "next.js",
    "nuxt.js",
    "express.js",
    "react.js",
    "three.js",
    "d3.js",
    "angular.js",
    "ember.js",
    "backbone.js",
    "chart.js",
    "alpine.js",
    "nest.js",
];

/// The path that a line names, if naming it is all the line does: `src/a.py`, `**src/a.py**`,
/// `### File: src/a.py`, `1. New file src/a.py (created):` and the like.
pub(super) fn label(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() || line.chars().count() > MAX_PATH_CHARS + 60 {
        return None;
    }
    let is_quoted = line.contains('`');
    let bare: String = line.chars().filter(|c| !matches!(c, '`' | '*')).collect();
    let bare = undecorated(&bare);
    if let Some(path) = path_of(bare, is_quoted) {
        return Some(path);
    }
    // `File: path`, `path (new file)`, `Create file path`.
    let bare = match bare.rsplit_once(" (") {
        Some((before, note)) if is_note(note.trim_end_matches(')')) => before.trim(),
        _ => bare,
    };
    let (words, rest) = match bare.rsplit_once([' ', '\t']) {
        Some(parts) => parts,
        None => bare.split_once(':').unwrap_or(("", bare)),
    };
    if !is_words(words) && !gives_whole_file(words) {
        return None;
    }
    // A word that announces a file vouches for a name without a known ending.
    let is_announced = words.to_lowercase().contains("file") || is_quoted;
    path_of(undecorated(rest), is_announced)
}

/// Whether the name on a fence may as well be that of the language: `Dockerfile`, `Makefile`.
pub(super) fn is_language_too(name: &str) -> bool {
    NAMES.contains(&name) && name.ends_with("file")
}

/// The path of a tag that opens a file: `<file path="src/a.py">`, `<file>src/a.py</file>`.
pub(super) fn label_in_tag(line: &str) -> Option<String> {
    const TAGS: [&str; 12] = [
        "file",
        "edit",
        "change",
        "document",
        "code",
        "patch",
        "diff",
        "path",
        "filename",
        "filepath",
        "file_path",
        "file_name",
    ];
    const KEYS: [&str; 6] = ["path", "name", "file", "filename", "filepath", "file_path"];
    let tag = line.trim().strip_prefix('<')?.strip_suffix('>')?;
    if let Some((opening, rest)) = tag.split_once('>') {
        let (path, closing) = rest.split_once("</")?;
        let is_pair = TAGS.contains(&opening) && closing == opening;
        return path_of(path.trim(), is_pair).filter(|_| is_pair);
    }
    let (name, rest) = tag.split_once(' ')?;
    let (key, value) = rest.trim().split_once('=')?;
    if !TAGS.contains(&name) || !KEYS.contains(&key.trim()) {
        return None;
    }
    let value = value.trim();
    let quote = value.chars().next().filter(|sign| matches!(sign, '"' | '\''))?;
    let (path, _) = value[1..].split_once(quote)?;
    path_of(path, true)
}

/// The path in a comment that names the file and says nothing else: `# src/a.py`, `<!-- a.html -->`.
pub(super) fn label_in_comment(line: &str) -> Option<String> {
    let line = line.trim();
    let body = ["<!--", "/*", "//", "--", "#", ";", "%"]
        .iter()
        .find_map(|opener| line.strip_prefix(opener))?;
    let body = ["-->", "*/"].iter().find_map(|closer| body.strip_suffix(closer)).unwrap_or(body);
    if body.starts_with(['!', '#', '/']) {
        return None;
    }
    label(body)
}

/// A path with blanks in it, alone on its line. Only for blocks that need an existing file: a sentence
/// that looks like one then names a file that does not exist.
pub(super) fn label_with_blanks(line: &str) -> Option<String> {
    const MAX_WORDS: usize = 6;
    let text = line.trim().trim_end_matches(':').trim_matches(['`', '*', '"', '\'']).trim();
    let n_words = text.split(' ').count();
    let is_odd = |c: char| c.is_control() || "<>|?*\"'`;,!=&^%$\t".contains(c);
    if !(2..=MAX_WORDS).contains(&n_words)
        || text.contains(is_odd)
        || text.contains("  ")
        || text.split(' ').any(is_of_a_sentence)
    {
        return None;
    }
    // Judged as it would be without the blanks: the end must be a file's.
    path_of(&text.replace(' ', "_"), false).map(|_| text.to_owned())
}

/// Words that stand in what is said about a file, hardly ever in its name.
fn is_of_a_sentence(word: &str) -> bool {
    const WORDS: [&str; 24] = [
        "the", "a", "an", "to", "in", "of", "for", "at", "is", "are", "with", "from", "here",
        "this", "that", "now", "then", "and", "change", "update", "edit", "modify", "fix", "add",
    ];
    WORDS.contains(&word.to_lowercase().as_str())
}

/// The only path on a line of prose: the only one in backticks, else the only one of a sentence.
pub(super) fn path_in_prose(line: &str) -> Option<String> {
    let only = |mut paths: Vec<String>| {
        paths.dedup();
        match paths.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    };
    if line.contains('`') {
        let quoted = line.split('`').skip(1).step_by(2);
        return only(quoted.filter_map(|text| path_of(text.trim(), false)).collect());
    }
    if !line.split_whitespace().any(is_of_a_sentence) {
        return None;
    }
    let ends = [',', '.', ':', ';', '(', ')', '*', '"'];
    only(
        line.split_whitespace()
            .filter_map(|word| path_of(word.trim_matches(ends), false))
            .collect(),
    )
}

/// What the text after the opening of a code fence says: the language and the path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Info {
    pub(super) language: String,
    pub(super) path: Option<String>,
}

/// Reads `python`, `python src/a.py`, `src/a.py`, `python:src/a.py`, `python title="src/a.py"`.
pub(super) fn info(text: &str) -> Info {
    // Pandoc writes `{.python}`.
    let is_braced = text.trim().starts_with('{');
    let text = text.trim().trim_matches(['{', '}']).trim();
    let mut info = Info::default();
    for (i, token) in text.split_whitespace().enumerate() {
        if is_braced && token.starts_with('.') {
            info.language = token[1..].to_lowercase();
            continue;
        }
        let (key, value) = token.split_once('=').unwrap_or(("", token));
        let value = value.trim_matches(['"', '\'', '`', ',']);
        let names_file = matches!(
            key.to_lowercase().as_str(),
            "" | "file" | "filename" | "path" | "title" | "name"
        );
        if let Some((language, rest)) = value.split_once(':')
            && let Some(path) = path_of(rest, true)
            && names_file
        {
            info.path.get_or_insert(path);
            if key.is_empty() && i == 0 {
                info.language = language.to_lowercase();
            }
        } else if i == 0 && key.is_empty() && matches!(value, "makefile" | "justfile") {
            info.language = value.to_owned();
        } else if names_file && let Some(path) = path_of(value, !key.is_empty()) {
            info.path.get_or_insert(path);
        } else if i == 0 && key.is_empty() {
            info.language = value.to_lowercase();
        }
    }
    info
}

/// Takes list markers, headings, rules, brackets and final colons off.
fn undecorated(text: &str) -> &str {
    let mut text = text.trim();
    for mark in ["- ", "+ ", "> ", "\u{2022} "] {
        text = text.strip_prefix(mark).unwrap_or(text).trim_start();
    }
    let unnumbered = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unnumbered.len() < text.len() {
        text = unnumbered.strip_prefix(". ").or(unnumbered.strip_prefix(") ")).unwrap_or(text);
    }
    text = text.trim_start_matches('#').trim();
    for rule in ["===", "---"] {
        if let Some(rest) = text.strip_prefix(rule) {
            text = rest.trim_start_matches(['=', '-']).trim_end_matches(['=', '-']).trim();
        }
    }
    let unnumbered = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unnumbered.len() < text.len() {
        text = unnumbered.strip_prefix(". ").or(unnumbered.strip_prefix(") ")).unwrap_or(text);
    }
    text = text.trim_end_matches(':').trim();
    if let Some(inside) = text.strip_prefix('[') {
        // A link names the file twice.
        if let Some((name, _)) = inside.split_once("](") {
            text = name;
        } else if let Some(name) = inside.strip_suffix(']') {
            text = name;
        }
    }
    for quote in ["\"", "'", "__"] {
        if let Some(inside) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            text = inside;
        }
    }
    text.trim()
}

fn is_words(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).all(|word| {
        LABEL_WORDS.contains(&word.to_lowercase().as_str())
            || word.chars().all(|c| c.is_ascii_digit())
    })
}

/// What may stand in parentheses behind a path.
fn is_note(text: &str) -> bool {
    is_words(text) || matches!(text, "existing" | "existing file")
}

/// `Here is the complete file`, `Here's the updated version of`.
fn gives_whole_file(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words = || lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words().any(|word| WHOLE_WORDS.contains(&word))
        && words().all(|word| LABEL_WORDS.contains(&word) || SENTENCE_WORDS.contains(&word))
}

/// The text as a path, if it can only be one. `is_announced`: something else says that it is one.
fn path_of(text: &str, is_announced: bool) -> Option<String> {
    let text = text.strip_prefix("./").unwrap_or(text);
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "<>|?*\"'`;:,!=&^%$".contains(c);
    if text.is_empty()
        || text.chars().count() > MAX_PATH_CHARS
        || text.contains(is_odd)
        || text.contains("://")
        || text.contains("..") && !text.starts_with("../") && !text.contains("/..")
        || text.starts_with('-')
        || text.ends_with(['/', '.', ':', '\\', ')'])
    {
        return None;
    }
    let path = if text.contains('/') { text.to_owned() } else { text.replace('\\', "/") };
    let name = path.rsplit('/').next().unwrap_or_default();
    let in_folder = name.len() < path.len();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let is_dotfile = name.len() > 1 && name.starts_with('.');
    let is_file = NAMES.contains(&name)
        || match extension {
            _ if is_dotfile => in_folder || is_announced || name.len() > 3,
            Some(extension) if in_folder || is_announced => {
                extension.len() <= 12
                    && extension.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    && extension.chars().any(|c| c.is_ascii_alphabetic())
            }
            Some(extension) => {
                EXTENSIONS.contains(&extension) && !PRODUCTS.contains(&name.to_lowercase().as_str())
            }
            None => in_folder && is_announced,
        };
    is_file.then_some(path)
}

#[cfg(test)]
mod tests;
