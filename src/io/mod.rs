//! The edge: the only folder that may touch files, sockets, processes, the environment and the clock.
//!
//! Here: one hardened door to each part of the outside.
//! Never here: what any of it means for a release.
//! Start reading at `git/mod.rs`. Used by the stages' clients and by `cli`.
#![expect(clippy::disallowed_methods, reason = "this folder is the edge of the program")]

pub mod cache;
pub mod clock;
pub mod credentials;
pub mod files;
pub mod git;
pub mod google;
pub mod http;
pub mod identity;
pub mod input;
pub mod kube;
pub mod names;
pub mod probe;
pub mod process;
pub mod random;
pub mod rewrite;
pub mod signals;
pub mod watermark;
