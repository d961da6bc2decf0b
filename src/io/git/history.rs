//! Reads what a repository on this computer already has: commits, tags and how they descend. Nothing here talks to a remote.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Repository, Sort};

use crate::error::{Error, Result};
use crate::model::{AppSeen, BranchName, CommitId, HistoryCommit, ObjectId, TagSeen, TagTemplate};

/// The most commits that are read of one history.
pub const MOST_COMMITS: usize = 500_000;
/// The most tags that are read of one repository.
const MOST_TAGS: usize = 100_000;
/// The longest commit message that is kept; what comes behind is cut off.
const LONGEST_MESSAGE: usize = 256 * 1024;

/// The version tags of a repository, and what only looks like one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VersionTags {
    /// Tags that name a version and stand on a commit.
    pub tags: Vec<TagSeen>,
    /// Tags that look like versions and are none.
    pub lookalikes: Vec<String>,
}

/// Opens the repository at a folder, or above it.
pub fn open(dir: &Path) -> Result<Repository> {
    Repository::discover(dir).map_err(|why| {
        let error = Error::usage(format!("{} is not in a git repository.", dir.display()));
        if why.code() == ErrorCode::Owner {
            error.hint("The folder belongs to another user; git says how to trust it: git config --global --add safe.directory.")
        } else if why.code() == ErrorCode::NotFound {
            error.hint("Name a clone with --repo.")
        } else {
            Error::usage(format!("The git repository of {} cannot be opened.", dir.display())).because(why.message().to_owned())
        }
    })
}

/// Refuses a shallow clone: what is missing from it cannot be told apart from what never was.
pub fn require_whole(repo: &Repository) -> Result<()> {
    if repo.is_shallow() {
        return Err(Error::refused("The repository is a shallow clone: commits and tags before its beginning are missing.")
            .hint("Run “git fetch --unshallow --tags”; in CI, check out with a fetch depth of 0."));
    }
    Ok(())
}

/// The commit that a revision names: `HEAD`, a branch, a tag, an abbreviated id.
pub fn resolve(repo: &Repository, revision: &str) -> Result<CommitId> {
    let bad = |sentence: String, why: git2::Error| Error::usage(sentence).because(why.message().to_owned());
    let object = repo.revparse_single(revision).map_err(|why| match why.code() {
        ErrorCode::NotFound | ErrorCode::UnbornBranch if revision == "HEAD" => bad("The repository has no commits.".to_owned(), why),
        ErrorCode::Ambiguous if why.message().contains("too short") => {
            Error::usage(format!("“{revision}” names no commit of this repository: an abbreviated id has at least four digits."))
        }
        ErrorCode::Ambiguous => bad(format!("“{revision}” is ambiguous: several objects begin with it. Write more digits."), why),
        _ => bad(format!("“{revision}” names no commit of this repository."), why),
    })?;
    let commit = object.peel(ObjectType::Commit).map_err(|why| bad(format!("“{revision}” is not a commit."), why))?;
    commit_id(commit.id())
}

/// The tip of a branch: the local one, or what was last fetched of it.
pub fn branch_tip(repo: &Repository, branch: &BranchName) -> Result<CommitId> {
    let places = [format!("refs/heads/{branch}"), format!("refs/remotes/origin/{branch}"), format!("refs/remotes/{branch}")];
    let found = places.iter().find_map(|it| repo.find_reference(it).ok()?.peel_to_commit().ok());
    match found {
        Some(commit) => commit_id(commit.id()),
        None => Err(Error::usage(format!("The repository has no branch {branch}, neither its own nor a fetched one."))
            .hint("git branch --all lists them.")),
    }
}

/// The branch that is checked out; `None` where a commit is.
pub fn checked_out(repo: &Repository) -> Option<BranchName> {
    let head = repo.find_reference("HEAD").ok()?;
    let target = head.symbolic_target().ok()??;
    BranchName::parse(target).ok()
}

/// The commits reachable from `from` and from none of `without`, children before parents. More than `limit` is an error, not a cut.
pub fn commits(repo: &Repository, from: &CommitId, without: &[CommitId], limit: usize) -> Result<Vec<HistoryCommit>> {
    let mut walk = repo.revwalk().map_err(unreadable)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(unreadable)?;
    walk.push(oid(from.object())?).map_err(unreadable)?;
    for it in without {
        walk.hide(oid(it.object())?).map_err(unreadable)?;
    }
    let mut found = Vec::new();
    for id in walk {
        if found.len() == limit {
            return Err(Error::refused(format!("The history of {} has more than {limit} commits.", from.short())));
        }
        found.push(history_commit(&repo.find_commit(id.map_err(unreadable)?).map_err(unreadable)?)?);
    }
    Ok(found)
}

fn history_commit(commit: &git2::Commit<'_>) -> Result<HistoryCommit> {
    let message = commit.message_bytes();
    Ok(HistoryCommit {
        id: commit_id(commit.id())?,
        parents: commit.parent_ids().map(commit_id).collect::<Result<_>>()?,
        message: String::from_utf8_lossy(&message[..message.len().min(LONGEST_MESSAGE)]).into_owned(),
    })
}

/// Every version tag with the commit behind it and the name inside its tag object.
pub fn version_tags(repo: &Repository, template: &TagTemplate) -> Result<VersionTags> {
    let mut found = VersionTags::default();
    for (count, reference) in repo.references_glob("refs/tags/*").map_err(unreadable)?.enumerate() {
        if count == MOST_TAGS {
            return Err(Error::refused(format!("The repository has more than {MOST_TAGS} tags.")));
        }
        let reference = reference.map_err(unreadable)?;
        let Ok(name) = reference.name() else { continue };
        let name = name.strip_prefix("refs/tags/").unwrap_or(name);
        match template.read(name) {
            None if template.resembles(name) => found.lookalikes.push(name.to_owned()),
            None => {}
            Some(version) => match peel(repo, &reference)? {
                Some((object, header, commit)) => {
                    found.tags.push(TagSeen { name: name.to_owned(), version, object, commit, header, onto: None })
                }
                None => found.lookalikes.push(name.to_owned()),
            },
        }
    }
    Ok(found)
}

/// The object a tag's ref points to, the name inside it, and the commit behind it; `None` where no commit is behind it.
fn peel(repo: &Repository, reference: &git2::Reference<'_>) -> Result<Option<(ObjectId, Option<String>, CommitId)>> {
    let reference = reference.resolve().map_err(unreadable)?;
    let Some(target) = reference.target() else { return Ok(None) };
    let header = repo.find_tag(target).ok().map(|it| String::from_utf8_lossy(it.name_bytes()).into_owned());
    let Ok(commit) = reference.peel_to_commit() else { return Ok(None) };
    Ok(Some((object_id(target)?, header, commit_id(commit.id())?)))
}

/// A branch's whole history and the repository's version tags, as a look brings them.
pub fn app(repo: &Repository, branch: Option<BranchName>, tip: &CommitId, template: &TagTemplate) -> Result<AppSeen> {
    let VersionTags { tags, lookalikes } = version_tags(repo, template)?;
    Ok(AppSeen { branch, history: commits(repo, tip, &[], MOST_COMMITS)?, tags, lookalikes, ..AppSeen::default() })
}

/// Whether `ancestor` is `descendant` or reachable from it.
pub fn is_ancestor(repo: &Repository, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
    let (old, new) = (oid(ancestor.object())?, oid(descendant.object())?);
    Ok(old == new || repo.graph_descendant_of(new, old).map_err(unreadable)?)
}

/// A libgit2 id as ours.
pub fn object_id(id: Oid) -> Result<ObjectId> {
    ObjectId::parse(&id.to_string()).map_err(Error::bug)
}

/// A libgit2 id that names a commit as ours.
pub fn commit_id(id: Oid) -> Result<CommitId> {
    object_id(id).map(CommitId::new)
}

/// One of our ids as libgit2's.
pub fn oid(id: &ObjectId) -> Result<Oid> {
    Oid::from_str(id.as_str()).map_err(|why| Error::usage(format!("The repository cannot hold an object {id}.")).because(why))
}

fn unreadable(why: git2::Error) -> Error {
    Error::config("The repository cannot be read whole.").because(why).hint("git fsck says what is wrong with it.")
}
