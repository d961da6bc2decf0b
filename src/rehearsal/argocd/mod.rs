//! Argo CD and the cluster it deploys to: three loops that do not wait for each other.
//!
//! The *status loop* (`look.rs`) compares git with what it believes the cluster to be. The *operation loop* (`operation.rs`)
//! applies a commit. The *live loop* (`simulation.rs`) takes in, a little late, what changed in the cluster. All that is odd
//! about a real Argo CD comes from their meeting in any order: health that is still the one of before, operations that start
//! from a stale comparison, a request that is answered by a look which began with it.
//!
//! Here: what a real Argo CD 3.3 was seen to do. Never here: what a gate thinks of it.
//! Start reading at `simulation.rs`; `cluster.rs` puts it on the wire. Used by `rehearsal` and by tests.

mod application;
mod cluster;
mod health;
mod kustomize;
mod look;
mod manifests;
mod operation;
mod rest;
mod simulation;
mod source;
mod timing;

pub use cluster::Cluster;
pub use simulation::{Pull, Setup, Simulation, Truth};
pub use timing::Timing;
