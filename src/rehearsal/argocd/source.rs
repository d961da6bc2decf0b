//! What Argo CD's repository server does: what a branch points to, and the files of a commit.

use std::path::Path;

use git2::{ObjectType, Repository, Tree};

/// What a branch points to now. An error is a repository that cannot be read.
pub(super) fn resolve(repository: &Path, revision: &str) -> Result<String, git2::Error> {
    let repository = Repository::open_bare(repository)?;
    let found = repository.revparse_single(&format!("refs/heads/{revision}")).or_else(|_| repository.revparse_single(revision))?;
    Ok(found.peel_to_commit()?.id().to_string())
}

/// Opens a commit and hands over its files.
pub(super) fn with_files<T>(repository: &Path, commit: &str, read: impl FnOnce(&Files<'_>) -> T) -> Result<T, git2::Error> {
    let repository = Repository::open_bare(repository)?;
    let tree = repository.revparse_single(commit)?.peel_to_tree()?;
    Ok(read(&Files { repository: &repository, tree }))
}

/// The files of one commit.
pub(super) struct Files<'r> {
    repository: &'r Repository,
    tree: Tree<'r>,
}

impl Files<'_> {
    /// A file's text.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let entry = self.tree.get_path(Path::new(path)).ok()?;
        let blob = entry.to_object(self.repository).ok()?.into_blob().ok()?;
        Some(String::from_utf8_lossy(blob.content()).into_owned())
    }

    /// Whether there is a folder.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        path.is_empty() || self.tree.get_path(Path::new(path)).is_ok_and(|it| it.kind() == Some(ObjectType::Tree))
    }
}

/// `a/b` and `../c` make `a/c`; nothing when that leaves the repository.
pub(super) fn join(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            it => parts.push(it),
        }
    }
    Some(parts.join("/"))
}
