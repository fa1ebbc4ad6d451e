//! Projects as a caller sees them.

mod detecting;
mod failing;
mod running;
