//! From a line to the programs that it starts: programs that run others are taken apart.
//!
//! `env X=1 timeout 5 sh -c 'a && b'` starts five things, and each is judged by itself. Where what is
//! run cannot be told from the text, the part says why.

use std::collections::BTreeMap;

use super::shell::{self, MAX_COMMANDS, Script, Simple, Word, typed};
use super::wrappers::{self, Inner};

/// How deep `sh -c "sh -c ..."` is followed.
const MAX_SHELLS: usize = 6;
/// Values of one variable that are tried.
const MAX_VALUES: usize = 16;

/// One program that a line starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Part {
    /// Program and arguments; empty for assignments and redirections alone.
    pub words: Vec<Word>,
    /// Assignments in front of it.
    pub assigns: Vec<Word>,
    /// Files that the shell opens for it.
    pub writes: Vec<Word>,
    pub reads: Vec<Word>,
    /// Whether it is fed by the command before it.
    pub is_piped: bool,
    /// Whether it does nothing but run the parts after it.
    pub is_wrapper: bool,
    /// Whether more arguments follow that are not in the text.
    pub takes_more: bool,
    /// Why what it runs is not known.
    pub unknown: Option<&'static str>,
}

impl Part {
    /// The program's name without its folder; empty for a part that runs none.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", |word| program_of(&word.text))
    }

    /// The arguments.
    pub fn args(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The part as it would be typed, in one line.
    pub fn typed(&self) -> String {
        let words: Vec<Word> = self.assigns.iter().chain(&self.words).cloned().collect();
        let text = typed(&words, &self.writes);
        if self.takes_more { format!("{text} …") } else { text }
    }
}

/// All that a line starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Parts {
    pub parts: Vec<Part>,
    /// Whether names are given a new meaning, so that no name is sure to mean what it says.
    pub defines: bool,
}

/// Takes a line apart.
pub(super) fn expand(line: &str) -> Result<Parts, String> {
    let mut expanding = Expanding::default();
    expanding.line(line, 0)?;
    Ok(expanding.found)
}

/// The program's name without its folder.
pub(super) fn program_of(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or_default()
}

/// Whether a word sets a variable when it stands before a command.
pub(super) fn is_assignment(word: &Word) -> bool {
    assignment(word).is_some()
}

/// Name and value of an assignment.
pub(super) fn assignment(word: &Word) -> Option<(&str, &str)> {
    let (name, value) = word.text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    is_name.then_some((name, value))
}

#[derive(Default)]
struct Expanding {
    found: Parts,
    /// What variables were given in the line, as far as it is plain text.
    variables: BTreeMap<String, Vec<String>>,
}

impl Expanding {
    fn line(&mut self, line: &str, depth: usize) -> Result<(), String> {
        if depth > MAX_SHELLS {
            return Err(format!("has more than {MAX_SHELLS} shells in each other"));
        }
        let script = shell::read(line)?;
        self.found.defines |= script.defines;
        let mut before: Option<&Simple> = None;
        for simple in &script.parts {
            self.simple(simple, before, &script, depth)?;
            before = Some(simple);
        }
        Ok(())
    }

    fn simple(
        &mut self,
        simple: &Simple,
        before: Option<&Simple>,
        script: &Script,
        depth: usize,
    ) -> Result<(), String> {
        let (assigns, words) = self.without_keywords(&simple.words);
        for assign in assigns {
            self.remember(assign);
        }
        let part = Part {
            words: words.to_vec(),
            assigns: assigns.to_vec(),
            writes: simple.writes.clone(),
            reads: simple.reads.clone(),
            is_piped: simple.is_piped,
            ..Part::default()
        };
        let mut inputs: Vec<&str> =
            simple.inputs.iter().filter_map(|at| script.documents.get(*at)).map(|s| &**s).collect();
        let said = before.filter(|_| simple.is_piped).and_then(said_by);
        inputs.extend(said.as_deref());
        self.part(part, &inputs, depth)
    }

    /// Adds a part, and what it runs.
    fn part(&mut self, mut part: Part, inputs: &[&str], depth: usize) -> Result<(), String> {
        if self.found.parts.len() >= MAX_COMMANDS {
            return Err(format!("has more than {MAX_COMMANDS} parts"));
        }
        if depth > MAX_SHELLS {
            return Err(format!("has more than {MAX_SHELLS} programs that run each other"));
        }
        let Some(first) = part.words.first() else {
            if !(part.assigns.is_empty() && part.writes.is_empty() && part.reads.is_empty()) {
                self.found.parts.push(part);
            }
            return Ok(());
        };
        if !first.is_certain() {
            part.unknown = Some("which program it runs is known only when it runs");
            let resolved = self.resolved(&part);
            self.found.parts.push(part);
            for part in resolved {
                self.part(part, inputs, depth + 1)?;
            }
            return Ok(());
        }
        if matches!(part.program(), "export" | "declare" | "local" | "readonly" | "typeset") {
            part.args().iter().for_each(|word| self.remember(word));
        }
        if part.program() == "alias" && !part.args().is_empty() {
            self.found.defines = true;
        }
        let inner = wrappers::inner(&part, inputs);
        part.unknown = inner.unknown;
        part.is_wrapper = !inner.runs.is_empty();
        let takes_more = part.takes_more;
        self.found.parts.push(part);
        for run in inner.runs {
            match run {
                Inner::Line(line) => self.line(&line, depth + 1)?,
                Inner::Words { words, more } => {
                    let (assigns, words) = split_assigns(&words);
                    let part = Part {
                        words: words.to_vec(),
                        assigns: assigns.to_vec(),
                        takes_more: more || takes_more,
                        ..Part::default()
                    };
                    self.part(part, inputs, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// The part as it is for each value that its first word is given in the line.
    fn resolved(&self, part: &Part) -> Vec<Part> {
        let Some(first) = part.words.first() else { return Vec::new() };
        let name = first.text.strip_prefix('$').unwrap_or_default();
        let name = name.strip_prefix('{').and_then(|n| n.strip_suffix('}')).unwrap_or(name);
        let values = self.variables.get(name).map(Vec::as_slice).unwrap_or_default();
        let with = |value: &String| {
            let words = value.split_whitespace().map(Word::plain);
            let words = words.chain(part.args().iter().cloned()).collect();
            Part { words, assigns: Vec::new(), writes: Vec::new(), unknown: None, ..part.clone() }
        };
        values.iter().map(with).collect()
    }

    fn remember(&mut self, assign: &Word) {
        let Some((name, value)) = assignment(assign).filter(|_| assign.is_certain()) else {
            return;
        };
        let values = self.variables.entry(name.to_owned()).or_default();
        if values.len() < MAX_VALUES {
            values.push(value.to_owned());
        }
    }

    /// Splits off words that a shell reads before a command: keywords and assignments.
    fn without_keywords<'a>(&mut self, words: &'a [Word]) -> (&'a [Word], &'a [Word]) {
        const KEYWORDS: [&str; 16] = [
            "if", "then", "elif", "else", "while", "until", "do", "{", "}", "!", "time", "fi",
            "done", "esac", "coproc", "in",
        ];
        let mut rest = words;
        while let Some((first, after)) = rest.split_first() {
            match first.text.as_str() {
                // Its one option.
                "time" if !first.quoted && after.first().is_some_and(|word| word.text == "-p") => {
                    rest = &after[1..];
                }
                // `coproc NAME { ...; }`
                "coproc" if !first.quoted && after.get(1).is_some_and(|word| word.text == "{") => {
                    rest = &after[1..];
                }
                text if !first.quoted && KEYWORDS.contains(&text) => rest = after,
                // What follows is names and values, not a command.
                "for" | "select" if !first.quoted => {
                    if let Some((name, values)) = after.split_first() {
                        for value in values.iter().skip(1).filter(|value| value.is_certain()) {
                            self.remember(&Word::plain(format!("{}={}", name.text, value.text)));
                        }
                    }
                    rest = &[];
                }
                "case" if !first.quoted => rest = &[],
                "function" if !first.quoted => {
                    self.found.defines = true;
                    rest = after.get(1..).unwrap_or_default();
                }
                _ => break,
            }
        }
        split_assigns(rest)
    }
}

fn split_assigns(words: &[Word]) -> (&[Word], &[Word]) {
    let n = words.iter().take_while(|word| is_assignment(word)).count();
    words.split_at(n)
}

/// What a command prints, where that is plain: `echo` and `printf` of a fixed text.
fn said_by(simple: &Simple) -> Option<String> {
    let (program, args) = simple.words.split_first()?;
    let args = match program_of(&program.text) {
        "echo" => args.iter().skip_while(|arg| arg.text.starts_with('-')).collect::<Vec<_>>(),
        "printf" if args.len() <= 2 => args.iter().collect(),
        _ => return None,
    };
    args.iter().all(|arg| arg.is_certain()).then(|| {
        let words: Vec<&str> = args.iter().map(|arg| arg.text.as_str()).collect();
        words.join(" ").replace("\\n", "\n").replace("%s", "")
    })
}
