//! The whole world as local servers.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the rehearsal is the outside, played on this computer")]

pub mod argocd;
pub mod cloud_build;
pub mod cluster;
mod fixtures;
pub mod git;
mod history;
pub mod registry;
pub mod stage;
