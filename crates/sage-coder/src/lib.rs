//! Turns a goal into a reviewed, tested change in a repository.
