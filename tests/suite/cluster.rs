//! The rehearsal's cluster: stories against nine recordings of a real Argo CD, then real clients on the wire.

mod kubectl;
mod kustomize;
mod stories;
mod wire;
