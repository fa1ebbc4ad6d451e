//! What sort of failure an error is: the one thing about an error that other parts may decide by.

use serde::{Deserialize, Serialize};

/// Who can do something about a failure. Each kind has one exit code, given by the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The caller asked for something that does not make sense.
    Usage,
    /// A configuration file is wrong.
    Config,
    /// The machine lacks something: a program, a permission, disk space.
    Environment,
    /// No model could be reached: refused, unauthorised, silent, or every try failed.
    ModelUnavailable,
    /// A model answered, but not with anything usable.
    ModelAnswer,
    /// A tool failed in a way that ends the run, not one that the model should read.
    Tool,
    /// A limit on calls, tokens, money or time was reached.
    Budget,
    /// A person, or the policy they chose, said no.
    Rejected,
    /// The run was interrupted from outside.
    Interrupted,
    /// Our own fault.
    Internal,
}
