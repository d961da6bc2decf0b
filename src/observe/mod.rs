//! Eyes: turns the outside world into one sighting.
//!
//! Here: read-only clients, one for each system that is looked at. What could not be seen is `Unknown`, with the reason.
//! Never here: writing, deciding, remembering, what any of it means for a release.
//! Start reading at `overlay.rs`. Used by `live` only.

pub mod app;
pub mod argo;
pub mod builds;
pub mod overlay;
pub mod probe;
pub mod registry;
pub mod workloads;
