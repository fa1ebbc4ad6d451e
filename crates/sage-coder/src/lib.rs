//! Turns a goal into a reviewed, tested change in a repository.
pub mod plan;
mod prompts;
