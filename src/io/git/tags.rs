//! The version tags of the remote: the ref, the object behind it, the commit behind that, and the name inside.

use git2::{AutotagOption, Direction, FetchOptions, Oid, Repository};
use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::model::{CommitId, RefName, RepoUrl, TagSeen, TagTemplate};

use super::database::{Depth, object_id, seen};
use super::session::{Session, Trouble, words};
use super::store::Store;

/// A tag that points to a tag that points to a tag ... is followed this far.
const MAX_PEEL: usize = 8;

impl Store {
    /// Where the remote is.
    pub fn url(&self) -> &RepoUrl {
        &self.remote().url
    }

    /// Every version tag of the remote. One request, and a second one for annotated tags that are new to the cache.
    pub fn version_tags(&self, template: &TagTemplate) -> Result<Vec<TagSeen>> {
        let session = Session::begin(self.remote(), self.network())?;
        let repository = self.database().take(Depth::Full)?;
        let failed = |it: Trouble| it.into_error(&session.address);
        let mut remote = repository.remote_anonymous(&session.address).map_err(|why| failed(Trouble { failure: None, git: why }))?;
        let heads = session.run(|| {
            remote.connect(Direction::Fetch)?;
            Ok(remote.list()?.iter().map(|it| (it.name().to_owned(), it.oid())).collect::<Vec<_>>())
        });
        let found = versions(&heads.map_err(failed)?, template);
        let missing: Vec<_> =
            found.iter().filter(|it| !repository.odb().is_ok_and(|odb| odb.exists(it.1))).map(|it| it.0.clone()).collect();
        if !missing.is_empty() {
            let _lock = self.database().lock(self.network().limits.total)?;
            let specs: Vec<_> = missing.iter().map(|it| format!("+{it}:{}", seen(it))).collect();
            let mut options = FetchOptions::new();
            options.download_tags(AutotagOption::None).update_fetchhead(false);
            session.run(|| remote.fetch(&specs, Some(&mut options), None)).map_err(failed)?;
        }
        drop(remote);
        found.into_iter().map(|(name, object)| read(&repository, template, &name, object)).collect()
    }

    /// When an annotated tag in the cache was made, by its own account. `None`: it is not there, or lightweight.
    pub fn tagged_at(&self, name: &str) -> Result<Option<Timestamp>> {
        let repository = self.database().take(Depth::Full)?;
        let Ok(name) = RefName::tag(name) else { return Ok(None) };
        let time = repository.refname_to_id(&seen(&name)).and_then(|it| repository.find_tag(it)).ok();
        Ok(time.and_then(|it| Some(it.tagger()?.when().seconds())).and_then(|it| Timestamp::from_second(it).ok()))
    }
}

/// The refs of version tags, without git's peeled lines.
fn versions(heads: &[(String, Oid)], template: &TagTemplate) -> Vec<(RefName, Oid)> {
    let is_version = |name: &str| name.strip_prefix("refs/tags/").is_some_and(|it| template.read(it).is_some());
    heads.iter().filter(|(name, _)| is_version(name)).filter_map(|(name, id)| Some((RefName::parse(name).ok()?, *id))).collect()
}

fn read(repository: &Repository, template: &TagTemplate, name: &RefName, object: Oid) -> Result<TagSeen> {
    let bad = |why: &str| Error::remote_final(format!("The tag {name} cannot be read: {why}."));
    let short = name.as_str().trim_start_matches("refs/tags/");
    let version = template.read(short).ok_or_else(|| bad("it is no version"))?;
    let header = repository.find_tag(object).ok().map(|it| String::from_utf8_lossy(it.name_bytes()).into_owned());
    let mut target = object;
    for _ in 0..MAX_PEEL {
        match repository.find_tag(target) {
            Ok(tag) => target = tag.target_id(),
            Err(_) => break,
        }
    }
    let commit = repository.find_commit(target).map_err(|why| bad(&words(&why)))?.id();
    Ok(TagSeen { name: short.to_owned(), version, object: object_id(object), commit: CommitId::new(object_id(commit)), header })
}
