//! The app repository: the branch's history, the version tags, and what the components' paths hold.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::io::git::Store;
use crate::io::git::history::VersionTags;
use crate::model::{App, AppSeen, CommitId, Component, ComponentName, ObjectId, RepoPath};

/// How many commits of a branch are read. A repository with more is refused rather than half read.
const MAX_HISTORY: usize = 200_000;
/// The largest file that a version is written into.
const MOST_TEXT: usize = 1024 * 1024;

/// A component's source at the commit of its image, to be compared with its source at the release commit.
pub struct Compared<'a> {
    /// The component.
    pub component: &'a Component,
    /// The commit its image was built from.
    pub image: &'a CommitId,
    /// The commit the release is cut at.
    pub release: &'a CommitId,
}

/// Looks at the app repository. Blocks.
pub fn look(store: &Store, app: &App, history: bool, sources: &[Compared<'_>]) -> Result<AppSeen> {
    let VersionTags { tags, lookalikes } = store.version_tags(&app.tag)?;
    let mut seen = AppSeen { branch: Some(app.branch.clone()), tags, lookalikes, ..AppSeen::default() };
    if history {
        let tip = store.fetch(&app.branch.to_ref(), false)?.ok_or_else(|| {
            Error::config(format!("{} has no branch “{}”.", store.url(), app.branch)).hint("Check `app.branch` in the pipeline.")
        })?;
        seen.history = store.history(&tip, &[], MAX_HISTORY)?;
        if seen.history.len() == MAX_HISTORY {
            return Err(Error::refused(format!("{} has more than {MAX_HISTORY} commits on {}.", store.url(), app.branch)));
        }
    }
    if !app.version_files.is_empty() {
        for it in &mut seen.tags {
            it.onto = store.parent_but_for(&it.commit, &app.version_files)?;
        }
    }
    for it in sources {
        compare(store, &app.version_files, it, &mut seen)?;
    }
    Ok(seen)
}

/// The texts of files at commits that a look brought. Blocks.
pub fn files(store: &Store, wanted: &[(CommitId, RepoPath)]) -> Result<BTreeMap<(CommitId, RepoPath), Option<String>>> {
    wanted.iter().map(|it| Ok((it.clone(), text(store, &it.0, &it.1)?))).collect()
}

fn text(store: &Store, commit: &CommitId, path: &RepoPath) -> Result<Option<String>> {
    let Some(file) = store.read(commit, path)? else { return Ok(None) };
    let text = String::from_utf8(file.bytes).ok().filter(|it| it.len() <= MOST_TEXT && file.mode != 0o120_000);
    text.map(Some).ok_or_else(|| {
        Error::refused(format!("{path} at {} is no text file of at most {} KiB.", commit.short(), MOST_TEXT / 1024))
            .hint("Name files in `app.versionFiles` that hold the version as text.")
    })
}

/// The version files do not count: a release writes them by itself, on top of what was proved.
fn compare(store: &Store, version_files: &[RepoPath], it: &Compared<'_>, seen: &mut AppSeen) -> Result<()> {
    let paths: Vec<_> = it.component.paths.iter().map(|it| it.path.clone()).collect();
    for commit in [it.image, it.release] {
        let objects = objects(store, commit, &paths, version_files)?;
        seen.sources.insert((it.component.name.clone(), commit.clone()), objects);
    }
    let source = |commit: &CommitId, seen: &BTreeMap<(ComponentName, CommitId), Vec<Option<ObjectId>>>| {
        seen.get(&(it.component.name.clone(), commit.clone())).cloned()
    };
    if source(it.image, &seen.sources) != source(it.release, &seen.sources) {
        let mut unproved = Vec::new();
        for commit in store.commits_touching(it.image, it.release, &paths)? {
            if store.parent_but_for(&commit, version_files)?.is_none() {
                unproved.push(commit);
            }
        }
        seen.unproved.insert(it.component.name.clone(), unproved);
    }
    Ok(())
}

fn objects(store: &Store, commit: &CommitId, paths: &[RepoPath], without: &[RepoPath]) -> Result<Vec<Option<ObjectId>>> {
    paths.iter().map(|it| store.object_without(commit, it, without)).collect()
}
