//! What holds for every line.

use proptest::prelude::*;

use super::*;

/// Parts that are judged differently.
const PARTS: [&str; 18] = [
    "ls",
    "npm test",
    "npm install",
    "npm publish",
    "sudo ls",
    "cat secrets/key",
    "cat x",
    "echo x > y",
    "echo x > ../y",
    "rm -rf build",
    "$X y",
    "cd sub",
    "A=1 ls",
    "sh -c 'npm publish'",
    "echo $(npm install)",
    "git push",
    "xargs npm install",
    "export X=1",
];
const JOINTS: [&str; 6] = ["; ", " && ", " || ", " | ", " & ", "\n"];

fn policies() -> Vec<Policy> {
    let rules = r#"{"rules": [
        {"decision": "ask", "command": ["npm", "install"]},
        {"decision": "deny", "command": ["npm", "publish"]},
        {"decision": "deny", "path": "secrets/**"}]}"#;
    vec![
        Policy::default(),
        Policy::strict(),
        Policy::parse(rules, Path::new("policy.json")).unwrap(),
    ]
}

proptest! {
    #[test]
    fn a_line_is_never_looser_than_its_strictest_part(
        parts in prop::collection::vec((0..PARTS.len(), 0..JOINTS.len(), 0..6), 1..5),
    ) {
        let mut line = String::new();
        for (n, (part, joint, wrapping)) in parts.iter().enumerate() {
            if n > 0 {
                line.push_str(JOINTS[*joint]);
            }
            let part = PARTS[*part];
            match wrapping {
                0 => line.push_str(&format!("({part})")),
                1 => line.push_str(&format!("{{ {part}; }}")),
                2 => line.push_str(&format!("echo \"$({part})\"")),
                3 => line.push_str(&format!("if true; then {part}; fi")),
                _ => line.push_str(part),
            }
        }
        for policy in policies() {
            let of = |line: &str| policy.judge_command("run", line, Path::new(ROOT)).say;
            let strictest = parts.iter().map(|(part, ..)| of(PARTS[*part])).max();
            prop_assert!(Some(of(&line)) >= strictest, "{line:?}");
        }
    }

    #[test]
    fn no_line_makes_deciding_panic(
        line in "([a-z .]{0,4}|sh -c|env|xargs|find -exec|\\$\\(|[$(){}`'\"\\\\<>&|;#\n=*?\\[\\],!-]){0,40}",
    ) {
        for policy in policies() {
            let _ = policy.judge_command("run", &line, Path::new(ROOT));
        }
    }

    #[test]
    fn no_text_makes_reading_a_file_or_a_flag_panic(text in "\\PC{0,80}") {
        let _ = Policy::parse(&text, Path::new("x"));
        let _ = Policy::parse(&format!("{{\"rules\": [{{{text}}}]}}"), Path::new("x"));
        let _ = Rule::of_flag(Say::Allow, &text);
        let _ = Rule::of_flag(Say::Allow, &format!("command:{text}"));
        let _ = Rule::of_flag(Say::Allow, &format!("path:{text}"));
    }

    #[test]
    fn what_an_approval_writes_down_allows_exactly_that_again(
        words in prop::collection::vec("[a-zA-Z0-9_.@ *'\"$-]{1,8}", 1..4),
    ) {
        let line: Vec<String> = words.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect();
        let line = format!("prog {}", line.join(" "));
        let strict = Policy::strict();
        let judged = strict.judge_command("run", &line, Path::new(ROOT));
        prop_assert_eq!(judged.say, Say::Ask);
        let rules = remembering(judged.doubts(), Path::new(ROOT), "because");
        let text = format!("{{\"tool_policy\": \"strict\", \"rules\": [{}]}}", rules.join(","));
        let user = PolicyFile::parse(&text, Path::new("x"), Layer::User).unwrap();
        let policy = Policy::of_layers(PolicyLayers { user, root: ROOT.into(), ..PolicyLayers::default() });
        prop_assert_eq!(policy.judge_command("run", &line, Path::new(ROOT)).say, Say::Allow);
        let more = format!("{line} more");
        prop_assert_eq!(policy.judge_command("run", &more, Path::new(ROOT)).say, Say::Ask);
    }
}
