//! Git: a bare cache, a remote, and pushes that name what they replace.
//!
//! Here: libgit2 behind one [`Store`], with transports of our own (http and https over reqwest and rustls, ssh by the
//! `ssh` program, file by the `git` program).
//! Never here: a work tree, a force push, a rebase, or what a commit means for a release.
//! Start reading at `store.rs`. Used by `observe`, `act`, `record` and the commands that read a local repository.

mod but_for;
mod content;
mod database;
mod fetch;
pub mod history;
mod http_answer;
pub mod local;
mod network;
pub mod objects;
mod push;
mod refusal;
mod remote;
mod session;
mod store;
mod tags;
mod transport;
mod transport_http;
mod transport_program;
mod walk;

pub use content::{FileChange, NewCommit, Person, StoredFile};
pub use network::{Limits, Network, SshProgram};
pub use push::{Expect, Pushed};
pub use remote::{Remote, RemoteRef};
pub use store::Store;
