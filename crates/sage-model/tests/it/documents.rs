//! What the documentation shows is true.

use std::path::Path;

use sage_core::AgentRole;
use sage_model::{ModelsConfig, ScriptedModel, ToolCalling, Trigger};

const EXAMPLE: &str = include_str!("../../../../models.yaml.example");
const PAGE: &str = include_str!("../../../../docs/models.md");

#[test]
fn the_example_file_is_valid_and_says_what_it_claims() {
    let mut config = ModelsConfig::load(EXAMPLE, Path::new("models.yaml.example")).unwrap();
    assert_eq!(config.route(AgentRole::Coder).fallback_triggers.len(), 2);
    assert_eq!(config.route(AgentRole::Planner).primary, "gpt-4o");
    assert_eq!(config.resolve("gpt-4o").facts.price.output, 10.0);
    config.apply_profile("test").unwrap();
    let model = config.resolve(&config.route(AgentRole::Coder).primary).facts;
    assert_eq!((model.tool_calling, model.provider.as_str()), (ToolCalling::Text, "ollama"));
}

#[test]
fn the_page_names_every_role_and_variable_and_its_script_is_valid() {
    for role in AgentRole::ALL {
        assert!(PAGE.contains(role.as_str()), "{role}");
    }
    for variable in Trigger::VARIABLES {
        assert!(PAGE.contains(&format!("`{variable}`")), "{variable}");
    }
    let script = PAGE.split("```yaml").nth(1).unwrap().split("```").next().unwrap();
    ScriptedModel::parse(script, Path::new("docs/models.md")).unwrap();
}
