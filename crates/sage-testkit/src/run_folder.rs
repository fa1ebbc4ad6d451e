//! The record of one run, read from its folder without any code of the program under test.

use std::fs;
use std::path::{Path, PathBuf};

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

    /// Every payload that lies in the folder, with its path.
    #[must_use]
    pub fn blobs(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut pending = vec![self.path.join("blobs")];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap_or_default();
                    found.push((path, bytes));
                }
            }
        }
        found
    }

    /// A payload by its address. Panics when there is none.
    #[must_use]
    pub fn blob(&self, address: &Value) -> Vec<u8> {
        let address = address.as_str().unwrap_or_else(|| panic!("{address} is no address"));
        let is_it = |path: &Path| {
            // Wherever it lies, its path ends in the address, with or without folders in between.
            let name: String = path.to_string_lossy().chars().filter(|c| *c != '/').collect();
            let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            name.ends_with(address) || stem.ends_with(address)
        };
        let blobs = self.blobs();
        let found = blobs.into_iter().find(|(path, _)| is_it(path));
        found.unwrap_or_else(|| panic!("no blob {address} in {:?}", self.path)).1
    }

    /// A payload as text.
    #[must_use]
    pub fn blob_text(&self, address: &Value) -> String {
        String::from_utf8_lossy(&self.blob(address)).into_owned()
    }
}
