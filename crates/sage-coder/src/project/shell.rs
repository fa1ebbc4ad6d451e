//! Command lines for `sh -c`: quoting, and the simple commands that a line consists of.

/// Quotes a word; `None` if it cannot be part of a command line (a NUL).
pub(super) fn quote(word: &str) -> Option<String> {
    shlex::try_quote(word).ok().map(|quoted| quoted.into_owned())
}

/// A path as an argument: quoted, and never an option.
pub(super) fn path_argument(path: &str) -> Option<String> {
    if path.starts_with('-') { quote(&format!("./{path}")) } else { quote(path) }
}

/// `command` in a folder of the project (`""` is the root).
pub(super) fn in_folder(folder: &str, command: &str) -> Option<String> {
    match folder {
        "" => Some(command.to_owned()),
        folder => Some(format!("cd {} && {command}", path_argument(folder)?)),
    }
}

/// A part of a command line: a simple command, or what joins it to the next one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A simple command with the blanks around it.
    Command(&'a str),
    /// `&&`, `||`, `;`, `|`, `&`, a newline or a parenthesis.
    Joint(&'a str),
}

/// Splits a line where the shell does, outside quotes. The parts joined give the line again.
pub(super) fn parts(line: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut quoted: Option<char> = None;
    let mut is_escaped = false;
    let mut skip_until = 0;
    for (at, found) in line.char_indices() {
        if at < skip_until {
            continue;
        }
        if is_escaped {
            is_escaped = false;
            continue;
        }
        match (quoted, found) {
            (Some('\''), '\'') | (Some('"'), '"') => quoted = None,
            (None | Some('"'), '\\') => is_escaped = true,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(found),
            // `2>&1` and `&>file` join nothing.
            (None, '&') if line[..at].ends_with('>') || line[at + 1..].starts_with('>') => {}
            (None, '&' | '|' | ';' | '\n' | '(' | ')') => {
                let is_double = matches!(found, '&' | '|') && line[at + 1..].starts_with(found);
                let end = at + if is_double { 2 } else { 1 };
                if start < at {
                    parts.push(Part::Command(&line[start..at]));
                }
                parts.push(Part::Joint(&line[at..end]));
                start = end;
                skip_until = end;
            }
            (None, _) => {}
        }
    }
    if start < line.len() {
        parts.push(Part::Command(&line[start..]));
    }
    parts
}

/// A simple command, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Simple<'a> {
    /// Assignments in front, as written, with blanks.
    pub(super) prefix: &'a str,
    /// The program, unquoted.
    pub(super) program: String,
    /// The rest of the text, from the end of the program on.
    pub(super) rest: &'a str,
    /// The arguments, unquoted; `None` where they cannot be told.
    pub(super) arguments: Option<Vec<String>>,
}

/// Takes a simple command apart; `None` if it has no program that can be told.
pub(super) fn simple(text: &str) -> Option<Simple<'_>> {
    let mut at = text.len() - text.trim_start().len();
    loop {
        let word_end = text[at..]
            .char_indices()
            .find(|(_, found)| found.is_whitespace())
            .map_or(text.len(), |(end, _)| at + end);
        let word = &text[at..word_end];
        if word.is_empty() {
            return None;
        }
        let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if is_assignment {
            // An assignment whose value is quoted with blanks inside is left alone.
            if word.matches(['"', '\'']).count() % 2 == 1 {
                return None;
            }
            at = word_end + (text[word_end..].len() - text[word_end..].trim_start().len());
            continue;
        }
        if word.contains(['$', '`', '\\', '"', '\'', '*', '>', '<']) {
            return None;
        }
        let rest = &text[word_end..];
        return Some(Simple {
            prefix: &text[..at],
            program: word.to_owned(),
            rest,
            arguments: shlex::split(rest),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_where_the_shell_does() {
        let shown = |line: &str| {
            let parts = parts(line);
            let all: String = parts
                .iter()
                .map(|part| match part {
                    Part::Command(text) | Part::Joint(text) => *text,
                })
                .collect();
            assert_eq!(all, line);
            parts
                .iter()
                .filter_map(|part| match part {
                    Part::Command(text) => Some(text.trim().to_owned()),
                    Part::Joint(_) => None,
                })
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown("a && b 'c && d' || e; f | g"), ["a", "b 'c && d'", "e", "f", "g"]);
        assert_eq!(shown("(cd x && make) 2>&1"), ["cd x", "make", "2>&1"]);
        assert_eq!(shown("echo \"a;b\" \\; c"), ["echo \"a;b\" \\; c"]);
        assert_eq!(shown(""), Vec::<String>::new());
    }

    #[test]
    fn assignments_stand_in_front_of_the_program() {
        let found = simple(" A=1 B=2 pytest -q 'a b'").unwrap();
        assert_eq!(
            (found.prefix, found.program.as_str(), found.rest),
            (" A=1 B=2 ", "pytest", " -q 'a b'")
        );
        assert_eq!(found.arguments.unwrap(), ["-q", "a b"]);
        assert_eq!(simple("$X a"), None);
        assert_eq!(simple("  "), None);
    }

    #[test]
    fn a_path_is_never_an_option() {
        assert_eq!(path_argument("-x.py").as_deref(), Some("./-x.py"));
        assert_eq!(path_argument("a b.py").as_deref(), Some("'a b.py'"));
        assert_eq!(path_argument("a\0b"), None);
    }
}
