//! Tells code from strings and comments, byte by byte, for languages that look alike enough.

/// A family of languages whose strings and comments are written alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// Python.
    Python,
    /// JavaScript and TypeScript.
    Script,
    /// Rust.
    Rust,
    /// Go.
    Go,
    /// Java, Kotlin, C#, C and others with braces.
    Braces,
}

/// What a byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Code,
    /// The content of a string, a character or a regular expression, its delimiters included.
    Text,
    Comment,
}

impl Lang {
    /// The family of a file, by its name.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        Some(match extension {
            "py" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" | "mts" | "cts" => Self::Script,
            "rs" => Self::Rust,
            "go" => Self::Go,
            "java" | "kt" | "cs" | "c" | "cc" | "cpp" | "h" | "hpp" | "swift" => Self::Braces,
            _ => return None,
        })
    }
}

/// One part per byte of the text.
pub(super) fn parts(lang: Lang, text: &str) -> Vec<Part> {
    let mut scan = Scan { lang, bytes: text.as_bytes(), at: 0, parts: Vec::new() };
    while scan.at < scan.bytes.len() {
        scan.step();
    }
    scan.parts.resize(text.len(), Part::Code);
    scan.parts
}

/// The text with everything but code blanked out, byte for byte; lines stay lines.
pub(super) fn code_only(text: &str, parts: &[Part]) -> String {
    blank(text, parts, |part| part == Part::Code)
}

/// The text with comments blanked out.
pub(super) fn without_comments(text: &str, parts: &[Part]) -> String {
    blank(text, parts, |part| part != Part::Comment)
}

fn blank(text: &str, parts: &[Part], keep: impl Fn(Part) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c == '\n' || parts.get(at).is_none_or(|part| keep(*part)) {
            out.push(c);
        } else {
            // As many bytes as before, so that positions stay the same.
            out.extend(std::iter::repeat_n(' ', c.len_utf8()));
        }
    }
    out
}

struct Scan<'a> {
    lang: Lang,
    bytes: &'a [u8],
    at: usize,
    parts: Vec<Part>,
}

impl Scan<'_> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        let first = rest[0];
        if self.starts_comment(rest) {
            return;
        }
        match (self.lang, first) {
            (Lang::Python, b'"' | b'\'') => {
                let triple = [first; 3];
                if rest.starts_with(&triple) {
                    self.text_until(3, &triple, !self.is_raw());
                } else {
                    self.text_until(1, &[first], true);
                }
            }
            (Lang::Rust, b'"') if self.is_raw() => self.text_until(1, b"\"", false),
            (Lang::Rust, b'r') if self.is_raw_start(rest) => self.rust_raw(rest),
            (Lang::Rust, b'\'') => self.rust_quote(rest),
            (Lang::Script, b'`') => self.template(),
            (Lang::Go, b'`') => self.text_until(1, b"`", false),
            (Lang::Braces, b'"') if rest.starts_with(b"\"\"\"") => {
                self.text_until(3, b"\"\"\"", true);
            }
            (_, b'"') => self.text_until(1, b"\"", true),
            (_, b'\'') => self.text_until(1, b"'", true),
            (Lang::Script, b'/') if self.may_be_regex() => self.regex(rest),
            _ => self.take(1, Part::Code),
        }
    }

    fn take(&mut self, n: usize, part: Part) {
        let is_inside = |at: usize| self.bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
        let mut n = n.min(self.bytes.len() - self.at);
        // A character is never in two parts.
        while is_inside(self.at + n) {
            n += 1;
        }
        self.parts.extend(std::iter::repeat_n(part, n));
        self.at += n;
    }

    fn starts_comment(&mut self, rest: &[u8]) -> bool {
        let to_line_end = |rest: &[u8]| rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        match self.lang {
            Lang::Python => {
                if rest[0] == b'#' {
                    self.take(to_line_end(rest), Part::Comment);
                    return true;
                }
            }
            _ => {
                if rest.starts_with(b"//") {
                    self.take(to_line_end(rest), Part::Comment);
                    return true;
                }
                if rest.starts_with(b"/*") {
                    self.block_comment(rest);
                    return true;
                }
            }
        }
        false
    }

    fn block_comment(&mut self, rest: &[u8]) {
        let nests = self.lang == Lang::Rust;
        let (mut depth, mut at) = (1_usize, 2);
        while depth > 0 && at < rest.len() {
            if rest[at..].starts_with(b"*/") {
                depth -= 1;
                at += 2;
            } else if nests && rest[at..].starts_with(b"/*") {
                depth += 1;
                at += 2;
            } else {
                at += 1;
            }
        }
        self.take(at, Part::Comment);
    }

    /// Takes a string whose opening is `n` bytes long. One of a single quote ends with its line where
    /// it is not closed.
    fn text_until(&mut self, n: usize, end: &[u8], escapes: bool) {
        let rest = &self.bytes[self.at..];
        let one_line = end.len() == 1 && end != b"`" && self.lang != Lang::Rust;
        let mut at = n;
        while at < rest.len() {
            if escapes && rest[at] == b'\\' {
                at += 2;
            } else if rest[at..].starts_with(end) {
                at += end.len();
                break;
            } else if one_line && rest[at] == b'\n' {
                break;
            } else {
                at += 1;
            }
        }
        self.take(at, Part::Text);
    }

    /// Whether the bytes before are a prefix with `r` in it (`r"`, `rb'`).
    fn is_raw(&self) -> bool {
        let before = self.bytes[..self.at].iter().rev();
        let prefix: Vec<u8> =
            before.take(3).take_while(|b| b.is_ascii_alphabetic()).copied().collect();
        prefix.len() < 3 && prefix.iter().any(|b| matches!(b, b'r' | b'R'))
    }

    fn is_raw_start(&self, rest: &[u8]) -> bool {
        let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let after_word =
            self.at > 0 && self.bytes.get(self.at - 1).is_some_and(|b| is_word(b) && *b != b'b');
        let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
        !after_word && hashes > 0 && rest.get(1 + hashes) == Some(&b'"')
    }

    fn rust_raw(&mut self, rest: &[u8]) {
        let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
        let mut end = vec![b'"'];
        end.extend(std::iter::repeat_n(b'#', hashes));
        self.text_until(hashes + 2, &end, false);
    }

    /// A character, or a lifetime.
    fn rust_quote(&mut self, rest: &[u8]) {
        if rest.get(1) == Some(&b'\\') {
            return self.text_until(1, b"'", true);
        }
        // One character of any length, then the closing quote.
        let len = match rest.get(1) {
            Some(b) if *b >= 0xF0 => 4,
            Some(b) if *b >= 0xE0 => 3,
            Some(b) if *b >= 0xC0 => 2,
            _ => 1,
        };
        let is_char = rest.get(1 + len) == Some(&b'\'');
        if is_char { self.take(len + 2, Part::Text) } else { self.take(1, Part::Code) }
    }

    /// A template with whatever it has in braces, strings and templates inside them included.
    fn template(&mut self) {
        let rest = &self.bytes[self.at..];
        let (mut depth, mut at) = (0_usize, 1);
        while at < rest.len() {
            match rest[at] {
                b'\\' => at += 1,
                b'`' if depth == 0 => {
                    at += 1;
                    break;
                }
                b'$' if rest.get(at + 1) == Some(&b'{') => {
                    depth += 1;
                    at += 1;
                }
                b'{' if depth > 0 => depth += 1,
                b'}' if depth > 0 => depth -= 1,
                _ => {}
            }
            at += 1;
        }
        self.take(at, Part::Text);
    }

    /// A slash begins a regular expression where a value may begin.
    fn may_be_regex(&self) -> bool {
        let code = self.bytes[..self.at].iter().rev().find(|b| !matches!(b, b' ' | b'\t'));
        code.is_none_or(|b| b"(,=:[!&|?{};\n>".contains(b))
    }

    fn regex(&mut self, rest: &[u8]) {
        let (mut in_class, mut at) = (false, 1);
        while at < rest.len() {
            match rest[at] {
                b'\\' => at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => return self.take(at + 1, Part::Text),
                // Not one after all.
                b'\n' => return self.take(1, Part::Code),
                _ => {}
            }
            at += 1;
        }
        self.take(1, Part::Code);
    }
}

/// The position after the bracket that closes the one at `open`; the end of the text where it is not
/// closed. `code` has nothing but code.
pub(super) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// A part of a text, with its ends moved to where characters begin.
pub(super) fn slice(text: &str, start: usize, end: usize) -> &str {
    let boundary = |at: usize| {
        let at = at.min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let (start, end) = (boundary(start), boundary(end));
    &text[start.min(end)..end]
}

/// The number of the line, from 0, that holds a byte.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lang: Lang, text: &str, code: &str) {
        assert_eq!(code_only(text, &parts(lang, text)), code, "{text}");
    }

    #[test]
    fn strings_and_comments_are_no_code() {
        check(Lang::Python, "a = 'x#y' # z\nb", "a =          \nb");
        check(Lang::Python, "\"\"\"a\n== b\"\"\" + c", "    \n        + c");
        check(Lang::Python, "r'\\d' + e", "r     + e");
        check(Lang::Script, "a(`x ${b} y`, \"//\") // c", "a(          ,     )     ");
        check(Lang::Script, "x.replace(/[/\"]/, 1) / 2", "x.replace(      , 1) / 2");
        check(Lang::Rust, "f::<'a>('x', \"\\\"\", r#\"y\"#)", "f::<'a>(   ,     ,       )");
        check(Lang::Rust, "a /* b /* c */ d */ e", "a                   e");
        check(Lang::Go, "a := `x\ny` + 'z'", "a :=   \n   +    ");
    }

    #[test]
    fn any_text_has_as_many_parts_as_bytes() {
        for text in ["'", "\"\\", "`${", "/*", "r#\"", "'\\", "é'ü", "/a", "\"\"\"", "'é"] {
            for lang in [Lang::Python, Lang::Script, Lang::Rust, Lang::Go, Lang::Braces] {
                assert_eq!(parts(lang, text).len(), text.len(), "{lang:?} {text}");
                assert_eq!(code_only(text, &parts(lang, text)).len(), text.len());
            }
        }
    }
}
