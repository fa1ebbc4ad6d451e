//! A word of a command line, and commands as text again.

/// A word with its quotes taken off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::policy) struct Word {
    pub text: String,
    /// Whether some of it was quoted, so that it is no keyword, assignment or home folder.
    pub quoted: bool,
    /// Whether a variable or a command's output is in it, so that its text is not what it becomes.
    pub dynamic: bool,
    /// Whether it is a pattern of names or a list in braces, which may become several words.
    pub globbed: bool,
}

impl Word {
    /// A word that is what it says.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), quoted: true, dynamic: false, globbed: false }
    }

    /// A word of which nothing is known.
    pub fn unknown(text: impl Into<String>) -> Self {
        Self { dynamic: true, ..Self::plain(text) }
    }

    /// Whether the program sees exactly this text.
    pub fn is_certain(&self) -> bool {
        !self.dynamic && !self.globbed
    }

    /// Whether it names the home folder or something below it.
    pub fn is_home(&self) -> bool {
        (self.text.starts_with('~') && !self.quoted)
            || self.text.starts_with("$HOME")
            || self.text.starts_with("${HOME")
    }

    /// Adds a character that stood outside quotes.
    pub(super) fn push_plain(&mut self, c: char) {
        // `[` alone is a program, and `{}` is what `find` replaces.
        let in_braces = || self.text.rfind('{').is_some_and(|at| !self.text[at..].contains('}'));
        self.globbed |= match c {
            '*' | '?' => true,
            ']' => self.text.contains('['),
            ',' => in_braces(),
            '.' => self.text.ends_with('.') && in_braces(),
            _ => false,
        };
        self.text.push(c);
    }

    /// As it would be typed.
    pub fn typed(&self) -> String {
        let is_plain = |c: char| c.is_alphanumeric() || "_-./=:@%+,~^".contains(c);
        if !self.text.is_empty() && (self.text.chars().all(is_plain) || !self.is_certain()) {
            return self.text.clone();
        }
        format!("'{}'", self.text.replace('\'', "'\\''"))
    }
}

/// A command as it would be typed.
pub(in crate::policy) fn typed(words: &[Word], writes: &[Word]) -> String {
    let words = words.iter().map(Word::typed);
    let writes = writes.iter().map(|word| format!("> {}", word.typed()));
    words.chain(writes).collect::<Vec<_>>().join(" ")
}
