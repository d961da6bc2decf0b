//! Walking histories: which commits, in what order, and which of them touched some paths.

use std::collections::HashMap;

use git2::{Oid, Repository, Sort};

use crate::error::{Error, Result};
use crate::model::{CommitId, HistoryCommit, RepoPath};

use super::content::entry;
use super::database::{Depth, Handle, object_id, oid};
use super::store::Store;

impl Store {
    pub(super) fn walk(&self, from: &CommitId, without: &[CommitId], limit: usize) -> Result<Vec<HistoryCommit>> {
        // A commit alone needs no history around it: a shallow cache tells as well.
        let (repository, ids) = if limit == 1 && without.is_empty() {
            (self.holding(from)?, vec![oid(from.object())?])
        } else {
            let repository = self.whole(from)?;
            let ids = self.ids(&repository, from, without, limit)?;
            (repository, ids)
        };
        let read = |id: Oid| -> Result<HistoryCommit, git2::Error> {
            let commit = repository.find_commit(id)?;
            Ok(HistoryCommit {
                id: CommitId::new(object_id(id)),
                parents: commit.parent_ids().map(|it| CommitId::new(object_id(it))).collect(),
                message: String::from_utf8_lossy(commit.message_raw_bytes()).into_owned(),
            })
        };
        self.sound(&repository, ids.into_iter().map(read).collect())
    }

    pub(super) fn descends(&self, ancestor: &CommitId, descendant: &CommitId) -> Result<bool> {
        if ancestor == descendant {
            return Ok(true);
        }
        let repository = self.whole(descendant)?;
        let (ancestor, descendant) = (oid(ancestor.object())?, oid(descendant.object())?);
        // The full cache holds all that is reachable from anything in it.
        if !self.sound(&repository, repository.odb())?.exists(ancestor) {
            return Ok(false);
        }
        self.sound(&repository, repository.graph_descendant_of(descendant, ancestor))
    }

    pub(super) fn touching(&self, from: &CommitId, to: &CommitId, paths: &[RepoPath]) -> Result<Vec<CommitId>> {
        let repository = self.whole(to)?;
        let ids = self.ids(&repository, to, std::slice::from_ref(from), usize::MAX)?;
        let mut trees = Trees { repository: &repository, paths, known: HashMap::new() };
        let mut found = Vec::new();
        for id in ids {
            if self.sound(&repository, trees.touched_by(id))? {
                found.push(CommitId::new(object_id(id)));
            }
        }
        Ok(found)
    }

    fn ids(&self, repository: &Handle<'_>, from: &CommitId, without: &[CommitId], limit: usize) -> Result<Vec<Oid>> {
        let start = oid(from.object())?;
        let ends = without.iter().map(|it| oid(it.object())).collect::<Result<Vec<_>>>()?;
        let walk = || -> Result<Vec<Oid>, git2::Error> {
            let odb = repository.odb()?;
            let mut walk = repository.revwalk()?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
            walk.push(start)?;
            for end in ends.into_iter().filter(|it| odb.exists(*it)) {
                walk.hide(end)?;
            }
            walk.take(limit).collect()
        };
        self.sound(repository, walk())
    }

    /// The full cache, if it holds this commit.
    fn whole(&self, commit: &CommitId) -> Result<Handle<'_>> {
        let found = self.holding(commit)?;
        if found.depth() == Depth::Full {
            return Ok(found);
        }
        Err(Error::bug(format!("The history of {} is asked for and only its tip was fetched.", commit.short())))
    }
}

/// What stands at some paths in some trees; neighbouring commits share most of it.
struct Trees<'a> {
    repository: &'a Repository,
    paths: &'a [RepoPath],
    known: HashMap<Oid, Vec<Option<Oid>>>,
}

impl Trees<'_> {
    fn touched_by(&mut self, commit: Oid) -> Result<bool, git2::Error> {
        let commit = self.repository.find_commit(commit)?;
        let before = match commit.parents().next() {
            Some(parent) if parent.tree_id() == commit.tree_id() => return Ok(false),
            Some(parent) => self.at(parent.tree_id())?,
            None => vec![None; self.paths.len()],
        };
        Ok(self.at(commit.tree_id())? != before)
    }

    fn at(&mut self, tree: Oid) -> Result<Vec<Option<Oid>>, git2::Error> {
        if let Some(known) = self.known.get(&tree) {
            return Ok(known.clone());
        }
        let root = self.repository.find_tree(tree)?;
        let objects: Vec<_> = self.paths.iter().map(|it| Ok(entry(&root, it)?.map(|(id, _)| id))).collect::<Result<_, git2::Error>>()?;
        self.known.insert(tree, objects.clone());
        Ok(objects)
    }
}
