//! The instructions of each role. They are files beside this one, so that they can be read and
//! reviewed as the prose they are.

use sage_core::AgentRole;

/// Instructions for a role in a coding task.
#[must_use]
pub fn instructions(role: AgentRole) -> &'static str {
    match role {
        AgentRole::Planner => include_str!("prompts/planner.md"),
        AgentRole::TestEngineer => include_str!("prompts/test_engineer.md"),
        AgentRole::Documentation => include_str!("prompts/documentation.md"),
        AgentRole::Architect => include_str!("prompts/architect.md"),
        AgentRole::Debugger => include_str!("prompts/debugger.md"),
        AgentRole::Reviewer => include_str!("prompts/reviewer.md"),
        _ => include_str!("prompts/coder.md"),
    }
}

/// Instructions for the run's final answer under `--output-schema`.
pub const FINAL_ANSWER: &str = include_str!("prompts/answer.md");
