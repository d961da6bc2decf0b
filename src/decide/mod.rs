//! Judges what next. Pure: facts and time in, one decision out.
//!
//! Here: the life of a run, the choice of a candidate, the next version, the overlay's text.
//! Never here: a clock, a file, a socket. Time arrives as an argument.
//! Start reading at `next.rs`. Used by `drive.rs` and by the commands that work on files alone.

pub mod ancestry;
mod builds;
pub mod bump;
pub mod candidate;
pub mod equivalence;
mod gates;
mod goal;
mod next;
pub mod overlay;
mod pins;
mod plan_bump;
mod plan_promotion;
mod settle;
pub mod survey;
mod version_files;
mod wants;

pub use gates::{gates_of, gates_to_look_at};
pub use goal::{Decision, Goal};
pub use next::next;
pub use plan_bump::plan_hash;
pub use wants::{AppWants, BuildWants, GateWants, Wants};
