//! Judges what next. Pure: facts and time in, one decision out.
//!
//! Here: the life of a run, the choice of a candidate, the next version, the overlay's text.
//! Never here: a clock, a file, a socket. Time arrives as an argument.
//! Start reading at `next.rs`. Used by `drive.rs` and by the commands that work on files alone.

pub mod ancestry;
pub mod bump;
pub mod candidate;
pub mod equivalence;
pub mod overlay;

/// What a look has to bring.
#[derive(Clone, Debug, Default)]
pub struct Wants {}
