//! Tests of JavaScript and TypeScript: `test("name", ...)`, `it.only(...)`, inside `describe(...)`.

use super::{Case, File, Off, word};
use crate::evidence::lexer::closing;

/// A call of the framework.
struct Call {
    start: usize,
    /// After its last bracket.
    end: usize,
    /// Its first argument, if that is a string.
    title: String,
    /// `skip`, `only`, `todo` and the like, behind dots or in the name (`xit`, `fit`).
    modifiers: Vec<String>,
    /// Where the arguments begin.
    open: usize,
    is_group: bool,
}

pub(super) fn cases(file: &File<'_>) -> Vec<Case> {
    let calls = calls(file);
    let mut found = Vec::new();
    for call in calls.iter().filter(|call| !call.is_group) {
        let groups: Vec<&Call> = calls
            .iter()
            .filter(|group| group.is_group && group.start < call.start && call.end <= group.end)
            .collect();
        // What a test inside a test does belongs to the outer one.
        let inside =
            |other: &&Call| !other.is_group && other.start < call.start && call.end <= other.end;
        if calls.iter().any(|other| inside(&other)) {
            continue;
        }
        let name: String = groups.iter().map(|group| format!("{}\u{1f}", group.title)).collect();
        let head_end = body_start(file, call);
        let mut case = file.case(format!("{name}{}", call.title), call.start, head_end, call.end);
        let modifiers = groups.iter().flat_map(|group| &group.modifiers).chain(&call.modifiers);
        for modifier in modifiers {
            case.off = case.off.max(match modifier.as_str() {
                "skip" | "todo" | "failing" | "fails" => Off::Always,
                "only" => Off::OthersAre,
                "skipIf" | "runIf" => Off::Sometimes,
                _ => Off::No,
            });
        }
        found.push(case);
    }
    found
}

fn calls(file: &File<'_>) -> Vec<Call> {
    const NAMES: [(&str, bool, &str); 11] = [
        ("test", false, ""),
        ("it", false, ""),
        ("specify", false, ""),
        ("xit", false, "skip"),
        ("xtest", false, "skip"),
        ("fit", false, "only"),
        ("describe", true, ""),
        ("suite", true, ""),
        ("context", true, ""),
        ("xdescribe", true, "skip"),
        ("fdescribe", true, "only"),
    ];
    let code = file.code;
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let is_start = bytes[at].is_ascii_alphabetic()
            && at.checked_sub(1).is_none_or(|before| {
                !(bytes[before].is_ascii_alphanumeric() || b"_.$".contains(&bytes[before]))
            });
        if !is_start {
            at += 1;
            continue;
        }
        let name = word(&code[at..]);
        let start = at;
        at += name.len().max(1);
        let Some((_, is_group, modifier)) = NAMES.iter().find(|(known, ..)| *known == name) else {
            continue;
        };
        let mut modifiers: Vec<String> = Vec::new();
        if !modifier.is_empty() {
            modifiers.push((*modifier).to_owned());
        }
        let mut end = at;
        while bytes.get(end) == Some(&b'.') {
            let modifier = word(&code[end + 1..]);
            modifiers.push(modifier.to_owned());
            end += 1 + modifier.len();
            // `.each(table)(...)` and `.skipIf(condition)(...)`, or a table in a template.
            if matches!(modifier, "each" | "skipIf" | "runIf" | "for") {
                end = match bytes.get(end) {
                    Some(b'(') => closing(code, end),
                    _ => end + code[end..].find('(').unwrap_or(0),
                };
            }
        }
        if bytes.get(end) != Some(&b'(') {
            continue;
        }
        let Some(title) = title(&file.plain[end + 1..]) else { continue };
        let close = closing(code, end);
        found.push(Call { start, end: close, title, modifiers, open: end, is_group: *is_group });
    }
    found
}

/// The string that the arguments begin with.
fn title(arguments: &str) -> Option<String> {
    let text = arguments.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let mut title = String::new();
    let mut chars = text[1..].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => title.extend(chars.next()),
            c if c == quote => return Some(title),
            c => title.push(c),
        }
    }
    None
}

/// Where the function of a test begins: what is before it are its name and options.
fn body_start(file: &File<'_>, call: &Call) -> usize {
    let arguments = &file.code[call.open..call.end];
    let starts = ["=>", "function"].iter().filter_map(|start| arguments.find(start));
    starts.min().map_or(call.end.saturating_sub(1).max(call.open), |at| call.open + at)
}
