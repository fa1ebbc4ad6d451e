//! What a change did to how tests are found: configuration of test runners.

use sage_core::{Severity, TamperKind, Tampering};

use super::{FileChange, finding};
use crate::evidence::cases::squeezed;

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

pub(super) fn is_config(path: &str) -> bool {
    let name = name_of(path);
    matches!(
        name,
        "pytest.ini"
            | "tox.ini"
            | "setup.cfg"
            | "pyproject.toml"
            | "conftest.py"
            | "Cargo.toml"
            | ".pytest.ini"
            | "noxfile.py"
    ) || is_script_config(name)
}

fn is_script_config(name: &str) -> bool {
    name.starts_with("jest.config.")
        || name.starts_with("vitest.config.")
        || name.starts_with("vite.config.")
        || name.starts_with(".mocharc")
}

pub(super) fn compare(change: &FileChange<'_>) -> Vec<Tampering> {
    let name = name_of(change.path);
    match name {
        "pytest.ini" | ".pytest.ini" | "tox.ini" | "setup.cfg" | "pyproject.toml" => ini(change),
        "conftest.py" => conftest(change),
        "Cargo.toml" => cargo(change),
        "package.json" => package_json(change),
        name if is_script_config(name) => script_config(change),
        _ => Vec::new(),
    }
}

fn narrowed(change: &FileChange<'_>, severity: Severity, line: usize, text: &str) -> Tampering {
    finding(TamperKind::DiscoveryNarrowed, severity, change.path, line, "", text)
}

fn ini(change: &FileChange<'_>) -> Vec<Tampering> {
    let mut found = Vec::new();
    let existed = change.before.is_some();
    for (at, line) in change.added() {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let text = squeezed(line);
        // Options, and not words about them.
        let is_options = line.contains("addopts")
            || line.contains("collect_ignore")
            || line.trim_start_matches(['"', '\'']).starts_with('-');
        let leaves_out = is_options
            && ([
                "--ignore",
                "--deselect",
                "collect_ignore",
                "--collect-only",
                "--co",
                "--exitfirst=no",
            ]
            .iter()
            .any(|mark| line.split([' ', '"', '\'', '=', ',']).any(|word| word.starts_with(mark)))
                || ["-k\"not", "-k'not", "-knot", "-m\"not", "-m'not", "-mnot", "-m\\\"not"]
                    .iter()
                    .any(|mark| text.contains(mark)));
        if leaves_out || (text.starts_with("norecursedirs=") && existed) {
            found.push(narrowed(change, Severity::Tampered, at, line));
            continue;
        }
        let keys = ["testpaths=", "python_files=", "python_functions=", "python_classes="];
        let is_key = keys.iter().any(|key| text.starts_with(key));
        // A project without configuration may be given one.
        let was_said = keys.iter().any(|key| {
            text.starts_with(key)
                && change.before.is_some_and(|before| squeezed(before).contains(key))
        });
        if is_key && was_said {
            found.push(narrowed(change, Severity::Suspicious, at, line));
        }
    }
    found
}

fn conftest(change: &FileChange<'_>) -> Vec<Tampering> {
    let mut found = Vec::new();
    let added = change.added();
    let all: String = added.iter().map(|(_, line)| squeezed(line)).collect();
    for (at, line) in &added {
        let text = squeezed(line);
        if text.starts_with('#') {
            continue;
        }
        let is_hook = text.starts_with("defpytest_collection_modifyitems");
        let drops =
            ["mark.skip", "deselect", "items[:]", "items.clear()", "items.remove", "delitems"];
        let forces = [
            "exitstatus=0",
            "os._exit(",
            "session.exitstatus=",
            "outcome=\"passed\"",
            "outcome='passed'",
        ];
        if text.starts_with("collect_ignore")
            || text.starts_with("defpytest_ignore_collect")
            || (is_hook && drops.iter().any(|mark| all.contains(mark)))
        {
            found.push(narrowed(change, Severity::Tampered, *at, line));
        } else if is_hook {
            found.push(narrowed(change, Severity::Suspicious, *at, line));
        } else if forces.iter().any(|mark| text.contains(mark)) {
            let kind = TamperKind::ExitForced;
            found.push(finding(kind, Severity::Tampered, change.path, *at, "", line));
        }
    }
    found
}

fn cargo(change: &FileChange<'_>) -> Vec<Tampering> {
    let mut found = Vec::new();
    let before = change.before.map(sections).unwrap_or_default();
    for (section, line, at) in change.after.map(sections).unwrap_or_default() {
        if before.iter().any(|(of, was, _)| *of == section && *was == line) {
            continue;
        }
        let severity = match (section.as_str(), line.as_str()) {
            ("[package]", "autotests=false") | ("[lib]" | "[[test]]", "test=false") => {
                Severity::Tampered
            }
            ("[lib]", "harness=false") => Severity::Tampered,
            ("[[test]]", "harness=false")
            | ("[[bin]]", "test=false")
            | ("[lib]", "doctest=false") => Severity::Suspicious,
            _ => continue,
        };
        found.push(narrowed(change, severity, at, &format!("{line} in {section}")));
    }
    found
}

/// Lines without blanks, with the section they are in and their number.
fn sections(text: &str) -> Vec<(String, String, usize)> {
    let mut section = String::new();
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = squeezed(line.split('#').next().unwrap_or_default());
        if line.starts_with('[') {
            section = line;
        } else if !line.is_empty() {
            lines.push((section.clone(), line, at + 1));
        }
    }
    lines
}

fn script_config(change: &FileChange<'_>) -> Vec<Tampering> {
    let mut found = Vec::new();
    for (at, line) in change.added() {
        let severity = severity_of_script_key(line, change.before.is_some());
        if let Some(severity) = severity {
            found.push(narrowed(change, severity, at, line));
        }
    }
    found
}

fn severity_of_script_key(line: &str, existed: bool) -> Option<Severity> {
    let text = squeezed(line).replace(['"', '\''], "");
    let starts = |keys: &[&str]| {
        keys.iter()
            .any(|key| text.starts_with(&format!("{key}:")) || text.starts_with(&format!("{key}=")))
    };
    let usual = text.contains("node_modules") || text.contains("dist");
    match () {
        () if text.starts_with("//") => None,
        () if starts(&["passWithNoTests"]) => text.contains("true").then_some(Severity::Tampered),
        () if starts(&["testPathIgnorePatterns", "testNamePattern", "grep", "ignore"]) => {
            let names_tests =
                text.contains("test/") || text.contains(".test") || text.contains(".spec");
            (!usual || names_tests).then_some(Severity::Tampered)
        }
        () if starts(&["exclude"]) => (!usual && existed).then_some(Severity::Tampered),
        () if starts(&[
            "testMatch",
            "testRegex",
            "include",
            "spec",
            "modulePathIgnorePatterns",
        ]) =>
        {
            existed.then_some(Severity::Suspicious)
        }
        () => None,
    }
}

/// The part of `package.json` that is about finding tests; its scripts are the runner's.
fn package_json(change: &FileChange<'_>) -> Vec<Tampering> {
    let parse = |text: Option<&str>| -> serde_json::Value {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    let (before, after) = (parse(change.before), parse(change.after));
    let mut found = Vec::new();
    for tool in ["jest", "vitest", "mocha"] {
        let Some(now) = after[tool].as_object() else { continue };
        for (key, value) in now {
            if before[tool][key] == *value {
                continue;
            }
            let line = format!("{key}: {value}");
            if let Some(severity) = severity_of_script_key(&line, change.before.is_some()) {
                found.push(narrowed(change, severity, 1, &line));
            }
        }
    }
    found
}
