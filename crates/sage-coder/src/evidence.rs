//! What tests are worth, worked out from texts alone: which tests a file holds ([`cases()`]), what they
//! assert, what a change did to those that were there ([`tamper`]), and how a change can be broken a
//! little to see whether its tests notice ([`mutant`]).
//!
//! Everything here is a pure function of texts, without a parser for any one language: strings and
//! comments are told from code, brackets are matched, and the words of the common test frameworks are
//! known. Where that is not enough the answer is that nothing was found, never a guess.
//!
//! Not here: running anything (`task::weigh`), and what follows from a finding (`task::bent`).

pub mod mutant;
pub mod tamper;

mod assertion;
mod cases;
mod definitions;
mod lexer;

pub use cases::{Case, Off, cases};
pub use definitions::definitions;
pub use lexer::Lang;
