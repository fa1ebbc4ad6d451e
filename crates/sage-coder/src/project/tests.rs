//! Projects as a caller sees them.

mod counting;
mod detecting;
mod running;
