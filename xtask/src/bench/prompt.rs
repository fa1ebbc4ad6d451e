//! What a conversation costs before anything is said in it: standing instructions and tools.

use sage_testkit::SeenRequest;

/// The fixed part of a first request, in bytes as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overhead {
    /// The standing instructions.
    pub system_bytes: usize,
    /// The JSON of the tools.
    pub tools_bytes: usize,
    /// The JSON of the schema that the answer must follow.
    pub schema_bytes: usize,
    /// The whole body of the request.
    pub request_bytes: usize,
}

impl Overhead {
    /// Weighs a request.
    pub fn of(request: &SeenRequest) -> Self {
        let len = |value: &serde_json::Value| match value {
            serde_json::Value::Null => 0,
            value => value.to_string().len(),
        };
        Self {
            system_bytes: request.system().len(),
            tools_bytes: len(&request.raw["tools"]),
            schema_bytes: len(&request.raw["response_format"]),
            request_bytes: request.n_bytes,
        }
    }

    /// Tokens of instructions and tools, at four bytes each.
    pub fn tokens(&self) -> usize {
        (self.system_bytes + self.tools_bytes).div_ceil(4)
    }
}
