//! What the tests of this crate share: a model that answers from a list, and a work tree.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sage_core::{
    AgentRole, Decider, Finish, Message, NodeId, RouteFeatures, Silent, Speaker, ToolCall, Usage,
};
use sage_model::{
    ChatModel, ChatRequest, ChatResponse, DeltaSink, ModelFacts, Price, Recorded, ToolCalling,
};
use sage_testkit::{MemoryRecorder, RecordingProgress};
use sage_tool::{
    Grant, Outputs, Policy, ProcessLimits, Sandbox, SnapshotStore, ToolCx, ToolRegistry, Workspace,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{Agent, CallCounter, Conversation, TurnLimits};

/// Answers from a list and keeps what it was asked.
pub(crate) struct ListedModel {
    replies: Mutex<VecDeque<(Message, Finish)>>,
    seen: Mutex<Vec<ChatRequest>>,
    pub facts: Mutex<ModelFacts>,
    after_next: Mutex<Option<ToolCalling>>,
}

impl ListedModel {
    pub fn new(calling: ToolCalling, replies: Vec<(Message, Finish)>) -> Arc<Self> {
        let facts = ModelFacts {
            model: "listed".to_owned(),
            provider: "test".to_owned(),
            context_tokens: 32_000,
            max_output_tokens: 4_000,
            tool_calling: calling,
            json_schema: true,
            local: true,
            scripted: true,
            price: Price::FREE,
        };
        let (replies, seen) = (Mutex::new(replies.into()), Mutex::default());
        Arc::new(Self { replies, seen, facts: Mutex::new(facts), after_next: Mutex::default() })
    }

    /// From the next call on, the answers come from a model that acts like this.
    pub fn takes_over_as(&self, calling: ToolCalling) {
        *self.after_next.lock().unwrap() = Some(calling);
    }

    pub fn seen(&self) -> Vec<ChatRequest> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl ChatModel for ListedModel {
    async fn chat(
        &self,
        request: &ChatRequest,
        deltas: &dyn DeltaSink,
    ) -> sage_model::Result<ChatResponse> {
        self.seen.lock().unwrap().push(request.clone());
        let (message, finish) =
            self.replies.lock().unwrap().pop_front().expect("asked more often than foreseen");
        if let Some(calling) = self.after_next.lock().unwrap().take() {
            self.facts.lock().unwrap().tool_calling = calling;
        }
        deltas.text(&message.text);
        Ok(ChatResponse {
            message,
            finish,
            usage: Usage::default(),
            model: "listed".to_owned(),
            provider: "test".to_owned(),
            local: true,
            scripted: true,
            usd: 0.0,
            first_token_ms: None,
            latency_ms: 0,
        })
    }

    fn facts(&self, _: &ChatRequest) -> sage_model::Result<ModelFacts> {
        Ok(self.facts.lock().unwrap().clone())
    }
}

/// An answer in words.
pub(crate) fn says(text: &str) -> (Message, Finish) {
    (Message::assistant(text), Finish::Stop)
}

/// An answer that calls tools; ids are `c1`, `c2`, ...
pub(crate) fn calls(calls: &[(&str, Value)]) -> (Message, Finish) {
    let call = |(at, (name, arguments)): (usize, &(&str, Value))| ToolCall {
        id: format!("c{}", at + 1),
        name: (*name).to_owned(),
        arguments: arguments.to_string(),
    };
    let tool_calls = calls.iter().enumerate().map(call).collect();
    (Message { tool_calls, ..Message::assistant("") }, Finish::ToolCalls)
}

/// The same, cut off at the output limit.
pub(crate) fn cut_off((message, _): (Message, Finish)) -> (Message, Finish) {
    (message, Finish::Length)
}

/// A work tree, a log and everything else that an agent is made from.
pub(crate) struct Bench {
    pub dir: tempfile::TempDir,
    pub recorder: MemoryRecorder,
    pub progress: RecordingProgress,
    pub grant: Grant,
    pub limits: TurnLimits,
    pub cancel: CancellationToken,
}

impl Bench {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self {
            dir,
            recorder: MemoryRecorder::new(),
            progress: RecordingProgress::new(),
            grant: Grant::everything(),
            limits: TurnLimits { max_turns: 10, ..TurnLimits::DEFAULT },
            cancel: CancellationToken::new(),
        }
    }

    /// An agent of node `n`, attempt 1, whose model calls are recorded.
    pub fn agent(&self, model: &Arc<ListedModel>) -> Agent {
        let recorder = Arc::new(self.recorder.clone());
        Agent {
            model: Arc::new(Recorded::new(model.clone(), recorder.clone())),
            tools: Arc::new(ToolRegistry::builtin()),
            cx: ToolCx {
                recorder,
                progress: Arc::new(self.progress.clone()),
                interaction: Arc::new(Silent { by: Decider::Mode }),
                workspace: Arc::new(Workspace::open(self.dir.path()).unwrap()),
                snapshots: Some(Arc::new(self.snapshots())),
                grant: self.grant.clone(),
                process: ProcessLimits {
                    timeout: Duration::from_secs(20),
                    ..ProcessLimits::default()
                },
                sandbox: Arc::new(Sandbox::off("a test")),
                env: Vec::new(),
                policy: Arc::new(Policy::default()),
                approvals: Arc::default(),
                cancel: self.cancel.clone(),
                outputs: Outputs::default(),
            },
            calls: CallCounter::new(NodeId::new("n").unwrap(), 1),
            role: AgentRole::Coder,
            features: RouteFeatures::default(),
            fixed_model: None,
            temperature: None,
            limits: self.limits,
        }
    }

    fn snapshots(&self) -> SnapshotStore {
        SnapshotStore::open(&self.dir.path().join(".sage/snapshots")).unwrap()
    }

    pub fn file(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.dir.path().join(path)).ok()
    }
}

pub(crate) fn conversation() -> Conversation {
    Conversation::new("role: coder", "the task")
}

/// The conversation as `speaker: text`, one line per message, long texts cut.
pub(crate) fn outline(conversation: &Conversation) -> String {
    let line = |message: &Message| {
        let speaker = match message.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "model",
            Speaker::Tool => "tool",
        };
        let calls: Vec<&str> = message.tool_calls.iter().map(|call| call.name.as_str()).collect();
        let text: String = message.text.replace('\n', "/").chars().take(90).collect();
        format!("{}\n", format!("{speaker}: {text} {}", calls.join(" ")).trim_end())
    };
    conversation.messages().iter().map(line).collect()
}
