//! Pairs of rules that cannot both be followed.

use std::collections::BTreeSet;

use sage_core::AgentRole;

use super::super::Layer;
use super::phrases::{is_negated, lower, sentences, words_of};
use super::{Finding, FindingKind, Placed};

/// Rules compared with each other; the rest of a longer set is not looked at.
const MAX_COMPARED: usize = 500;

/// Share of common words from which an order and a prohibition are about the same thing.
const SIMILAR: f64 = 0.75;

/// Words that say nothing about what a rule is about.
const FILLERS: &[&str] = &[
    "a",
    "all",
    "always",
    "an",
    "and",
    "any",
    "are",
    "avoid",
    "be",
    "do",
    "don't",
    "dont",
    "every",
    "for",
    "in",
    "is",
    "it",
    "make",
    "must",
    "mustn't",
    "never",
    "no",
    "not",
    "of",
    "on",
    "only",
    "or",
    "our",
    "please",
    "prefer",
    "should",
    "shouldn't",
    "sure",
    "that",
    "the",
    "this",
    "to",
    "use",
    "using",
    "we",
    "with",
    "without",
    "you",
    "your",
];

/// Words that limit a rule to a part of the code.
const SCOPES: &[&str] = &[
    "bash",
    "c",
    "c++",
    "css",
    "docs",
    "documentation",
    "examples",
    "go",
    "golang",
    "html",
    "java",
    "javascript",
    "js",
    "json",
    "kotlin",
    "makefile",
    "makefiles",
    "markdown",
    "php",
    "python",
    "ruby",
    "rust",
    "scripts",
    "shell",
    "sql",
    "swift",
    "tests",
    "toml",
    "ts",
    "typescript",
    "yaml",
];

/// What one rule says, as far as words tell.
struct Claim<'a> {
    placed: Placed<'a>,
    scope: BTreeSet<String>,
    forbids: bool,
    about: BTreeSet<String>,
    indents_with: Option<&'static str>,
    numbers: Vec<(&'static str, u64)>,
}

pub(super) fn find(rules: &[Placed<'_>]) -> Vec<Finding> {
    let claims: Vec<Claim<'_>> =
        rules.iter().take(MAX_COMPARED).map(|rule| Claim::read(*rule)).collect();
    let mut found = Vec::new();
    for (at, later) in claims.iter().enumerate() {
        let clash = claims[..at].iter().find_map(|earlier| Some((earlier, clash(earlier, later)?)));
        if let Some((earlier, why)) = clash {
            let place = format!("{}:{}", earlier.placed.file, earlier.placed.item.line);
            let text = format!("{why}, against {place}");
            found.push(later.placed.finding(FindingKind::Contradiction, text));
        }
    }
    found
}

/// Why two rules cannot both be followed.
fn clash(a: &Claim<'_>, b: &Claim<'_>) -> Option<String> {
    if a.scope != b.scope || !can_meet(a.placed.layer, b.placed.layer) {
        return None;
    }
    for (topic, here) in &b.numbers {
        let other = a.numbers.iter().find(|(name, there)| name == topic && there != here);
        if let Some((_, there)) = other {
            return Some(format!("{topic} is {here} here and {there} there"));
        }
    }
    if let (Some(there), Some(here)) = (a.indents_with, b.indents_with)
        && there != here
    {
        return Some(format!("indents with {here} here and with {there} there"));
    }
    if a.forbids != b.forbids && similarity(&a.about, &b.about) >= SIMILAR {
        let (here, there) =
            if b.forbids { ("forbidden", "asked for") } else { ("asked for", "forbidden") };
        let about: Vec<&str> = b.about.iter().map(String::as_str).collect();
        return Some(format!("{:?} is {here} here and {there} there", about.join(" ")));
    }
    None
}

/// Whether one prompt can hold both layers.
fn can_meet(a: &Layer, b: &Layer) -> bool {
    let role = |layer: &Layer| -> Option<AgentRole> {
        if let Layer::Role(role) = layer { Some(*role) } else { None }
    };
    let unused = |layer: &Layer| matches!(layer, Layer::UnknownRole(_));
    let folder = |layer: &Layer| match layer {
        Layer::Agents { folder } => Some(folder.clone()),
        _ => None,
    };
    if unused(a) || unused(b) {
        return false;
    }
    // The AGENTS.md of a folder is there to differ from the one above it.
    if let (Some(a), Some(b)) = (folder(a), folder(b)) {
        return a == b;
    }
    role(a).is_none() || role(b).is_none() || role(a) == role(b)
}

fn similarity(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let common = a.intersection(b).count();
    let all = a.union(b).count();
    if all == 0 { 0.0 } else { common as f64 / all as f64 }
}

impl<'a> Claim<'a> {
    fn read(placed: Placed<'a>) -> Self {
        let lower = lower(&placed.item.text);
        let words = words_of(&lower);
        let heading = words_of(&placed.item.scope);
        let scope = heading.iter().chain(&words).filter(|word| SCOPES.contains(word));
        let first = words_of(sentences(&lower).next().unwrap_or_default());
        let main = main_clause(&first);
        let meaningful = main.iter().filter(|word| !FILLERS.contains(word));
        Self {
            placed,
            scope: scope.map(|word| (*word).to_owned()).collect(),
            forbids: is_negated(main) || is_negated(&heading),
            about: meaningful.map(|word| stem(word)).filter(|word| !word.is_empty()).collect(),
            indents_with: indentation(&words),
            numbers: numbers(&words),
        }
    }
}

/// The words before "instead of", "rather than", "over" or "not" in the middle of a rule: what
/// comes after only names the alternative.
fn main_clause<'w, 'a>(words: &'w [&'a str]) -> &'w [&'a str] {
    let turns = |at: usize| match words[at] {
        "instead" | "over" | "unless" | "except" | "because" => at > 1,
        "rather" => words.get(at + 1) == Some(&"than"),
        "not" => {
            at > 1 && !["do", "must", "should", "may", "can", "is", "are"].contains(&words[at - 1])
        }
        _ => false,
    };
    let end = (0..words.len()).find(|at| turns(*at)).unwrap_or(words.len());
    &words[..end]
}

/// A word without list marks and plural.
fn stem(word: &str) -> String {
    let word: String =
        word.chars().filter(|c| c.is_alphanumeric() || "_-.+#/".contains(*c)).collect();
    let word = word.trim_start_matches('-');
    match word.strip_suffix('s') {
        Some(singular) if singular.len() > 2 && !singular.ends_with('s') => singular.to_owned(),
        _ => word.to_owned(),
    }
}

/// What the rule wants lines to be indented with, if that is what it is about.
fn indentation(words: &[&str]) -> Option<&'static str> {
    let kind = |word: &str| match word {
        "tab" | "tabs" => Some("tabs"),
        "space" | "spaces" => Some("spaces"),
        _ => None,
    };
    let at = words.iter().position(|word| kind(word).is_some())?;
    let named = kind(words[at])?;
    let is_about_indentation = words.iter().any(|word| word.starts_with("indent"))
        || words[at + 1..].iter().any(|word| kind(word).is_some_and(|other| other != named))
        || is_choice(words, at);
    if !is_about_indentation {
        return None;
    }
    let other = if named == "tabs" { "spaces" } else { "tabs" };
    Some(if is_negated(&words[..at]) { other } else { named })
}

/// "use tabs", "use 4 spaces", "no tabs" as a whole rule, or nearly so.
fn is_choice(words: &[&str], at: usize) -> bool {
    const MAX_CHOICE_WORDS: usize = 6;
    let before = at.checked_sub(1).map(|before| words[before]);
    let follows_verb = before.is_some_and(|word| {
        ["use", "prefer", "no", "avoid", "with", "using"].contains(&word)
            || word.parse::<u64>().is_ok()
    });
    words.len() <= MAX_CHOICE_WORDS && follows_verb
}

/// Numbers that a rule sets for things that can have one value only.
fn numbers(words: &[&str]) -> Vec<(&'static str, u64)> {
    let has = |wanted: &str| words.contains(&wanted);
    let topics = [
        ("test coverage", has("coverage")),
        (
            "line length",
            (has("line") || has("lines"))
                && ["length", "long", "longer", "characters", "chars", "columns", "wide", "wrap"]
                    .iter()
                    .any(|word| has(word)),
        ),
        (
            "indentation width",
            (has("spaces") || has("indent") || has("indentation")) && !has("line"),
        ),
    ];
    let number = words.iter().find_map(|word| word.trim_end_matches('%').parse::<u64>().ok());
    let set = topics.into_iter().filter(|(_, applies)| *applies);
    set.filter_map(|(topic, _)| Some((topic, number?))).collect()
}
