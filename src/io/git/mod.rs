//! Git: a bare cache, a remote, and pushes that name what they replace.
//!
//! Here: libgit2 behind one [`Store`], with transports of our own (https over reqwest and rustls, ssh by the `ssh` program).
//! Never here: a work tree, a force push, a rebase, or what a commit means for a release.
//! Start reading at `store.rs`. Used by `observe`, `act`, `record` and the commands that read a local repository.

pub mod objects;
mod store;

pub use store::{Expect, FileChange, NewCommit, Person, Pushed, Remote, RemoteRef, Store, StoredFile};
