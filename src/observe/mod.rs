//! Eyes: turns the outside world into one sighting.
//!
//! Here: read-only clients, one per system.
//! Never here: writing, deciding, remembering. A system that does not answer is `Unknown`, and `decide` chooses what that means.
//! Start reading at `overlay.rs`. Used by `live` only.

pub mod app;
pub mod overlay;
pub mod argo;
pub mod probe;
pub mod workloads;
//! Here: one client for each system that is looked at; what could not be seen is `Unknown`, with the reason.
//! Never here: writes; what any of it means for a release.
//! Start reading at `registry/mod.rs`. Used by `cli`, which wires the look together.
pub mod builds;
pub mod registry;
