//! Who may say what about whom.

use super::*;

fn file(layer: Layer, text: &str) -> PolicyFile {
    PolicyFile::parse(text, Path::new("policy.json"), layer).unwrap()
}

fn rules(layer: Layer, rules: &[(&str, &str)]) -> PolicyFile {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(say, command)| {
            let words: Vec<&str> = command.split(' ').collect();
            serde_json::json!({ "decision": say, "command": words })
        })
        .collect();
    file(layer, &serde_json::json!({ "rules": rules }).to_string())
}

fn say(layers: PolicyLayers, command: &str) -> (Say, Option<Layer>) {
    let found = Policy::of_layers(layers).judge_command("run", command, Path::new(ROOT));
    (found.say, found.parts[0].finding.rule.as_ref().map(|rule| rule.layer))
}

#[test]
fn a_denial_holds_whoever_made_it() {
    for layer in [Layer::User, Layer::Project] {
        let denying = rules(layer, &[("deny", "x")]);
        let mut layers = PolicyLayers {
            user: rules(Layer::User, &[("allow", "x")]),
            project: rules(Layer::Project, &[("allow", "x")]),
            flags: vec![Rule::of_flag(Say::Allow, "command:x").unwrap()],
            ..PolicyLayers::default()
        };
        match layer {
            Layer::User => layers.user = denying,
            _ => layers.project = denying,
        }
        assert_eq!(say(layers, "x y"), (Say::Deny, Some(layer)));
    }
    let flags = vec![Rule::of_flag(Say::Deny, "command:x").unwrap()];
    assert_eq!(
        say(PolicyLayers { flags, ..PolicyLayers::default() }, "x"),
        (Say::Deny, Some(Layer::Flag))
    );
    let user = rules(Layer::User, &[("allow", "sudo")]);
    let flags = vec![Rule::of_flag(Say::Allow, "command:sudo").unwrap()];
    assert_eq!(say(PolicyLayers { user, flags, ..PolicyLayers::default() }, "sudo x").0, Say::Deny);
}

#[test]
fn a_project_tightens_and_does_not_loosen() {
    let user = || rules(Layer::User, &[("ask", "x"), ("allow", "y")]);
    let with = |project: &[(&str, &str)], command: &str| {
        let project = rules(Layer::Project, project);
        say(PolicyLayers { user: user(), project, ..PolicyLayers::default() }, command)
    };
    assert_eq!(with(&[("allow", "x")], "x"), (Say::Ask, Some(Layer::User)));
    assert_eq!(with(&[("ask", "y")], "y"), (Say::Ask, Some(Layer::Project)));
    assert_eq!(with(&[("deny", "y")], "y"), (Say::Deny, Some(Layer::Project)));
    // Strictness of the user's or of the environment stays; the project may relax its own.
    let strict = r#"{"tool_policy": "strict", "rules": [{"decision": "allow", "command": ["z"]}]}"#;
    let project = || file(Layer::Project, strict);
    let layers = PolicyLayers { project: project(), ..PolicyLayers::default() };
    assert_eq!(say(layers, "z"), (Say::Allow, Some(Layer::Project)));
    let user = file(Layer::User, r#"{"tool_policy": "strict"}"#);
    let layers = PolicyLayers { user, project: project(), ..PolicyLayers::default() };
    assert_eq!(say(layers, "z").0, Say::Ask);
    let tool_policy = Some(ToolPolicy::Strict);
    let layers = PolicyLayers { tool_policy, project: project(), ..PolicyLayers::default() };
    assert_eq!(say(layers, "z").0, Say::Ask);
    let user = file(Layer::User, r#"{"tool_policy": "strict"}"#);
    let project = file(Layer::Project, r#"{"tool_policy": "standard"}"#);
    assert_eq!(say(PolicyLayers { user, project, ..PolicyLayers::default() }, "z").0, Say::Ask);
}

#[test]
fn the_person_outranks_the_project_here_and_now() {
    let here =
        r#"{"rules": [{"decision": "allow", "command": ["x"], "project": "/project/tree"}]}"#;
    let layers = |root: &str| PolicyLayers {
        user: file(Layer::User, here),
        project: rules(Layer::Project, &[("ask", "x")]),
        root: root.into(),
        ..PolicyLayers::default()
    };
    assert_eq!(say(layers("/project/tree"), "x"), (Say::Allow, Some(Layer::Approved)));
    assert_eq!(say(layers("/elsewhere"), "x"), (Say::Ask, Some(Layer::Project)));
    let flags = vec![Rule::of_flag(Say::Allow, "command:x").unwrap()];
    let layers = PolicyLayers { flags, ..layers("/elsewhere") };
    assert_eq!(say(layers, "x"), (Say::Allow, Some(Layer::Flag)));
}

#[test]
fn within_a_layer_the_strictest_rule_decides() {
    let user = rules(Layer::User, &[("allow", "x y"), ("ask", "x"), ("allow", "x")]);
    assert_eq!(say(PolicyLayers { user, ..PolicyLayers::default() }, "x y").0, Say::Ask);
    let user = rules(Layer::User, &[("ask", "x"), ("deny", "x y")]);
    assert_eq!(say(PolicyLayers { user, ..PolicyLayers::default() }, "x y").0, Say::Deny);
}

#[test]
fn what_is_allowed_is_exactly_what_was_written() {
    let strict = |rule: &str, command: &str| {
        let text = format!("{{\"tool_policy\": \"strict\", \"rules\": [{rule}]}}");
        say(PolicyLayers { user: file(Layer::User, &text), ..PolicyLayers::default() }, command).0
    };
    let npm = r#"{"decision": "allow", "command": ["npm", ["install", "ci"]]}"#;
    for allowed in ["npm install", "npm ci --x", "/usr/bin/npm ci", "A=1 npm ci", "npm ci $X"] {
        assert_eq!(strict(npm, allowed), Say::Allow, "{allowed}");
    }
    for asked in [
        "npm",
        "npm run x",
        "npm --x ci",
        "./npm ci",
        "evil/npm ci",
        "PATH=. npm ci",
        "npm_config_script_shell=x npm ci",
        "npm $X",
        "npm() { x; }; npm ci",
        "npm ci > x",
        "npm ci; x",
        "npm ci $(x)",
        "npm ci | x",
    ] {
        assert_eq!(strict(npm, asked), Say::Ask, "{asked}");
    }
    let exact = r#"{"decision": "allow", "command": ["npm", "ci"], "exact": true}"#;
    assert_eq!(strict(exact, "npm ci"), Say::Allow);
    for asked in ["npm ci x", "A=1 npm ci", "xargs npm ci"] {
        let found = strict(exact, asked);
        assert_eq!(found, Say::Ask, "{asked}");
    }
    let writes = r#"{"decision": "allow", "path": "out/**", "access": "write"}"#;
    assert_eq!(strict(writes, "ls > out/x"), Say::Allow);
    assert_eq!(strict(writes, "ls > x"), Say::Ask);
    assert_eq!(strict(writes, "x > out/x"), Say::Ask);
}

#[test]
fn removal_is_only_allowed_in_so_many_words() {
    let removal = |rule: &str| {
        let text = format!("{{\"rules\": [{rule}]}}");
        let policy = Policy::of_layers(PolicyLayers {
            user: file(Layer::User, &text),
            ..PolicyLayers::default()
        });
        policy.judge_removal("delete", "docs/a.md", "it deletes").say
    };
    for (rule, say) in [
        (r#"{"decision": "allow", "path": "docs/**"}"#, Say::Ask),
        (r#"{"decision": "allow", "path": "docs/**", "access": "write"}"#, Say::Ask),
        (r#"{"decision": "allow", "tool": "delete"}"#, Say::Ask),
        (r#"{"decision": "allow", "path": "docs/**", "access": "remove"}"#, Say::Allow),
        (r#"{"decision": "deny", "path": "docs/**", "access": "remove"}"#, Say::Deny),
        (r#"{"decision": "deny", "path": "docs/**", "access": "write"}"#, Say::Deny),
        (r#"{"decision": "deny", "tool": "delete"}"#, Say::Deny),
    ] {
        assert_eq!(removal(rule), say, "{rule}");
    }
}

#[test]
fn hosts_are_asked_about_unless_a_rule_says_otherwise() {
    let text = r#"{"rules": [
        {"decision": "allow", "host": ["pypi.org", "*.Python.org"]},
        {"decision": "deny", "host": "*.evil.com"}]}"#;
    let policy = Policy::of_layers(PolicyLayers {
        user: file(Layer::User, text),
        ..PolicyLayers::default()
    });
    for host in ["pypi.org", "PyPI.org.", "pypi.org:443", "a.b.python.org"] {
        assert_eq!(policy.decide_host(host), Decision::Allow, "{host}");
    }
    for host in ["python.org", "xpypi.org", "pypi.org.x", "xpython.org", "::1", ""] {
        assert!(matches!(policy.decide_host(host), Decision::Ask { .. }), "{host}");
    }
    assert!(matches!(policy.decide_host("a.evil.com"), Decision::Deny { .. }));
    assert!(matches!(Policy::default().decide_host("x"), Decision::Ask { .. }));
}
