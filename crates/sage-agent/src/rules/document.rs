//! Reads a rules file as a list of headings and rules: enough Markdown to keep together what belongs
//! together (a list item with its continuation lines, a paragraph, a fenced block), and no more.

/// A heading or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its first line, from 1.
    pub line: u32,
    pub kind: Kind,
    /// As written, without trailing blanks; may have several lines.
    pub text: String,
    /// What the rule is about, in lower case: the nearest heading of level 2 or deeper above it, and
    /// the line ending in a colon that opens its list. Titles do not count, because copies of one
    /// file carry different titles.
    pub scope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading of this level, 1 to 6.
    Heading(usize),
    Rule,
    /// A rule that holds a fenced block, where every character counts.
    Block,
}

impl Item {
    pub fn is_heading(&self) -> bool {
        matches!(self.kind, Kind::Heading(_))
    }

    /// The form by which copies of a rule are recognised.
    pub fn fingerprint(&self) -> String {
        if self.kind == Kind::Block {
            return self.text.trim().to_owned();
        }
        let words: Vec<String> =
            without_marker(&self.text).split_whitespace().map(str::to_lowercase).collect();
        words.join(" ").trim_end_matches(['.', ';']).to_owned()
    }
}

/// The text without a list marker.
pub(super) fn without_marker(text: &str) -> &str {
    let text = text.trim_start();
    list_marker(text).map_or(text, |len| text[len..].trim_start())
}

/// Splits a document into items. Comments and horizontal rules are dropped.
pub(super) fn parse(text: &str) -> Vec<Item> {
    let mut reader = Reader::default();
    for (at, line) in text.lines().enumerate() {
        reader.take(u32::try_from(at + 1).unwrap_or(u32::MAX), line.trim_end());
    }
    reader.close();
    reader.items
}

#[derive(Default)]
struct Reader {
    items: Vec<Item>,
    open: Option<Item>,
    /// The fence that would end the block we are in.
    fence: Option<&'static str>,
    in_comment: bool,
    heading: String,
    /// The paragraph ending in a colon that the list at hand follows.
    opening: String,
}

impl Reader {
    fn take(&mut self, at: u32, line: &str) {
        if let Some(fence) = self.fence {
            self.extend(at, line, Kind::Block);
            if line.trim_start().starts_with(fence) {
                self.fence = None;
            }
            return;
        }
        let line = &self.without_comment(line);
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.close();
        } else if let Some(fence) = fence(trimmed) {
            self.fence = Some(fence);
            self.extend(at, line, Kind::Block);
        } else if let Some(level) = heading_level(trimmed) {
            self.close();
            self.heading(at, trimmed, level);
        } else if is_ruler(trimmed) {
            self.close();
        } else if list_marker(trimmed).is_some() {
            self.close();
            self.extend(at, line, Kind::Rule);
        } else {
            if self.open.is_none() {
                self.opening.clear();
            }
            self.extend(at, line, Kind::Rule);
        }
    }

    fn heading(&mut self, line: u32, text: &str, level: usize) {
        self.opening.clear();
        self.heading.clear();
        if level >= 2 {
            self.heading.push_str(&text.trim_start_matches('#').trim().to_lowercase());
        }
        let (kind, scope) = (Kind::Heading(level), self.scope());
        self.items.push(Item { line, kind, text: text.to_owned(), scope });
    }

    fn scope(&self) -> String {
        [self.heading.as_str(), self.opening.as_str()].join(" ").trim().to_owned()
    }

    fn extend(&mut self, at: u32, line: &str, kind: Kind) {
        match &mut self.open {
            Some(item) => {
                item.text.push('\n');
                item.text.push_str(line);
                if kind == Kind::Block {
                    item.kind = kind;
                }
            }
            None => {
                let (text, scope) = (line.to_owned(), self.scope());
                self.open = Some(Item { line: at, kind, text, scope });
            }
        }
    }

    fn close(&mut self) {
        let Some(item) = self.open.take() else { return };
        let opens_list = item.text.ends_with(':') && list_marker(item.text.trim_start()).is_none();
        if opens_list {
            self.opening = item.text.to_lowercase();
        }
        self.items.push(item);
    }

    /// What of the line is outside `<!-- ... -->`.
    fn without_comment(&mut self, line: &str) -> String {
        let mut kept = String::new();
        let mut rest = line;
        loop {
            let mark = if self.in_comment { "-->" } else { "<!--" };
            let found = rest.find(mark);
            if !self.in_comment {
                kept.push_str(&rest[..found.unwrap_or(rest.len())]);
            }
            let Some(at) = found else { return kept };
            rest = &rest[at + mark.len()..];
            self.in_comment = !self.in_comment;
        }
    }
}

fn fence(trimmed: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|fence| trimmed.starts_with(fence))
}

fn heading_level(trimmed: &str) -> Option<usize> {
    let level = trimmed.bytes().take_while(|b| *b == b'#').count();
    ((1..=6).contains(&level) && trimmed[level..].starts_with(' ')).then_some(level)
}

fn is_ruler(trimmed: &str) -> bool {
    trimmed.len() >= 3 && ["-", "=", "*", "_"].iter().any(|c| trimmed.replace(c, "").is_empty())
}

/// Length of the list marker that `trimmed` begins with, blank included.
fn list_marker(trimmed: &str) -> Option<usize> {
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let after = match (digits, trimmed.as_bytes().get(digits)?) {
        (0, b'-' | b'*' | b'+') => 1,
        (1..=3, b'.' | b')') => digits + 1,
        _ => return None,
    };
    (trimmed.as_bytes().get(after) == Some(&b' ')).then_some(after + 1)
}
