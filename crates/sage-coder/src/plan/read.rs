//! From JSON to a [`Plan`]: every field typed, every error with its place, all errors at once.
//!
//! Two kinds of authors: people (and our own file) must be exact, so an unknown field is an error;
//! a model's unknown fields are dropped and its well-known variations (a bare array, `dag.nodes`,
//! `target_file`, role names such as `tester`) are understood. Values of a wrong type are errors for
//! both: a model is told and tries again.

use sage_core::{AgentRole, Limits, NodeId, nearest};
use sage_graph::OnUnknown;
use serde_json::{Map, Value};

use super::{Attempts, MAX_TASKS, PLAN_VERSION, Plan, Problem, Task};

/// Who wrote the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A person, or the program itself.
    File,
    /// A model.
    Model,
}

/// Longest description that is accepted, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 20_000;

const PLAN_FIELDS: &[&str] = &["version", "goal", "assumptions", "nodes"];
const TASK_FIELDS: &[&str] = &[
    "id",
    "description",
    "dependencies",
    "assigned_agent",
    "target_files",
    "paths",
    "verification",
    "acceptance",
    "tools",
    "network",
    "budget",
    "model",
    "retry",
    "on_unknown",
    "lane",
    "task_complexity_score",
    "epistemic_flags",
];
/// Fields of earlier plan files that carry state, not contract; read and dropped.
const RETIRED_FIELDS: &[&str] = &["status", "retry_count", "model_used", "strategy_key"];
const BUDGET_FIELDS: &[&str] = &Limits::NAMES;

/// Reads a plan. `goal` is used where the JSON names none.
///
/// # Errors
/// Every problem found, in the order of the text.
pub fn read(json: &Value, goal: &str, source: Source) -> Result<Plan, Vec<Problem>> {
    let mut reader = Reader { source, problems: Vec::new() };
    let plan = reader.plan(json, goal);
    if reader.problems.is_empty() { Ok(plan) } else { Err(reader.problems) }
}

struct Reader {
    source: Source,
    problems: Vec<Problem>,
}

impl Reader {
    fn problem(&mut self, place: &str, what: impl Into<String>) {
        self.problems.push(Problem { place: place.to_owned(), what: what.into() });
    }

    fn plan(&mut self, json: &Value, goal: &str) -> Plan {
        let empty = Map::new();
        let (fields, nodes) = match json {
            Value::Array(nodes) => (&empty, Some(nodes)),
            Value::Object(fields) => {
                let inner = fields.get("dag").or_else(|| fields.get("plan"));
                let fields = inner.and_then(Value::as_object).unwrap_or(fields);
                let nodes = fields.get("nodes").or_else(|| fields.get("tasks"));
                if let Some(other) = nodes.filter(|nodes| !nodes.is_array()) {
                    self.problem("nodes", format!("must be an array, found {}", kind_of(other)));
                }
                (fields, nodes.and_then(Value::as_array))
            }
            other => {
                let found = kind_of(other);
                self.problem(
                    "plan",
                    format!("must be a JSON object with \"nodes\", found {found}"),
                );
                (&empty, None)
            }
        };
        if self.source == Source::File && json.is_object() {
            self.unknown_fields("plan", fields, PLAN_FIELDS, &[]);
        }
        if let Some(version) = fields.get("version") {
            match version.as_u64() {
                Some(version) if version <= u64::from(PLAN_VERSION) => {}
                _ => self.problem("version", format!("must be {PLAN_VERSION}, found {version}")),
            }
        }
        let goal = match self.text("goal", fields.get("goal")) {
            text if text.trim().is_empty() => goal.to_owned(),
            text if self.source == Source::File => text,
            // A model may paraphrase the goal; the person's words stay.
            _ => goal.to_owned(),
        };
        let assumptions = self.texts("assumptions", fields.get("assumptions"));
        let nodes = nodes.map(Vec::as_slice).unwrap_or_default();
        if nodes.is_empty() && self.problems.is_empty() {
            self.problem("nodes", "a plan needs at least one task");
        }
        if nodes.len() > MAX_TASKS {
            self.problem(
                "nodes",
                format!("has {} tasks, at most {MAX_TASKS} are allowed", nodes.len()),
            );
        }
        let nodes = nodes
            .iter()
            .take(MAX_TASKS)
            .enumerate()
            .filter_map(|(index, node)| self.task(index, node))
            .collect();
        Plan { version: PLAN_VERSION, goal, assumptions, nodes }
    }

    fn task(&mut self, index: usize, json: &Value) -> Option<Task> {
        let Value::Object(fields) = json else {
            let found = kind_of(json);
            self.problem(&format!("nodes[{index}]"), format!("must be an object, found {found}"));
            return None;
        };
        let name = fields.get("id").and_then(Value::as_str).unwrap_or("no id");
        let name: String = name.chars().take(40).collect();
        let here = format!("nodes[{index}] ({name})");
        let at = |field: &str| format!("{here}.{field}");
        if self.source == Source::File {
            self.unknown_fields(&here, fields, TASK_FIELDS, RETIRED_FIELDS);
        }

        let id = self.text(&at("id"), fields.get("id"));
        let id = self.id(&at("id"), &id);
        let description = self.text(&at("description"), fields.get("description"));
        if description.trim().is_empty() {
            self.problem(&at("description"), "must not be empty");
        } else if description.len() > MAX_DESCRIPTION_BYTES {
            self.problem(&at("description"), format!("is over {MAX_DESCRIPTION_BYTES} bytes long"));
        }
        let mut dependencies: Vec<NodeId> = Vec::new();
        for text in self.texts(&at("dependencies"), fields.get("dependencies")) {
            let dependency = self.id(&at("dependencies"), &text);
            dependencies.extend(dependency.filter(|id| !dependencies.contains(id)));
        }
        let assigned_agent = self.role(&at("assigned_agent"), fields.get("assigned_agent"));
        let mut target_files = self.texts(&at("target_files"), fields.get("target_files"));
        if self.source == Source::Model {
            target_files.extend(self.texts(&at("target_file"), fields.get("target_file")));
        }
        let target_files = clean_paths(target_files);
        let task = Task {
            id: id?,
            description,
            dependencies,
            assigned_agent: assigned_agent?,
            target_files,
            paths: clean_paths(self.texts(&at("paths"), fields.get("paths"))),
            verification: self.command(&at("verification"), fields.get("verification")),
            acceptance: self.texts(&at("acceptance"), fields.get("acceptance")),
            tools: self.tools(&at("tools"), fields.get("tools")),
            network: self.network(&at("network"), fields.get("network")),
            budget: self.budget(&at("budget"), fields.get("budget")),
            model: self.model(&at("model"), fields.get("model")),
            retry: self.retry(&at("retry"), fields.get("retry")),
            on_unknown: self.on_unknown(&at("on_unknown"), fields.get("on_unknown")),
            lane: self.lane(&at("lane"), fields.get("lane")),
            task_complexity_score: self
                .share(&at("task_complexity_score"), fields.get("task_complexity_score")),
            epistemic_flags: self.texts(&at("epistemic_flags"), fields.get("epistemic_flags")),
        };
        Some(task)
    }

    fn unknown_fields(
        &mut self,
        place: &str,
        fields: &Map<String, Value>,
        known: &[&str],
        retired: &[&str],
    ) {
        for name in fields.keys() {
            if known.contains(&name.as_str()) || retired.contains(&name.as_str()) {
                continue;
            }
            let hint = nearest(name, known.iter().copied())
                .map(|near| format!("; did you mean {near:?}?"))
                .unwrap_or_default();
            self.problem(place, format!("unknown field {name:?}{hint}"));
        }
    }

    fn id(&mut self, place: &str, text: &str) -> Option<NodeId> {
        match NodeId::new(text) {
            Ok(id) => Some(id),
            Err(error) => {
                self.problem(place, error.to_string());
                None
            }
        }
    }

    fn text(&mut self, place: &str, value: Option<&Value>) -> String {
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            // Ids such as 1, 2, 3 are common in models' answers and lose nothing as text.
            Some(Value::Number(number)) if self.source == Source::Model => number.to_string(),
            Some(other) => {
                self.problem(place, format!("must be a text, found {}", kind_of(other)));
                String::new()
            }
        }
    }

    fn texts(&mut self, place: &str, value: Option<&Value>) -> Vec<String> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| self.text(&format!("{place}[{index}]"), Some(item)))
                .filter(|text| !text.trim().is_empty())
                .collect(),
            // A single text where a list is meant; for a person's file this is a mistake to show.
            Some(text @ (Value::String(_) | Value::Number(_))) if self.source == Source::Model => {
                let text = self.text(place, Some(text));
                if text.trim().is_empty() { Vec::new() } else { vec![text] }
            }
            Some(other) => {
                self.problem(place, format!("must be a list of texts, found {}", kind_of(other)));
                Vec::new()
            }
        }
    }

    fn command(&mut self, place: &str, value: Option<&Value>) -> String {
        match value {
            // A list of commands means all of them.
            Some(Value::Array(_)) if self.source == Source::Model => {
                self.texts(place, value).join(" && ")
            }
            _ => self.text(place, value),
        }
    }

    fn role(&mut self, place: &str, value: Option<&Value>) -> Option<AgentRole> {
        let text = self.text(place, value);
        let text = match self.source {
            Source::File => text,
            Source::Model => match text.trim().to_lowercase().replace([' ', '-'], "_").as_str() {
                "" | "developer" | "engineer" | "implementer" | "programmer" | "debugger" => {
                    "coder".to_owned()
                }
                "tester" | "test" | "qa" | "testengineer" => "test_engineer".to_owned(),
                "docs" | "doc" | "documenter" | "technical_writer" => "documentation".to_owned(),
                "review" => "reviewer".to_owned(),
                other => other.to_owned(),
            },
        };
        let allowed = || AgentRole::IN_PLANS.map(AgentRole::as_str);
        match AgentRole::IN_PLANS.into_iter().find(|role| role.as_str() == text) {
            Some(role) => Some(role),
            None => {
                let near = nearest(&text, allowed());
                let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                let text: String = text.chars().take(40).collect();
                let allowed = allowed().join(", ");
                self.problem(place, format!("unknown role {text:?} (one of {allowed}){hint}"));
                None
            }
        }
    }

    fn tools(&mut self, place: &str, value: Option<&Value>) -> Option<Vec<String>> {
        match value {
            None | Some(Value::Null) => None,
            // A model that lists no tools means that it has no opinion, not that none may be used.
            Some(Value::Array(items)) if items.is_empty() && self.source == Source::Model => None,
            Some(_) => Some(self.texts(place, value)),
        }
    }

    fn network(&mut self, place: &str, value: Option<&Value>) -> Vec<String> {
        match value {
            Some(Value::String(text)) if text == "none" => Vec::new(),
            Some(Value::Bool(false)) => Vec::new(),
            Some(Value::Bool(true)) if self.source == Source::Model => Vec::new(),
            _ => self.texts(place, value),
        }
    }

    fn budget(&mut self, place: &str, value: Option<&Value>) -> Limits {
        let fields = match value {
            None | Some(Value::Null) => return Limits::NONE,
            Some(Value::Object(fields)) => fields,
            Some(other) => {
                self.problem(place, format!("must be an object, found {}", kind_of(other)));
                return Limits::NONE;
            }
        };
        if self.source == Source::File {
            self.unknown_fields(place, fields, BUDGET_FIELDS, &[]);
        }
        let mut count = |name: &str| {
            let value = fields.get(name).filter(|value| !value.is_null())?;
            let count = value.as_u64().or_else(|| {
                value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0).map(|n| n as u64)
            });
            if count.is_none() {
                let what = format!("must be a whole number of at least 0, found {value}");
                self.problem(&format!("{place}.{name}"), what);
            }
            count
        };
        let calls = count("calls").map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let turns = count("turns").map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let tokens = count("tokens");
        let time_s = count("time_s");
        let usd = fields.get("usd").filter(|value| !value.is_null()).and_then(|value| {
            let usd = value.as_f64().filter(|usd| usd.is_finite() && *usd >= 0.0);
            if usd.is_none() {
                self.problem(
                    &format!("{place}.usd"),
                    format!("must be a number of at least 0, found {value}"),
                );
            }
            usd
        });
        Limits { calls, turns, tokens, usd, time_s }
    }

    fn model(&mut self, place: &str, value: Option<&Value>) -> Option<String> {
        // A model has no say in which model is called: routing and people decide that.
        if self.source == Source::Model {
            return None;
        }
        Some(self.text(place, value)).filter(|text| !text.trim().is_empty())
    }

    fn retry(&mut self, place: &str, value: Option<&Value>) -> Attempts {
        const MAX_ATTEMPTS: u64 = 10;
        // Each attempt costs as much as the first: people decide that.
        let value = value.filter(|_| self.source == Source::File);
        let attempts = match value {
            None | Some(Value::Null) => Some(1),
            Some(Value::Object(fields)) => match fields.get("attempts") {
                None => Some(1),
                Some(attempts) => attempts.as_u64(),
            },
            Some(other) => other.as_u64(),
        };
        let attempts = attempts.filter(|n| (1..=MAX_ATTEMPTS).contains(n));
        if attempts.is_none() {
            self.problem(
                place,
                format!("\"attempts\" must be a whole number from 1 to {MAX_ATTEMPTS}"),
            );
        }
        Attempts { attempts: attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(1) }
    }

    fn on_unknown(&mut self, place: &str, value: Option<&Value>) -> OnUnknown {
        // Whether half-done work is repeated is not a model's to say.
        let value = value.filter(|_| self.source == Source::File);
        match value.map(|value| value.as_str().unwrap_or("?")) {
            None | Some("retry") => OnUnknown::Retry,
            Some("ask") => OnUnknown::Ask,
            Some("fail") => OnUnknown::Fail,
            Some(other) => {
                self.problem(place, format!("must be retry, ask or fail, found {other:?}"));
                OnUnknown::Retry
            }
        }
    }

    fn lane(&mut self, place: &str, value: Option<&Value>) -> bool {
        match value.filter(|_| self.source == Source::File) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(lane)) => *lane,
            Some(other) => {
                self.problem(place, format!("must be true or false, found {}", kind_of(other)));
                false
            }
        }
    }

    fn share(&mut self, place: &str, value: Option<&Value>) -> f64 {
        match value {
            None | Some(Value::Null) => 0.0,
            Some(value) => match value.as_f64().filter(|n| (0.0..=1.0).contains(n)) {
                Some(share) => share,
                // A score out of range is still an opinion of a model; a text is none.
                None if self.source == Source::Model && value.is_number() => {
                    value.as_f64().map_or(0.0, |n| n.clamp(0.0, 1.0))
                }
                None => {
                    self.problem(place, format!("must be a number from 0 to 1, found {value}"));
                    0.0
                }
            },
        }
    }
}

/// `./src/a.py` and `src/a.py` are one file; each is named once.
fn clean_paths(paths: Vec<String>) -> Vec<String> {
    let mut clean: Vec<String> = Vec::new();
    for path in paths {
        let path = path.trim().trim_start_matches("./").to_owned();
        if !path.is_empty() && !clean.contains(&path) {
            clean.push(path);
        }
    }
    clean
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
