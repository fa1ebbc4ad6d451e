//! Weighing the rules: what they say together about a command, a path, a host.

use std::path::Path;

use serde::Serialize;

use super::expand::{self, Part, Parts};
use super::paths::{self, Folders, PathUse, Place};
use super::remember::Doubt;
use super::rule::{Access, Fit, Layer, Rule, Say, Subject, plain_host};
use super::{Decision, Policy, ToolPolicy, guard, harmless};

/// A rule, as it is named to people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleName {
    /// Such as `deny command:npm publish`.
    pub text: String,
    /// Who made it.
    pub layer: Layer,
    /// The file it is in; nothing for flags and built-in rules.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// Its number in the file, from 1.
    pub number: Option<usize>,
}

/// What the rules say about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What they say.
    #[serde(rename = "decision")]
    pub say: Say,
    /// Which rule says so, where it is written, and why.
    pub because: String,
    /// The rule, if it is not a built-in one.
    pub rule: Option<RuleName>,
    /// What else a person should know, such as a rule that had no say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the rules say about a part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartFinding {
    /// The part.
    pub part: String,
    /// What they say.
    #[serde(flatten)]
    pub finding: Finding,
    /// What an approval would be about, where it is a question.
    #[serde(skip)]
    pub doubt: Option<Doubt>,
}

/// What the rules say about a whole line: the strictest of what they say about its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// What they say.
    #[serde(rename = "decision")]
    pub say: Say,
    /// Which rule decides.
    pub because: String,
    /// Part by part.
    pub parts: Vec<PartFinding>,
}

impl Finding {
    pub(super) fn built_in(say: Say, because: impl Into<String>) -> Self {
        Self { say, because: because.into(), rule: None, note: None }
    }

    /// As a decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        decision(self.say, &self.because)
    }
}

impl Judgement {
    /// As a decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        decision(self.say, &self.because)
    }

    /// What has to be approved before it may happen.
    pub fn doubts(&self) -> impl Iterator<Item = &Doubt> {
        self.parts.iter().filter_map(|part| part.doubt.as_ref())
    }

    fn of(parts: Vec<PartFinding>) -> Self {
        // Of equally strict ones, the first.
        let strictest = parts.iter().rev().max_by_key(|part| part.finding.say);
        let (say, because) = strictest.map_or((Say::Allow, String::new()), |part| {
            (part.finding.say, part.finding.because.clone())
        });
        Self { say, because, parts }
    }
}

fn decision(say: Say, because: &str) -> Decision {
    match say {
        Say::Allow => Decision::Allow,
        Say::Ask => Decision::Ask { rule: because.to_owned() },
        Say::Deny => Decision::Deny { rule: because.to_owned() },
    }
}

/// Where weighing begins: what holds if no rule fits.
struct Base {
    say: Say,
    because: String,
    /// Whether it is the project's own wish.
    is_projects: bool,
}

impl Base {
    fn allow() -> Self {
        Self { say: Say::Allow, because: "no rule is about it".to_owned(), is_projects: false }
    }

    fn ask(because: impl Into<String>) -> Self {
        Self { say: Say::Ask, because: because.into(), is_projects: false }
    }
}

impl Policy {
    /// Judges a command line that `tool` wants to run in the tree at `root`.
    #[must_use]
    pub fn judge_command(&self, tool: &str, command: &str, root: &Path) -> Judgement {
        let plain: String = command.split_whitespace().collect();
        if plain.contains(":(){:|:&}") {
            let finding = Finding::built_in(Say::Deny, "a fork bomb is not allowed");
            let part = command.trim().to_owned();
            return Judgement::of(vec![PartFinding { part, finding, doubt: None }]);
        }
        let parts = match expand::expand(command) {
            Ok(parts) => parts,
            Err(problem) => {
                let because = format!("the command {problem}, so it cannot be judged");
                let finding = Finding::built_in(Say::Ask, because);
                let part = command.trim().to_owned();
                let doubt = Some(Doubt::of_line(command));
                return Judgement::of(vec![PartFinding { part, finding, doubt }]);
            }
        };
        let mut found = Vec::new();
        let mut folders = Folders::default();
        // What a name means, and where a part works, may depend on the rest of the line.
        let by_line = parts.defines
            || parts.parts.iter().any(|part| matches!(part.program(), "cd" | "pushd" | "popd"));
        let denials = guard::objections(&parts, root);
        for (part, denied) in parts.parts.iter().zip(denials) {
            let line = by_line.then_some(command);
            if let Some(reason) = denied {
                let finding = Finding::built_in(Say::Deny, reason);
                found.push(PartFinding { part: part.typed(), finding, doubt: None });
            } else {
                let mut of_part = self.judge_part(tool, part, &parts, &folders, root, line);
                of_part
                    .iter_mut()
                    .filter(|f| f.finding.say == Say::Ask && f.doubt.is_none())
                    .for_each(|finding| finding.doubt = Some(Doubt::of_line(command)));
                found.extend(of_part);
            }
            folders.pass(part, root);
        }
        Judgement::of(found)
    }

    /// The part as such, then the files it names where a rule or strictness has something to say.
    fn judge_part(
        &self,
        tool: &str,
        part: &Part,
        parts: &Parts,
        folders: &Folders,
        root: &Path,
        line: Option<&str>,
    ) -> Vec<PartFinding> {
        let shown = part.typed();
        let subject = Subject::Part(part, parts.defines);
        let base = self.base(part, parts.defines);
        let finding = self.weigh(tool, &subject, base);
        let doubt = (finding.say == Say::Ask).then(|| Doubt::of_part(part, line)).flatten();
        let mut found = vec![PartFinding { part: shown.clone(), finding, doubt }];
        for word in &part.writes {
            let used = paths::written(word, folders, root);
            let is_device = word.text.starts_with("/dev/");
            let base = match self.tool_policy {
                ToolPolicy::Strict if !is_device => Base {
                    is_projects: self.strict_by_project,
                    ..Base::ask(format!("strict policy: it writes to {}", word.text))
                },
                _ => Base::allow(),
            };
            let is_question = base.say == Say::Ask;
            let finding = self.weigh(tool, &Subject::Path(&used), base);
            if finding.say != Say::Allow || is_question {
                let doubt = (finding.say == Say::Ask && line.is_none())
                    .then(|| Doubt::of_path(&used, Access::Write))
                    .flatten();
                found.push(PartFinding { part: format!("> {}", word.text), finding, doubt });
            }
        }
        if self.has_paths() {
            for used in paths::uses(part, folders, root) {
                let finding = self.weigh(tool, &Subject::Path(&used), Base::allow());
                if finding.say != Say::Allow {
                    found.push(PartFinding { part: shown.clone(), finding, doubt: None });
                }
            }
        }
        if self.rules.iter().any(|rule| !rule.about.hosts.is_empty()) {
            for host in paths::hosts(part) {
                let finding = self.weigh(tool, &Subject::Host(&host), Base::allow());
                if finding.say != Say::Allow {
                    found.push(PartFinding { part: shown.clone(), finding, doubt: None });
                }
            }
        }
        // That nothing is said about the program is not worth saying where something is about its words.
        let is_told = found[1..].iter().any(|other| other.part == shown);
        if is_told && found[0].finding.say == Say::Allow {
            found.remove(0);
        }
        found
    }

    fn base(&self, part: &Part, defines: bool) -> Base {
        let is_strict = self.tool_policy == ToolPolicy::Strict;
        if let Some(unknown) = part.unknown
            && (is_strict || !self.rules.is_empty())
        {
            return Base::ask(format!("{}: {unknown}", part.typed()));
        }
        if !is_strict {
            return Base::allow();
        }
        let objection = match defines {
            true => Some("the line gives names a new meaning".to_owned()),
            false => harmless::objection(part),
        };
        match objection {
            Some(objection) => Base {
                is_projects: self.strict_by_project,
                ..Base::ask(format!("strict policy: {objection}"))
            },
            None => Base { because: "known to only read or test".to_owned(), ..Base::allow() },
        }
    }

    /// Judges a path relative to the work tree that a tool reads, writes or removes.
    #[must_use]
    pub fn judge_path(&self, tool: &str, path: &str, access: Access) -> Finding {
        let used = PathUse::of_tool(path, access);
        self.weigh(tool, &Subject::Path(&used), Base::allow())
    }

    /// Judges the removal of a path, or of most of what it holds, which is a question (`because`)
    /// unless a rule allows it.
    #[must_use]
    pub fn judge_removal(&self, tool: &str, path: &str, because: &str) -> Finding {
        let used = PathUse::of_tool(path, Access::Remove);
        self.weigh(tool, &Subject::Path(&used), Base::ask(because))
    }

    /// Judges a call by the tool's name alone.
    #[must_use]
    pub fn judge_tool(&self, tool: &str) -> Finding {
        self.weigh(tool, &Subject::Call, Base::allow())
    }

    /// Judges a host that commands want to reach.
    #[must_use]
    pub fn judge_host(&self, host: &str) -> Finding {
        let host = plain_host(host);
        let because =
            format!("no rule is about the host {host}, and the network is off by default");
        self.weigh("network", &Subject::Host(&host), Base::ask(because))
    }

    /// Weighs all rules that fit.
    fn weigh(&self, tool: &str, subject: &Subject<'_>, base: Base) -> Finding {
        let fitting: Vec<(&Rule, Fit)> = self
            .rules
            .iter()
            .map(|rule| (rule, rule.fits(tool, subject)))
            .filter(|(_, fit)| *fit != Fit::No)
            .collect();
        let denied =
            |fit: Fit| fitting.iter().find(|(rule, found)| rule.say == Say::Deny && *found == fit);
        if let Some((rule, _)) = denied(Fit::Yes) {
            return finding_of(rule, Say::Deny);
        }
        // What may turn out to be denied is a question that no rule answers.
        if let Some((rule, _)) = denied(Fit::Maybe) {
            let mut finding = finding_of(rule, Say::Ask);
            finding.because = format!("it may be what a rule denies: {}", finding.because);
            return finding;
        }
        let Base { say, because, mut is_projects } = base;
        let mut current = Finding::built_in(say, because);
        for layer in [Layer::User, Layer::Project, Layer::Approved, Layer::Flag] {
            let of_layer = |say: Say, least: Fit| {
                fitting
                    .iter()
                    .find(|(rule, fit)| rule.layer == layer && rule.say == say && *fit >= least)
            };
            if let Some((rule, fit)) = of_layer(Say::Ask, Fit::Maybe) {
                let mut finding = finding_of(rule, Say::Ask);
                if *fit == Fit::Maybe {
                    finding.because =
                        format!("it may be what a rule asks about: {}", finding.because);
                }
                current = Finding { note: current.note, ..finding };
                is_projects = layer == Layer::Project;
            } else if let Some((rule, _)) = of_layer(Say::Allow, Fit::Yes) {
                if layer == Layer::Project && current.say == Say::Ask && !is_projects {
                    current.note = Some(format!(
                        "the project's rule does not count ({}): a project cannot loosen what is asked about",
                        rule.text()
                    ));
                } else {
                    current = Finding { note: current.note, ..finding_of(rule, Say::Allow) };
                    is_projects = false;
                }
            }
        }
        current
    }
}

fn finding_of(rule: &Rule, say: Say) -> Finding {
    let mut because = format!("{} ({})", rule.text(), rule.origin());
    if let Some(why) = &rule.because {
        because.push_str(&format!(": {why}"));
    }
    Finding { say, because, rule: Some(RuleName::of(rule)), note: None }
}

impl RuleName {
    /// The name of a rule.
    #[must_use]
    pub fn of(rule: &Rule) -> Self {
        let file = rule.place.file.as_ref().map(|file| file.display().to_string());
        Self {
            text: rule.text(),
            layer: rule.layer,
            line: file.is_some().then_some(rule.place.line),
            number: file.is_some().then_some(rule.place.number),
            file,
        }
    }
}

impl PathUse {
    /// The one path that is meant, if that is certain.
    pub(super) fn certain(&self) -> Option<&str> {
        match &self.path {
            Place::Known(paths) => match paths.as_slice() {
                [path] => Some(path),
                _ => None,
            },
            Place::Pattern(_) => None,
        }
    }
}
