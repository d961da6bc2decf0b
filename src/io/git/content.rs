//! What commits hold: reading files out of them, and making new ones without a work tree.

use std::collections::BTreeSet;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, ObjectType, Oid, Repository, Signature, Time, Tree};

use crate::error::{Error, Result};
use crate::model::{CommitId, ObjectId, RepoPath};

use super::database::{Depth, Handle, object_id, oid};
use super::session::words;
use super::store::Store;

/// The mode of a symbolic link.
const LINK: i32 = 0o120_000;
/// The mode of a submodule.
const SUBMODULE: i32 = 0o160_000;
/// The largest file that is read into memory.
const MOST_BYTES: usize = 64 * 1024 * 1024;

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

impl Person {
    fn signature(&self) -> Result<Signature<'static>> {
        Signature::new(&self.name, &self.email, &Time::new(self.time, 0))
            .map_err(|why| Error::config(format!("“{}” <{}> cannot be the author of a commit: {}.", self.name, self.email, words(&why))))
    }
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

impl Store {
    pub(super) fn read_file(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<StoredFile>> {
        let repository = self.holding(commit)?;
        let found = || -> Result<Option<StoredFile>, git2::Error> {
            let Some((id, mode)) = entry(&tree_of(&repository, commit)?, path)? else { return Ok(None) };
            if mode == SUBMODULE {
                return Ok(None);
            }
            let (size, kind) = repository.odb()?.read_header(id)?;
            if kind != ObjectType::Blob {
                return Ok(None);
            }
            if size > MOST_BYTES {
                return Err(git2::Error::from_str("the file is larger than 64 MiB"));
            }
            let bytes = repository.find_blob(id)?.content().to_vec();
            Ok(Some(StoredFile { bytes, blob: object_id(id), mode: u32::try_from(mode).unwrap_or_default() }))
        };
        self.sound(&repository, found())
    }

    pub(super) fn list_folder(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<Vec<String>>> {
        let repository = self.holding(commit)?;
        let found = || -> Result<Option<Vec<String>>, git2::Error> {
            let Some((id, _)) = entry(&tree_of(&repository, commit)?, path)?.filter(|(_, mode)| *mode == 0o040_000) else {
                return Ok(None);
            };
            let names = repository.find_tree(id)?.iter().map(|it| String::from_utf8_lossy(it.name_bytes()).into_owned()).collect();
            Ok(Some(names))
        };
        self.sound(&repository, found())
    }

    pub(super) fn object_in(&self, commit: &CommitId, path: &RepoPath) -> Result<Option<ObjectId>> {
        let repository = self.holding(commit)?;
        let found = tree_of(&repository, commit).and_then(|tree| entry(&tree, path));
        Ok(self.sound(&repository, found)?.map(|(id, _)| object_id(id)))
    }

    pub(super) fn make_commit(&self, new: &NewCommit<'_>) -> Result<CommitId> {
        let repository = match new.parent {
            Some(parent) => self.holding(parent)?,
            None => self.database().take(Depth::Tips)?,
        };
        let by = new.by.signature()?;
        let parent =
            new.parent.map(|it| repository.find_commit(oid(it.object())?).map_err(|why| self.database().damaged(repository.depth(), &why)));
        let parent = parent.transpose()?;
        let sound = |done: Result<Oid, git2::Error>| self.sound(&repository, done);
        let base = match &parent {
            Some(parent) if !new.alone => parent.tree_id(),
            _ => sound(repository.treebuilder(None).and_then(|it| it.write()))?,
        };
        let base = repository.find_tree(base).map_err(|why| self.database().damaged(repository.depth(), &why))?;
        let tree = self.make_tree(&repository, &base, new.files)?;
        let tree = repository.find_tree(tree).map_err(|why| self.database().damaged(repository.depth(), &why))?;
        let parents: Vec<_> = parent.iter().collect();
        let id = sound(repository.commit(None, &by, &by, new.message, &tree, &parents))?;
        Ok(CommitId::new(object_id(id)))
    }

    pub(super) fn make_tag(&self, name: &str, commit: &CommitId, by: &Person, message: &str) -> Result<ObjectId> {
        let repository = self.holding(commit)?;
        let by = by.signature()?;
        let target = repository.find_object(oid(commit.object())?, Some(ObjectType::Commit));
        let made = target.and_then(|it| repository.tag_annotation_create(name, &it, &by, message));
        self.sound(&repository, made).map(object_id)
    }

    /// The tree with these files in it.
    fn make_tree(&self, repository: &Handle<'_>, base: &Tree<'_>, files: &[FileChange]) -> Result<Oid> {
        let mut updates = TreeUpdateBuilder::new();
        let mut seen = BTreeSet::new();
        for FileChange { path, bytes } in files {
            if !seen.insert(path) {
                return Err(Error::bug(format!("{path} is written twice in one commit.")));
            }
            let mode = self.sound(repository, mode_for(base, path))?;
            let mode = mode.map_err(|what| {
                Error::refused(format!("{path} cannot be written: {what}.")).hint("Name the real file in the pipeline instead.")
            })?;
            updates.upsert(path.as_str(), self.sound(repository, repository.blob(bytes))?, mode);
        }
        self.sound(repository, updates.create_updated(repository, base))
    }

    /// The repository that holds this commit.
    pub(super) fn holding(&self, commit: &CommitId) -> Result<Handle<'_>> {
        let found = self.database().holding(oid(commit.object())?)?;
        found.ok_or_else(|| {
            Error::remote(format!("The commit {} is not in the cache of {}.", commit.short(), self.remote().url))
                .hint("Fetch the branch that holds it first.")
        })
    }

    /// Turns libgit2's complaint about the cache into an error of ours.
    pub(super) fn sound<T>(&self, repository: &Handle<'_>, done: Result<T, git2::Error>) -> Result<T> {
        done.map_err(|why| self.database().damaged(repository.depth(), &why))
    }
}

fn tree_of<'a>(repository: &'a Repository, commit: &CommitId) -> Result<Tree<'a>, git2::Error> {
    repository.find_commit(Oid::from_str(commit.as_str())?)?.tree()
}

/// What stands at a path.
pub(super) fn entry(tree: &Tree<'_>, path: &RepoPath) -> Result<Option<(Oid, i32)>, git2::Error> {
    match tree.get_path(Path::new(path.as_str())) {
        Ok(it) => Ok(Some((it.id(), it.filemode()))),
        Err(why) if why.code() == ErrorCode::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// The mode with which a file may be written at a path, or what stands in the way.
fn mode_for(base: &Tree<'_>, path: &RepoPath) -> Result<Result<FileMode, &'static str>, git2::Error> {
    for (at, _) in path.as_str().match_indices('/') {
        match base.get_path(Path::new(&path.as_str()[..at])) {
            Ok(it) if it.kind() == Some(ObjectType::Tree) => {}
            Ok(it) if it.filemode() == LINK => return Ok(Err("a folder on its way is a symbolic link")),
            Ok(_) => return Ok(Err("a folder on its way is not a folder")),
            Err(why) if why.code() == ErrorCode::NotFound => return Ok(Ok(FileMode::Blob)),
            Err(why) => return Err(why),
        }
    }
    Ok(match entry(base, path)? {
        None => Ok(FileMode::Blob),
        Some((_, 0o100_755)) => Ok(FileMode::BlobExecutable),
        Some((_, 0o100_644 | 0o100_664)) => Ok(FileMode::Blob),
        Some((_, LINK)) => Err("it is a symbolic link"),
        Some((_, SUBMODULE)) => Err("it is a submodule"),
        Some(_) => Err("it is a folder"),
    })
}
