//! Eyes: turns the outside world into one sighting.
//!
//! Here: one client for each system that is looked at; what could not be seen is `Unknown`, with the reason.
//! Never here: writes; what any of it means for a release.
//! Start reading at `registry/mod.rs`. Used by `cli`, which wires the look together.

pub mod builds;
pub mod registry;
