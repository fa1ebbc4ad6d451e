//! A work tree in a temporary folder with everything that tools work with, for the tests of this crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sage_core::{CallId, EventKind, Interaction, NodeId, Seq, ToolCall, ToolEvent, WorkspaceEvent};
use sage_testkit::{MemoryRecorder, RecordingProgress, Refusing};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    FileEdit, Grant, PathSet, Policy, ProcessLimits, Result, Sandbox, SnapshotStore, ToolCx,
    ToolRegistry, ToolResult, Workspace,
};

pub(crate) struct Bench {
    pub dir: tempfile::TempDir,
    pub recorder: MemoryRecorder,
    pub progress: RecordingProgress,
    pub cx: ToolCx,
    pub tools: ToolRegistry,
}

impl Bench {
    /// A tree with these files, a snapshot store, a grant of everything, and nobody to ask.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        for (path, text) in files {
            let at = root.join(path);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, text).unwrap();
        }
        let workspace = Arc::new(Workspace::open(&root).unwrap());
        let store = Arc::new(SnapshotStore::open(&root.join(".sage/snapshots")).unwrap());
        let recorder = MemoryRecorder::new();
        let progress = RecordingProgress::new();
        let cx = ToolCx {
            recorder: Arc::new(recorder.clone()),
            progress: Arc::new(progress.clone()),
            interaction: Arc::new(Refusing::new()),
            workspace,
            snapshots: Some(store),
            grant: Grant::everything(),
            process: ProcessLimits { timeout: Duration::from_secs(20), ..ProcessLimits::default() },
            sandbox: Arc::new(Sandbox::off("a test")),
            env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
            policy: Arc::new(Policy::default()),
            approvals: Arc::default(),
            cancel: CancellationToken::new(),
            outputs: crate::Outputs::default(),
        };
        Self { dir, recorder, progress, cx, tools: ToolRegistry::builtin() }
    }

    pub fn granting(mut self, patterns: &[&str]) -> Self {
        self.cx.grant.paths = PathSet::new(patterns).unwrap();
        self
    }

    pub fn asking(mut self, person: impl Interaction + 'static) -> Self {
        self.cx.interaction = Arc::new(person);
        self
    }

    /// What a later process finds after this one died right after appending event `last`.
    pub fn died_after(&mut self, last: u64) {
        self.continue_with(self.recorder.continued_after(Seq(last)));
    }

    pub fn continue_with(&mut self, recorder: MemoryRecorder) {
        self.recorder = recorder;
        self.cx.recorder = Arc::new(self.recorder.clone());
        self.cx.workspace = Arc::new(Workspace::open(&self.root()).unwrap());
    }

    pub fn root(&self) -> PathBuf {
        self.cx.workspace.root().to_owned()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.at(path)).unwrap()).into_owned()
    }

    pub fn write(&self, path: &str, text: &str) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }

    pub fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// Every file of the tree outside `.sage` and `.git`, with its text or where it leads.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        let mut pending = vec![self.root()];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let at = entry.unwrap().path();
                let name = at.strip_prefix(self.root()).unwrap().to_string_lossy().into_owned();
                if name == ".sage" || name == ".git" {
                    continue;
                }
                let meta = fs::symlink_metadata(&at).unwrap();
                let value = if meta.is_dir() {
                    pending.push(at);
                    "folder".to_owned()
                } else if meta.is_symlink() {
                    format!("-> {}", fs::read_link(&at).unwrap().display())
                } else {
                    String::from_utf8_lossy(&fs::read(&at).unwrap()).into_owned()
                };
                use std::os::unix::fs::PermissionsExt;
                let mode = meta.permissions().mode() & 0o7777;
                tree.insert(name, format!("{mode:o} {value}"));
            }
        }
        tree
    }

    pub async fn call(&self, index: u32, name: &str, args: Value) -> ToolResult {
        self.try_call(index, name, args).await.unwrap()
    }

    pub async fn try_call(&self, index: u32, name: &str, args: Value) -> Result<ToolResult> {
        self.raw(index, name, &args.to_string()).await
    }

    pub async fn raw(&self, index: u32, name: &str, args: &str) -> Result<ToolResult> {
        let wanted = ToolCall { id: "x".into(), name: name.to_owned(), arguments: args.to_owned() };
        self.tools.call(&self.cx, call(index), &wanted).await
    }

    pub async fn edits(&self, index: u32, edits: Vec<FileEdit>) -> Result<ToolResult> {
        self.tools.apply_edits(&self.cx, call(index), edits).await
    }

    /// The facts in short: type, and what tells them apart.
    pub fn facts(&self) -> Vec<String> {
        self.recorder
            .kinds()
            .iter()
            .map(|kind| match kind {
                EventKind::Tool(ToolEvent::Called { tool, .. }) => format!("called {tool}"),
                EventKind::Tool(ToolEvent::Finished { tool, ok, .. }) => {
                    format!("finished {tool} {ok}")
                }
                EventKind::Tool(ToolEvent::Refused { tool, .. }) => format!("refused {tool}"),
                EventKind::Workspace(WorkspaceEvent::Changed {
                    path,
                    lines_added,
                    lines_removed,
                    ..
                }) => format!("changed {path} +{lines_added} -{lines_removed}"),
                EventKind::Workspace(WorkspaceEvent::Checked { passed, .. }) => {
                    format!("checked {passed}")
                }
                other => other.type_name(),
            })
            .collect()
    }
}

pub(crate) fn call(index: u32) -> CallId {
    CallId { node: NodeId::new("task_001").unwrap(), attempt: 1, index }
}
