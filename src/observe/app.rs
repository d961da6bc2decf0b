//! The app repository: the branch's history, the version tags, and what the components' paths hold.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::io::git::Store;
use crate::model::{App, AppSeen, CommitId, Component, ComponentName, ObjectId, RepoPath};

/// How many commits of a branch are read. A repository with more is refused rather than half read.
const MAX_HISTORY: usize = 200_000;

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
    let mut seen = AppSeen { branch: Some(app.branch.clone()), tags: store.version_tags(&app.tag)?, ..AppSeen::default() };
    if history {
        let tip = store.fetch(&app.branch.to_ref(), false)?.ok_or_else(|| {
            Error::config(format!("{} has no branch “{}”.", store.url(), app.branch)).hint("Check `app.branch` in the pipeline.")
        })?;
        seen.history = store.history(&tip, &[], MAX_HISTORY)?;
        if seen.history.len() == MAX_HISTORY {
            return Err(Error::refused(format!("{} has more than {MAX_HISTORY} commits on {}.", store.url(), app.branch)));
        }
    }
    for it in sources {
        compare(store, it, &mut seen)?;
    }
    Ok(seen)
}

fn compare(store: &Store, it: &Compared<'_>, seen: &mut AppSeen) -> Result<()> {
    let paths: Vec<_> = it.component.paths.iter().map(|it| it.path.clone()).collect();
    for commit in [it.image, it.release] {
        let objects = objects(store, commit, &paths)?;
        seen.sources.insert((it.component.name.clone(), commit.clone()), objects);
    }
    let source = |commit: &CommitId, seen: &BTreeMap<(ComponentName, CommitId), Vec<Option<ObjectId>>>| {
        seen.get(&(it.component.name.clone(), commit.clone())).cloned()
    };
    if source(it.image, &seen.sources) != source(it.release, &seen.sources) {
        let commits = store.commits_touching(it.image, it.release, &paths)?;
        seen.unproved.insert(it.component.name.clone(), commits);
    }
    Ok(())
}

fn objects(store: &Store, commit: &CommitId, paths: &[RepoPath]) -> Result<Vec<Option<ObjectId>>> {
    paths.iter().map(|it| store.object_at(commit, it)).collect()
}
