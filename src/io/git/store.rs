//! A bare cache of one remote repository: fetch, read, commit, push with the expected old id.
//!
//! Everything blocks; callers in async code use `spawn_blocking`. A store may be shared between threads, and one cache folder
//! between processes.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::{BranchName, CommitId, HistoryCommit, ObjectId, RefName, RepoPath};

use super::content::{NewCommit, Person, StoredFile};
use super::database::{Database, Depth};
use super::network::Network;
use super::push::{Expect, Move, Pushed};
use super::remote::{Remote, RemoteRef};

/// A bare cache of one remote repository.
pub struct Store {
    remote: Remote,
    network: Network,
    database: Database,
}

impl Store {
    /// Opens the cache of this remote below `root`, making it where absent. A cache that git cannot open is made anew.
    pub fn open(remote: Remote, root: &Path) -> Result<Self> {
        Self::open_through(remote, root, Network::from_environment())
    }

    /// As [`Store::open`], with another way out than the one the environment describes.
    pub fn open_through(remote: Remote, root: &Path, network: Network) -> Result<Self> {
        let database = Database::open(&remote.url, root)?;
        Ok(Self { remote, network, database })
    }

    /// Every ref of the remote below this prefix (`refs/heads/`, `refs/tags/v`); one request.
    pub fn list(&self, prefix: &str) -> Result<Vec<RemoteRef>> {
        self.list_refs(prefix)
    }

    /// Brings one ref (with all its history, or only its tip when `shallow`) into the cache. `None`: the remote has no such ref.
    pub fn fetch(&self, name: &RefName, shallow: bool) -> Result<Option<CommitId>> {
        self.fetch_ref(name, if shallow { Depth::Tips } else { Depth::Full })
    }

    /// What the cache last saw this ref at, without asking.
    pub fn cached(&self, name: &RefName) -> Option<CommitId> {
        self.cached_ref(name)
    }

    /// A file of a commit in the cache. `None`: it is not there.
    pub fn read(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<StoredFile>> {
        self.read_file(commit, path)
    }

    /// The names in a folder of a commit. `None`: there is no such folder.
    pub fn list_dir(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<Vec<String>>> {
        self.list_folder(commit, path)
    }

    /// The object (blob or tree) at a path of a commit. `None`: nothing is there.
    pub fn object_at(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<ObjectId>> {
        self.object_in(commit, path)
    }

    /// The only parent of a commit that differs from it in these files only, added or removed ones included. `None`: it
    /// differs in others too, in nothing, or has not exactly one parent in the cache.
    pub fn parent_but_for(&self, commit: &CommitId, files: &[RepoPath]) -> Result<Option<CommitId>> {
        self.only_parent_but_for(commit, files)
    }

    /// The object at a path of a commit, as if these files were not in it. `None`: nothing else is there.
    pub fn object_without(&self, commit: &CommitId, path: &RepoPath, files: &[RepoPath]) -> Result<Option<ObjectId>> {
        self.object_in_without(commit, path, files)
    }

    /// When a commit was committed, by its own account, in seconds since the epoch.
    pub fn committed_at(&self, commit: &CommitId) -> Result<i64> {
        self.time_of(commit)
    }

    /// Makes a commit in the cache. Refuses to write through or over a symbolic link, and over a folder or a submodule.
    pub fn commit(&self, new: &NewCommit<'_>) -> Result<CommitId> {
        self.make_commit(new)
    }

    /// Makes an annotated tag object in the cache; the same input makes the same object.
    pub fn tag(&self, name: &str, commit: &CommitId, by: &Person, message: &str) -> Result<ObjectId> {
        self.make_tag(name, commit, by, message)
    }

    /// Pushes one object to one ref, expecting what stands there. Never forces.
    pub fn push(&self, object: &ObjectId, to: &RefName, expect: &Expect) -> Result<Pushed> {
        self.push_object(object, to, expect, Move::Forward)
    }

    /// Replaces a ref whose old object is not an ancestor of the new one (a lease): compare-and-swap, for refs outside
    /// refs/heads and refs/tags only.
    pub fn swap(&self, object: &ObjectId, to: &RefName, expect: &Expect) -> Result<Pushed> {
        ours(to)?;
        self.push_object(object, to, expect, Move::Anywhere)
    }

    /// Deletes a ref outside refs/heads and refs/tags, if it points to exactly this object.
    pub fn delete(&self, name: &RefName, expect: &ObjectId) -> Result<Pushed> {
        ours(name)?;
        self.delete_ref(name, expect)
    }

    /// The commits reachable from `from` and from none of `without`, children before parents, at most `limit`.
    pub fn history(&self, from: &CommitId, without: &[CommitId], limit: usize) -> Result<Vec<HistoryCommit>> {
        self.walk(from, without, limit)
    }

    /// Whether `ancestor` is `descendant` or reachable from it. Both have to be in the cache with their histories.
    pub fn is_ancestor(&self, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
        self.descends(ancestor, descendant)
    }

    /// The commits in `history(to, [from])` whose diff to their first parent touches one of these paths.
    pub fn commits_touching(&self, from: &CommitId, to: &CommitId, paths: &[RepoPath]) -> Result<Vec<CommitId>> {
        self.touching(from, to, paths)
    }

    /// Drops the cache's memory of a branch, so that the next fetch brings it anew.
    pub fn forget(&self, branch: &BranchName) -> Result<()> {
        self.forget_ref(&branch.to_ref())
    }

    pub(super) fn remote(&self) -> &Remote {
        &self.remote
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("remote", &self.remote).field("home", &self.database.home()).finish()
    }
}

/// Branches and tags belong to people; only refs beside them may be replaced or deleted.
fn ours(name: &RefName) -> Result<()> {
    if ["refs/heads/", "refs/tags/"].iter().any(|it| name.as_str().starts_with(it)) {
        return Err(Error::bug(format!("{name} is a branch or a tag, which is never replaced or deleted.")));
    }
    Ok(())
}
