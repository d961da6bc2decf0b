//! Objects of a cache as they are stored: what the ledger's verifier looks at, without the conveniences that hide things.
//!
//! libgit2's own commit view leaves out the parents of a shallow commit and its revision walk does not say what is
//! missing. A verifier has to know both, so commits and trees are read from their bytes.

use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository};

use crate::error::{Error, Result};
use crate::model::{CommitId, ObjectId, hex};

use super::store::Store;

/// A commit's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCommit {
    /// Its own id.
    pub id: CommitId,
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents, whether they are in the cache or not.
    pub parents: Vec<CommitId>,
    /// Its message.
    pub message: String,
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// The name.
    pub name: String,
    /// The mode: 0o100644, 0o100755, 0o120000, 0o040000, 0o160000.
    pub mode: u32,
    /// The object.
    pub object: ObjectId,
}

/// A line of commits from a tip backwards along first parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The commits, oldest first.
    pub commits: Vec<StoredCommit>,
    /// The parent that the oldest one names but that is not there: the clone is shallow or damaged.
    pub missing: Option<CommitId>,
}

impl Store {
    /// The repository of the cache that holds this commit, with as much of its history as there is.
    pub fn folder_of(&self, commit: &CommitId) -> Result<PathBuf> {
        Ok(self.holding(commit)?.path().to_owned())
    }
}

/// The objects of one repository. Every thread opens its own.
pub struct Objects<'a> {
    odb: Odb<'a>,
}

/// Opens a bare repository for reading objects.
pub fn open(dir: &Path) -> Result<Repository> {
    Repository::open_bare(dir).map_err(|why| Error::remote("The cache of the repository cannot be opened.").because(why))
}

impl<'a> Objects<'a> {
    /// The objects of this repository.
    pub fn of(repository: &'a Repository) -> Result<Self> {
        Ok(Self { odb: repository.odb().map_err(broken)? })
    }

    /// A commit; `None`: it is not in the cache.
    pub fn commit(&self, id: &CommitId) -> Result<Option<StoredCommit>> {
        let Some(bytes) = self.read(id.object(), ObjectType::Commit, 1 << 20)? else { return Ok(None) };
        parse_commit(id, &bytes).map(Some).ok_or_else(|| Error::ledger(format!("The commit {id} cannot be read.")))
    }

    /// A tree's entries; `None`: it is not in the cache.
    pub fn tree(&self, id: &ObjectId) -> Result<Option<Vec<TreeEntry>>> {
        let Some(bytes) = self.read(id, ObjectType::Tree, 1 << 20)? else { return Ok(None) };
        parse_tree(&bytes, id.as_str().len() / 2).map(Some).ok_or_else(|| Error::ledger(format!("The tree {id} cannot be read.")))
    }

    /// A file's content; `None`: it is not in the cache, is no file, or is larger than this.
    pub fn blob(&self, id: &ObjectId, at_most: usize) -> Result<Option<Vec<u8>>> {
        self.read(id, ObjectType::Blob, at_most)
    }

    /// The line of commits that ends in this tip, at most this many.
    pub fn line(&self, tip: &CommitId, at_most: usize) -> Result<Line> {
        let mut line = Line { commits: Vec::new(), missing: None };
        let mut next = Some(tip.clone());
        while let Some(id) = next.filter(|_| line.commits.len() < at_most) {
            let Some(commit) = self.commit(&id)? else {
                line.missing = Some(id);
                break;
            };
            next = commit.parents.first().cloned();
            line.commits.push(commit);
        }
        line.commits.reverse();
        Ok(line)
    }

    fn read(&self, id: &ObjectId, kind: ObjectType, at_most: usize) -> Result<Option<Vec<u8>>> {
        let Ok(oid) = Oid::from_str(id.as_str()) else { return Ok(None) };
        match self.odb.read_header(oid) {
            Ok((size, found)) if found == kind && size <= at_most => {}
            Ok(_) => return Ok(None),
            Err(why) if why.code() == ErrorCode::NotFound => return Ok(None),
            Err(why) => return Err(broken(why)),
        }
        let object = self.odb.read(oid).map_err(broken)?;
        Ok(Some(object.data().to_vec()))
    }
}

fn broken(why: git2::Error) -> Error {
    Error::ledger("An object of the repository's cache cannot be read.").because(why).hint("Remove the cache directory; it is made anew.")
}

fn parse_commit(id: &CommitId, bytes: &[u8]) -> Option<StoredCommit> {
    let text = String::from_utf8_lossy(bytes);
    let (header, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let field = |name: &'static str| header.lines().filter_map(move |it| it.strip_prefix(name));
    let tree = ObjectId::parse(field("tree ").next()?).ok()?;
    let parents = field("parent ").map(|it| CommitId::parse(it).ok()).collect::<Option<_>>()?;
    Some(StoredCommit { id: id.clone(), tree, parents, message: message.to_owned() })
}

/// A tree is `mode SP name NUL id` again and again.
fn parse_tree(mut bytes: &[u8], id_length: usize) -> Option<Vec<TreeEntry>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|it| *it == b' ')?;
        let nul = bytes.iter().position(|it| *it == 0).filter(|it| *it > space)?;
        let mode = u32::from_str_radix(std::str::from_utf8(&bytes[..space]).ok()?, 8).ok()?;
        let name = String::from_utf8_lossy(&bytes[space + 1..nul]).into_owned();
        let id = bytes.get(nul + 1..nul + 1 + id_length)?;
        let object = ObjectId::parse(&hex(id)).ok()?;
        entries.push(TreeEntry { name, mode, object });
        bytes = &bytes[nul + 1 + id_length..];
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_and_trees_are_read_from_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(dir.path()).unwrap();
        let blob = repository.blob(b"x").unwrap();
        let mut tree = repository.treebuilder(None).unwrap();
        tree.insert("record.json", blob, 0o100_644).unwrap();
        tree.insert("run", blob, 0o100_755).unwrap();
        let tree = repository.find_tree(tree.write().unwrap()).unwrap();
        let person = git2::Signature::new("A\u{e9}", "a@x", &git2::Time::new(1, 0)).unwrap();
        let one = repository.commit(None, &person, &person, "one\n\nbody\n", &tree, &[]).unwrap();
        let parent = repository.find_commit(one).unwrap();
        let two = repository.commit(None, &person, &person, "two", &tree, &[&parent]).unwrap();
        let id = |it: Oid| CommitId::parse(&it.to_string()).unwrap();

        let objects = Objects::of(&repository).unwrap();
        let read = objects.commit(&id(two)).unwrap().unwrap();
        assert_eq!((read.parents, read.message.as_str()), (vec![id(one)], "two"));
        let entries = objects.tree(&read.tree).unwrap().unwrap();
        let seen: Vec<_> = entries.iter().map(|it| (it.name.as_str(), it.mode)).collect();
        assert_eq!(seen, [("record.json", 0o100_644), ("run", 0o100_755)]);
        assert_eq!(objects.blob(&entries[0].object, 1).unwrap().unwrap(), b"x");
        assert_eq!(objects.blob(&entries[0].object, 0).unwrap(), None, "larger than allowed");
        assert_eq!(objects.commit(&CommitId::parse(&"0".repeat(40)).unwrap()).unwrap(), None);
        let line = objects.line(&id(two), 9).unwrap();
        assert_eq!(line.commits.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), [id(one), id(two)]);
        assert_eq!(line.missing, None);
    }
}
