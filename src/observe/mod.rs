//! Eyes: turns the outside world into one sighting.

pub mod argo;
pub mod probe;
pub mod workloads;
