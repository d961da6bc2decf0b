//! Comparing commits without some of their files: those that a release writes by itself.

use git2::build::TreeUpdateBuilder;
use git2::{DiffOptions, Oid, Repository, Tree};

use crate::error::Result;
use crate::model::{CommitId, ObjectId, RepoPath};

use super::content::entry;
use super::database::{object_id, oid};
use super::store::Store;

impl Store {
    pub(super) fn only_parent_but_for(&self, commit: &CommitId, files: &[RepoPath]) -> Result<Option<CommitId>> {
        let repository = self.holding(commit)?;
        let id = oid(commit.object())?;
        let found = || -> Result<Option<CommitId>, git2::Error> {
            let commit = repository.find_commit(id)?;
            // A parent that is not in the cache cannot be compared with.
            let Some(parent) = commit.parent(0).ok().filter(|_| commit.parent_count() == 1) else { return Ok(None) };
            let mut options = DiffOptions::new();
            let diff =
                repository.diff_tree_to_tree(Some(&parent.tree()?), Some(&commit.tree()?), Some(options.include_typechange(true)))?;
            let listed = |it: git2::DiffFile<'_>| files.iter().any(|file| it.path_bytes() == Some(file.as_str().as_bytes()));
            let only = diff.deltas().len() > 0 && diff.deltas().all(|it| listed(it.old_file()) && listed(it.new_file()));
            Ok(only.then(|| CommitId::new(object_id(parent.id()))))
        };
        self.sound(&repository, found())
    }

    pub(super) fn object_in_without(&self, commit: &CommitId, path: &RepoPath, files: &[RepoPath]) -> Result<Option<ObjectId>> {
        let repository = self.holding(commit)?;
        let id = oid(commit.object())?;
        let found = || -> Result<Option<Oid>, git2::Error> {
            let tree = without(&repository, repository.find_commit(id)?.tree()?, files)?;
            let Some((id, _)) = entry(&tree, path)? else { return Ok(None) };
            // A folder that holds nothing else is no folder to git.
            Ok(Some(id).filter(|id| repository.find_tree(*id).map_or(true, |it| !it.is_empty())))
        };
        Ok(self.sound(&repository, found())?.map(object_id))
    }

    pub(super) fn time_of(&self, commit: &CommitId) -> Result<i64> {
        let repository = self.holding(commit)?;
        let id = oid(commit.object())?;
        self.sound(&repository, repository.find_commit(id).map(|it| it.time().seconds()))
    }
}

/// The tree without these files; it is written into the cache, where it harms nobody.
fn without<'a>(repository: &'a Repository, tree: Tree<'a>, files: &[RepoPath]) -> Result<Tree<'a>, git2::Error> {
    let mut updates = TreeUpdateBuilder::new();
    let mut some = false;
    for file in files {
        // A folder of that name is no version file.
        if entry(&tree, file)?.is_some_and(|(_, mode)| mode != 0o040_000) {
            updates.remove(file.as_str());
            some = true;
        }
    }
    if some { repository.find_tree(updates.create_updated(repository, &tree)?) } else { Ok(tree) }
}
