//! The record of one run, read from its folder without any code of the program under test.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// `.sage/runs/<id>`.
    pub path: PathBuf,
}

impl RunFolder {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.path.file_name().expect("a folder has a name").to_string_lossy().into_owned()
    }

    /// Every whole line of the log. Panics on a line that is not JSON.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let path = self.path.join("events.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{path:?}: {e} in {line:?}"))
        };
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(parse).collect()
    }

    /// The events of one type, such as `workspace.checked`.
    #[must_use]
    pub fn of_type(&self, name: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["type"] == name).collect()
    }

    /// The types of all events, in order.
    #[must_use]
    pub fn types(&self) -> Vec<String> {
        let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
        self.events().iter().map(name).collect()
    }

    /// The last event's number.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.events().last().and_then(|event| event["seq"].as_u64()).unwrap_or(0)
    }

    /// The last `run.finished`, if there is one.
    #[must_use]
    pub fn finished(&self) -> Option<Value> {
        self.of_type("run.finished").pop()
    }

    /// Each node with its last `node.finished` outcome, or `skipped`, in the order of the events.
    #[must_use]
    pub fn outcomes(&self) -> Vec<(String, String)> {
        let mut outcomes: Vec<(String, String)> = Vec::new();
        for event in self.events() {
            let outcome = match event["type"].as_str() {
                Some("node.finished") => event["outcome"].as_str().unwrap_or_default(),
                Some("node.skipped") => "skipped",
                _ => continue,
            };
            let node = event["node"].as_str().unwrap_or_default().to_owned();
            outcomes.retain(|(known, _)| *known != node);
            outcomes.push((node, outcome.to_owned()));
        }
        outcomes
    }

    /// Every payload of the run, with its address. Panics on what is not a whole record, except at the
    /// end of the file.
    #[must_use]
    pub fn blobs(&self) -> Vec<(String, Vec<u8>)> {
        let pack = fs::read(self.path.join("blobs/pack")).unwrap_or_default();
        let mut found = Vec::new();
        let mut rest = pack.as_slice();
        while let Some(n_header) = rest.iter().position(|byte| *byte == b'\n') {
            let header = String::from_utf8_lossy(&rest[..n_header]).into_owned();
            let (address, len) = header.split_once(' ').expect("an address and a length");
            let len: usize = len.parse().expect("a length");
            let Some(bytes) = rest.get(n_header + 1..n_header + 1 + len) else { break };
            found.push((address.to_owned(), bytes.to_owned()));
            rest = rest.get(n_header + len + 2..).unwrap_or_default();
        }
        found
    }

    /// A payload by its address. Panics when there is none.
    #[must_use]
    pub fn blob(&self, address: &Value) -> Vec<u8> {
        let address = address.as_str().unwrap_or_else(|| panic!("{address} is no address"));
        let found = self.blobs().into_iter().rfind(|(known, _)| known == address);
        found.unwrap_or_else(|| panic!("no blob {address} in {:?}", self.path)).1
    }

    /// A payload as text.
    #[must_use]
    pub fn blob_text(&self, address: &Value) -> String {
        String::from_utf8_lossy(&self.blob(address)).into_owned()
    }
}
