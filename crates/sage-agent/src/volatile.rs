//! Tells calls and results apart by what they mean: what differs at every try (times, durations, process
//! ids, addresses, temporary names) is taken out first.
//!
//! Careful on purpose: another line range, another number or another name makes another call. Only
//! command lines and what commands print are looked into; the arguments of other tools are compared as
//! they are, but for the order of their fields.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use sage_core::{Effect, ToolCall};
use serde_json::{Map, Value};

/// Longest text that is looked into; what follows is compared as it is.
const MAX_SCRUBBED_BYTES: usize = 64 << 10;

/// The call in a form that is the same for calls that mean the same. `name` is the tool's own name.
pub(crate) fn call_key(name: &str, call: &ToolCall, effect: Option<Effect>) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&call.arguments) else {
        let words: Vec<&str> = call.arguments.split_whitespace().collect();
        return format!("{name} {}", words.join(" "));
    };
    let command = command_of(&fields).filter(|_| effect == Some(Effect::Execute));
    match command {
        Some(command) => format!("{name} {}", command_key(command)),
        None => format!("{name} {}", sorted(&fields)),
    }
}

/// The result in a form that is the same for results that mean the same.
pub(crate) fn result_key(text: &str, effect: Option<Effect>) -> String {
    if effect == Some(Effect::Execute) { output_key(text) } else { text.to_owned() }
}

/// The call in a few words, for people: the command line, or the tool and its path.
pub(crate) fn shown(name: &str, call: &ToolCall) -> String {
    const MAX_CHARS: usize = 120;
    let fields = match serde_json::from_str::<Value>(&call.arguments) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let of = |key: &str| fields.get(key).and_then(Value::as_str);
    let text = match (command_of(&fields), of("path").or_else(|| of("pattern"))) {
        (Some(command), _) => command.to_owned(),
        (None, Some(path)) => format!("{name} {path}"),
        (None, None) => name.to_owned(),
    };
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(MAX_CHARS).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

/// The path that a call is about.
pub(crate) fn path_of(call: &ToolCall) -> Option<String> {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&call.arguments) else {
        return None;
    };
    let keys = ["path", "file_path", "filepath", "filename", "file", "target_file"];
    let path = keys.iter().find_map(|key| fields.get(*key)?.as_str())?;
    Some(path.trim_start_matches("./").to_owned())
}

fn command_of(fields: &Map<String, Value>) -> Option<&str> {
    let keys = ["command", "cmd", "script", "shell_command", "line"];
    keys.iter().find_map(|key| fields.get(*key)?.as_str())
}

fn sorted(fields: &Map<String, Value>) -> String {
    let mut pairs: Vec<(&String, &Value)> = fields.iter().collect();
    pairs.sort_by_key(|(name, _)| *name);
    pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        // A constant pattern; the tests below compile each of them.
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).unwrap());
    };
}

// In command lines and in what they print.
pattern!(
    DATE_TIME,
    r"\d{4}-\d{2}-\d{2}[T _]\d{2}[:-]?\d{2}([:-]?\d{2})?([.,]\d+)?(Z|[+-]\d{2}:?\d{2})?"
);
pattern!(RUN_ID, r"\b\d{8}[-_T]\d{6}(-[a-z0-9]{4})?\b");
pattern!(CLOCK, r"\b\d{1,2}:\d{2}:\d{2}([.,]\d+)?\b");
pattern!(
    WEEKDAY,
    r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +(\d{1,2} +)?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*( +\d{1,2})?"
);
pattern!(EPOCH, r"\b1[5-9]\d{8}(\d{3})?(\.\d+)?\b");
pattern!(UUID, r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b");
pattern!(ADDRESS, r"\b0x[0-9a-fA-F]{4,}\b");
pattern!(TEMP, r"(/(?:var/)?tmp/|/dev/shm/)([A-Za-z0-9._-]+)");
// In command lines.
pattern!(COMMENT, r#"(?m)(^|\s)#[^'"\n]*$"#);
pattern!(SLEEP, r"\bsleep +[0-9.]+[smh]?\b");
pattern!(KILL, r"\b(kill(?: +-\w+)*) +\d+\b");
pattern!(GAP, r"(\S)[ \t]+");
// In what commands print.
pattern!(DURATION, r"\b\d+([.,]\d+)? ?(ns|µs|us|ms|s|secs?|seconds?|m|mins?|minutes?|hours?)\b");
pattern!(PID, r"(?i)\b(pid|process|thread)([ =:#]*)\d+");
pattern!(HEX, r"\b[0-9a-f]{8,64}\b");
pattern!(PLACE, r":\d+(:\d+)?\b");
pattern!(PORT, r"\b(localhost|\d{1,3}(?:\.\d{1,3}){3}):\d{4,5}\b");

fn common(text: &str) -> String {
    let text = DATE_TIME.replace_all(text, "<time>");
    let text = RUN_ID.replace_all(&text, "<run>");
    let text = CLOCK.replace_all(&text, "<time>");
    let text = WEEKDAY.replace_all(&text, "<date>");
    let text = EPOCH.replace_all(&text, "<time>");
    let text = UUID.replace_all(&text, "<id>");
    let text = ADDRESS.replace_all(&text, "<address>");
    let temp = |found: &Captures<'_>| {
        let (folder, name) = (&found[1], &found[2]);
        if is_random(name) { format!("{folder}<temp>") } else { found[0].to_owned() }
    };
    TEMP.replace_all(&text, temp).into_owned()
}

/// Whether a name was made up by a program: `tmp...`, or a run of letters mixed with digits.
fn is_random(name: &str) -> bool {
    const MIN_RUN: usize = 6;
    let is_mixed = |run: &str| {
        let n_digits = run.chars().filter(char::is_ascii_digit).count();
        let has_both_cases = run.chars().any(|c| c.is_ascii_uppercase())
            && run.chars().skip(1).any(|c| c.is_ascii_lowercase());
        run.len() >= MIN_RUN && (has_both_cases || n_digits >= 2) && n_digits < run.len()
    };
    name.starts_with("tmp") || name.split(['.', '_', '-']).any(is_mixed)
}

fn command_key(command: &str) -> String {
    let (command, rest) = split(command);
    let text = COMMENT.replace_all(command, "");
    let text = common(&text);
    let text = SLEEP.replace_all(&text, "sleep <n>");
    let text = KILL.replace_all(&text, "$1 <pid>");
    // Blanks at the beginning of a line may mean something; those inside do not.
    let text = GAP.replace_all(&text, "$1 ");
    let lines: Vec<&str> =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    format!("{}{rest}", lines.join("\n").trim())
}

fn output_key(output: &str) -> String {
    let (output, rest) = split(output);
    let text = PORT.replace_all(output, "$1:<port>");
    let text = common(&text);
    let text = DURATION.replace_all(&text, "<duration>");
    let text = PID.replace_all(&text, "$1$2<id>");
    let text = HEX.replace_all(&text, |found: &Captures<'_>| {
        let is_number = found[0].bytes().all(|byte| byte.is_ascii_digit());
        if is_number { found[0].to_owned() } else { "<hex>".to_owned() }
    });
    let text = PLACE.replace_all(&text, ":<place>");
    let words: Vec<&str> = text.split_whitespace().collect();
    format!("{}{rest}", words.join(" "))
}

fn split(text: &str) -> (&str, &str) {
    let mut end = text.len().min(MAX_SCRUBBED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str, arguments: &Value, effect: Effect) -> String {
        let (id, name) = ("c".to_owned(), name.to_owned());
        let call = ToolCall { id, name: name.clone(), arguments: arguments.to_string() };
        call_key(&name, &call, Some(effect))
    }

    fn run(command: &str) -> String {
        key("run", &json!({ "command": command }), Effect::Execute)
    }

    #[test]
    fn what_differs_at_every_try_does_not_count() {
        for (one, other) in [
            ("make  test", "make test "),
            ("make test", "make\ttest # attempt 2"),
            ("echo 2026-11-20T10:00:01Z; make", "echo 2026-11-20T10:00:09.5Z; make"),
            ("echo 2026-11-20 10:00:01; make", "echo 2026-11-21 11:30; make"),
            ("T=1763657802 make", "T=1763657999 make"),
            ("make > /tmp/tmp.Xa91Bc", "make > /tmp/tmp.Zq20Yy"),
            ("make > /tmp/out-8f3k2a91", "make > /tmp/out-77ab12cd"),
            ("sleep 5 && make", "sleep 10 && make"),
            ("kill -9 4711; make", "kill -9 4712; make"),
            ("make ID=20260101-000000-k3f9", "make ID=20260102-101112-ab12"),
            (
                "curl x/3fa85f64-5717-4562-b3fc-2c963f66afa6",
                "curl x/0b6f2a3e-1111-4562-b3fc-2c963f66afa6",
            ),
        ] {
            assert_eq!(run(one), run(other), "{one:?} and {other:?}");
        }
        let output = |text: &str| result_key(text, Some(Effect::Execute));
        for (one, other) in [
            ("2 failed in 0.12s", "2 failed in 1.4 s"),
            ("pid 4711 died", "pid 815 died"),
            ("<obj at 0x7ffe12ab>", "<obj at 0x7ffe99cd>"),
            ("commit 8f3k\nabcdef12", "commit 8f3k\n12abcdef"),
            ("a.py:12:5: bad", "a.py:14:1: bad"),
            ("listening on 127.0.0.1:40123", "listening on 127.0.0.1:51111"),
            ("Fri Nov 20 17:56:42 UTC 2026", "Sat Nov 21 08:00:00 UTC 2026"),
        ] {
            assert_eq!(output(one), output(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn what_means_something_else_is_something_else() {
        for (one, other) in [
            ("python -c 'print(1)'", "python -c 'print(2)'"),
            ("pytest tests/test_a.py", "pytest tests/test_b.py"),
            ("sed -n 1,40p a.py", "sed -n 41,80p a.py"),
            ("git show abcdef123456", "git show 123456abcdef"),
            ("curl localhost:8080", "curl localhost:8081"),
            ("sh /tmp/test_a.sh", "sh /tmp/test_b.sh"),
            ("head -c 100 f", "head -c 200 f"),
            ("python - <<E\nif x:\n  y\nE", "python - <<E\nif x:\n    y\nE"),
        ] {
            assert_ne!(run(one), run(other), "{one:?} and {other:?}");
        }
        let output = |text: &str| result_key(text, Some(Effect::Execute));
        assert_ne!(output("37 % done"), output("38 % done"));
        assert_ne!(output("2 failed"), output("1 failed"));
        let read = |from: u32| {
            let lines = json!({"path": "a", "start_line": from, "end_line": from + 9});
            key("read", &lines, Effect::Read)
        };
        assert_ne!(read(1), read(10));
        // Blanks in the text to be replaced are what an edit is about.
        let edit = |search: &str| {
            key("edit", &json!({"path": "a", "search": search, "replace": ""}), Effect::Write)
        };
        assert_ne!(edit("a  b"), edit("a b"));
    }

    #[test]
    fn the_order_of_fields_does_not_count() {
        let one = key("edit", &json!({"path": "a", "search": "b"}), Effect::Write);
        assert_eq!(one, key("edit", &json!({"search": "b", "path": "a"}), Effect::Write));
    }

    #[test]
    fn a_call_is_shown_in_a_few_words() {
        let shown = |name: &str, arguments: &str| {
            let (id, arguments) = (String::new(), arguments.to_owned());
            shown(name, &ToolCall { id, name: name.to_owned(), arguments })
        };
        assert_eq!(shown("run", r#"{"command":"make\n  test"}"#), "make test");
        assert_eq!(shown("edit", r#"{"path":"a.py","search":"x"}"#), "edit a.py");
        assert_eq!(shown("read", "{"), "read");
    }
}
