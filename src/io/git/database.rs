//! The cache on disk: two bare repositories of one remote, made when needed and made anew when damaged.
//!
//! `tips.git` holds shallow tips, `full.git` whole histories. They are apart because a shallow boundary counts for its whole
//! repository: one shallow fetch would cut a history that another fetch had brought complete.

use std::fs::{self, File, TryLockError};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use git2::{Oid, Repository, RepositoryInitOptions, RepositoryOpenFlags};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::{ObjectId, RefName, RepoUrl};

use super::session::{is_damage, words};

/// Which of the two repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Tips without their history.
    Tips,
    /// Everything reachable from anything in it is in it.
    Full,
}

impl Depth {
    fn folder(self) -> &'static str {
        match self {
            Self::Tips => "tips.git",
            Self::Full => "full.git",
        }
    }
}

/// The cache on disk.
pub(super) struct Database {
    home: PathBuf,
    idle: Mutex<Idle>,
}

/// Open repositories that nobody uses right now.
#[derive(Default)]
struct Idle {
    repositories: Vec<(Depth, Repository)>,
    /// Counts the moments after which an open repository may know too little.
    age: u64,
}

/// An open repository; given back when dropped.
pub(super) struct Handle<'a> {
    database: &'a Database,
    depth: Depth,
    age: u64,
    repository: Option<Repository>,
}

impl Database {
    /// The cache of this address below `root`.
    pub(super) fn open(url: &RepoUrl, root: &Path) -> Result<Self> {
        let database = Self { home: root.join(folder_name(url)), idle: Mutex::default() };
        fs::create_dir_all(&database.home).map_err(|why| {
            Error::config(format!("The folder {} for git's cache cannot be made.", database.home.display()))
                .because(why)
                .hint("Check its permissions, or choose another cache folder.")
        })?;
        drop(database.take(Depth::Tips)?);
        if database.has(Depth::Full) {
            drop(database.take(Depth::Full)?);
        }
        Ok(database)
    }

    /// Where it is.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// An open repository, made where absent and made anew where it cannot be opened.
    pub(super) fn take(&self, depth: Depth) -> Result<Handle<'_>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let age = idle.age;
        let found = idle.repositories.iter().position(|(it, _)| *it == depth).map(|at| idle.repositories.swap_remove(at).1);
        drop(idle);
        let repository = match found {
            Some(repository) => repository,
            None => self.open_or_make(depth)?,
        };
        Ok(Handle { database: self, depth, age, repository: Some(repository) })
    }

    /// The repository that holds this object with most around it.
    pub(super) fn holding(&self, object: Oid) -> Result<Option<Handle<'_>>> {
        for depth in [Depth::Full, Depth::Tips] {
            if depth == Depth::Full && !self.has(depth) {
                continue;
            }
            let handle = self.take(depth)?;
            if handle.odb().map_err(|why| self.damaged(depth, &why))?.exists(object) {
                return Ok(Some(handle));
            }
        }
        Ok(None)
    }

    /// Whether it has been made.
    pub(super) fn has(&self, depth: Depth) -> bool {
        self.home.join(depth.folder()).exists()
    }

    /// Makes every open repository look at the disk again: a boundary of history may have moved.
    pub(super) fn refresh(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.age += 1;
        idle.repositories.clear();
    }

    /// Whether so much has been piled up that fetching anew is cheaper than living with it. Nothing is ever packed together here.
    pub(super) fn is_overgrown(&self, depth: Depth) -> bool {
        let (most_packs, most_loose) = match depth {
            Depth::Tips => (100, 27),
            Depth::Full => (1000, 100),
        };
        let objects = self.home.join(depth.folder()).join("objects");
        let packs = fs::read_dir(objects.join("pack"))
            .map_or(0, |it| it.flatten().filter(|it| it.path().extension().is_some_and(|it| it == "pack")).count());
        // One folder of 256 speaks for all, as in git's own gc.
        let loose = fs::read_dir(objects.join("17")).map_or(0, Iterator::count);
        packs > most_packs || loose > most_loose
    }

    /// Throws a repository away and makes it anew.
    pub(super) fn rebuild(&self, depth: Depth, limit: Duration) -> Result<()> {
        let _lock = self.lock(limit)?;
        self.discard(depth)?;
        self.make(depth).map(drop)
    }

    /// The error for a repository that libgit2 stumbled over. What is damaged is thrown away, so that trying again can help.
    pub(super) fn damaged(&self, depth: Depth, why: &git2::Error) -> Error {
        if !is_damage(why) {
            return Error::remote(format!("The git cache {} cannot be used: {}.", self.home.display(), words(why)));
        }
        let _ = self.discard(depth);
        Error::remote(format!("The git cache {} was damaged ({}) and has been thrown away.", self.home.display(), words(why)))
            .hint("Run the same command again: the cache is fetched anew.")
    }

    /// Keeps other processes and threads from filling this cache at the same time; released when dropped.
    pub(super) fn lock(&self, limit: Duration) -> Result<File> {
        let path = self.home.join("lock");
        let cannot = |why| Error::config(format!("The lock {} cannot be taken.", path.display())).because(why);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(why)) => return Err(cannot(why)),
        }
        // A lock cannot be waited for with a limit; a thread can.
        let (done, outcome) = channel();
        thread::spawn(move || {
            let locked = file.lock();
            let _ = done.send(locked.map(|()| file));
        });
        match outcome.recv_timeout(limit) {
            Ok(locked) => locked.map_err(cannot),
            Err(_) => Err(Error::remote(format!("Another process has been filling the git cache {} for too long.", self.home.display()))
                .hint("Look for a hanging process, or use another cache folder.")),
        }
    }

    fn open_or_make(&self, depth: Depth) -> Result<Repository> {
        let path = self.home.join(depth.folder());
        if let Ok(repository) = open_whole(&path) {
            return Ok(repository);
        }
        let _lock = self.lock(Duration::from_secs(60))?;
        // Another process may have made it in the meantime.
        if let Ok(repository) = open_whole(&path) {
            return Ok(repository);
        }
        self.discard(depth)?;
        self.make(depth)
    }

    fn make(&self, depth: Depth) -> Result<Repository> {
        let path = self.home.join(depth.folder());
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("none");
        Repository::init_opts(&path, &options)
            .map_err(|why| Error::config(format!("The git cache {} cannot be made: {}.", path.display(), words(&why))))
    }

    /// Moves a repository out of the way first, so that nobody meets half of it.
    fn discard(&self, depth: Depth) -> Result<()> {
        self.refresh();
        let path = self.home.join(depth.folder());
        let cannot = |why| Error::config(format!("The damaged git cache {} cannot be removed.", path.display())).because(why);
        if !path.exists() {
            return Ok(());
        }
        let aside = tempfile::Builder::new().prefix("discarded-").tempdir_in(&self.home).map_err(cannot)?;
        fs::rename(&path, aside.path().join("it")).map_err(cannot)
    }
}

/// Opens what is a repository beyond doubt: libgit2 alone accepts one without readable config or refs.
fn open_whole(path: &Path) -> Result<Repository, git2::Error> {
    // Not `open_bare`, which does not read the boundary of a shallow repository and then misses the parents behind it.
    let flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT | RepositoryOpenFlags::BARE;
    let repository = Repository::open_ext(path, flags, std::iter::empty::<&Path>())?;
    repository.config()?.get_bool("core.bare")?;
    repository.references()?.next().transpose()?;
    Ok(repository)
}

impl Deref for Handle<'_> {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        self.repository.as_ref().expect("a handle holds its repository until it is dropped")
    }
}

impl Handle<'_> {
    /// Which repository this is.
    pub(super) fn depth(&self) -> Depth {
        self.depth
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        let mut idle = self.database.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repository) = self.repository.take().filter(|_| idle.age == self.age) {
            idle.repositories.push((self.depth, repository));
        }
    }
}

/// The local ref that remembers where a remote ref was seen. Hashed, because `a` and `a/b` may follow each other on the remote
/// and cannot stand beside each other on a disk.
pub(super) fn seen(name: &RefName) -> String {
    format!("refs/seen/{}", hex(name.as_str(), 16))
}

/// The last part of the address for people, its hash for certainty. Credentials are no part of it.
fn folder_name(url: &RepoUrl) -> String {
    let address = super::remote::plain_address(url);
    let last = address.rsplit(['/', ':']).next().unwrap_or_default();
    let shown: String =
        last.trim_end_matches(".git").chars().filter(|it| it.is_ascii_alphanumeric() || "-_".contains(*it)).take(40).collect();
    format!("{shown}-{}", hex(&address, 8))
}

fn hex(text: &str, bytes: usize) -> String {
    Sha256::digest(text.as_bytes()).iter().take(bytes).map(|it| format!("{it:02x}")).collect()
}

/// An object id for libgit2.
pub(super) fn oid(id: &ObjectId) -> Result<Oid> {
    Oid::from_str(id.as_str()).map_err(|_| {
        Error::remote_final(format!("The git object {id} belongs to a SHA-256 repository, which this program cannot read."))
            .hint("Use a repository with SHA-1 object ids.")
    })
}

/// An object id from libgit2.
pub(super) fn object_id(oid: Oid) -> ObjectId {
    ObjectId::parse(&oid.to_string()).expect("libgit2 prints full lower-case hex")
}
