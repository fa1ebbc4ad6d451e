//! Puts a system prompt together so that its beginning stays the same from call to call, which is what
//! providers' prompt caches go by.

use sage_core::AgentRole;

/// The parts of a system prompt, the most stable first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The role; becomes the first line, `role: <role>`.
    pub role: AgentRole,
    /// What the role does and how; the same for every run.
    pub instructions: String,
    /// The merged rules, see [`crate::Rules::for_role`]; empty when there are none.
    pub rules: String,
    /// What is known about the project; empty when nothing is.
    pub project: String,
}

impl Prompt {
    /// The system prompt. Parts that are empty leave no trace.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("role: {}\n", self.role);
        let parts =
            [("", &self.instructions), ("# Rules\n", &self.rules), ("# Project\n", &self.project)];
        for (title, part) in parts {
            let part = part.trim();
            if !part.is_empty() {
                text.push_str(&format!("\n{title}{part}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn stable_parts_come_first_and_empty_parts_leave_no_trace() {
        let mut prompt = Prompt {
            role: AgentRole::Coder,
            instructions: "You write code.\n".to_owned(),
            rules: "## AGENTS.md\n- No tabs.\n".to_owned(),
            project: "Language: Rust\n\n".to_owned(),
        };
        expect![[r#"
            role: coder

            You write code.

            # Rules
            ## AGENTS.md
            - No tabs.

            # Project
            Language: Rust
        "#]]
        .assert_eq(&prompt.text());
        prompt.rules.clear();
        prompt.project.clear();
        assert_eq!(prompt.text(), "role: coder\n\nYou write code.\n");
    }
}
