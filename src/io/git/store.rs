//! A bare cache of one remote repository: fetch, read, commit, push with the expected old id.
//!
//! Everything blocks; callers in async code use `spawn_blocking`.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::model::{BranchName, CommitId, HistoryCommit, ObjectId, RefName, RepoPath, RepoUrl, Secret};

/// How to reach a repository.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it is.
    pub url: RepoUrl,
    /// The token or password, sent as Basic `x-access-token:<token>` over http(s).
    pub token: Option<Secret>,
}

/// A ref of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// Its name.
    pub name: RefName,
    /// The object it points to.
    pub object: ObjectId,
    /// For an annotated tag: the object behind it, peeled.
    pub peeled: Option<ObjectId>,
}

/// A file as a commit holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its blob.
    pub blob: ObjectId,
    /// Its mode: 0o100644, 0o100755, 0o120000 (a symbolic link).
    pub mode: u32,
}

/// A file to be put into a new commit. The mode of an existing file is kept; a new one is 0o100644.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Where.
    pub path: RepoPath,
    /// The whole new content.
    pub bytes: Vec<u8>,
}

/// Who makes a commit or a tag, and when (seconds since the epoch, UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The time.
    pub time: i64,
}

/// A commit to be made in the cache, without a work tree.
#[derive(Clone, Debug)]
pub struct NewCommit<'a> {
    /// Its only parent; `None` begins a history.
    pub parent: Option<&'a CommitId>,
    /// The files that change. The other files of the parent stay, unless `alone`.
    pub files: &'a [FileChange],
    /// Whether the commit's tree holds these files and nothing else.
    pub alone: bool,
    /// Who makes it.
    pub by: &'a Person,
    /// The whole message.
    pub message: &'a str,
}

/// What a push expects to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The ref must not exist.
    Absent,
    /// The ref must point to exactly this object.
    At(ObjectId),
}

/// What came of a push. An `Err` beside it means that the outcome is not known: look at the ref before trying again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The ref points to our object now (or did before).
    Landed,
    /// Someone else was first: the ref is not where we expected it. What it points to now, where known.
    Lost(Option<ObjectId>),
    /// The server refused for good: a protected branch, a hook, a permission. Its words.
    Refused(String),
}

/// A bare cache of one remote repository.
#[derive(Debug)]
pub struct Store {
    remote: Remote,
    dir: PathBuf,
}

#[expect(unused_variables, clippy::unimplemented, missing_docs, reason = "signatures first; the bodies follow in the next commit")]
impl Store {
    /// Opens the cache of this remote below `root`, making it where absent. A cache that git cannot open is made anew.
    pub fn open(remote: Remote, root: &Path) -> Result<Self> {
        unimplemented!()
    }
    /// Every ref of the remote below this prefix (`refs/heads/`, `refs/tags/v`); one request.
    pub fn list(&self, prefix: &str) -> Result<Vec<RemoteRef>> {
        unimplemented!()
    }
    /// Brings one ref (with all its history, or only its tip when `shallow`) into the cache. `None`: the remote has no such ref.
    pub fn fetch(&self, name: &RefName, shallow: bool) -> Result<Option<CommitId>> {
        unimplemented!()
    }
    /// What the cache last saw this ref at, without asking.
    pub fn cached(&self, name: &RefName) -> Option<CommitId> {
        unimplemented!()
    }
    /// A file of a commit in the cache. `None`: it is not there.
    pub fn read(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<StoredFile>> {
        unimplemented!()
    }
    /// The names in a folder of a commit. `None`: there is no such folder.
    pub fn list_dir(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<Vec<String>>> {
        unimplemented!()
    }
    /// The object (blob or tree) at a path of a commit. `None`: nothing is there.
    pub fn object_at(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<ObjectId>> {
        unimplemented!()
    }
    /// Makes a commit in the cache.
    pub fn commit(&self, new: &NewCommit<'_>) -> Result<CommitId> {
        unimplemented!()
    }
    /// Makes an annotated tag object in the cache; the same input makes the same object.
    pub fn tag(&self, name: &str, commit: &CommitId, by: &Person, message: &str) -> Result<ObjectId> {
        unimplemented!()
    }
    /// Pushes one object to one ref, expecting what stands there. Never forces.
    pub fn push(&self, object: &ObjectId, to: &RefName, expect: &Expect) -> Result<Pushed> {
        unimplemented!()
    }
    /// Replaces a ref whose old object is not an ancestor of the new one (a lease): compare-and-swap, for refs outside refs/heads and refs/tags only.
    pub fn swap(&self, object: &ObjectId, to: &RefName, expect: &Expect) -> Result<Pushed> {
        unimplemented!()
    }
    /// Deletes a ref outside refs/heads and refs/tags, if it points to exactly this object.
    pub fn delete(&self, name: &RefName, expect: &ObjectId) -> Result<Pushed> {
        unimplemented!()
    }
    /// The commits reachable from `from` and from none of `without`, children before parents, at most `limit`.
    pub fn history(&self, from: &CommitId, without: &[CommitId], limit: usize) -> Result<Vec<HistoryCommit>> {
        unimplemented!()
    }
    /// Whether `ancestor` is `descendant` or reachable from it. Both have to be in the cache with their histories.
    pub fn is_ancestor(&self, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
        unimplemented!()
    }
    /// The commits in `history(to, [from])` whose diff to their first parent touches one of these paths.
    pub fn commits_touching(&self, from: &CommitId, to: &CommitId, paths: &[RepoPath]) -> Result<Vec<CommitId>> {
        unimplemented!()
    }
    /// Drops the cache's memory of a branch, so that the next fetch brings it anew.
    pub fn forget(&self, branch: &BranchName) -> Result<()> {
        unimplemented!()
    }
}
