//! The whole world as local servers.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the rehearsal is the outside, played on this computer")]

pub mod argocd;
pub mod cluster;
pub mod kube;
pub mod registry;
pub mod stage;
