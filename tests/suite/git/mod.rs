//! Git as the program uses it, against the real `git` on the other side.

mod basics;
mod cache;
mod content;
mod faults;
mod nginx;
mod races;
mod refusals;
mod ssh;
mod together;
mod ways_out;

use std::path::Path;

use tomoda_release::io::git::{FileChange, Network, NewCommit, Person, Remote, Store};
use tomoda_release::model::{CommitId, ObjectId, RefName, RepoPath, RepoUrl, Secret};

/// A store of this address, with a cache of its own below `root`, reached without any environment.
fn store(url: &str, root: &Path) -> Store {
    store_with(url, None, root, offline())
}

fn store_with(url: &str, token: Option<&str>, root: &Path, network: Network) -> Store {
    let remote = Remote { url: RepoUrl::parse(url).unwrap(), token: token.map(Secret::new) };
    Store::open_through(remote, root, network).unwrap()
}

/// The network of a machine without any settings.
fn offline() -> Network {
    Network::read(&|_| None)
}

fn main_ref() -> RefName {
    RefName::parse("refs/heads/main").unwrap()
}

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

fn object(text: &str) -> ObjectId {
    ObjectId::parse(text).unwrap()
}

fn bot() -> Person {
    Person { name: "Bot".into(), email: "bot@example.com".into(), time: 1_700_000_001 }
}

/// A commit that puts one file on top of a parent.
fn write(store: &Store, parent: &CommitId, file: &str, text: &str) -> CommitId {
    let files = [FileChange { path: path(file), bytes: text.into() }];
    store.commit(&NewCommit { parent: Some(parent), files: &files, alone: false, by: &bot(), message: "a change\n" }).unwrap()
}
