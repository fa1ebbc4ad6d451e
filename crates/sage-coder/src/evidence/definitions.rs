//! Finds what a file defines, by name, with the lines of each definition.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::lexer::{Lang, code_only, parts};

/// Definitions that are read from one file, at most.
const MAX_DEFINITIONS: usize = 2_000;

/// The beginning of a definition, with its name in the first group that matches.
static BEGINNING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r"^\s*(?:pub(?:\([a-z]+\))?\s+|export\s+|default\s+|async\s+|static\s+|public\s+|private\s+|protected\s+|const\s+fn|unsafe\s+)*(?:(?:def|fn|function\*?|class|struct|impl|interface|trait|enum)\s+(\w+)|func\s+(?:\([^)]*\)\s*)?(\w+)|(?:const|let|var)\s+(\w+)\s*=\s*(?:async\s*)?(?:function|\(|\w+\s*=>)|(?:async\s+)?(\w+)\s*\([^;=]*\)\s*\{\s*$)";
    Regex::new(pattern).ok()
});

/// Words that open a block and are no names.
const NO_NAMES: [&str; 9] =
    ["if", "for", "while", "switch", "catch", "match", "else", "return", "function"];

/// The definitions of a file: name, and lines from 1 up to the next definition.
#[must_use]
pub fn definitions(lang: Lang, text: &str) -> Vec<(String, BTreeSet<usize>)> {
    let Some(beginning) = BEGINNING.as_ref() else { return Vec::new() };
    let code = code_only(text, &parts(lang, text));
    let mut starts: Vec<(String, usize)> = Vec::new();
    let mut n_lines = 0;
    for (at, line) in code.lines().enumerate() {
        n_lines = at + 1;
        let Some(found) = beginning.captures(line) else { continue };
        let name =
            found.iter().skip(1).flatten().next().map(|name| name.as_str()).unwrap_or_default();
        if !name.is_empty() && !NO_NAMES.contains(&name) && starts.len() < MAX_DEFINITIONS {
            starts.push((name.to_owned(), at + 1));
        }
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|(_, at)| *at).chain([n_lines + 1]).collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|((name, start), end)| (name, (start..end).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lang: Lang, text: &str, expected: &[&str]) {
        let found: Vec<String> = definitions(lang, text)
            .into_iter()
            .map(|(name, lines)| {
                format!("{name} {}-{}", lines.first().unwrap(), lines.last().unwrap())
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn definitions_reach_to_the_next_one() {
        check(
            Lang::Python,
            "import a\n\ndef f(x):\n    if x:\n        return 1\n\nclass B:\n    async def g(self):\n        pass\n",
            &["f 3-6", "B 7-7", "g 8-9"],
        );
        check(
            Lang::Script,
            "export function f(a) {\n  return 1;\n}\nconst g = (x) => x;\nclass A {\n  h(b) {\n    if (b) {\n    }\n  }\n}\n",
            &["f 1-3", "g 4-4", "A 5-5", "h 6-10"],
        );
        check(
            Lang::Rust,
            "pub fn f() -> i32 {\n    1\n}\n\nimpl A {\n    pub(crate) async fn g() {}\n}\n",
            &["f 1-4", "A 5-5", "g 6-7"],
        );
        check(
            Lang::Go,
            "func (a *A) F() int {\n\treturn 1\n}\n\nfunc g() {}\n",
            &["F 1-4", "g 5-5"],
        );
    }
}
