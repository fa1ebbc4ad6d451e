//! A model that knows the plan and every task's files beforehand, and answers in whichever way it is
//! asked: as a plan, with tools, or in the text protocol.
//!
//! Its answers depend on the request alone, except for [`PlannedTask::versions`]: each new request
//! for a task gets the next version, a repeated one gets the same version again. So a process that
//! was killed and resumed is answered like one that was not.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use sage_core::{AgentRole, Speaker};
use serde_json::{Value, json};

use super::{Brain, FileWrite, PlannedTask};
use crate::reply::Reply;
use crate::seen::SeenRequest;

/// How the model knows what a call is for.
pub struct Recognise {
    /// Whether the call asks for a plan.
    pub planner: fn(&SeenRequest) -> bool,
    /// Whether the call asks for a judgement.
    pub reviewer: fn(&SeenRequest) -> bool,
    /// The task that the call is about.
    pub task: fn(&SeenRequest) -> Option<String>,
}

impl Default for Recognise {
    fn default() -> Self {
        Self {
            planner: |request| match request.role() {
                Some(role) => role == AgentRole::Planner,
                None => {
                    request.response_schema.is_some()
                        || request.system().to_lowercase().contains("plan")
                }
            },
            reviewer: |request| request.role() == Some(AgentRole::Reviewer),
            task: SeenRequest::task,
        }
    }
}

/// The model.
pub struct PlannedBrain {
    goal: String,
    tasks: Vec<PlannedTask>,
    plans: Vec<String>,
    recognise: Recognise,
    review: Option<Reply>,
    plan_delay: Duration,
    asked: Mutex<HashMap<String, Vec<u64>>>,
}

impl PlannedBrain {
    /// A model that plans these tasks for the goal.
    pub fn new(goal: impl Into<String>, tasks: Vec<PlannedTask>) -> Self {
        Self {
            goal: goal.into(),
            tasks,
            plans: Vec::new(),
            recognise: Recognise::default(),
            review: None,
            plan_delay: Duration::ZERO,
            asked: Mutex::default(),
        }
    }

    /// The goal of [`Self::hello`].
    pub const HELLO_GOAL: &'static str = "Create src/hello.py with greet() and tests/test_hello.py";

    /// A model that does the smallest job there is: one Python file and its test.
    #[must_use]
    pub fn hello() -> Self {
        let code = "def greet(name=\"world\"):\n    \"\"\"Return a friendly greeting.\"\"\"\n    \
                    return f\"Hello, {name}!\"\n";
        let tests = "import os\nimport sys\nimport unittest\n\n\
                     sys.path.insert(0, os.path.join(os.path.dirname(__file__), \"..\", \"src\"))\n\n\
                     from hello import greet\n\n\n\
                     class GreetTest(unittest.TestCase):\n    \
                     def test_greets_the_world(self):\n        \
                     self.assertEqual(greet(), \"Hello, world!\")\n\n    \
                     def test_greets_a_name(self):\n        \
                     self.assertEqual(greet(\"Ada\"), \"Hello, Ada!\")\n\n\n\
                     if __name__ == \"__main__\":\n    unittest.main()\n";
        let command = "python3 -m unittest tests/test_hello.py";
        Self::new(
            Self::HELLO_GOAL,
            vec![
                PlannedTask::file("task_001", "src/hello.py", code),
                PlannedTask::test("task_002", "tests/test_hello.py", tests, command)
                    .after(&["task_001"]),
            ],
        )
    }

    /// Answers the first request for a plan with the first text, and so on; the last from then on.
    #[must_use]
    pub fn planning(mut self, answers: Vec<String>) -> Self {
        self.plans = answers;
        self
    }

    /// Thinks this long about the plan.
    #[must_use]
    pub fn planning_slowly(mut self, delay: Duration) -> Self {
        self.plan_delay = delay;
        self
    }

    /// Knows calls in another way.
    #[must_use]
    pub fn recognising(mut self, recognise: Recognise) -> Self {
        self.recognise = recognise;
        self
    }

    /// Judges changes like this instead of approving them.
    #[must_use]
    pub fn reviewing(mut self, reply: Reply) -> Self {
        self.review = Some(reply);
        self
    }

    /// The plan as the model would write it.
    #[must_use]
    pub fn plan(&self) -> Value {
        let nodes: Vec<Value> = self.tasks.iter().map(PlannedTask::node).collect();
        json!({"goal": self.goal, "nodes": nodes})
    }

    fn planned(&self, request: &SeenRequest) -> Reply {
        let version = self.version("@plan", request);
        let text = match self.plans.get(version.min(self.plans.len().saturating_sub(1))) {
            Some(answer) => answer.clone(),
            None => serde_json::to_string_pretty(&self.plan()).expect("a plan is JSON"),
        };
        Reply::text(text).after(self.plan_delay)
    }

    fn review(&self, request: &SeenRequest) -> Reply {
        if let Some(reply) = &self.review {
            return reply.clone();
        }
        let verdict = match &request.response_schema {
            Some(schema) => approving(schema, 0),
            None => json!({"verdict": "pass", "issues": []}),
        };
        let summary = json!({"summary": verdict.to_string()});
        let reply = Reply::json(&verdict);
        if request.offers("finish") { reply.and_tool("finish", summary) } else { reply }
    }

    /// Which of its askings this is, from 0: the same request counts once.
    fn version(&self, task: &str, request: &SeenRequest) -> usize {
        let mut hasher = DefaultHasher::new();
        for message in &request.messages {
            message.text.hash(&mut hasher);
            message.tool_calls.iter().for_each(|call| call.arguments.hash(&mut hasher));
        }
        let hash = hasher.finish();
        let mut asked = self.asked.lock().unwrap();
        let of_task = asked.entry(task.to_owned()).or_default();
        if let Some(known) = of_task.iter().position(|seen| *seen == hash) {
            return known;
        }
        of_task.push(hash);
        of_task.len() - 1
    }

    /// Whether the task was worked on before: then whoever asks again wants a repair.
    fn knows(&self, task: &str) -> bool {
        self.asked.lock().unwrap().contains_key(task)
    }

    fn find(&self, request: &SeenRequest) -> Option<&PlannedTask> {
        if let Some(id) = (self.recognise.task)(request) {
            return self.tasks.iter().find(|task| task.id == id);
        }
        // Without a label, the task that the last words are about.
        let last = request.last();
        let names = |task: &&PlannedTask| {
            task.targets_or_writes().iter().any(|path| last.contains(path.as_str()))
        };
        self.tasks.iter().find(names)
    }

    fn work(&self, task: &PlannedTask, request: &SeenRequest) -> Reply {
        let finish = json!({"summary": format!("{} is done", task.description)});
        let n_turns = request.messages.iter().filter(|m| m.speaker == Speaker::Assistant).count();
        let looks = request.offers("write") && !task.looks.is_empty();
        if looks && n_turns == 0 && !self.knows(&task.id) {
            return Reply { tool_calls: task.looks.clone(), ..Reply::default() };
        }
        let has_looked = looks && n_turns == 1;
        if waits_for_more(request) && !has_looked {
            return Reply::tool("finish", finish);
        }
        let version = self.version(&task.id, request).min(task.versions.len().saturating_sub(1));
        let Some(version) = task.versions.get(version) else {
            return Reply::text("There is nothing to write for this task.");
        };
        if !request.offers("write") {
            let blocks: Vec<String> = version.writes.iter().map(FileWrite::as_text).collect();
            return Reply::text(blocks.join("\n")).after(task.delay);
        }
        let mut reply = Reply::default().after(task.delay);
        reply.tool_calls.extend(version.tools.iter().cloned());
        reply.tool_calls.extend(version.writes.iter().map(|write| write.as_tool(request)));
        if request.offers("finish") { reply.and_tool("finish", finish) } else { reply }
    }
}

impl Brain for PlannedBrain {
    fn answer(&self, request: &SeenRequest) -> Reply {
        if (self.recognise.planner)(request) {
            return self.planned(request);
        }
        if (self.recognise.reviewer)(request) {
            return self.review(request);
        }
        match self.find(request) {
            Some(task) => self.work(task, request),
            None => Reply::text("I do not know which task this is about."),
        }
    }
}

/// Whether tools were called in the last turn and the model has not yet said that it is done.
fn waits_for_more(request: &SeenRequest) -> bool {
    let ends_with_result = request.messages.last().is_some_and(|m| m.speaker == Speaker::Tool);
    let turn = request.messages.iter().rev().find(|m| m.speaker == Speaker::Assistant);
    let finished = turn.is_some_and(|m| m.tool_calls.iter().any(|call| call.name == "finish"));
    ends_with_result && !finished && request.offers("finish")
}

/// A value that fits a JSON Schema and says yes wherever it can.
fn approving(schema: &Value, depth: usize) -> Value {
    const MAX_DEPTH: usize = 8;
    const YES: [&str; 6] = ["pass", "passed", "approve", "approved", "accept", "ok"];
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(choices) = schema["enum"].as_array() {
        let positive = choices.iter().find(|choice| {
            let word = choice.as_str().unwrap_or_default().to_lowercase();
            YES.contains(&word.as_str())
        });
        return positive.or(choices.first()).cloned().unwrap_or_default();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or("object") {
        "boolean" => json!(true),
        "integer" | "number" => schema.get("maximum").cloned().unwrap_or(json!(1)),
        "string" => json!("looks right"),
        "array" => json!([]),
        "null" => Value::Null,
        _ => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields.map(|(name, field)| (name.clone(), approving(field, depth + 1))).collect()
        }
    }
}

#[cfg(test)]
mod tests;
