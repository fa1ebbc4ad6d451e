//! `policy.json`: its keys, its rules, and errors that name file, line and what was probably meant.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sage_core::nearest;
use serde_json::Value;

use super::ToolPolicy;
use super::json::{self, Node, Shape};
use super::rule::{
    Access, CommandPrefix, Layer, Matcher, PathPattern, Place, Rule, Say, plain_host,
};
use crate::builtin;
use crate::error::{Error, Result};
use crate::grant::PathSet;
use crate::registry::{APPLY_EDITS, CHECK};

/// Most rules of one file.
pub const MAX_RULES: usize = 1000;
/// Largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Problems that are told at once.
const MAX_PROBLEMS: usize = 20;

pub(super) const KEYS: [&str; 5] =
    ["tool_policy", "workspace_root", "skills_root", "rules", "$schema"];
pub(super) const LEVELS: [&str; 2] = ["standard", "strict"];
const RULE_KEYS: [&str; 10] = [
    "decision", "tool", "command", "exact", "path", "access", "host", "because", "examples",
    "project",
];
const SAYS: [(&str, Say); 3] = [("allow", Say::Allow), ("ask", Say::Ask), ("deny", Say::Deny)];
const ACCESSES: [(&str, Access); 3] =
    [("read", Access::Read), ("write", Access::Write), ("remove", Access::Remove)];

/// What a policy file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyFile {
    /// How much is let through, if the file says so.
    pub tool_policy: Option<ToolPolicy>,
    /// Where the work tree is, if not at the project's root.
    pub workspace_root: Option<PathBuf>,
    /// Where skills are, if not in the project.
    pub skills_root: Option<PathBuf>,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}

impl PolicyFile {
    /// Reads a file; one that does not exist says nothing.
    pub fn load(path: &Path, layer: Layer) -> Result<Self> {
        let is_absent = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        // A project may hold anything under this name: a pipe would be waited for, a device has no end.
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_file() && meta.len() <= MAX_BYTES as u64 => {}
            Ok(_) => {
                let problem = format!("must be a file of at most {MAX_BYTES} bytes");
                return Err(Error::Policy { path: path.to_owned(), problem });
            }
            Err(error) if is_absent(&error) => return Ok(Self::default()),
            Err(source) => return Err(Error::io("reading", path, source)),
        }
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path, layer),
            Err(error) if is_absent(&error) => Ok(Self::default()),
            Err(source) => Err(Error::io("reading", path, source)),
        }
    }

    /// Reads the text of a file; `path` is for errors and for where rules come from. All examples are
    /// checked.
    pub fn parse(text: &str, path: &Path, layer: Layer) -> Result<Self> {
        let fail = |problem: String| Error::Policy { path: path.to_owned(), problem };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        if text.len() > MAX_BYTES {
            return Err(fail(format!("is larger than {MAX_BYTES} bytes")));
        }
        let root = json::read(text).map_err(fail)?;
        let Shape::Object(fields) = &root.value else {
            return Err(fail("it must hold a JSON object".to_owned()));
        };
        let mut reader = Reader { path, layer, problems: Vec::new() };
        let file = reader.file(fields);
        let n_more = reader.problems.len().saturating_sub(MAX_PROBLEMS);
        reader.problems.truncate(MAX_PROBLEMS);
        if n_more > 0 {
            reader.problems.push(format!("and {n_more} more"));
        }
        if reader.problems.is_empty() { Ok(file) } else { Err(fail(reader.problems.join("\n  "))) }
    }
}

struct Reader<'a> {
    path: &'a Path,
    layer: Layer,
    problems: Vec<String>,
}

type Fields = [(String, usize, Node)];

impl Reader<'_> {
    fn wrong(&mut self, line: usize, problem: impl AsRef<str>) {
        self.problems.push(format!("line {line}: {}", problem.as_ref()));
    }

    fn file(&mut self, fields: &Fields) -> PolicyFile {
        let mut file = PolicyFile::default();
        self.twice(fields, "");
        for (key, line, node) in fields {
            match key.as_str() {
                "tool_policy" => match level(node) {
                    Ok(level) => file.tool_policy = Some(level),
                    Err(problem) => self.wrong(node.line, problem),
                },
                "workspace_root" => file.workspace_root = self.folder(key, node),
                "skills_root" => file.skills_root = self.folder(key, node),
                "rules" => file.rules = self.rules(node),
                "$schema" => {}
                _ => self.unknown(*line, "", key, &KEYS),
            }
        }
        file
    }

    fn twice(&mut self, fields: &Fields, place: &str) {
        for (at, (key, line, _)) in fields.iter().enumerate() {
            if fields[..at].iter().any(|(earlier, _, _)| earlier == key) {
                self.wrong(*line, format!("{place}the key {key:?} is there twice"));
            }
        }
    }

    fn unknown(&mut self, line: usize, place: &str, key: &str, known: &[&str]) {
        let meant = nearest(key, known.iter().copied());
        let meant = meant.map(|near| format!("; did you mean {near:?}?"));
        let meant = meant.unwrap_or_else(|| format!("; known are {}", known.join(", ")));
        self.wrong(line, format!("{place}unknown key {key:?}{meant}"));
    }

    fn folder(&mut self, key: &str, node: &Node) -> Option<PathBuf> {
        match (&node.value, node.text()) {
            (Shape::Plain(Value::Null), _) => None,
            (_, Some(text)) if text.trim().is_empty() => None,
            (_, Some(text)) if text.contains('\0') => {
                self.wrong(node.line, format!("key {key:?} contains a NUL"));
                None
            }
            (_, Some(text)) => Some(PathBuf::from(text)),
            _ => {
                self.wrong(node.line, format!("key {key:?} must be a folder's path"));
                None
            }
        }
    }

    fn rules(&mut self, node: &Node) -> Vec<Rule> {
        let items = match &node.value {
            Shape::List(items) => items,
            Shape::Plain(Value::Null) => return Vec::new(),
            _ => {
                self.wrong(node.line, format!("key \"rules\" must be a list, not {}", node.sort()));
                return Vec::new();
            }
        };
        if items.len() > MAX_RULES {
            self.wrong(node.line, format!("more than {MAX_RULES} rules"));
            return Vec::new();
        }
        let items = items.iter().enumerate();
        items.filter_map(|(at, item)| self.rule(at + 1, item)).collect()
    }

    fn rule(&mut self, number: usize, node: &Node) -> Option<Rule> {
        let place = format!("rule {number}: ");
        let Shape::Object(fields) = &node.value else {
            self.wrong(node.line, format!("{place}must be an object, not {}", node.sort()));
            return None;
        };
        let n_before = self.problems.len();
        self.twice(fields, &place);
        for (key, line, _) in fields.iter().filter(|(key, ..)| !RULE_KEYS.contains(&key.as_str())) {
            self.unknown(*line, &place, key, &RULE_KEYS);
        }
        let field = |name: &str| fields.iter().find(|(key, ..)| key == name).map(|(.., node)| node);
        let say = match field("decision") {
            Some(node) => self.choice(node, &place, "decision", &SAYS),
            None => {
                self.wrong(
                    node.line,
                    format!("{place}\"decision\" is missing: allow, ask or deny"),
                );
                None
            }
        };
        let access =
            field("access").and_then(|node| self.choice(node, &place, "access", &ACCESSES));
        let about = Matcher {
            tools: field("tool").map(|node| self.tools(node, &place)).unwrap_or_default(),
            command: field("command").and_then(|node| self.command(node, &place, field("exact"))),
            path: field("path").and_then(|node| self.paths(node, &place, access)),
            hosts: field("host").map(|node| self.hosts(node, &place)).unwrap_or_default(),
        };
        let subjects: Vec<&str> =
            ["command", "path", "host"].into_iter().filter(|name| field(name).is_some()).collect();
        if subjects.len() > 1 {
            self.wrong(
                node.line,
                format!(
                    "{place}is about {} at once; make it {} rules",
                    subjects.join(" and "),
                    subjects.len()
                ),
            );
        } else if subjects.is_empty() && field("tool").is_none() {
            self.wrong(
                node.line,
                format!("{place}is about nothing: it needs tool, command, path or host"),
            );
        }
        for (name, needs) in [("access", "path"), ("exact", "command")] {
            if field(name).is_some() && field(needs).is_none() {
                self.wrong(
                    node.line,
                    format!("{place}{name:?} says something about {needs:?}, which is missing"),
                );
            }
        }
        let because = field("because").and_then(|node| self.text(node, &place, "because"));
        let project = field("project").and_then(|node| {
            if self.layer == Layer::Project {
                self.wrong(node.line, format!("{place}\"project\" belongs into the user's policy.json: this file is a project's already"));
                return None;
            }
            let text = self.text(node, &place, "project")?;
            if !Path::new(&text).is_absolute() {
                self.wrong(node.line, format!("{place}\"project\" must be an absolute path, not {text:?}"));
            }
            Some(PathBuf::from(text))
        });
        let layer = if project.is_some() { Layer::Approved } else { self.layer };
        let file = Some(self.path.to_owned());
        let rule = Rule {
            say: say?,
            about,
            because,
            project,
            layer,
            place: Place { file, line: node.line, number },
        };
        // Examples of a rule that cannot be read would only repeat its problem.
        if self.problems.len() == n_before
            && let Some(examples) = field("examples")
        {
            self.examples(examples, &place, &rule);
        }
        (self.problems.len() == n_before).then_some(rule)
    }

    fn text(&mut self, node: &Node, place: &str, key: &str) -> Option<String> {
        match node.text() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong(
                    node.line,
                    format!("{place}{key:?} must be a text, not {}", node.sort()),
                );
                None
            }
        }
    }

    fn choice<T: Copy>(
        &mut self,
        node: &Node,
        place: &str,
        key: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, place, key)?;
        let found = known.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let meant = nearest(&text, names.iter().copied());
            let meant = meant.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            let problem =
                format!("{place}{key:?} must be {}, not {text:?}{meant}", names.join(", "));
            self.wrong(node.line, problem);
        }
        found.map(|(_, value)| *value)
    }

    /// A text, or a list of texts.
    fn texts(&mut self, node: &Node, place: &str, key: &str) -> Vec<(usize, String)> {
        let nodes = match &node.value {
            Shape::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if nodes.is_empty() {
            self.wrong(node.line, format!("{place}{key:?} is empty"));
        }
        let mut texts = Vec::new();
        for node in nodes {
            match node.text().map(str::trim) {
                Some("") => self.wrong(node.line, format!("{place}{key:?} is empty")),
                Some(text) => texts.push((node.line, text.to_owned())),
                None => {
                    let sort = node.sort();
                    self.wrong(
                        node.line,
                        format!("{place}{key:?} must be a text or a list of texts, not {sort}"),
                    );
                }
            }
        }
        texts
    }

    fn tools(&mut self, node: &Node, place: &str) -> Vec<String> {
        let known = tool_names();
        let mut tools = Vec::new();
        for (line, name) in self.texts(node, place, "tool") {
            if !known.contains(&name) {
                let meant = nearest(&name, known.iter().map(String::as_str));
                let meant = meant.map(|near| format!("; did you mean {near:?}?"));
                let meant = meant.unwrap_or_else(|| format!("; there are {}", known.join(", ")));
                self.wrong(line, format!("{place}there is no tool {name:?}{meant}"));
            }
            tools.push(name);
        }
        tools
    }

    fn command(&mut self, node: &Node, place: &str, exact: Option<&Node>) -> Option<CommandPrefix> {
        let Shape::List(items) = &node.value else {
            let sort = node.sort();
            self.wrong(node.line, format!("{place}\"command\" must be a list of words, such as [\"npm\", \"install\"], not {sort}"));
            return None;
        };
        if items.is_empty() {
            self.wrong(
                node.line,
                format!("{place}\"command\" is empty: name at least the program"),
            );
            return None;
        }
        let mut words = Vec::new();
        for item in items {
            let options = self.words(item, place);
            if words.is_empty() && options.iter().any(String::is_empty) {
                self.wrong(item.line, format!("{place}the program in \"command\" is empty"));
            }
            if words.is_empty() && options.iter().any(|word| word.contains(char::is_whitespace)) {
                self.wrong(
                    item.line,
                    format!(
                        "{place}the program {:?} has blanks in it: give each word by itself",
                        options[0]
                    ),
                );
            }
            words.push(options);
        }
        let exact = match exact.map(|node| (node.line, &node.value)) {
            Some((_, Shape::Plain(Value::Bool(exact)))) => *exact,
            Some((line, _)) => {
                self.wrong(line, format!("{place}\"exact\" must be true or false"));
                false
            }
            None => false,
        };
        Some(CommandPrefix { words, exact })
    }

    /// What may stand in one place of a command: every letter counts.
    fn words(&mut self, node: &Node, place: &str) -> Vec<String> {
        let nodes = match &node.value {
            Shape::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if nodes.is_empty() {
            self.wrong(node.line, format!("{place}a word of \"command\" is an empty list"));
        }
        let mut words = Vec::new();
        for node in nodes {
            match node.text() {
                Some(text) => words.push(text.to_owned()),
                None => {
                    let sort = node.sort();
                    self.wrong(
                        node.line,
                        format!("{place}\"command\" must hold texts or lists of texts, not {sort}"),
                    );
                }
            }
        }
        words
    }

    fn paths(&mut self, node: &Node, place: &str, access: Option<Access>) -> Option<PathPattern> {
        let globs = self.texts(node, place, "path");
        let mut kept = Vec::new();
        for (line, glob) in globs {
            match PathSet::new([&glob]) {
                Ok(_) => kept.push(glob),
                Err(error) => self.wrong(line, format!("{place}{error}")),
            }
        }
        PathPattern::new(kept, access).ok()
    }

    fn hosts(&mut self, node: &Node, place: &str) -> Vec<String> {
        let mut hosts = Vec::new();
        for (line, text) in self.texts(node, place, "host") {
            match host_pattern(&text) {
                Ok(host) => hosts.push(host),
                Err(problem) => self.wrong(line, format!("{place}{problem}")),
            }
        }
        hosts
    }

    fn examples(&mut self, node: &Node, place: &str, rule: &Rule) {
        let Shape::Object(fields) = &node.value else {
            self.wrong(
                node.line,
                format!("{place}\"examples\" must be an object with \"match\" and \"no_match\""),
            );
            return;
        };
        for (key, line, list) in fields {
            let should = match key.as_str() {
                "match" => true,
                "no_match" => false,
                _ => {
                    self.unknown(*line, &format!("{place}examples: "), key, &["match", "no_match"]);
                    continue;
                }
            };
            for (line, example) in self.texts(list, &format!("{place}examples: "), key) {
                if rule.is_about(&example) != should {
                    let verb = if should { "does not match" } else { "matches" };
                    let mut problem = format!("{place}{verb} its example {example:?}");
                    let _ = write!(problem, " ({})", rule.about);
                    self.wrong(line, problem);
                }
            }
        }
    }
}

impl PathPattern {
    /// A pattern of these globs.
    pub fn new(globs: Vec<String>, access: Option<Access>) -> Result<Self> {
        let set = PathSet::new(&globs)?;
        Ok(Self { globs, set, access })
    }
}

fn level(node: &Node) -> std::result::Result<ToolPolicy, String> {
    match node.text() {
        Some("standard") => Ok(ToolPolicy::Standard),
        Some("strict") => Ok(ToolPolicy::Strict),
        Some(other) => {
            let meant = nearest(other, LEVELS).map(|near| format!("; did you mean {near:?}?"));
            let meant = meant.unwrap_or_default();
            Err(format!("key \"tool_policy\" must be standard or strict, not {other:?}{meant}"))
        }
        None => Err("key \"tool_policy\" must be standard or strict".to_owned()),
    }
}

/// The names that rules may use for tools.
pub(super) fn tool_names() -> Vec<String> {
    let tools = builtin::all();
    let names = tools.iter().map(|tool| tool.spec().name);
    names.chain([CHECK.to_owned(), APPLY_EDITS.to_owned()]).collect()
}

/// A host's name or `*.suffix`, in the form in which hosts are compared.
pub(super) fn host_pattern(text: &str) -> std::result::Result<String, String> {
    let host = plain_host(text);
    let name = host.strip_prefix("*.").unwrap_or(&host);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host == "*" {
        return Ok(host);
    }
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("the host {text:?} is neither a name nor *.suffix"));
    }
    Ok(host)
}
