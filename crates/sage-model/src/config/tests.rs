use std::path::Path;

use expect_test::{Expect, expect};
use sage_core::{AgentRole, RouteFeatures};

use super::*;

const FULL: &str = r#"# our models
providers:
  local: {kind: openai, base_url: "http://127.0.0.1:8000/v1/", api_key_env: LOCAL_KEY, headers: {X-Team: "${TEAM}"}, max_concurrency: 4}
  demo: {kind: scripted, script: demo.yaml}
models:
  qwen2.5-coder:1.5b: {provider: ollama, tool_calling: text, context_tokens: 32768, usd_per_mtok: {input: 0, output: 0, cached_input: 0}}
  big: {provider: local, temperature: 0.2, usd_per_mtok: {input: 1.5, output: 6}}
routing:
  default: {primary: big, fallback: gpt-4o-mini}
  coder:                       # the one that matters
    primary: gpt-4o            # best
    fallback: gpt-4o-mini
    fallback_triggers:
      - "task_complexity_score > 0.8"
      - primary_failure_count >= 2
profiles:
  test: {primary: qwen2.5-coder:1.5b, fallback: qwen2.5-coder:1.5b}
"#;

fn load(text: &str) -> Result<ModelsConfig> {
    ModelsConfig::load(text, Path::new("models.yaml"))
}

#[test]
fn a_full_file_is_read_and_shown_and_read_back() {
    let config = load(FULL).unwrap();
    assert_eq!(config.providers()["local"].base_url, "http://127.0.0.1:8000/v1");
    assert_eq!(config.route(AgentRole::Planner).primary, "big");
    let coder = config.route(AgentRole::Coder);
    assert_eq!(coder.fallback.as_deref(), Some("gpt-4o-mini"));
    let features = RouteFeatures { primary_failure_count: 2, ..RouteFeatures::default() };
    assert!(!coder.fallback_triggers[0].eval(&features));
    assert!(coder.fallback_triggers[1].eval(&features));
    let facts = config.resolve("big").facts;
    assert_eq!((facts.provider.as_str(), facts.local), ("local", true));
    assert_eq!(facts.price, Price { input: 1.5, cached_input: 1.5, output: 6.0, known: true });
    assert_eq!(config.resolve("qwen2.5-coder:1.5b").facts.tool_calling, ToolCalling::Text);
    assert_eq!(load(&config.to_yaml()).unwrap(), config);
    let built_in = ModelsConfig::built_in();
    let again = load(&built_in.to_yaml()).unwrap();
    assert_eq!(again.to_yaml(), built_in.to_yaml());
}

#[test]
fn the_flat_form_sets_one_route_for_all_roles_and_a_test_profile() {
    let text = "primary: gpt-4o\nfallback: gpt-4o-mini\ntest_profile:\n  primary: gpt-4o-mini\n  fallback: gpt-4o-mini\n";
    let mut config = load(text).unwrap();
    for (role, route) in config.routes().filter(|(role, _)| *role != AgentRole::Embedding) {
        assert_eq!(route.primary, "gpt-4o", "{role}");
    }
    config.apply_profile("test").unwrap();
    assert_eq!(config.route(AgentRole::Coder).primary, "gpt-4o-mini");
    assert_eq!(config.profile(), Some("test"));
    assert_eq!(
        config.apply_profile("tset").unwrap_err().to_string(),
        "unknown profile \"tset\"; did you mean \"test\"?"
    );
}

fn check_refused(text: &str, expected: Expect) {
    expected.assert_eq(&load(text).unwrap_err().to_string());
}

#[test]
fn whatever_is_not_understood_is_refused_with_line_key_and_nearest_name() {
    check_refused(
        "a: 1\nroutng: {}\n",
        expect![
            "models.yaml:1: a: unknown key; known are providers, models, routing, profiles, primary, fallback, fallback_triggers, test_profile"
        ],
    );
    check_refused(
        "\nroutng: {}\n",
        expect![[r#"models.yaml:2: routng: unknown key; did you mean "routing"?"#]],
    );
    check_refused(
        "routing:\n  codr: {primary: x}\n",
        expect![[r#"models.yaml:2: routing.codr: unknown role; did you mean "coder"?"#]],
    );
    check_refused(
        "routing:\n  coder:\n    primry: x\n",
        expect![[r#"models.yaml:3: routing.coder.primry: unknown key; did you mean "primary"?"#]],
    );
    check_refused(
        "routing:\n  coder: {fallback: x}\n",
        expect!["models.yaml:2: routing.coder.primary: missing"],
    );
    check_refused(
        "routing:\n  coder: {primary: [x]}\n",
        expect!["models.yaml:2: routing.coder.primary: expected a text, found a list"],
    );
    check_refused(
        "routing:\n  coder: {primary: ''}\n",
        expect!["models.yaml:2: routing.coder.primary: must not be empty"],
    );
    check_refused(
        "routing: [coder]\n",
        expect!["models.yaml:1: routing: expected a mapping, found a list"],
    );
    check_refused(
        "routing:\n  coder:\n    primary: a\n    fallback: b\n    fallback_triggers:\n    - failure_count > 1\n    - complexity > 1\n",
        expect![[
            r#"models.yaml:7: routing.coder.fallback_triggers: trigger "complexity > 1": unknown name "complexity" at 1; known are task_complexity_score, primary_failure_count, failure_count, n_target_files, prompt_tokens"#
        ]],
    );
    check_refused(
        "primary: a\nfallback_triggers: ['failure_count > 1']\n",
        expect![[r#"models.yaml:2: fallback_triggers: needs "fallback" beside it"#]],
    );
    check_refused(
        "models:\n  m: {provider: olama}\n",
        expect![[
            r#"models.yaml:2: models.m.provider: unknown provider "olama"; did you mean "ollama"?"#
        ]],
    );
    check_refused(
        "models:\n  m: {context_token: 1}\n",
        expect![[
            r#"models.yaml:2: models.m.context_token: unknown key; did you mean "context_tokens"?"#
        ]],
    );
    check_refused(
        "models:\n  m: {context_tokens: -5}\n",
        expect!["models.yaml:2: models.m.context_tokens: -5 is not between 256 and 100000000"],
    );
    check_refused(
        "models:\n  m: {context_tokens: many}\n",
        expect!["models.yaml:2: models.m.context_tokens: expected a number, found a text"],
    );
    check_refused(
        "models:\n  m: {tool_calling: nativ}\n",
        expect![[
            r#"models.yaml:2: models.m.tool_calling: unknown value "nativ"; did you mean "native"?"#
        ]],
    );
    check_refused(
        "models:\n  m: {usd_per_mtok: {input: 1}}\n",
        expect!["models.yaml:2: models.m.usd_per_mtok.output: missing"],
    );
    check_refused(
        "providers:\n  p: {kind: open_ai}\n",
        expect![[
            r#"models.yaml:2: providers.p.kind: unknown value "open_ai"; did you mean "openai"?"#
        ]],
    );
    check_refused(
        "providers:\n  p: {kind: openai}\n",
        expect!["models.yaml:2: providers.p.base_url: missing"],
    );
    check_refused(
        "providers:\n  p: {kind: scripted}\n",
        expect!["models.yaml:2: providers.p.script: missing"],
    );
    check_refused(
        "providers:\n  p: {base_url: 'http://u:secret@h/'}\n",
        expect![
            "models.yaml:2: providers.p.base_url: the url holds credentials; name a variable in api_key_env"
        ],
    );
    check_refused(
        "providers:\n  openai: {api_key_env: sk-123456}\n",
        expect![
            "models.yaml:2: providers.openai.api_key_env: must be the name of an environment variable, not a key"
        ],
    );
    check_refused(
        "providers:\n  ollama: {api: responses}\n",
        expect!["models.yaml:2: providers.ollama.api: a provider of kind ollama has one api"],
    );
    check_refused(
        "providers:\n  openai: {headers: {'a b': c}}\n",
        expect!["models.yaml:2: providers.openai.headers.a b: not a valid header name"],
    );
    check_refused(
        "fallback: a\n",
        expect![[r#"models.yaml:1: fallback: needs "primary" beside it"#]],
    );
    check_refused(
        "primary: a\nrouting:\n  default: {primary: b}\n",
        expect![[
            r#"models.yaml:3: routing.default: there is a "primary" at the top of the file already"#
        ]],
    );
    check_refused(
        "primary: a\nprimary: b\n",
        expect!["models.yaml:2: not valid YAML: duplicate mapping key: primary"],
    );
    check_refused("primary: [a\n", expect!["models.yaml:1: not valid YAML: unclosed bracket '['"]);
    check_refused("- a\n", expect!["models.yaml:1: expected a mapping, found a list"]);
}

#[test]
fn a_model_name_finds_its_provider() {
    let config = load(FULL).unwrap();
    let of = |name: &str| {
        let facts = config.resolve(name).facts;
        format!("{} of {}", facts.model, facts.provider)
    };
    assert_eq!(of("gpt-4o"), "gpt-4o of openai");
    assert_eq!(of("o3-mini"), "o3-mini of openai");
    assert_eq!(of("gpt-oss:20b"), "gpt-oss:20b of ollama");
    assert_eq!(of("llama3"), "llama3 of ollama");
    assert_eq!(of("local/Qwen/Qwen3"), "Qwen/Qwen3 of local");
    assert_eq!(of("Qwen/Qwen3"), "Qwen/Qwen3 of ollama");
    assert_eq!(of("big"), "big of local");
    assert_eq!(of("local/big"), "big of local");
    assert_eq!(config.resolve("local/big").temperature, Some(0.2));
    assert!(config.resolve("demo/any").facts.scripted);
}

#[test]
fn facts_without_a_file_are_careful() {
    let config = ModelsConfig::built_in();
    assert!(!config.resolve("gpt-5").facts.price.known);
    assert_eq!(config.resolve("llama3.2:3b").facts.tool_calling, ToolCalling::Text);
    assert_eq!(config.resolve("qwen3:14b-q4").facts.tool_calling, ToolCalling::Native);
    assert!(config.resolve("llama3.2:3b").facts.local);
    let usage = sage_core::Usage {
        input: 1_000_000,
        cached_input: 500_000,
        output: 100_000,
        estimated: false,
    };
    assert_eq!(config.resolve("gpt-4o").facts.price.cost(&usage), 1.25 + 0.625 + 1.0);
    let local = ModelsConfig::built_in_for(BuiltIn::Ollama);
    assert_eq!(local.route(AgentRole::Coder).primary, "qwen2.5-coder:1.5b");
}

#[test]
fn overrides_from_outside_are_checked() {
    let mut config = ModelsConfig::built_in();
    config.override_base_url("ollama", "0.0.0.0").unwrap();
    assert_eq!(config.providers()["ollama"].base_url, "http://127.0.0.1:11434");
    assert!(config.override_base_url("openai", "nonsense").is_err());
    assert!(config.override_base_url("opnai", "http://h").is_err());
    config.override_role(AgentRole::Coder, " llama3:8b ").unwrap();
    assert_eq!(config.route(AgentRole::Coder).primary, "llama3:8b");
    assert!(config.override_role(AgentRole::Coder, " ").is_err());
}

#[test]
fn debug_shows_no_header_values() {
    let config = load("providers:\n  openai: {headers: {X-Key: abcdef}}\n").unwrap();
    assert!(!format!("{config:?}").contains("abcdef"));
    assert!(!config.to_yaml().contains("abcdef"));
}

fn check_edit(text: &str, role: &str, edit: &RoleEdit, expected: Expect) {
    let edited = ModelsConfig::set_role(text, Path::new("models.yaml"), role, edit).unwrap();
    expected.assert_eq(&edited);
}

fn primary(name: &str) -> RoleEdit {
    RoleEdit { primary: Some(name.to_owned()), ..RoleEdit::default() }
}

#[test]
fn an_edit_keeps_comments_and_everything_else() {
    let edit = RoleEdit {
        primary: Some("o3".to_owned()),
        fallback: Some("12:30".to_owned()),
        fallback_triggers: Some(vec!["failure_count > 3".to_owned()]),
    };
    let edited = ModelsConfig::set_role(FULL, Path::new("m"), "coder", &edit).unwrap();
    let changed: Vec<&str> = edited.lines().filter(|line| !FULL.contains(line)).collect();
    assert_eq!(
        changed,
        [
            "    primary: o3            # best",
            "    fallback: \"12:30\"",
            "    fallback_triggers: [\"failure_count > 3\"]",
        ]
    );
    assert_eq!(edited.lines().count(), FULL.lines().count() - 2);
}

#[test]
fn an_edit_adds_what_is_missing_in_the_style_of_the_file() {
    check_edit(
        "",
        "coder",
        &primary("x"),
        expect![[r#"
        routing:
          coder: {primary: x, fallback: gpt-4o-mini}
    "#]],
    );
    check_edit(
        "# only a comment",
        "coder",
        &primary("x"),
        expect![[r#"
        # only a comment
        routing:
          coder: {primary: x, fallback: gpt-4o-mini}
    "#]],
    );
    check_edit(
        "routing:\n",
        "coder",
        &primary("x"),
        expect![[r#"
        routing: {coder: {primary: x, fallback: gpt-4o-mini}}
    "#]],
    );
    check_edit(
        "routing: {}\n",
        "coder",
        &primary("x"),
        expect![[r#"
        routing: {coder: {primary: x, fallback: gpt-4o-mini}}
    "#]],
    );
    check_edit(
        "routing: {planner: {primary: a}} # c\n",
        "coder",
        &primary("x"),
        expect![[r#"
        routing: {coder: {primary: x, fallback: gpt-4o-mini}, planner: {primary: a}} # c
    "#]],
    );
    check_edit(
        "routing:\n  # why\n  planner:\n    primary: a\n",
        "coder",
        &primary("x"),
        expect![[r#"
        routing:
          # why
          coder: {primary: x, fallback: gpt-4o-mini}
          planner:
            primary: a
    "#]],
    );
    check_edit(
        "primary: a # flat\nfallback: b\n",
        "default",
        &primary("x"),
        expect![[r#"
        primary: x # flat
        fallback: b
    "#]],
    );
    check_edit(
        "primary: a\nfallback: b\n",
        "coder",
        &primary("x"),
        expect![[r#"
        primary: a
        fallback: b
        routing:
          coder: {primary: x, fallback: b}
    "#]],
    );
    let fallback = RoleEdit { fallback: Some("f".to_owned()), ..RoleEdit::default() };
    check_edit(
        "routing:\n  coder:\n    primary: a\n",
        "coder",
        &fallback,
        expect![[r#"
        routing:
          coder:
            fallback: f
            primary: a
    "#]],
    );
    let triggers =
        RoleEdit { fallback_triggers: Some(vec!["failure_count > 1".to_owned()]), ..fallback };
    check_edit(
        "routing:\n  coder:\n    primary: a\n    fallback_triggers:\n    - failure_count > 0\n    # gone with the list\n    fallback: b",
        "coder",
        &triggers,
        expect![[r#"
            routing:
              coder:
                primary: a
                fallback_triggers: ["failure_count > 1"]
                # gone with the list
                fallback: f"#]],
    );
}

#[test]
fn an_edit_that_cannot_be_made_changes_nothing() {
    let set = |text: &str, role: &str, edit: &RoleEdit| {
        ModelsConfig::set_role(text, Path::new("m"), role, edit).unwrap_err().to_string()
    };
    assert!(set("", "codr", &primary("x")).contains("did you mean \"coder\""));
    assert!(set("", "coder", &primary(" ")).contains("empty"));
    let bad = RoleEdit { fallback_triggers: Some(vec!["x > 1".to_owned()]), ..RoleEdit::default() };
    assert!(set("", "coder", &bad).contains("unknown name"));
    assert!(set("primary: [\n", "coder", &primary("x")).contains("not valid YAML"));
    // An aliased value stands elsewhere: editing it would change other roles too.
    let text = "routing:\n  planner: &a {primary: p}\n  coder: *a\n";
    assert!(set(text, "coder", &primary("x")).contains("in place"));
}
