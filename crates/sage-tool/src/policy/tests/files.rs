//! Rules as they are written.

use super::*;

fn problems(rules: &str) -> String {
    let text = format!("{{\n\"rules\": [\n{rules}\n]}}");
    let error = Policy::parse(&text, Path::new(".sage/policy.json")).unwrap_err();
    assert_eq!(error.kind(), sage_core::ErrorKind::Config);
    error.to_string()
}

#[test]
fn wrong_rules_are_errors_with_line_number_and_what_was_meant() {
    for (rule, parts) in [
        (
            r#"{"decision": "dney", "tool": "run"}"#,
            &["line 3: rule 1", "did you mean \"deny\""][..],
        ),
        (r#"{"decison": "deny", "tool": "run"}"#, &["\"decison\"", "did you mean \"decision\""]),
        (r#"{"tool": "run"}"#, &["\"decision\" is missing"]),
        (r#"{"decision": "deny"}"#, &["about nothing"]),
        (r#"{"decision": "deny", "tool": "raed"}"#, &["no tool \"raed\"", "did you mean \"read\""]),
        (r#"{"decision": "deny", "tool": []}"#, &["\"tool\" is empty"]),
        (r#"{"decision": "deny", "command": "npm install"}"#, &["list of words", "not a text"]),
        (r#"{"decision": "deny", "command": []}"#, &["\"command\" is empty"]),
        (r#"{"decision": "deny", "command": ["npm install"]}"#, &["has blanks"]),
        (
            r#"{"decision": "deny", "command": ["npm", 3]}"#,
            &["texts or lists of texts, not a number"],
        ),
        (r#"{"decision": "deny", "command": ["npm", []]}"#, &["an empty list"]),
        (r#"{"decision": "deny", "command": [""]}"#, &["\"command\" is empty"]),
        (r#"{"decision": "deny", "path": "["}"#, &["not a glob"]),
        (r#"{"decision": "deny", "path": "/etc"}"#, &["absolute"]),
        (r#"{"decision": "deny", "path": "../x"}"#, &["leaves the work tree"]),
        (r#"{"decision": "deny", "path": "x", "access": "raed"}"#, &["did you mean \"read\""]),
        (
            r#"{"decision": "deny", "tool": "run", "access": "read"}"#,
            &["\"path\", which is missing"],
        ),
        (r#"{"decision": "deny", "host": "a b"}"#, &["neither a name nor"]),
        (
            r#"{"decision": "deny", "host": "a", "path": "b"}"#,
            &["path and host at once", "2 rules"],
        ),
        (r#"{"decision": "deny", "command": ["x"], "exact": "yes"}"#, &["true or false"]),
        (r#"{"decision": "deny", "tool": "run", "project": "/x"}"#, &["user's policy.json"]),
        (r#"{"decision": "deny", "tool": "run", "tool": "read"}"#, &["there twice"]),
        (r#"{"decision": "deny", "tool": "run", "because": 3}"#, &["\"because\" must be a text"]),
        (
            r#"{"decision": "deny", "tool": "run", "examples": []}"#,
            &["\"examples\" must be an object"],
        ),
        (r#"3"#, &["rule 1: must be an object, not a number"]),
    ] {
        let error = problems(rule);
        for part in parts.iter().chain(&[".sage/policy.json"]) {
            assert!(error.contains(part), "{rule}: {error}");
        }
    }
    let many = problems("{\"decision\": \"deny\", \"tool\": \"run\"},\n{\"x\": 1},\n{\"y\": 2}");
    assert!(many.contains("line 4: rule 2") && many.contains("line 5: rule 3"), "{many}");
    let error = Policy::parse(r#"{"rules": {}}"#, Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("line 1: key \"rules\" must be a list, not an object"), "{error}");
    assert!(Policy::parse(&"[".repeat(5000), Path::new("x")).is_err());
}

#[test]
fn examples_are_checked_when_a_file_is_read() {
    let good = r#"{"rules": [
        {"decision": "deny", "command": ["npm", ["publish", "unpublish"]],
         "examples": {"match": ["npm publish x", "ls && npm unpublish"], "no_match": ["npm test", "echo npm publish"]}},
        {"decision": "ask", "path": "docs/**", "access": "write",
         "examples": {"match": ["docs/a.md", "./docs/b/c"], "no_match": ["doc/a"]}},
        {"decision": "allow", "host": ["*.org"], "examples": {"match": "a.org", "no_match": ["org", "b.com"]}},
        {"decision": "ask", "tool": ["delete", "write"], "examples": {"match": ["delete"], "no_match": ["read"]}}
    ]}"#;
    assert_eq!(Policy::parse(good, Path::new("x")).unwrap().rules().len(), 4);
    let bad = "{\"decision\": \"deny\", \"command\": [\"npm\", \"publish\"],\n\"examples\": {\n\
               \"match\": [\"npm publish\",\n\"npm run\"],\n\"no_match\": [\"npm publish x\"]}}";
    let error = problems(bad);
    assert!(error.contains("line 6: rule 1: does not match its example \"npm run\""), "{error}");
    assert!(error.contains("line 7: rule 1: matches its example \"npm publish x\""), "{error}");
}

#[test]
fn a_flag_is_a_rule_in_one_text() {
    for (text, shown) in [
        ("command:npm install", "command:npm install"),
        ("command: npm 'a b'", "command:npm 'a b'"),
        ("exactly:make", "exactly:make"),
        ("path:docs/**", "path:docs/**"),
        ("write:a", "write:a"),
        ("remove:a", "remove:a"),
        ("host:PyPI.org", "host:pypi.org"),
        ("tool:run", "tool:run"),
    ] {
        let rule = Rule::of_flag(Say::Ask, text).unwrap();
        assert_eq!(rule.text(), format!("ask {shown}"));
        assert_eq!(rule.origin(), "flag");
    }
    for (text, part) in [
        ("npm install", "begin with one of command:"),
        ("command:", "nothing after the colon"),
        ("comand:x", "did you mean \"command\""),
        ("command:a && b", "not one plain command"),
        ("command:$X", "not a plain word"),
        ("command:'a", "unbalanced quote"),
        ("path:/x", "absolute"),
        ("tool:raed", "did you mean \"read\""),
        ("host:a b", "neither a name"),
    ] {
        let error = Rule::of_flag(Say::Ask, text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
