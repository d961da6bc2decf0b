//! The whole world as local servers: git, a registry, Cloud Build, Argo CD and Kubernetes, GitHub, and the app itself.
//!
//! Here: stand-ins that speak the real protocols, joined by causality (a push makes a build, a build makes an image, a
//! commit makes a rollout), on ports of the loopback. What they do not know they refuse with 501.
//! Never here: anything of the stages; the commands meet this world only over the wire.
//! Start reading at [`World`]. Used by `cli/rehearse.rs` and by the tests.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the rehearsal is the outside, played on this computer")]

mod app;
pub mod argocd;
pub mod cloud_build;
pub mod cluster;
mod fixtures;
pub mod git;
pub mod github;
mod history;
mod options;
mod pipeline;
pub mod play;
pub mod registry;
pub mod stage;
mod world;

pub use history::dev_tag;
pub use options::{Options, Pace};
pub use world::World;
