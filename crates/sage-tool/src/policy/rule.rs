//! One rule: what it says, what it is about, and whether it is about this.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::expand::Part;
use super::harmless;
use super::paths::{self, PathUse};
use super::shell::Word;
use crate::grant::PathSet;

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// Go on without asking.
    Allow,
    /// Ask the person.
    Ask,
    /// No.
    Deny,
}

impl Say {
    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// Who made a rule; later layers may say otherwise than earlier ones, within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// The program.
    BuiltIn,
    /// The person, for all projects.
    User,
    /// The project's own file, which comes with the repository.
    Project,
    /// The person, for this project: among them what was approved for always.
    Approved,
    /// Flags and environment of this process.
    Flag,
}

impl Layer {
    /// Its name for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built in",
            Self::User => "user",
            Self::Project => "project",
            Self::Approved => "user, this project",
            Self::Flag => "flag",
        }
    }
}

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Its content or its names are looked at.
    Read,
    /// It is made or changed.
    Write,
    /// It is deleted, or loses most of what it holds.
    Remove,
}

impl Access {
    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Remove => "remove",
        }
    }
}

/// Words that begin a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPrefix {
    /// For each place, the words that may stand there.
    pub words: Vec<Vec<String>>,
    /// Whether nothing may follow.
    pub exact: bool,
}

/// A set of paths, with what is done with them.
#[derive(Debug, Clone)]
pub struct PathPattern {
    pub(super) globs: Vec<String>,
    pub(super) set: PathSet,
    /// Reading and writing alike when absent.
    pub access: Option<Access>,
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.globs == other.globs && self.access == other.access
    }
}

impl Eq for PathPattern {}

/// What a rule is about; all that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    /// Any of these tools; every tool when empty.
    pub tools: Vec<String>,
    /// A command that begins like this.
    pub command: Option<CommandPrefix>,
    /// A path like this.
    pub path: Option<PathPattern>,
    /// Any of these hosts: a name, or `*.suffix`.
    pub hosts: Vec<String>,
}

/// Where a rule is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file; nothing for flags.
    pub file: Option<PathBuf>,
    /// Its line, from 1.
    pub line: usize,
    /// The rule's number in the file, from 1.
    pub number: usize,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it says.
    pub say: Say,
    /// What it is about.
    pub about: Matcher,
    /// Why, in the words of whoever wrote it.
    pub because: Option<String>,
    /// The only project for which it holds.
    pub project: Option<PathBuf>,
    /// Who made it.
    pub layer: Layer,
    /// Where it is written.
    pub place: Place,
}

/// What is judged.
pub(super) enum Subject<'a> {
    Part(&'a Part, /* whether names may mean something else */ bool),
    Path(&'a PathUse),
    Host(&'a str),
    /// A call that has nothing else to judge.
    Call,
}

/// Whether a rule is about something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    No,
    /// That depends on what is known only later.
    Maybe,
    Yes,
}

impl Rule {
    /// Whether the rule is about what `tool` wants to do.
    pub(super) fn fits(&self, tool: &str, subject: &Subject<'_>) -> Fit {
        let about = &self.about;
        if !about.tools.is_empty() && !about.tools.iter().any(|name| name == tool) {
            return Fit::No;
        }
        let is_general = about.command.is_none() && about.path.is_none() && about.hosts.is_empty();
        match subject {
            // What is removed is only allowed in so many words.
            Subject::Path(used) if is_general && self.say == Say::Allow => {
                if used.access == Access::Remove { Fit::No } else { Fit::Yes }
            }
            // A word of a command is not a call of its own.
            Subject::Path(used) if is_general && used.is_word => Fit::No,
            Subject::Host(_) if is_general => Fit::No,
            _ if is_general => Fit::Yes,
            Subject::Part(part, defines) => match &about.command {
                Some(prefix) => prefix.fits(part, self.say, *defines),
                None => Fit::No,
            },
            Subject::Path(used) => match &about.path {
                Some(pattern) => pattern.fits(used, self.say),
                None => Fit::No,
            },
            Subject::Host(host) => {
                let fits = about.hosts.iter().any(|pattern| host_fits(pattern, host));
                if fits { Fit::Yes } else { Fit::No }
            }
            Subject::Call => Fit::No,
        }
    }

    /// The rule in the compact form of flags, such as `deny command:npm publish`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}", self.say.as_str(), self.about)
    }

    /// Where it is written, such as `user, .config/sage/policy.json:12 (rule 3)`.
    #[must_use]
    pub fn origin(&self) -> String {
        match &self.place.file {
            Some(file) => {
                let Place { line, number, .. } = self.place;
                format!("{}, {}:{line}, rule {number}", self.layer.as_str(), file.display())
            }
            None => self.layer.as_str().to_owned(),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.tools.is_empty() {
            parts.push(format!("tool:{}", self.tools.join("|")));
        }
        if let Some(prefix) = &self.command {
            let word = |words: &Vec<String>| {
                let words: Vec<String> = words.iter().map(|w| Word::plain(w).typed()).collect();
                words.join("|")
            };
            let words: Vec<String> = prefix.words.iter().map(word).collect();
            let name = if prefix.exact { "exactly" } else { "command" };
            parts.push(format!("{name}:{}", words.join(" ")));
        }
        if let Some(path) = &self.path {
            let name = path.access.map_or("path", Access::as_str);
            parts.push(format!("{name}:{}", path.globs.join("|")));
        }
        if !self.hosts.is_empty() {
            parts.push(format!("host:{}", self.hosts.join("|")));
        }
        f.write_str(&parts.join(" "))
    }
}

impl CommandPrefix {
    fn fits(&self, part: &Part, say: Say, defines: bool) -> Fit {
        match (say, part.words.first()) {
            (_, None) => Fit::No,
            (Say::Allow, Some(_)) => {
                if !defines && self.allows(part) {
                    Fit::Yes
                } else {
                    Fit::No
                }
            }
            (Say::Ask | Say::Deny, Some(first)) => self.covers(part, first),
        }
    }

    /// Whether the part is exactly what was allowed: nothing in it may turn out to be something else.
    fn allows(&self, part: &Part) -> bool {
        let words = &part.words;
        let is_place = |(options, word): (&Vec<String>, &Word)| {
            word.is_certain() && options.contains(&word.text)
        };
        let Some((program, rest)) = self.words.split_first() else { return false };
        let first = &words[0];
        let by_path = is_system_path(&first.text) && program.iter().any(|p| p == part.program());
        first.is_certain()
            && (by_path || program.contains(&first.text))
            && words.len() >= self.words.len()
            && rest.iter().zip(&words[1..]).all(is_place)
            && harmless::risky_assignment(part).is_none()
            && (!self.exact
                || (words.len() == self.words.len() && !part.takes_more && part.assigns.is_empty()))
    }

    /// Whether the part is, or may be, what is asked about or denied.
    fn covers(&self, part: &Part, first: &Word) -> Fit {
        let Some((program, rest)) = self.words.split_first() else { return Fit::No };
        if !first.is_certain() {
            return Fit::Maybe;
        }
        let is_named =
            |name: &String| *name == first.text || (!name.contains('/') && name == part.program());
        if !program.iter().any(is_named) {
            return Fit::No;
        }
        let all: Vec<&Word> = part.args().iter().collect();
        if self.exact && all.len() != rest.len() {
            return Fit::No;
        }
        let plain: Vec<&Word> =
            all.iter().copied().filter(|word| !word.text.starts_with('-')).collect();
        let best = begins(rest, &all, part.takes_more).max(begins(rest, &plain, part.takes_more));
        if best != Fit::No || plain.len() == all.len() {
            return best;
        }
        // An option may have taken the word before the one that counts.
        let mut words = plain.iter();
        let follows = rest.iter().all(|options| words.any(|word| options.contains(&word.text)));
        if follows { Fit::Maybe } else { Fit::No }
    }
}

fn begins(prefix: &[Vec<String>], words: &[&Word], takes_more: bool) -> Fit {
    let mut fit = Fit::Yes;
    for (at, options) in prefix.iter().enumerate() {
        match words.get(at) {
            Some(word) if options.contains(&word.text) => {}
            Some(word) if !word.is_certain() => fit = Fit::Maybe,
            None if takes_more => fit = Fit::Maybe,
            _ => return Fit::No,
        }
    }
    fit
}

impl PathPattern {
    fn fits(&self, used: &PathUse, say: Say) -> Fit {
        let covers = match (self.access, used.access) {
            // What is removed is only allowed in so many words.
            (Some(Access::Remove), Access::Remove) => true,
            (_, Access::Remove) if say == Say::Allow => false,
            (None, _) => true,
            (Some(Access::Write), Access::Write | Access::Remove) => true,
            (Some(wanted), access) => wanted == access,
        };
        if !covers {
            return Fit::No;
        }
        let fit = match &used.path {
            paths::Place::Known(paths) if paths.iter().any(|path| self.set.contains(path)) => {
                Fit::Yes
            }
            paths::Place::Known(paths) if used.is_deep => {
                let is_below = |path: &String| {
                    self.globs.iter().any(|glob| paths::may_meet(&format!("{path}/**"), glob))
                };
                if paths.iter().any(is_below) { Fit::Maybe } else { Fit::No }
            }
            paths::Place::Known(_) => Fit::No,
            paths::Place::Pattern(patterns) => {
                let meets = |p: &String| self.globs.iter().any(|glob| paths::may_meet(p, glob));
                if patterns.iter().any(meets) { Fit::Maybe } else { Fit::No }
            }
        };
        if fit == Fit::Yes && !used.is_certain { Fit::Maybe } else { fit }
    }
}

/// Whether a host is meant by a pattern: the name itself, or any name below `*.suffix`.
fn host_fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(suffix) => {
            host.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        }
        None => pattern == "*" || pattern == host,
    }
}

/// A host as rules are compared with it: without port, brackets, final dot, in lower case.
pub(super) fn plain_host(host: &str) -> String {
    let host = host.trim();
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        // More than one colon is an address, not a port.
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
        None => host,
    };
    host.trim_end_matches('.').to_lowercase()
}

/// Whether a program is named by its place in the system, where only an administrator can put it.
pub(super) fn is_system_path(text: &str) -> bool {
    const FOLDERS: [&str; 6] =
        ["/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin"];
    Path::new(text).parent().and_then(Path::to_str).is_some_and(|folder| FOLDERS.contains(&folder))
}
