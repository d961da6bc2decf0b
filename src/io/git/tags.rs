//! The version tags of the remote: the ref, the object behind it, the commit behind that, and the name inside.

use git2::{AutotagOption, Direction, FetchOptions, Oid, Repository};
use jiff::Timestamp;

use crate::error::Result;
use crate::model::{CommitId, RefName, RepoUrl, TagSeen, TagTemplate};

use super::database::{Depth, object_id, seen};
use super::history::VersionTags;
use super::session::{Session, Trouble};
use super::store::Store;

const TAGS: &str = "refs/tags/";

impl Store {
    /// Where the remote is.
    pub fn url(&self) -> &RepoUrl {
        &self.remote().url
    }

    /// Every version tag of the remote. One request, and a second one for annotated tags that are new to the cache.
    pub fn version_tags(&self, template: &TagTemplate) -> Result<VersionTags> {
        let session = Session::begin(self.remote(), self.network())?;
        let repository = self.database().take(Depth::Full)?;
        let failed = |it: Trouble| it.into_error(&session.address);
        let mut remote = repository.remote_anonymous(&session.address).map_err(|why| failed(Trouble { failure: None, git: why }))?;
        let heads = session.run(|| {
            remote.connect(Direction::Fetch)?;
            Ok(remote.list()?.iter().map(|it| (it.name().to_owned(), it.oid())).collect::<Vec<_>>())
        });
        let (found, lookalikes) = versions(&heads.map_err(failed)?, template);
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
        let mut tags = VersionTags { tags: Vec::new(), lookalikes };
        for (name, object) in found {
            match read(&repository, template, &name, object) {
                Some(tag) => tags.tags.push(tag),
                None => tags.lookalikes.push(name.as_str().trim_start_matches(TAGS).to_owned()),
            }
        }
        Ok(tags)
    }

    /// When an annotated tag in the cache was made, by its own account. `None`: it is not there, or lightweight.
    pub fn tagged_at(&self, name: &str) -> Result<Option<Timestamp>> {
        let repository = self.database().take(Depth::Full)?;
        let Ok(name) = RefName::tag(name) else { return Ok(None) };
        let time = repository.refname_to_id(&seen(&name)).and_then(|it| repository.find_tag(it)).ok();
        Ok(time.and_then(|it| Some(it.tagger()?.when().seconds())).and_then(|it| Timestamp::from_second(it).ok()))
    }
}

/// The refs of version tags, without git's peeled lines, and the names that only look like one.
fn versions(heads: &[(String, Oid)], template: &TagTemplate) -> (Vec<(RefName, Oid)>, Vec<String>) {
    let (mut found, mut lookalikes) = (Vec::new(), Vec::new());
    for (name, id) in heads.iter().filter(|(name, _)| !name.ends_with("^{}")) {
        let Some(short) = name.strip_prefix(TAGS) else { continue };
        match (template.read(short), RefName::parse(name)) {
            (Some(_), Ok(name)) => found.push((name, *id)),
            _ if template.resembles(short) => lookalikes.push(short.to_owned()),
            _ => {}
        }
    }
    (found, lookalikes)
}

/// A tag in the cache; `None` where no commit is behind it.
fn read(repository: &Repository, template: &TagTemplate, name: &RefName, object: Oid) -> Option<TagSeen> {
    let short = name.as_str().trim_start_matches(TAGS);
    let header = repository.find_tag(object).ok().map(|it| String::from_utf8_lossy(it.name_bytes()).into_owned());
    let commit = repository.find_object(object, None).ok()?.peel_to_commit().ok()?.id();
    let (object, commit) = (object_id(object), CommitId::new(object_id(commit)));
    Some(TagSeen { name: short.to_owned(), version: template.read(short)?, object, commit, header, onto: None })
}
