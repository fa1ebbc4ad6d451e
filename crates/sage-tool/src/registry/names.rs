//! Which tool a model means.

use std::sync::Arc;

use sage_core::nearest;

use super::ToolRegistry;
use crate::call::Tool;
use crate::grant::Grant;

impl ToolRegistry {
    /// The tool of this name or alias. Models write names in other cases, with dashes, and with the
    /// name space of their training in front (`functions.read`).
    pub(super) fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        let plain = name.trim().rsplit(['.', ':', '/']).next().unwrap_or_default();
        let plain = plain.to_lowercase().replace('-', "_");
        let named = |tool: &&Arc<dyn Tool>| tool.spec().name == plain;
        let aliased = |tool: &&Arc<dyn Tool>| tool.aliases().contains(&plain.as_str());
        self.tools.iter().find(named).or_else(|| self.tools.iter().find(aliased))
    }

    /// What to tell a model that asks for a tool that does not exist.
    pub(super) fn unknown(&self, name: &str, grant: &Grant) -> String {
        let specs = self.specs(grant);
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let short: String = name.chars().take(64).collect();
        let meant = nearest(name, names.iter().copied());
        let meant = meant.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
        format!("there is no tool {short:?}{meant}; there are: {}", names.join(", "))
    }
}
