//! Reading a command line as a POSIX shell would, as far as that can be told without running it.
//!
//! Every simple command is found, wherever it hides: after `;`, `&&`, `||`, `|`, `&`, line breaks, in
//! sub-shells, groups, functions, command and process substitutions (also inside double quotes and
//! here-documents). Quotes and escapes are taken off words. What a variable or a pattern becomes is not
//! known: such words keep their text and say so.

mod word;

pub(super) use word::{Word, typed};

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 128 * 1024;
/// Deepest nesting of substitutions.
const MAX_DEPTH: usize = 16;
/// Most simple commands of a line.
pub(super) const MAX_COMMANDS: usize = 2000;
/// What stands in a word for the output of a command.
const OUTPUT: &str = "$(…)";

/// One program with its arguments and redirections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Simple {
    pub words: Vec<Word>,
    /// Files that the shell opens for writing.
    pub writes: Vec<Word>,
    /// Files that the shell opens for reading.
    pub reads: Vec<Word>,
    /// Texts that the program reads: here-documents and here-strings.
    pub inputs: Vec<usize>,
    /// Whether its input comes from the command before it.
    pub is_piped: bool,
}

/// A line that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Script {
    /// The simple commands, in the order of their text.
    pub parts: Vec<Simple>,
    /// The texts that commands read, by [`Simple::inputs`].
    pub documents: Vec<String>,
    /// Whether names are given a new meaning (functions), so that no name is sure to mean what it says.
    pub defines: bool,
}

/// Finds the simple commands of a line.
pub(super) fn read(line: &str) -> Result<Script, String> {
    let mut script = Script::default();
    read_nested(line, 0, &mut script)?;
    Ok(script)
}

fn read_nested(line: &str, depth: usize, script: &mut Script) -> Result<(), String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("is longer than {MAX_LINE_BYTES} bytes"));
    }
    let chars = line.chars().collect();
    let mut reader = Reader { chars, at: 0, depth, script, here_documents: Vec::new() };
    reader.list(None)
}

struct HereDocument {
    end: String,
    is_literal: bool,
    strips_tabs: bool,
    /// Its place among the script's documents.
    index: usize,
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    script: &'a mut Script,
    here_documents: Vec<HereDocument>,
}

/// The command and the word that are being read.
#[derive(Default)]
struct Open {
    command: Simple,
    word: Option<Word>,
    /// Where the next word goes, after a redirection operator.
    target: Option<Target>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Write,
    Read,
    /// A descriptor.
    Other,
    HereString,
    HereDocument {
        strips_tabs: bool,
    },
}

impl Reader<'_> {
    /// Reads commands up to `end` (which is taken) or the end of the text.
    fn list(&mut self, end: Option<char>) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("is nested deeper than {MAX_DEPTH}"));
        }
        let mut open = Open::default();
        loop {
            let Some(c) = self.next() else {
                if end.is_some() {
                    return Err("has an unclosed bracket".to_owned());
                }
                break;
            };
            if Some(c) == end {
                break;
            }
            self.token(c, &mut open)?;
        }
        self.end_command(&mut open)?;
        self.depth -= 1;
        Ok(())
    }

    fn token(&mut self, c: char, open: &mut Open) -> Result<(), String> {
        match c {
            ' ' | '\t' | '\r' => self.end_word(open),
            '\n' => {
                self.end_command(open)?;
                self.take_here_documents()?;
            }
            '(' if self.defines_a_function(open) => {
                self.script.defines = true;
                *open = Open::default();
            }
            ';' | '(' | ')' => {
                self.end_command(open)?;
                if c == '(' {
                    self.list(Some(')'))?;
                }
            }
            '&' if self.peek() == Some('>') => {
                self.end_word(open);
                self.redirection('>', open)?;
            }
            '&' => self.end_command(open)?,
            '|' => {
                let is_or = self.take_if('|');
                self.take_if('&');
                self.end_command(open)?;
                open.command.is_piped = !is_or;
            }
            '>' | '<' => {
                // A number right before is the descriptor, not an argument.
                if open.word.as_ref().is_some_and(|word| {
                    !word.quoted && word.text.bytes().all(|byte| byte.is_ascii_digit())
                }) {
                    open.word = None;
                }
                if self.peek() == Some('(') {
                    self.at += 1;
                    self.list(Some(')'))?;
                    let word = open.word.get_or_insert_default();
                    word.text.push_str(if c == '<' { "<(…)" } else { ">(…)" });
                    word.dynamic = true;
                    return Ok(());
                }
                self.end_word(open);
                self.at -= 1;
                self.redirection(c, open)?;
            }
            '#' if open.word.is_none() => {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            }
            _ => self.part_of_word(c, open)?,
        }
        Ok(())
    }

    /// Whether an opening bracket after a name belongs to the definition of a function; its closing
    /// one is taken.
    fn defines_a_function(&mut self, open: &Open) -> bool {
        let n_words = open.command.words.len() + usize::from(open.word.is_some());
        let is_named = n_words == 1
            || (n_words == 2 && open.command.words.first().is_some_and(|w| w.text == "function"));
        let rest = &self.chars[self.at..];
        let blanks = rest.iter().take_while(|c| matches!(c, ' ' | '\t')).count();
        let is_empty = rest.get(blanks) == Some(&')');
        if is_named && is_empty {
            self.at += blanks + 1;
        }
        is_named && is_empty
    }

    /// Reads an operator that begins with `kind`; the reader stands on it.
    fn redirection(&mut self, kind: char, open: &mut Open) -> Result<(), String> {
        self.at += 1;
        let target = if kind == '<' {
            if self.take_if('<') {
                if self.take_if('<') {
                    Target::HereString
                } else {
                    Target::HereDocument { strips_tabs: self.take_if('-') }
                }
            } else if self.take_if('>') {
                Target::Write
            } else if self.take_if('&') {
                Target::Other
            } else {
                Target::Read
            }
        } else {
            if !self.take_if('>') {
                self.take_if('|');
            }
            self.take_if('&');
            Target::Write
        };
        open.target = Some(target);
        Ok(())
    }

    fn part_of_word(&mut self, c: char, open: &mut Open) -> Result<(), String> {
        if c == '\\' && self.take_if('\n') {
            return Ok(());
        }
        let mut word = open.word.take().unwrap_or_default();
        match c {
            '\\' => match self.next() {
                Some(c) => {
                    word.text.push(c);
                    word.quoted = true;
                }
                None => word.text.push('\\'),
            },
            '\'' => {
                word.quoted = true;
                loop {
                    match self.next() {
                        Some('\'') => break,
                        Some(c) => word.text.push(c),
                        None => return Err("has an unbalanced quote".to_owned()),
                    }
                }
            }
            '"' => {
                word.quoted = true;
                self.double_quoted(&mut word)?;
            }
            '$' if self.peek() == Some('\'') => {
                // Some shells read escapes in here, others do not: what it is, is not known.
                word.dynamic = true;
            }
            '$' if self.peek() == Some('"') => {}
            '$' | '`' => self.expansion(c, &mut word)?,
            c => word.push_plain(c),
        }
        open.word = Some(word);
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), String> {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => word.text.push(c),
                    Some('\n') => {}
                    Some(c) => word.text.extend(['\\', c]),
                    None => return Err("has an unbalanced quote".to_owned()),
                },
                Some(c @ ('$' | '`')) => self.expansion(c, word)?,
                Some(c) => word.text.push(c),
                None => return Err("has an unbalanced quote".to_owned()),
            }
        }
    }

    /// Reads what follows a `$` or a back quote; commands in it are found, its text is kept.
    fn expansion(&mut self, c: char, word: &mut Word) -> Result<(), String> {
        if c == '`' {
            return self.back_quoted(word);
        }
        match self.peek() {
            Some('(') => {
                word.dynamic = true;
                if self.arithmetic() {
                    word.text.push_str("$((…))");
                    return Ok(());
                }
                self.at += 1;
                word.text.push_str(OUTPUT);
                self.list(Some(')'))
            }
            Some('{') => {
                word.dynamic = true;
                word.text.push('$');
                self.braced(&mut word.text)
            }
            Some(c) if c.is_alphanumeric() || "_@*#?-$!".contains(c) => {
                word.dynamic = true;
                word.text.push('$');
                // The sign itself is no pattern and no comment.
                if !c.is_alphanumeric() {
                    word.text.extend(self.next());
                }
                Ok(())
            }
            _ => {
                word.text.push('$');
                Ok(())
            }
        }
    }

    fn back_quoted(&mut self, word: &mut Word) -> Result<(), String> {
        let mut inner = String::new();
        loop {
            match self.next() {
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(c @ ('`' | '\\' | '$')) => inner.push(c),
                    Some(c) => inner.extend(['\\', c]),
                    None => return Err("has an unbalanced back quote".to_owned()),
                },
                Some(c) => inner.push(c),
                None => return Err("has an unbalanced back quote".to_owned()),
            }
        }
        word.dynamic = true;
        word.text.push_str(OUTPUT);
        if self.depth >= MAX_DEPTH {
            return Err(format!("is nested deeper than {MAX_DEPTH}"));
        }
        read_nested(&inner, self.depth, self.script)
    }

    /// Passes over `((...))` if it is plainly a calculation: no commands can be in it.
    fn arithmetic(&mut self) -> bool {
        let rest = &self.chars[self.at..];
        if rest.get(1) != Some(&'(') {
            return false;
        }
        let mut depth = 0;
        for (n, c) in rest.iter().enumerate() {
            match c {
                '(' => depth += 1,
                ')' if depth == 2 => {
                    let closes = rest.get(n + 1) == Some(&')');
                    self.at += if closes { n + 2 } else { 0 };
                    return closes;
                }
                ')' => depth -= 1,
                c if c.is_ascii_alphanumeric() || " _+-*/%<>=!&|^~?:,".contains(*c) => {}
                '$' if rest.get(n + 1).is_some_and(char::is_ascii_alphabetic) => {}
                _ => return false,
            }
            if depth == 0 {
                return false;
            }
        }
        false
    }

    /// Reads `{...}` of a variable; the reader stands on the opening brace.
    fn braced(&mut self, text: &mut String) -> Result<(), String> {
        let mut depth = 0;
        loop {
            match self.next() {
                Some('{') => {
                    depth += 1;
                    text.push('{');
                }
                Some('}') => {
                    depth -= 1;
                    text.push('}');
                    if depth == 0 {
                        return Ok(());
                    }
                }
                Some('$') if self.peek() == Some('(') => {
                    self.at += 1;
                    text.push_str(OUTPUT);
                    self.list(Some(')'))?;
                }
                Some('`') => {
                    let mut word = Word::default();
                    self.back_quoted(&mut word)?;
                    text.push_str(&word.text);
                }
                Some(c) => text.push(c),
                None => return Err("has an unclosed brace".to_owned()),
            }
        }
    }

    fn end_word(&mut self, open: &mut Open) {
        let Some(word) = open.word.take() else { return };
        match open.target.take() {
            None => open.command.words.push(word),
            Some(Target::Other) => {}
            Some(Target::Read) => open.command.reads.push(word),
            Some(Target::Write) => {
                // A descriptor, as in 2>&1, is no file.
                let is_descriptor =
                    word.text == "-" || word.text.bytes().all(|byte| byte.is_ascii_digit());
                if !is_descriptor {
                    open.command.writes.push(word);
                }
            }
            Some(Target::HereString) => {
                open.command.inputs.push(self.script.documents.len());
                self.script.documents.push(word.text);
            }
            Some(Target::HereDocument { strips_tabs }) => {
                let index = self.script.documents.len();
                self.script.documents.push(String::new());
                open.command.inputs.push(index);
                let is_literal = word.quoted;
                let document = HereDocument { end: word.text, is_literal, strips_tabs, index };
                self.here_documents.push(document);
            }
        }
    }

    fn end_command(&mut self, open: &mut Open) -> Result<(), String> {
        self.end_word(open);
        let Open { command, .. } = std::mem::take(open);
        if command.words.is_empty() && command.writes.is_empty() && command.reads.is_empty() {
            return Ok(());
        }
        if self.script.parts.len() == MAX_COMMANDS {
            return Err(format!("has more than {MAX_COMMANDS} parts"));
        }
        self.script.parts.push(command);
        Ok(())
    }

    /// Takes the here-documents that were announced on the line before.
    fn take_here_documents(&mut self) -> Result<(), String> {
        for document in std::mem::take(&mut self.here_documents) {
            while self.at < self.chars.len() {
                let rest = &self.chars[self.at..];
                let n = rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
                let line: String = rest[..n].iter().collect();
                self.at = (self.at + n + 1).min(self.chars.len());
                let line = if document.strips_tabs { line.trim_start_matches('\t') } else { &line };
                if line == document.end {
                    break;
                }
                if let Some(text) = self.script.documents.get_mut(document.index) {
                    text.push_str(line);
                    text.push('\n');
                }
                if !document.is_literal && (line.contains("$(") || line.contains('`')) {
                    // Substitutions work in here; the rest of the line is text.
                    let escaped = line.replace('"', " ");
                    read_nested(&format!("\"{escaped}\""), self.depth, self.script)?;
                }
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.at).copied();
        self.at += usize::from(c.is_some());
        c
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }
}

#[cfg(test)]
mod tests;
