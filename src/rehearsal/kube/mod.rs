//! A Kubernetes API that runs nothing: objects, watches, patches, and the controllers that turn a Deployment into pods.
//!
//! Here: what a client can see of a cluster, in the shapes `kubectl` and the `kube` crate expect.
//! Never here: Argo CD, git, or what any of it means for a release.
//! Start reading at `api.rs` (one request, one answer), then `store.rs` and `workload.rs`. Used by `rehearsal::argocd`, which
//! serves it.

pub mod access;
pub mod api;
mod apply;
pub mod clock;
mod discovery;
pub mod kind;
mod listing;
mod patch;
pub mod refusal;
mod selector;
pub mod store;
mod table;
mod validate;
mod watch;
pub mod workload;

pub use access::Access;
pub use apply::{applied, merge_lists};
pub use clock::Clock;
pub use refusal::Refusal;
pub use selector::LabelSelector;
pub use store::{Key, Store};
pub use validate::{defaulted, refuse_invalid};
pub use watch::stream;
