//! Looking at the remote's refs, and bringing one of them into the cache.

use git2::{AutotagOption, Direction, ErrorCode, FetchOptions, Oid, Repository};

use crate::error::{Error, Result};
use crate::model::{CommitId, RefName};

use super::database::{Depth, Handle, object_id, seen};
use super::remote::RemoteRef;
use super::session::{Session, Trouble, words};
use super::store::Store;

/// A fetch that failed: because of this disk, or because of anything else.
enum Stop {
    Damage,
    Error(Error),
}

impl Store {
    pub(super) fn list_refs(&self, prefix: &str) -> Result<Vec<RemoteRef>> {
        let session = Session::begin(self.remote(), self.network())?;
        let repository = self.database().take(Depth::Tips)?;
        let heads = session.run(|| {
            let mut remote = repository.remote_anonymous(&session.address)?;
            let connection = remote.connect_auth(Direction::Fetch, None, None)?;
            Ok(connection.list()?.iter().map(|it| (it.name().to_owned(), it.oid())).collect::<Vec<_>>())
        });
        Ok(refs(&heads.map_err(|it| it.into_error(&session.address))?, prefix))
    }

    pub(super) fn fetch_ref(&self, name: &RefName, depth: Depth) -> Result<Option<CommitId>> {
        if self.database().is_overgrown(depth) {
            self.database().rebuild(depth, self.network().limits.total)?;
        }
        match self.fetch_once(name, depth) {
            Ok(tip) => Ok(tip),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Damage) => {
                self.database().rebuild(depth, self.network().limits.total)?;
                self.fetch_once(name, depth).map_err(|stop| match stop {
                    Stop::Error(error) => error,
                    Stop::Damage => {
                        Error::remote(format!("The git cache {} stays damaged after it was made anew.", self.database().home().display()))
                            .hint("Check the disk.")
                    }
                })
            }
        }
    }

    fn fetch_once(&self, name: &RefName, depth: Depth) -> Result<Option<CommitId>, Stop> {
        let session = Session::begin(self.remote(), self.network()).map_err(Stop::Error)?;
        let repository = self.database().take(depth).map_err(Stop::Error)?;
        let local = seen(name);
        let stop = |it: Trouble| if it.is_damage() { Stop::Damage } else { Stop::Error(it.into_error(&session.address)) };
        let mut remote = repository.remote_anonymous(&session.address).map_err(|why| stop(Trouble { failure: None, git: why }))?;
        // The connection stays open, so that the fetch below need not ask for the refs again.
        let tip = session.run(|| {
            remote.connect(Direction::Fetch)?;
            Ok(remote.list()?.iter().find(|it| it.name() == name.as_str()).map(|it| it.oid()))
        });
        let Some(tip) = tip.map_err(stop)? else {
            forget(&repository, &local);
            return Ok(None);
        };
        if repository.refname_to_id(&local).ok() != Some(tip) || !has(&repository, tip) {
            let _lock = self.database().lock(self.network().limits.total).map_err(Stop::Error)?;
            session.run(|| bring(&mut remote, name, &local, depth)).map_err(stop)?;
            self.database().refresh();
            // A fetch of a ref that is not there succeeds silently; so does one that could not write the ref.
            if repository.refname_to_id(&local).ok() != Some(tip) {
                return Err(Stop::Error(Error::remote(format!("{} announced {name} and did not send it.", session.address))));
            }
        }
        drop(remote);
        peel(&repository, name, tip).map(Some)
    }

    pub(super) fn cached_ref(&self, name: &RefName) -> Option<CommitId> {
        let at = |depth: Depth| -> Option<(Handle<'_>, Oid)> {
            let repository = self.database().has(depth).then(|| self.database().take(depth).ok())??;
            let id = repository.refname_to_id(&seen(name)).ok()?;
            let commit = repository.find_object(id, None).ok()?.peel_to_commit().ok()?.id();
            Some((repository, commit))
        };
        let tip = match (at(Depth::Full), at(Depth::Tips)) {
            // The full cache was fetched later if it knows what the shallow one saw.
            (Some((full, id)), Some((_, shallow))) => {
                if has(&full, shallow) {
                    id
                } else {
                    shallow
                }
            }
            (Some((_, id)), None) | (None, Some((_, id))) => id,
            (None, None) => return None,
        };
        Some(CommitId::new(object_id(tip)))
    }

    pub(super) fn forget_ref(&self, name: &RefName) -> Result<()> {
        for depth in [Depth::Tips, Depth::Full] {
            if self.database().has(depth) {
                forget(&*self.database().take(depth)?, &seen(name));
            }
        }
        Ok(())
    }
}

fn bring(remote: &mut git2::Remote<'_>, name: &RefName, local: &str, depth: Depth) -> Result<(), git2::Error> {
    let mut options = FetchOptions::new();
    options.download_tags(AutotagOption::None).update_fetchhead(false);
    if depth == Depth::Tips {
        options.depth(1);
    }
    // The plus is about our own memory: a branch that was rewritten on the remote is followed.
    remote.fetch(&[format!("+{name}:{local}")], Some(&mut options), None)
}

fn has(repository: &Repository, id: Oid) -> bool {
    repository.odb().is_ok_and(|it| it.exists(id))
}

fn peel(repository: &Repository, name: &RefName, tip: Oid) -> Result<CommitId, Stop> {
    match repository.find_object(tip, None).and_then(|it| it.peel_to_commit()) {
        Ok(commit) => Ok(CommitId::new(object_id(commit.id()))),
        Err(why) if matches!(why.code(), ErrorCode::Peel | ErrorCode::InvalidSpec) => {
            Err(Stop::Error(Error::remote_final(format!("{name} of the remote does not lead to a commit."))))
        }
        Err(why) if super::session::is_damage(&why) => Err(Stop::Damage),
        Err(why) => Err(Stop::Error(Error::remote(format!("{name} cannot be read from the cache: {}.", words(&why))))),
    }
}

fn forget(repository: &Repository, local: &str) {
    // A ref that is gone already is forgotten, too.
    if let Ok(mut it) = repository.find_reference(local) {
        let _ = it.delete();
    }
}

/// The refs below a prefix; git announces what an annotated tag points to as `name^{}` behind it.
fn refs(heads: &[(String, Oid)], prefix: &str) -> Vec<RemoteRef> {
    let mut found: Vec<RemoteRef> = Vec::new();
    for (name, id) in heads.iter().filter(|(name, _)| name.starts_with(prefix)) {
        match name.strip_suffix("^{}") {
            Some(tag) => {
                if let Some(it) = found.last_mut().filter(|it| it.name.as_str() == tag) {
                    it.peeled = Some(object_id(*id));
                }
            }
            // A name that git itself would not make is nobody's branch or tag.
            None => found.extend(RefName::parse(name).ok().map(|name| RemoteRef { name, object: object_id(*id), peeled: None })),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peeled_line_belongs_to_the_tag_in_front_of_it() {
        let id = |digit: &str| Oid::from_str(&digit.repeat(40)).unwrap();
        let heads = [("HEAD", "1"), ("refs/heads/main", "1"), ("refs/tags/v1", "2"), ("refs/tags/v1^{}", "1"), ("refs/tags/v2", "3")]
            .map(|(name, digit)| (name.to_owned(), id(digit)));
        let found = refs(&heads, "refs/tags/");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].peeled, Some(object_id(id("1"))));
        assert_eq!(found[1].peeled, None);
    }
}
