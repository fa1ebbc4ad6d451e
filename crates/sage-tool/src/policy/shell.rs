//! Reading a command line as a POSIX shell would, as far as that can be told without running it.
//!
//! Every simple command is found, wherever it hides: after `;`, `&&`, `||`, `|`, `&`, line breaks, in
//! sub-shells, groups, command and process substitutions (also inside double quotes and here-documents).
//! Quotes and escapes are taken off words. What a variable or a pattern becomes is not known: such
//! words keep their text.

/// Longest line that is read, in bytes.
pub const MAX_LINE_BYTES: usize = 128 * 1024;
/// Deepest nesting of substitutions.
const MAX_DEPTH: usize = 16;
/// Most simple commands of a line.
const MAX_COMMANDS: usize = 2000;

/// A word with its quotes taken off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    pub text: String,
    /// Whether some of it was quoted, so that it is no keyword, assignment or home folder.
    pub quoted: bool,
}

/// One program with its arguments and redirections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Simple {
    pub words: Vec<Word>,
    /// Files that the shell opens for writing.
    pub writes: Vec<Word>,
    /// Whether its input comes from the command before it.
    pub is_piped: bool,
}

/// Finds the simple commands of a line, in the order of their text.
pub(super) fn read(line: &str) -> Result<Vec<Simple>, String> {
    let mut found = Vec::new();
    read_nested(line, 0, &mut found)?;
    Ok(found)
}

fn read_nested(line: &str, depth: usize, found: &mut Vec<Simple>) -> Result<(), String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("is longer than {MAX_LINE_BYTES} bytes"));
    }
    let mut reader =
        Reader { chars: line.chars().collect(), at: 0, depth, found, here_documents: Vec::new() };
    reader.list(None)
}

struct HereDocument {
    end: String,
    is_literal: bool,
    strips_tabs: bool,
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    found: &'a mut Vec<Simple>,
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
    /// A file that is only read, or a text.
    Other,
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
                self.skip_here_documents()?;
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

    /// Reads an operator that begins with `kind`; the reader stands on it.
    fn redirection(&mut self, kind: char, open: &mut Open) -> Result<(), String> {
        self.at += 1;
        let target = if kind == '<' {
            if self.take_if('(') {
                return self.list(Some(')'));
            }
            if self.take_if('<') {
                if self.take_if('<') {
                    Target::Other
                } else {
                    Target::HereDocument { strips_tabs: self.take_if('-') }
                }
            } else if self.take_if('>') {
                Target::Write
            } else {
                self.take_if('&');
                Target::Other
            }
        } else {
            if self.take_if('(') {
                return self.list(Some(')'));
            }
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
                self.double_quoted(&mut word.text)?;
            }
            '$' | '`' => self.expansion(c, &mut word.text)?,
            c => word.text.push(c),
        }
        open.word = Some(word);
        Ok(())
    }

    fn double_quoted(&mut self, text: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => text.push(c),
                    Some('\n') => {}
                    Some(c) => text.extend(['\\', c]),
                    None => return Err("has an unbalanced quote".to_owned()),
                },
                Some(c @ ('$' | '`')) => self.expansion(c, text)?,
                Some(c) => text.push(c),
                None => return Err("has an unbalanced quote".to_owned()),
            }
        }
    }

    /// Reads what follows a `$` or a back quote; commands in it are found, its text is kept.
    fn expansion(&mut self, c: char, text: &mut String) -> Result<(), String> {
        if c == '`' {
            let mut inner = String::new();
            loop {
                match self.next() {
                    Some('`') => break,
                    Some('\\') => inner.extend(self.next()),
                    Some(c) => inner.push(c),
                    None => return Err("has an unbalanced back quote".to_owned()),
                }
            }
            text.push_str("$(…)");
            if self.depth >= MAX_DEPTH {
                return Err(format!("is nested deeper than {MAX_DEPTH}"));
            }
            return read_nested(&inner, self.depth, self.found);
        }
        if self.take_if('(') {
            text.push_str("$(…)");
            return self.list(Some(')'));
        }
        text.push('$');
        if self.take_if('{') {
            text.push('{');
            let mut depth = 1;
            while depth > 0 {
                match self.next() {
                    Some('}') => {
                        depth -= 1;
                        text.push('}');
                    }
                    Some('{') => {
                        depth += 1;
                        text.push('{');
                    }
                    Some('$') if self.peek() == Some('(') => {
                        self.at += 1;
                        text.push_str("$(…)");
                        self.list(Some(')'))?;
                    }
                    Some(c) => text.push(c),
                    None => return Err("has an unclosed brace".to_owned()),
                }
            }
        }
        Ok(())
    }

    fn end_word(&mut self, open: &mut Open) {
        let Some(word) = open.word.take() else { return };
        match open.target.take() {
            None => open.command.words.push(word),
            Some(Target::Other) => {}
            Some(Target::Write) => {
                // A descriptor, as in 2>&1, is no file.
                let is_descriptor =
                    word.text == "-" || word.text.bytes().all(|byte| byte.is_ascii_digit());
                if !is_descriptor {
                    open.command.writes.push(word);
                }
            }
            Some(Target::HereDocument { strips_tabs }) => {
                let is_literal = word.quoted;
                self.here_documents.push(HereDocument { end: word.text, is_literal, strips_tabs });
            }
        }
    }

    fn end_command(&mut self, open: &mut Open) -> Result<(), String> {
        self.end_word(open);
        let Open { command, .. } = std::mem::take(open);
        if command.words.is_empty() && command.writes.is_empty() {
            return Ok(());
        }
        if self.found.len() == MAX_COMMANDS {
            return Err(format!("has more than {MAX_COMMANDS} parts"));
        }
        self.found.push(command);
        Ok(())
    }

    /// Passes over the here-documents that were announced on the line before.
    fn skip_here_documents(&mut self) -> Result<(), String> {
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
                if !document.is_literal && (line.contains("$(") || line.contains('`')) {
                    // Substitutions work in here; the rest of the line is text.
                    let escaped = line.replace('"', " ");
                    read_nested(&format!("\"{escaped}\""), self.depth, self.found)?;
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
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let shown: Vec<String> = read(line)
            .unwrap_or_else(|problem| panic!("{line:?}: {problem}"))
            .iter()
            .map(|simple| {
                let mut parts: Vec<String> = simple.words.iter().map(|w| w.text.clone()).collect();
                parts.extend(simple.writes.iter().map(|word| format!(">{}", word.text)));
                if simple.is_piped { format!("| {}", parts.join(" ")) } else { parts.join(" ") }
            })
            .collect();
        assert_eq!(shown, expected, "{line:?}");
    }

    #[test]
    fn every_part_of_a_compound_line_is_found() {
        check("a b; c && d || e & f\ng", &["a b", "c", "d", "e", "f", "g"]);
        check("a | b |& c", &["a", "| b", "| c"]);
        check("(cd x; a) ; { b; }", &["cd x", "a", "{ b", "}"]);
        check("echo $(a b) `c \\`d\\``", &["a b", "d", "c $(…)", "echo $(…) $(…)"]);
        check("echo \"x $(a \"b c\") y\"", &["a b c", "echo x $(…) y"]);
        check("diff <(a) >(b)", &["a", "b", "diff"]);
        check("echo ${x:-$(a)}", &["a", "echo ${x:-$(…)}"]);
    }

    #[test]
    fn quotes_escapes_and_comments_are_taken_off() {
        check(r#"echo 'a; b' "c && d" e\ f # g; h"#, &["echo a; b c && d e f"]);
        check("s\"ud\"o x", &["sudo x"]);
        check("a \\\n b", &["a b"]);
        check("echo a#b", &["echo a#b"]);
        check("", &[]);
        check("# only a comment", &[]);
    }

    #[test]
    fn redirections_are_told_from_arguments() {
        check("a >x 2>>y <z", &["a >x >y"]);
        check("a > /dev/null 2>&1", &["a >/dev/null"]);
        check("a &> x; b >& y; c >| z", &["a >x", "b >y", "c >z"]);
        check("a 2>&-", &["a"]);
        check("> x", &[">x"]);
        check("a <<< text", &["a"]);
        check("echo 2 > x", &["echo 2 >x"]);
    }

    #[test]
    fn here_documents_are_text_except_for_substitutions() {
        check("cat <<EOF > x\nrm -rf /; \"\nEOF\nb", &["cat >x", "b"]);
        check("cat <<EOF\n\"$(a)\nEOF\nb", &["cat", "a", " $(…)", "b"]);
        check("cat <<'EOF'\n$(a)\nEOF\nb", &["cat", "b"]);
        check("cat <<-EOF\n\ttext\n\tEOF\nb", &["cat", "b"]);
        check("cat <<EOF\nnever ends", &["cat"]);
    }

    #[test]
    fn lines_that_no_shell_would_take_are_errors() {
        for line in ["echo 'a", "echo \"a", "echo $(a", "echo `a", "echo ${a", "(a"] {
            assert!(read(line).is_err(), "{line:?}");
        }
        assert!(read(&"$(".repeat(100)).is_err());
        assert!(read(&"a;".repeat(3000)).is_err());
        assert!(read(&"a".repeat(MAX_LINE_BYTES + 1)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_reading_panic(line in "[a$(){}`'\"\\\\<>&|;#\n 0-9!-]{0,80}") {
            let _ = read(&line);
        }
    }
}
